"""What stands in the way of carrying rows over, found before anything is changed."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Enum, Select, String, func, or_, select

from tradestore.adoption.carried_rows import CarriedRows
from tradestore.adoption.plan import AdoptionPlan, TablePlan

__all__ = ["obstacles"]

_SHOWN: Final = 5


def obstacles(connection: Connection, plan: AdoptionPlan, rows: CarriedRows) -> list[str]:
    """Return in words what no rule can decide or repair: where, what, and what to do about it."""
    found = [
        each for table in plan.tables for query in rows.selects(table, {}) for each in _in(connection, table, query)
    ]
    undecided = rows.undecided_orders()
    if undecided is not None and (orders := connection.execute(undecided.limit(_SHOWN)).all()):
        listed = _listed([f"{number} of {pair}" for number, pair in orders])
        found.append(
            f"orders {listed}: an old trade, hidden in a backup, and a newer one have the number and the pair that "
            "they name, so they may belong to either. Give the newer trades and their orders numbers of their own."
        )
    return found


def _in(connection: Connection, table: TablePlan, query: Select[Any]) -> Iterator[str]:
    # PostgreSQL may not have the types of its own that some columns get.
    columns = [column for column in table.target.columns if not isinstance(column.type, Enum)]
    carried = query.with_only_columns(*(query.selected_columns[column.name] for column in columns)).subquery()
    faults = [
        (what, wrong) for column in columns for what, wrong in _faults(connection, column, carried.c[column.name])
    ]
    number = carried.c.id
    # One look at all of them is enough where nothing is wrong, which is the rule.
    if connection.execute(select(number).where(or_(*(wrong for _, wrong in faults))).limit(1)).first() is None:
        return
    for what, wrong in faults:
        if ids := list(connection.scalars(select(number).where(wrong).order_by(number).limit(_SHOWN))):
            yield f"{table.name}.{what} in row {_listed(ids)}: give it a value that fits."


def _faults(
    connection: Connection, column: Column[Any], value: ColumnElement[Any]
) -> Iterator[tuple[str, ColumnElement[bool]]]:
    if not column.nullable and not column.primary_key:
        yield f"{column.name} is missing", value.is_(None)
    if (limit := _limit(connection, column)) is not None:
        yield f"{column.name} has more than {limit} characters", func.char_length(value) > limit


def _limit(connection: Connection, column: Column[Any]) -> int | None:
    """Return how long a text may be; SQLite keeps any, and goes on doing so for what is there."""
    if connection.dialect.name == "sqlite" or not isinstance(column.type, String):
        return None
    return column.type.length


def _listed(rows: Sequence[object]) -> str:
    return ", ".join(map(str, rows)) + (" and others" if len(rows) == _SHOWN else "")
