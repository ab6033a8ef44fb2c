"""How an engine goes about a statement, read from what it says itself, in one form for all of them."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine

from tradestore import ModelBase

__all__ = ["Access", "accesses", "gather_statistics"]

_NO_ALIAS = {"AS", "ON", "WHERE", "JOIN", "LEFT", "INNER", "ORDER", "GROUP", "LIMIT", "SET", "USING"}
# What stands between a node of PostgreSQL and the limit above it, without reading more than is asked of it.
_PASSES_ON = {"Limit", "LockRows", "Append", "Nested Loop", "Subquery Scan", "Result"}


@dataclass(frozen=True)
class Access:
    """One way into a table.

    Attributes:
        table: Its name.
        index: By which index, None without one.
        whole: Whether all rows are read, or all entries of the index.
    """

    table: str
    index: str | None
    whole: bool


def accesses(engine: Engine, statement: str, parameters: Any) -> list[Access]:
    """Return every way into a table of ours by which the engine would answer a statement.

    Args:
        engine: Of the store.
        statement: As it went to the driver.
        parameters: As they went to the driver.
    """
    names = _tables_by_alias(statement)
    with engine.connect() as connection:
        found = list(_READERS[engine.dialect.name](connection, statement, parameters))
    return [Access(names[alias], index, whole) for alias, index, whole in found if alias in names]


def gather_statistics(engine: Engine) -> None:
    """Let the planner know what is in the tables now."""
    tables = ", ".join(engine.dialect.identifier_preparer.quote(name) for name in ModelBase.metadata.tables)
    statement = f"ANALYZE TABLE {tables}" if engine.dialect.name in {"mysql", "mariadb"} else "ANALYZE"
    with engine.begin() as connection:
        connection.exec_driver_sql(statement).close()


_Found = tuple[str, str | None, bool]


def _sqlite(connection: Connection, statement: str, parameters: Any) -> Iterator[_Found]:
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters):
        step = re.match(
            r'(SCAN|SEARCH) "?(\w+)"?(?: USING (?:COVERING )?INDEX (\w+)| USING (INTEGER PRIMARY KEY))?', row[3]
        )
        if step:
            kind, alias, index, key = step.groups()
            yield alias, index or key, kind == "SCAN"


def _postgresql(connection: Connection, statement: str, parameters: Any) -> Iterator[_Found]:
    answer = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    yield from _postgresql_node(answer[0]["Plan"], None, limited=False)


def _postgresql_node(node: dict[str, Any], alias: str | None, *, limited: bool) -> Iterator[_Found]:
    kind = node["Node Type"]
    alias = node.get("Alias", alias)
    limited = kind == "Limit" or (limited and kind in _PASSES_ON)
    if kind in {"Seq Scan", "Parallel Seq Scan"}:
        yield str(alias), None, True
    elif "Index Name" in node:
        yield str(alias), node["Index Name"], "Index Cond" not in node and not limited
    for child in node.get("Plans", ()):
        yield from _postgresql_node(child, alias, limited=limited)


def _mariadb(connection: Connection, statement: str, parameters: Any) -> Iterator[_Found]:
    answer = connection.exec_driver_sql(f"EXPLAIN FORMAT=JSON {statement}", parameters).scalar_one()
    yield from _mariadb_node(json.loads(answer))


def _mariadb_node(node: Any) -> Iterator[_Found]:
    if isinstance(node, list):
        for child in node:
            yield from _mariadb_node(child)
    elif isinstance(node, dict):
        if "access_type" in node and "table_name" in node:
            keys = node.get("key") or json.dumps(node.get("index_merge", "")) or None
            yield node["table_name"], keys, node["access_type"] in {"ALL", "index"}
        for child in node.values():
            yield from _mariadb_node(child)


_READERS = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mariadb, "mariadb": _mariadb}


def _tables_by_alias(statement: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for table in ModelBase.metadata.tables:
        names[table] = table
        aliases: Iterable[str] = re.findall(rf'\b{table}["`]? (?:AS )?(\w+)', statement)
        names |= {alias: table for alias in aliases if alias.upper() not in _NO_ALIAS}
    return names
