"""How the engine goes about the questions that bots ask again and again."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, and_, false, func, select, true

from tradestore._clock import as_naive_utc
from tradestore.operations.doctor._look import Look, NotApplicable, finding
from tradestore.operations.doctor.findings import Finding

__all__ = ["questions_that_scan"]

_ENOUGH: Final = 1_000
"""Rows from which on an engine does not read the whole table for its smallness."""


def questions_that_scan(look: Look) -> Iterator[Finding]:
    """S07: an index is missing or unusable, or the engine has wrong notions of the rows."""
    questions = [each for each in _questions(look) if _rows_of(look, each[1]) >= _ENOUGH]
    if not questions:
        msg = f"no table has {_ENOUGH} rows, from which on plans tell something"
        raise NotApplicable(msg)
    facts = {}
    for name, table, query in questions:
        if table.name in _scanned(look.connection, query):
            facts[name] = {"found": table.name}
    if facts:
        detail = f"{len(facts)} standard questions read a whole table: {', '.join(facts)}."
        yield finding("S07", detail, facts=facts)


def _rows_of(look: Look, table: Table) -> int:
    return int(look.connection.execute(select(func.count()).select_from(table)).scalar_one())


def _questions(look: Look) -> Sequence[tuple[str, Table, Select[Any]]]:
    trades, orders, locks = look.table("trades"), look.table("orders"), look.table("pairlocks")
    now = as_naive_utc(look.now + timedelta(days=1))
    is_closed = and_(trades.c.is_open == false(), trades.c.close_date >= now)
    in_force = and_(locks.c.active == true(), locks.c.lock_end_time > now)
    return [
        ("trades closed since", trades, select(trades.c.id, trades.c.stake_amount).where(is_closed)),
        ("orders of a trade", orders, select(orders).where(orders.c.ft_trade_id == 1)),
        ("order by id", orders, select(orders).where(orders.c.order_id == "none")),
        ("locks in force", locks, select(locks).where(in_force)),
    ]


def _scanned(connection: Connection, query: Select[Any]) -> Iterator[str]:
    """Yield the tables of which all rows are read."""
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    statement = (
        str(compiled).replace("%", "%%") if connection.dialect.paramstyle in {"format", "pyformat"} else str(compiled)
    )
    match connection.dialect.name:
        case "sqlite":
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}"):
                scan = re.match(r"SCAN (\w+)(?! USING)", row[3])
                if scan:
                    yield scan.group(1)
        case "postgresql":
            answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}").scalar_one()
            yield from _of_postgresql(answer[0]["Plan"])
        case _:
            answer = connection.exec_driver_sql(f"EXPLAIN FORMAT=JSON {statement}").scalar_one()
            yield from _of_mariadb(json.loads(answer))


def _of_postgresql(node: Mapping[str, Any]) -> Iterator[str]:
    if node["Node Type"] in {"Seq Scan", "Parallel Seq Scan"}:
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from _of_postgresql(child)


def _of_mariadb(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for child in node:
            yield from _of_mariadb(child)
    elif isinstance(node, dict):
        if node.get("access_type") == "ALL" and "table_name" in node:
            yield node["table_name"]
        for child in node.values():
            yield from _of_mariadb(child)
