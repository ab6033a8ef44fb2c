"""Some trades of a backup put back into a store that goes on: with their orders and custom data, and their ids."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, select

from tradestore._engine import masked, take_write_lock
from tradestore._sequences import continue_ids
from tradestore.exceptions import BackupError, TransferConflict
from tradestore.operations._endpoints import refuse_unready, snapshot
from tradestore.operations._target_limits import TargetLimits
from tradestore.operations._target_rows import write_rows
from tradestore.operations._transfer_plan import Cargo, plan_transfer

__all__ = ["copy_trades"]

_OWNERS: Final = {"trades": "id", "orders": "ft_trade_id", "trade_custom_data": "ft_trade_id"}
"""The tables of a trade, and the column of each that has the trade's id."""
_AT_ONCE: Final = 500
_SHOWN: Final = 10


def copy_trades(source: Engine, target: Engine, trades: Collection[int]) -> dict[str, int]:
    """Copy trades into a store, all of them or none.

    Args:
        source: The restored backup.
        target: The store.
        trades: Their ids.

    Returns:
        How many rows each table got.

    Raises:
        BackupError: If the backup lacks one of the trades.
        TransferConflict: If the store has one of them, or a row with the id of one of theirs.
        TransferError: If the store's tables are not those of this version, or do not take a row.
    """
    refuse_unready(target)
    wanted = sorted(set(trades))
    with snapshot(source) as reading, target.begin() as connection:
        plan = plan_transfer(reading, target)
        cargos = [cargo for cargo in plan.cargos if cargo.name in _OWNERS]
        take_write_lock(connection)
        _refuse_missing(reading, cargos, wanted)
        counts = {cargo.name: _copy(reading, connection, cargo, wanted) for cargo in cargos}
        for cargo in cargos:
            continue_ids(connection, cargo.table, None)
    return counts


def _refuse_missing(reading: Connection, cargos: Sequence[Cargo], wanted: Sequence[int]) -> None:
    (trades,) = (cargo.table for cargo in cargos if cargo.name == "trades")
    missing = set(wanted)
    for ids in _some(wanted):
        missing.difference_update(reading.scalars(select(trades.c.id).where(trades.c.id.in_(ids))))
    if missing or not wanted:
        msg = f"The backup has no trade {_listed(sorted(missing))}. Nothing was changed: give ids that it has."
        raise BackupError(msg)


def _copy(reading: Connection, connection: Connection, cargo: Cargo, wanted: Sequence[int]) -> int:
    limits, count = TargetLimits(cargo, connection.dialect), 0
    owner, (place,) = cargo.table.c[_OWNERS[cargo.name]], _places(cargo, "id")
    for ids in _some(wanted):
        with closing(cargo.stored.batches(reading, where=owner.in_(ids))) as batches:
            for values in batches:
                limits.check(values)
                _refuse_taken(connection, cargo.table.c.id, values[place], cargo.name)
                write_rows(connection, cargo, values)
                count += len(values[place])
    return count


def _refuse_taken(connection: Connection, key: Column[Any], ids: Sequence[int], name: str) -> None:
    taken = [found for some in _some(ids) for found in connection.scalars(select(key).where(key.in_(some)))]
    if taken:
        msg = (
            f"{masked(connection.engine.url)} has rows of the table {name!r} with the id {_listed(sorted(taken))} "
            "already. Nothing was changed: leave those trades out, or restore the whole backup into a new database and "
            "look there."
        )
        raise TransferConflict(msg)


def _places(cargo: Cargo, name: str) -> list[int]:
    return [place for place, column in enumerate(cargo.stored.columns) if column.name == name]


def _some(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:_SHOWN])) + (" and others" if len(ids) > _SHOWN else "")
