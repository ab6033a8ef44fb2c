"""The version of a database's tables: creating them, telling how old they are, and bringing them up to date.

Every database carries the stamp of the last revision that it went through, in alembic's own table. The revisions are
scripts that ship with the package. Alembic itself is loaded only when a script has to run.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, inspect, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase

from tradestore._engine import take_write_lock
from tradestore._errors import is_retryable
from tradestore._sequences import get_last_sequence_ids, set_sequence_ids
from tradestore.exceptions import MigrationError, SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = [
    "HEAD",
    "VERSION_TABLE",
    "check",
    "check_migrate",
    "current",
    "downgrade",
    "get_last_sequence_ids",
    "history",
    "set_sequence_ids",
    "set_sqlite_to_wal",
    "stamp",
    "upgrade",
]

logger = logging.getLogger(__name__)

HEAD: Final = "0003_backtest_runs"
"""The revision that this version of the library works with."""

VERSION_TABLE: Final = "alembic_version"

_versions = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))

_LOCK_NAME: Final = "tradestore_schema"
_LOCK_NUMBER: Final = 7_239_101_204
_LOCK_TIMEOUT: Final = 300
"""Seconds that a process waits while another one brings the same database up to date."""
_PAUSE: Final = 0.05

_MARIADB_LOCK, _MARIADB_UNLOCK = select(func.get_lock(_LOCK_NAME, 0)), select(func.release_lock(_LOCK_NAME))
_LOCK: Final = {
    "postgresql": select(func.pg_try_advisory_lock(_LOCK_NUMBER)),
    "mysql": _MARIADB_LOCK,
    "mariadb": _MARIADB_LOCK,
}
_UNLOCK: Final = {
    "postgresql": select(func.pg_advisory_unlock(_LOCK_NUMBER)),
    "mysql": _MARIADB_UNLOCK,
    "mariadb": _MARIADB_UNLOCK,
}


def current(engine: Engine) -> str | None:
    """Return the revision that a database is stamped with, None without a stamp."""
    with engine.connect() as connection:
        return _stamp_of(connection)


def history() -> list[str]:
    """Return all known revisions, the oldest first."""
    from alembic.script import ScriptDirectory

    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    return [script.revision for script in revisions][::-1]


def stamp(engine: Engine, revision: str = HEAD) -> None:
    """Note that a database's tables are those of a revision, without looking at them."""
    with engine.begin() as connection:
        _stamp(connection, revision)


def upgrade(engine: Engine, revision: str = HEAD) -> None:
    """Run the scripts from a database's revision up to another one, in one transaction where the engine can.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
    """
    from alembic import command

    with _alone(engine) as connection:
        _refuse_unknown(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Run the scripts from a database's revision down to another one; ``base`` removes all tables.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
    """
    from alembic import command

    with _alone(engine) as connection:
        _refuse_unknown(connection)
        command.downgrade(_config(connection), revision)


def check(engine: Engine, metadata: MetaData) -> list[Any]:
    """Return the differences between a database and the models, as alembic describes them; none is the rule."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return list(compare_metadata(context, metadata))


def check_migrate(engine: Engine, decl_base: type[DeclarativeBase], previous_tables: Sequence[str]) -> None:
    """Bring a database to the tables that the models need; one that nobody used yet gets them all.

    Of two processes that do this at once, one works and the other waits.

    Args:
        engine: Of the database.
        decl_base: The base of all models, the user's own among them.
        previous_tables: The tables that were there before.

    Raises:
        SchemaTooNew: If a newer version of the library wrote the database.
        MigrationError: If its tables are those of another layer or of an older one.
    """
    stamped = current(engine)
    if stamped != HEAD and stamped is not None:
        upgrade(engine)
    with _alone(engine) as connection:
        is_new = _stamp_of(connection) is None
        if is_new and previous_tables:
            _refuse_foreign(connection, decl_base.metadata)
        decl_base.metadata.create_all(connection)
        if is_new:
            _complete_indexes(connection, decl_base.metadata)
            _stamp(connection, HEAD)


def set_sqlite_to_wal(engine: Engine) -> None:
    """Let readers and a writer of an SQLite file work side by side; other databases, and memory, need nothing."""
    if engine.dialect.name != "sqlite" or engine.url.database in {None, "", ":memory:"}:
        return
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as e:
            # The switch needs the file for itself and does not wait for others by itself.
            if not is_retryable(e) or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _complete_indexes(connection: Connection, metadata: MetaData) -> None:
    """Create indexes that a first start, cut short where tables are created one by one, has left out."""
    for table in metadata.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Open a transaction during which no other process changes the tables."""
    with engine.connect() as connection:
        _wait_for_others(connection)
        try:
            with connection.begin():
                take_write_lock(connection)
                yield connection
        finally:
            if (unlock := _UNLOCK.get(engine.dialect.name)) is not None:
                connection.execute(unlock)
                connection.commit()


def _wait_for_others(connection: Connection) -> None:
    lock = _LOCK.get(connection.dialect.name)
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while lock is not None and not connection.scalar(lock):
        if time.monotonic() > deadline:
            msg = f"Another process has been changing the tables for {_LOCK_TIMEOUT} s: wait for it, then try again."
            raise MigrationError(msg)
        time.sleep(_PAUSE)
    connection.commit()


def _stamp_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_versions.c.version_num))


def _stamp(connection: Connection, revision: str) -> None:
    _versions.create(connection, checkfirst=True)
    connection.execute(_versions.delete())
    connection.execute(_versions.insert().values(version_num=revision))


def _refuse_unknown(connection: Connection) -> None:
    stamped = _stamp_of(connection)
    if stamped is not None and stamped not in history():
        msg = (
            f"The database is at revision {stamped!r}, which is newer than this library ({HEAD!r}). Nothing was "
            "changed: install the version of tradestore that wrote it, or a later one."
        )
        raise SchemaTooNew(msg)


def _refuse_foreign(connection: Connection, metadata: MetaData) -> None:
    """Refuse tables that carry our names but not our columns; a creation that was cut short may be completed."""
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in present:
            continue
        missing = set(table.columns.keys()) - {column["name"] for column in inspector.get_columns(table.name)}
        if missing:
            msg = (
                f"The table {table.name!r} was not made by tradestore: it has no column {', '.join(sorted(missing))}. "
                "Nothing was changed. Adopting databases of other layers is not part of this version: "
                "give the db_url of a new database."
            )
            raise MigrationError(msg)


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> Path:
    """Return the folder of the revision scripts: beside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"
