"""Going from one revision to another without losing anything, and all the way or not at all.

On SQLite and PostgreSQL a transaction undoes changes of tables. MariaDB and MySQL commit each of them by itself: there
a note tells what is under way, for as long as it is, and what was cut short is completed or taken back by the scripts,
which do only what is not done yet.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError

from tradestore._revisions import (
    VERSION_TABLE,
    history,
    put_stamp,
    refuse_loss,
    refuse_unknown,
    resolve,
    run_scripts,
    stamp_of,
)
from tradestore._row_digest import columns_of, digest_of
from tradestore._sqlite_backup import back_up_file
from tradestore._table_content import TableContent
from tradestore.adoption.views import views_put_away
from tradestore.exceptions import MigrationError

__all__ = ["NOTE_TABLE", "change_revision", "is_unfinished"]

logger = logging.getLogger(__name__)

Direction = Literal["upgrade", "downgrade"]

NOTE_TABLE: Final = "tradestore_unfinished"
"""The table that is there only while tables are changed on an engine that cannot undo that."""

_note = Table(
    NOTE_TABLE,
    MetaData(),
    Column("direction", String(10), primary_key=True),
    Column("origin", String(32)),
    Column("target", String(32)),
)

_CHANGED_BY_SCRIPTS: Final = frozenset(
    {
        "trades",
        "orders",
        "pairlocks",
        "KeyValueStore",
        "trade_custom_data",
        "wallet_history",
        "backtest_runs",
        "backtest_trades",
        "backtest_orders",
        "order_intents",
        "trade_limits",
        "repair_log",
        "archives",
        "archived_profits",
    }
)
_SHORT_LIVED: Final = frozenset({"commit_tokens"})
"""Tables whose rows are of no use any more when nobody but us is there."""
_WATCHED_BY_SCRIPTS: Final = frozenset({"trade_limits", "repair_log", "archives"})
"""Tables that a script drops only after it has seen that their rows say nothing."""
_MYSQL: Final = frozenset({"mysql", "mariadb"})


class _Contents(NamedTuple):
    """What must be there afterwards: the rows of each table, and how many references led nowhere already."""

    columns: Mapping[str, Sequence[str]]
    rows: Mapping[str, TableContent]
    strays: Counter[tuple[str, str]]


def is_unfinished(connection: Connection) -> bool:
    """Tell whether a change of the tables was cut short, where the engine itself could not undo it."""
    return connection.dialect.name in _MYSQL and inspect(connection).has_table(NOTE_TABLE)


def change_revision(connection: Connection, direction: Direction, revision: str) -> None:
    """Bring the tables to another revision, or leave them as they are.

    On SQLite the file is backed up first. Servers get no tables with copies: no revision so far rewrites a row there,
    each only adds tables, indexes or room. One that rewrites rows will have to copy them first. On all engines the rows
    are compared with before: those of all tables on SQLite, those of the library's own tables on servers.

    Args:
        connection: From ``alone``, reshaping.
        direction: Which way; a database that is there, or higher already, needs no upgrade.
        revision: As for ``resolve``.

    Raises:
        SchemaTooNew: If the database is stamped with an unknown revision.
        MigrationError: If there is no such revision, if a downgrade would lose data, if the backup failed, or if
            rows are not what they were. The database is as it was.
    """
    refuse_unknown(connection)
    target = resolve(revision, stamp_of(connection))
    if connection.dialect.name in _MYSQL:
        _recover(connection)
    origin = stamp_of(connection)
    path = _path(origin, target, direction)
    if not path:
        return
    if direction == "downgrade":
        refuse_loss(connection, path)
    elif origin is None:
        _refuse_unstamped(connection)
    back_up_file(connection, origin or "unstamped")
    _change(connection, direction, origin, target)


def _path(origin: str | None, target: str | None, direction: Direction) -> list[str]:
    """Return the revisions whose scripts have to run, in their order."""
    known = [None, *history()]
    start, end = known.index(origin), known.index(target)
    if direction == "upgrade":
        return [each for each in known[start + 1 : end + 1] if each]
    if end > start:
        msg = f"The database is at revision {origin or 'base'}, which is older than {target}: upgrade it instead."
        raise MigrationError(msg)
    return [each for each in known[end + 1 : start + 1] if each][::-1]


def _change(connection: Connection, direction: Direction, origin: str | None, target: str | None) -> None:
    _keep_writers_out(connection)
    before = _contents(connection)
    if connection.dialect.name not in _MYSQL:
        with views_put_away(connection, _CHANGED_BY_SCRIPTS):
            run_scripts(connection, direction, target)
        _compare(connection, before, direction)
        return
    try:
        _put_note(connection, direction, origin, target)
        run_scripts(connection, direction, target)
        _compare(connection, before, direction)
        _note.drop(connection)
    except BaseException as e:
        _go_back(connection, direction, origin, target, e)
        raise


def _put_note(connection: Connection, direction: Direction, origin: str | None, target: str | None) -> None:
    """Note what begins now; the first change of a table commits the note, too."""
    _note.create(connection, checkfirst=True)
    connection.execute(_note.delete())
    connection.execute(_note.insert().values(direction=direction, origin=origin, target=target))


def _go_back(
    connection: Connection, direction: Direction, origin: str | None, target: str | None, error: BaseException
) -> None:
    """Take back what a change has done until it failed."""
    advice = "Nothing is lost. Put right what is in the way, then start again, which goes on from there."
    if connection.invalidated:
        if isinstance(error, Exception):
            msg = f"The connection was lost in the middle of the {direction} to {target or 'base'} ({error}). {advice}"
            raise MigrationError(msg) from error
        return
    try:
        # What was written since the last change of a table is undone as everywhere.
        connection.exec_driver_sql("ROLLBACK")
        _put_note(connection, direction, origin, target)
        put_stamp(connection, _after_half_done(stamp_of(connection), target, direction))
        run_scripts(connection, "downgrade" if direction == "upgrade" else "upgrade", origin)
        _note.drop(connection)
    except Exception as e:
        logger.exception("The %s to %s could not be taken back.", direction, target)
        if isinstance(error, Exception):
            msg = (
                f"The {direction} to {target or 'base'} failed ({error}), and could not be taken back to "
                f"{origin or 'base'} ({e}). {advice}"
            )
            raise MigrationError(msg) from error


def _after_half_done(stamped: str | None, target: str | None, direction: Direction) -> str | None:
    """Return the stamp that a script which was cut short would have put: the way back begins with that script."""
    if stamped == target:
        return stamped
    known = [None, *history()]
    return known[known.index(stamped) + (1 if direction == "upgrade" else -1)]


def _recover(connection: Connection) -> None:
    """Complete an upgrade that was cut short, and undo such a downgrade: neither way can lose anything."""
    if not is_unfinished(connection):
        return
    noted = connection.execute(select(_note)).first()
    if noted is None:
        # Cut short before anything else was done.
        _note.drop(connection)
        return
    way = "completed" if noted.direction == "upgrade" else "taken back"
    logger.warning("The last %s to %s was cut short: it is %s now.", noted.direction, noted.target or "base", way)
    if noted.direction == "upgrade":
        _change(connection, "upgrade", noted.origin, noted.target)
        return
    lower = _after_half_done(stamp_of(connection), noted.target, "downgrade")
    put_stamp(connection, lower)
    _change(connection, "upgrade", lower, noted.origin)


def _refuse_unstamped(connection: Connection) -> None:
    present = _CHANGED_BY_SCRIPTS.intersection(inspect(connection).get_table_names())
    if present:
        msg = (
            f"The database has tables ({', '.join(sorted(present))}) but no stamp of their revision. Nothing was "
            "changed: open it with init_db, which finds out what they are."
        )
        raise MigrationError(msg)


def _keep_writers_out(connection: Connection) -> None:
    """Let a bot that still runs wait where its writes would be taken for losses; it may read."""
    if connection.dialect.name != "postgresql":
        return
    quote = connection.dialect.identifier_preparer.quote
    present = sorted(_CHANGED_BY_SCRIPTS.intersection(inspect(connection).get_table_names()))
    if present:
        names = ", ".join(quote(name) for name in present)
        connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _contents(connection: Connection) -> _Contents:
    if connection.dialect.name == "sqlite":
        columns = {
            name: of_table
            for name, of_table in columns_of(connection).items()
            if name not in {VERSION_TABLE, *_SHORT_LIVED} and not name.startswith("sqlite_")
        }
    else:
        columns = columns_of(connection, _CHANGED_BY_SCRIPTS)
    rows = {name: digest_of(connection, name, of_table) for name, of_table in columns.items()}
    return _Contents(columns, rows, _strays(connection))


def _strays(connection: Connection) -> Counter[tuple[str, str]]:
    """Count the references to rows that are not there; on servers there are none."""
    if connection.dialect.name != "sqlite":
        return Counter()
    try:
        found = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    except DBAPIError:
        # A reference to no table or no key of one, which is none that this could break.
        return Counter()
    return Counter((child, parent) for child, _row, parent, _key in found)


def _compare(connection: Connection, before: _Contents, direction: Direction) -> None:
    """Refuse a change that has touched a row, or dropped a table that had any."""
    present = columns_of(connection, before.columns)
    for name, columns in before.columns.items():
        may_go = name in _WATCHED_BY_SCRIPTS or not before.rows[name].rows
        if name not in present and direction == "downgrade" and may_go:
            continue
        if set(columns) <= set(present.get(name, ())) and digest_of(connection, name, columns) == before.rows[name]:
            continue
        msg = (
            f"The {direction} was taken back: the rows of the table {name!r} are not those of before. The database is "
            "as it was. If another program writes to it meanwhile, stop that, then start again."
        )
        raise MigrationError(msg)
    if new := _strays(connection) - before.strays:
        child, parent = next(iter(new))
        msg = f"The {direction} was taken back: rows of {child!r} would refer to rows of {parent!r} that are not there."
        raise MigrationError(msg)
