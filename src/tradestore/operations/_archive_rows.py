"""Trades with all that belongs to them, moved a portion at a time between a store and its archive."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, delete, select

from tradestore._clock import as_naive_utc
from tradestore._performance import trades_table
from tradestore._table_content import RunningContent, TableContent, row_texts
from tradestore.exceptions import ArchiveError
from tradestore.operations._target_limits import TargetLimits
from tradestore.operations._target_rows import write_rows
from tradestore.operations._transfer_plan import Cargo, make_tables, plan_transfer

__all__ = [
    "Ids",
    "cargos_between",
    "contents_of",
    "copy_rows",
    "delete_rows",
    "drop_copies",
    "lock_rows",
    "portions",
    "trade_ids",
]

Ids = Sequence[int]

_MOVED: Final = ("trades", "orders", "trade_custom_data")


def cargos_between(giving: Engine, taking: Engine) -> Sequence[Cargo]:
    """Return the tables that are moved, parents first; the other side gets the columns that it lacks.

    Raises:
        TransferError: If somebody has added a column of a type that the other side has nothing like.
    """
    with giving.connect() as connection:
        plan = plan_transfer(connection, taking, only=_MOVED)
    make_tables(plan, taking)
    return plan.cargos


def portions(ids: Ids, size: int) -> Iterator[Ids]:
    """Yield ids, some at a time."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


def trade_ids(connection: Connection) -> Ids:
    """Return the ids of all trades."""
    return connection.scalars(select(trades_table().c.id).order_by(trades_table().c.id)).all()


def copy_rows(giving: Connection, taking: Connection, cargos: Sequence[Cargo], ids: Ids) -> None:
    """Write the rows of some trades where there are none of them yet.

    Raises:
        InvalidValue: If the other side cannot hold a value.
        TransferError: If it does not take a row.
    """
    for cargo in cargos:
        limits = TargetLimits(cargo, taking.dialect)
        with closing(cargo.stored.batches(giving, where=_is_of(cargo, ids), order=cargo.key)) as batches:
            for values in batches:
                limits.check(values)
                write_rows(taking, cargo, values)


def contents_of(connection: Connection, cargos: Sequence[Cargo], ids: Ids) -> dict[str, TableContent]:
    """Return what one side has of some trades, by table: equal if every value is."""
    found = {}
    for cargo in cargos:
        running = RunningContent()
        with closing(cargo.stored.batches(connection, where=_is_of(cargo, ids))) as batches:
            for values in batches:
                running.add(row_texts(cargo.stored.kinds, values))
        found[cargo.name] = running.content
    return found


def lock_rows(connection: Connection, cargos: Sequence[Cargo], ids: Ids) -> None:
    """Let nobody else change the rows of some trades until the transaction ends."""
    for cargo in cargos:
        connection.execute(select(*cargo.key).where(_is_of(cargo, ids)).with_for_update()).all()


def delete_rows(connection: Connection, cargos: Sequence[Cargo], ids: Ids) -> None:
    """Delete some trades with all that belongs to them."""
    for cargo in reversed(cargos):
        connection.execute(delete(cargo.table).where(_is_of(cargo, ids)))


def drop_copies(store: Connection, archive: Connection, cargos: Sequence[Cargo], ids: Ids) -> int:
    """Delete from an archive the copies of trades that are still, or again, in the store, as a kill leaves them.

    Args:
        store: Sees what is committed there.
        archive: Holds the write lock, so that nobody else is just moving them.
        cargos: What is moved.
        ids: Of trades.

    Returns:
        How many there were.

    Raises:
        ArchiveError: If the store has another trade under the id of an archived one.
    """
    here, there = _known(store, ids), _known(archive, ids)
    copies = sorted(here.keys() & there.keys())
    if others := [number for number in copies if here[number] != there[number]]:
        msg = (
            f"The trades {', '.join(map(str, others[:10]))} of the store are not those that the archive has under "
            "these ids. Nothing was changed: archive into another file."
        )
        raise ArchiveError(msg)
    delete_rows(archive, cargos, copies)
    return len(copies)


def _known(connection: Connection, ids: Ids) -> dict[int, tuple[Any, ...]]:
    """Return by what a trade is known that nobody changes."""
    trades = trades_table().c
    rows = connection.execute(
        select(trades.id, trades.exchange, trades.pair, trades.open_date).where(trades.id.in_(ids))
    )
    return {row.id: (row.exchange, row.pair, as_naive_utc(row.open_date)) for row in rows}


def _is_of(cargo: Cargo, ids: Ids) -> ColumnElement[bool]:
    column = cargo.table.c.id if cargo.name == _MOVED[0] else cargo.table.c.ft_trade_id
    return column.in_(ids)
