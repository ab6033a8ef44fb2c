"""A transfer into a database without rows: batch by batch, each with a note of how far it has come."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, inspect, select, table
from sqlalchemy.exc import DBAPIError

from tradestore._engine import masked
from tradestore._table_content import RunningContent, TableContent, row_texts
from tradestore.base import ModelBase
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import DatabaseBusy, TargetNotEmpty, TransferError
from tradestore.migrations import HEAD, current
from tradestore.operations._journal import NOTHING, add_to_journal, advance, journal_source, read_journal, set_back
from tradestore.operations._target_rows import write_rows
from tradestore.operations._transfer_plan import Cargo, is_backup, make_tables
from tradestore.operations._transfer_report import TransferredTable
from tradestore.operations._way import Way

__all__ = ["copy_all", "refuse_older"]

logger = logging.getLogger(__name__)

_Journal = dict[str, TableContent]


def copy_all(way: Way) -> list[TransferredTable]:
    """Copy all tables, or go on with it, or find that it was done.

    Args:
        way: Whose target has its tables.

    Raises:
        TargetNotEmpty: If the target has rows of its own.
        TransferError: If it has a part of another copy, or not the source's content at the end.
        InvalidValue: If the target cannot hold a value.
        DatabaseBusy: If another transfer is at work.
    """
    with way.target.connect() as connection:
        journal = read_journal(connection)
        counts = way.target_counts(connection)
    if journal is None and any(counts.values()):
        return _compared(way, counts)
    begun = way.survey(journal or {})
    make_tables(way.plan, way.target)
    with way.writing() as connection:
        places = _claimed(way, connection, journal, begun)
    copied = {cargo.name: _copy(way, cargo, places[cargo.name]) for cargo in way.plan.cargos}
    if found := way.differences():
        msg = (
            f"The content of {way.target_name} is not that of the source: {'; '.join(found)}. Somebody else has "
            "written into it, or it was changed on the way: transfer into an empty database again."
        )
        raise TransferError(msg)
    way.finish()
    return way.result(copied)


def refuse_older(target: Engine, present: Sequence[str]) -> None:
    """Refuse a database of another version that has rows, before its tables are brought up to date for nothing.

    Args:
        target: Its engine.
        present: The tables that it has.

    Raises:
        TargetNotEmpty: If it is such a one.
    """
    if TRANSFER_TABLE in present or current(target) == HEAD:
        return
    names = [name for name in present if name in ModelBase.metadata.tables or is_backup(name)]
    with target.connect() as connection:
        held = [name for name in names if connection.execute(select(1).select_from(table(name)).limit(1)).first()]
    if held:
        msg = (
            f"The target {masked(target.url)} has rows, and tables of another version ({', '.join(held)}). Nothing was "
            "changed: transfer into an empty database, or pass merge=True to bring it up to date and add what it lacks."
        )
        raise TargetNotEmpty(msg)


def _compared(way: Way, counts: Mapping[str, int]) -> list[TransferredTable]:
    """Accept a target that has all rows of the source and no other; refuse any other that has rows."""
    could_be_equal = _could_be_equal(way, counts)
    if could_be_equal:
        way.survey({})
    if not could_be_equal or way.differences():
        held = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
        msg = (
            f"The target {way.target_name} has rows that are not the source's ({held}). Nothing was copied: transfer "
            "into an empty database, or pass merge=True to add what it lacks."
        )
        raise TargetNotEmpty(msg)
    return way.result({})


def _could_be_equal(way: Way, counts: Mapping[str, int]) -> bool:
    tables = {cargo.name: cargo.table for cargo in way.plan.cargos}
    own = {name: way.source.scalar(select(func.count()).select_from(table)) for name, table in tables.items()}
    if own != {name: count for name, count in counts.items() if count or name in own}:
        return False
    inspector = inspect(way.target)
    return all(
        {column.name for column in cargo.stored.columns}
        <= {column["name"] for column in inspector.get_columns(cargo.name)}
        for cargo in way.plan.cargos
    )


def _claimed(way: Way, connection: Connection, journal: _Journal | None, begun: _Journal) -> _Journal:
    """Return how far each table has been copied, after noting those that are new.

    Args:
        way: With its source surveyed.
        connection: To the target, within a transaction.
        journal: How far the transfer had come before that.
        begun: What the source has in the place of what was copied.
    """
    counts = way.target_counts(connection)
    new = sorted({cargo.name for cargo in way.plan.cargos} - (journal or {}).keys())
    if read_journal(connection) != journal or any(counts.get(name) for name in new):
        raise DatabaseBusy(_another(way))
    places = dict(journal or {})
    if any(begun.get(name, NOTHING) != done for name, done in places.items()):
        _begin_anew(way, connection, places)
        places = dict.fromkeys(places, NOTHING)
    if new or journal is None:
        try:
            add_to_journal(connection, way.source_name, new)
        except DBAPIError as e:
            raise DatabaseBusy(_another(way)) from e
    return {**places, **dict.fromkeys(new, NOTHING)}


def _another(way: Way) -> str:
    return f"Somebody else has begun to write into {way.target_name}: wait for it to end, then run the transfer again."


def _begin_anew(way: Way, connection: Connection, journal: _Journal) -> None:
    """Take back what was copied from a source that has changed since, if it is still what was copied."""
    set_back(connection, journal)
    cargos = {cargo.name: cargo for cargo in way.plan.cargos}
    is_ours = journal_source(connection) == way.source_name and journal.keys() <= cargos.keys()
    if not is_ours or any(way.target_content(connection, cargos[name]) != done for name, done in journal.items()):
        msg = (
            f"{way.target_name} has a part of what a transfer from {journal_source(connection)} copied, and that is "
            f"not what {way.source_name} has now. Nothing was changed: transfer into an empty database."
        )
        raise TransferError(msg)
    logger.warning("The source has changed since its transfer was cut short, which therefore begins anew.")
    for cargo in reversed(way.plan.cargos):
        if cargo.name in journal:
            connection.execute(delete(cargo.table))


def _copy(way: Way, cargo: Cargo, done: TableContent) -> int:
    """Copy what is left of a table, and return how many rows that was."""
    way.arrive(cargo.name, done.rows)
    if done.rows == way.contents[cargo.name].rows:
        return 0
    before = done
    with closing(way.rows_of(cargo, skip=done.rows)) as batches:
        if cargo.key:
            for values in batches:
                with way.writing() as connection:
                    before = _store(connection, cargo, values, before)
                way.arrive(cargo.name, len(values[0]))
        else:
            # Without a key nobody could tell where to go on.
            with way.writing() as connection:
                for values in batches:
                    before = _store(connection, cargo, values, before)
            way.arrive(cargo.name, before.rows)
    return before.rows - done.rows


def _store(connection: Connection, cargo: Cargo, values: Sequence[Sequence[Any]], before: TableContent) -> TableContent:
    running = RunningContent(before)
    running.add(row_texts(cargo.stored.kinds, values))
    # First of all: another transfer at work is to be met here, and not where both write the same rows.
    advance(connection, cargo.name, before, running.content)
    write_rows(connection, cargo, values)
    return running.content
