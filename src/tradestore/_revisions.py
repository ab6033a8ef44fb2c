"""The revisions of the tables: the scripts that ship with the package, and the stamp of the last one that ran.

Alembic itself is loaded only when a script has to run.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from tradestore.exceptions import MigrationError, SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

__all__ = [
    "HEAD",
    "VERSION_TABLE",
    "differences",
    "history",
    "operations",
    "put_stamp",
    "refuse_loss",
    "refuse_unknown",
    "resolve",
    "run_scripts",
    "stamp_of",
    "summaries",
]

HEAD: Final = "0007_archives"
"""The revision that this version of the library works with."""

VERSION_TABLE: Final = "alembic_version"
"""The table with the stamp, in alembic's own form."""

_versions = Table(VERSION_TABLE, MetaData(), Column("version_num", String(32), primary_key=True))


def history() -> list[str]:
    """Return all known revisions, the oldest first."""
    return [script.revision for script in _directory().walk_revisions()][::-1]


def summaries() -> dict[str, str]:
    """Return the first line of what is said about each revision, the oldest first."""
    scripts = [*_directory().walk_revisions()][::-1]
    return {script.revision: script.doc.splitlines()[0] for script in scripts}


def resolve(revision: str, stamped: str | None) -> str | None:
    """Return which revision is meant, None for the one without any tables.

    Args:
        revision: A revision, the beginning of one, ``head``, ``base``, or steps from the stamp such as ``-1``.
        stamped: The revision that the database is at.

    Raises:
        MigrationError: If there is none.
    """
    known = history()
    names = {"head": HEAD, "heads": HEAD, "base": None}
    if revision in names:
        return names[revision]
    found: list[str | None] = [each for each in known if revision and each.startswith(revision)]
    if revision[:1] in {"+", "-"} and revision[1:].isdecimal():
        places = [None, *known]
        position = places.index(stamped) + int(revision)
        found = [each for place, each in enumerate(places) if place == position]
    if len(found) != 1:
        msg = f"There is no revision {revision!r}: give one of {', '.join(known)}, or base or head."
        raise MigrationError(msg)
    return found[0]


def stamp_of(connection: Connection) -> str | None:
    """Return the revision that a database is stamped with, None without a stamp."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(_versions.c.version_num))


def put_stamp(connection: Connection, revision: str | None) -> None:
    """Note that a database's tables are those of a revision, None for none, without looking at them."""
    _versions.create(connection, checkfirst=True)
    connection.execute(_versions.delete())
    if revision is not None:
        connection.execute(_versions.insert().values(version_num=revision))


def refuse_unknown(connection: Connection) -> None:
    """Refuse a database that is stamped with a revision of a newer library.

    Raises:
        SchemaTooNew: If it is.
    """
    stamped = stamp_of(connection)
    if stamped is not None and stamped != HEAD and stamped not in history():
        msg = (
            f"The database is at revision {stamped!r}, which is newer than this library ({HEAD!r}). Nothing was "
            "changed: install the version of tradestore that wrote it, or a later one. If the table "
            f"{VERSION_TABLE!r} is of another program, give tradestore a database of its own."
        )
        raise SchemaTooNew(msg)


def refuse_loss(connection: Connection, path: Iterable[str]) -> None:
    """Refuse to take back revisions where that would lose what is stored.

    Args:
        connection: To the database.
        path: The revisions.

    Raises:
        MigrationError: If one of them holds what an older one cannot; it says which rows.
    """
    directory = _directory()
    for revision in path:
        refuse = getattr(directory.get_revision(revision).module, "refuse_loss", None)
        if refuse is not None:
            refuse(connection)


def run_scripts(connection: Connection, direction: Literal["upgrade", "downgrade"], revision: str | None) -> None:
    """Run the scripts from a database's stamp to another revision, in the connection's transaction."""
    from alembic import command

    run = command.upgrade if direction == "upgrade" else command.downgrade
    run(_config(connection), revision or "base")


def operations(connection: Connection) -> "Operations":
    """Return alembic's operations on tables, in the connection's transaction."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    return Operations(MigrationContext.configure(connection))


def differences(connection: Connection, metadata: MetaData) -> list[Any]:
    """Return the differences between a database and models, as alembic describes them.

    Tables that no model stands for are no difference: they are users' own, or backups.
    """
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    def is_ours(_item: object, _name: str | None, kind: str, reflected: bool, model: object) -> bool:
        return not (kind == "table" and reflected and model is None)

    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "include_object": is_ours})
    return list(compare_metadata(context, metadata))


def _directory() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


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
