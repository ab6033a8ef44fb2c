"""The version of a database's tables: creating them, telling how old they are, and bringing them up to date.

Every database carries the stamp of the last revision that it went through, in alembic's own table. The revisions are
scripts that ship with the package.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, MetaData, Table, inspect
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import DeclarativeBase

from tradestore import (  # noqa: F401 - with them, all tables are known
    _backtest_tables,
    _commit_tokens,
    custom_data,
    intents,
    key_value_store,
    limits,
    pairlock,
    repair_log,
    trade_model,
    wallet_history,
)
from tradestore._engine import is_memory
from tradestore._errors import is_retryable
from tradestore._legacy_names import get_backup_name, get_column_def, has_column
from tradestore._revision_change import change_revision, is_unfinished
from tradestore._revisions import (
    HEAD,
    VERSION_TABLE,
    differences,
    history,
    put_stamp,
    refuse_unknown,
    stamp_of,
)
from tradestore._scan import Scan, SchemaState, scan_database
from tradestore._schema_lock import LOCK_TIMEOUT, PAUSE, alone
from tradestore._sequences import get_last_sequence_ids, set_sequence_ids
from tradestore._start_fixes import fix_old_dry_orders, fix_wrong_max_stake_amount
from tradestore.adoption.adopt import adopting
from tradestore.adoption.plan import has_stamped_tables
from tradestore.base import ModelBase

__all__ = [
    "HEAD",
    "VERSION_TABLE",
    "Scan",
    "SchemaState",
    "check",
    "check_migrate",
    "current",
    "downgrade",
    "fix_old_dry_orders",
    "fix_wrong_max_stake_amount",
    "get_backup_name",
    "get_column_def",
    "get_last_sequence_ids",
    "has_column",
    "head",
    "history",
    "scan",
    "set_sequence_ids",
    "set_sqlite_to_wal",
    "stamp",
    "upgrade",
]

logger = logging.getLogger(__name__)


def current(engine: Engine) -> str | None:
    """Return the revision that a database is stamped with, None without a stamp."""
    with engine.connect() as connection:
        return stamp_of(connection)


def head() -> str:
    """Return the newest revision: the one that this version of the library works with."""
    return HEAD


def scan(engine: Engine) -> Scan:
    """Say what opening a database with ``init_db`` would do to it; nothing is changed.

    Returns:
        The steps, and what is in the way; as text they are lines for a person.
    """
    return scan_database(engine, ModelBase.metadata)


def stamp(engine: Engine, revision: str = HEAD) -> None:
    """Note that a database's tables are those of a revision, without looking at them."""
    with alone(engine) as connection:
        put_stamp(connection, revision)


def upgrade(engine: Engine, revision: str = HEAD) -> None:
    """Bring a database up to another revision, or leave it exactly as it is.

    An SQLite file is backed up first, to ``<file>.<its revision>.bak`` beside it. The rows of all tables are compared
    with before. What is there already, or higher, is left as it is.

    Args:
        engine: Of the database.
        revision: Which one, or the beginning of its name, or ``+1``.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
        MigrationError: If there is no such revision, if the tables have no stamp, if the backup failed, or if rows
            would not be what they were. The database is as it was, as it is where SQLAlchemy's own errors tell that
            the engine refused something.
    """
    with alone(engine, reshaping=True) as connection:
        change_revision(connection, "upgrade", revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Bring a database down to another revision for an older version of the library, or leave it exactly as it is.

    It takes the same care as :func:`upgrade`. What the older tables cannot hold is never dropped: as long as there are
    rows of that kind, the downgrade is refused before anything is changed.

    Args:
        engine: Of the database.
        revision: Which one, or the beginning of its name, or ``-1``; ``base`` for none, which removes all tables.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
        MigrationError: If rows are in the way, the message says which, or for the reasons of :func:`upgrade`.
    """
    with alone(engine, reshaping=True) as connection:
        change_revision(connection, "downgrade", revision)


def check(engine: Engine, metadata: MetaData) -> list[Any]:
    """Return the differences between a database and the models, as alembic describes them; none is the rule."""
    with engine.connect() as connection:
        return differences(connection, metadata)


def check_migrate(engine: Engine, decl_base: type[DeclarativeBase], previous_tables: Sequence[str]) -> None:
    """Bring a database to the tables that the models need; one that nobody used yet gets them all.

    Of two processes that do this at once, one works and the other waits. A database that is up to date is only read.
    One whose tables are not what its stamp says, such as after an old dump was restored into it, is adopted like one
    without a stamp.

    Args:
        engine: Of the database.
        decl_base: The base of all models, the user's own among them.
        previous_tables: The tables that were there before.

    Raises:
        SchemaTooNew: If a newer version of the library wrote the database.
        MigrationError: If something is in the way of what has to be done. The database is as it was.
    """
    now = _schema_now(engine, decl_base.metadata)
    is_complete = now.is_complete
    if now.is_adoptable:
        with alone(engine, reshaping=True) as connection:
            _adopt(connection, decl_base.metadata, previous_tables)
        is_complete = True
    if now.is_behind:
        upgrade(engine)
    if not is_complete:
        with alone(engine) as connection:
            decl_base.metadata.create_all(connection)
    fix_old_dry_orders(engine)
    fix_wrong_max_stake_amount(engine)


class _SchemaNow(NamedTuple):
    """What has to be done with the tables of a database."""

    is_adoptable: bool
    is_behind: bool
    is_complete: bool


def _schema_now(engine: Engine, metadata: MetaData) -> _SchemaNow:
    try:
        with engine.connect() as connection:
            return _read_schema(connection, metadata)
    except DBAPIError as e:
        # MariaDB does not describe a table that another process is just changing.
        if not is_retryable(e):
            raise
    with alone(engine) as connection:
        return _read_schema(connection, metadata)


def _read_schema(connection: Connection, metadata: MetaData) -> _SchemaNow:
    refuse_unknown(connection)
    stamped = stamp_of(connection)
    is_cut_short = is_unfinished(connection)
    return _SchemaNow(
        is_adoptable=stamped is None or (not is_cut_short and not has_stamped_tables(connection, metadata)),
        is_behind=is_cut_short or stamped not in {HEAD, None},
        is_complete=stamped == HEAD and _tables_are_there(connection, metadata),
    )


def _adopt(connection: Connection, metadata: MetaData, previous_tables: Sequence[str]) -> None:
    stamped = stamp_of(connection)
    if stamped is not None and has_stamped_tables(connection, metadata):
        # Another process was quicker.
        metadata.create_all(connection)
        return
    if stamped is not None:
        logger.warning(
            "The tables are older than their stamp %r says: they are brought up to date all the same.", stamped
        )
    with adopting(connection, metadata) if previous_tables else nullcontext():
        there = _present_tables(connection, metadata)
        metadata.create_all(connection)
        _complete_indexes(connection, there)
        if stamped is None:
            put_stamp(connection, HEAD)


def set_sqlite_to_wal(engine: Engine) -> None:
    """Let readers and a writer of an SQLite file work side by side; other databases, and memory, need nothing."""
    if engine.name != "sqlite" or is_memory(engine.url):
        return
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as e:
            # The switch needs the file for itself and does not wait for others by itself.
            if not is_retryable(e) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return


def _tables_are_there(connection: Connection, metadata: MetaData) -> bool:
    return len(_present_tables(connection, metadata)) == len(metadata.tables)


def _present_tables(connection: Connection, metadata: MetaData) -> list[Table]:
    inspector = inspect(connection)
    present = {
        schema: set(inspector.get_table_names(schema)) for schema in {t.schema for t in metadata.tables.values()}
    }
    return [table for table in metadata.tables.values() if table.name in present[table.schema]]


def _complete_indexes(connection: Connection, tables: Sequence[Table]) -> None:
    """Create indexes that a first start, cut short where tables are created one by one, has left out."""
    for table in tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
