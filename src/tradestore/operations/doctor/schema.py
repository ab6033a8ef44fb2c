"""Tables, columns, indexes and sequences that are not as the library makes them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import DateTime, Float, Table, and_, func, inspect, literal_column, select, text
from sqlalchemy.dialects import mysql

from tradestore._revision_change import NOTE_TABLE
from tradestore._sequences import next_id
from tradestore._stored_values import Kind, kind_of
from tradestore.adoption.hidden_rows import BACKUP_NAMES
from tradestore.base import ModelBase
from tradestore.constants import TRANSFER_TABLE
from tradestore.operations._row_counts import row_counts
from tradestore.operations.doctor._look import Look, finding, rows_that
from tradestore.operations.doctor.findings import Finding

__all__ = [
    "broken_references",
    "case_blind_texts",
    "doubled_indexes",
    "drifted_tables",
    "leftover_tables",
    "missing_indexes",
    "missing_tables",
    "narrow_moments",
    "narrow_numbers",
    "sequences_behind",
]

_MICROSECONDS: Final = 6
_SEEN_ELSEWHERE: Final = frozenset({("orders", "trades"), ("trade_custom_data", "trades")})
"""References that O01 and L06 look at."""


def drifted_tables(look: Look) -> Iterator[Finding]:
    """S01: what alembic would change, but for what other checks tell more of."""
    lines = sorted({line for change in look.changes if (line := _drift(change))})
    if lines:
        detail = f"{len(lines)} things differ from the models: {'; '.join(lines)}."
        yield finding("S01", detail, facts={line: {} for line in lines})


def _drift(change: tuple[Any, ...]) -> str | None:
    match change:
        case ("add_column", _, table, column):
            return f"{table}.{column.name} is missing"
        case ("remove_column", _, table, column) if not column.nullable and column.server_default is None:
            return f"{table}.{column.name} is unknown and needs a value"
        case ("modify_nullable", _, table, column, *_):
            return f"{table}.{column} differs in whether it may be empty"
        case ("modify_type", _, table, column, _, found, expected) if not _is_narrow(found, expected):
            return f"{table}.{column} is {found!r}, expected was {expected!r}"
        case ("add_constraint" | "add_fk", constraint):
            return f"{constraint.table.name} lacks the constraint {constraint.name}"
    return None


def _is_narrow(found: Any, expected: Any) -> bool:
    return kind_of(expected) in {Kind.NUMBER, Kind.MOMENT} and isinstance(found, Float | DateTime)


def missing_indexes(look: Look) -> Iterator[Finding]:
    """S02: of the models, on tables that are there."""
    added = [change[1] for change in look.changes if change[0] == "add_index"]
    missing = [index for index in added if index.table.name in look.tables]
    names = sorted(f"{index.name} on {index.table.name}" for index in missing)
    if names:
        facts = {index.name: {"table": index.table.name, "columns": list(index.columns.keys())} for index in missing}
        yield finding("S02", f"{_count(names, 'index is', 'indexes are')} missing: {', '.join(names)}.", facts=facts)


def doubled_indexes(look: Look) -> Iterator[Finding]:
    """S03: every write has to keep both; those of the models are never meant."""
    names: list[str] = []
    facts: dict[str, Any] = {}
    for table in look.tables.values():
        own = {index.name for index in table.indexes}
        known = {tuple(index.columns.keys()) for index in table.indexes} | {tuple(table.primary_key.columns.keys())}
        for index in inspect(look.connection).get_indexes(table.name):
            columns = tuple(map(str, index["column_names"]))
            name = str(index["name"])
            is_given = "duplicates_constraint" in index or name in own
            if not is_given and columns in known:
                names.append(f"{name} on {table.name}")
                facts[name] = {"table": table.name, "columns": list(columns)}
            known.add(columns)
    if names:
        detail = f"{_count(names, 'index does', 'indexes do')} what another one does: {', '.join(sorted(names))}."
        yield finding("S03", detail, facts=facts)


def narrow_numbers(look: Look) -> Iterator[Finding]:
    """S04: they keep 7 digits."""
    look.only("postgresql", "mysql")
    yield from _narrow(look, "S04", Kind.NUMBER, _has_four_bytes, "number columns have 4 bytes and keep 7 digits")


def narrow_moments(look: Look) -> Iterator[Finding]:
    """S05: orders of one second lose their order."""
    look.only("postgresql", "mysql")
    yield from _narrow(look, "S05", Kind.MOMENT, _drops_microseconds, "moment columns drop microseconds")


def _narrow(look: Look, code: str, kind: Kind, is_narrow: Any, what: str) -> Iterator[Finding]:
    facts = {}
    for table in look.tables.values():
        ours = {column.name for column in table.columns if kind_of(column.type) is kind}
        for column in inspect(look.connection).get_columns(table.name):
            if column["name"] in ours and is_narrow(column["type"]):
                facts[f"{table.name}.{column['name']}"] = {"found": str(column["type"])}
    if facts:
        yield finding(code, f"{len(facts)} {what}: {', '.join(sorted(facts))}.", facts=facts)


def _has_four_bytes(found: Any) -> bool:
    if isinstance(found, mysql.FLOAT):
        return True
    # PostgreSQL tells REAL or DOUBLE PRECISION.
    return found.__visit_name__ == "REAL" and not isinstance(found, mysql.REAL)


def _drops_microseconds(found: Any) -> bool:
    if isinstance(found, mysql.DATETIME | mysql.TIMESTAMP):
        return (found.fsp or 0) < _MICROSECONDS
    precision = getattr(found, "precision", None)
    return precision is not None and precision < _MICROSECONDS


def sequences_behind(look: Look) -> Iterator[Finding]:
    """S06: the next row would get an id that another one has, and is refused."""
    look.only("postgresql", "mysql")
    facts = {}
    for table in look.tables.values():
        if [column.name for column in table.primary_key.columns] != ["id"]:
            continue
        following = next_id(look.connection, table.name)
        largest = look.connection.execute(select(func.max(table.c.id))).scalar_one() or 0
        if following is not None and following <= largest:
            facts[table.name] = {"found": following, "expected": largest + 1}
    if facts:
        told = ", ".join(f"{name} ({each['found']}, {each['expected'] - 1} is there)" for name, each in facts.items())
        yield finding("S06", f"The next id of {len(facts)} tables is in use: {told}.", facts=facts)


def leftover_tables(look: Look) -> Iterator[Finding]:
    """S08: backups that upgrades by other layers made, and notes of what was cut short."""
    notes = {NOTE_TABLE, TRANSFER_TABLE}
    present = sorted(inspect(look.connection).get_table_names())
    if kept := row_counts(look.connection, filter(BACKUP_NAMES.fullmatch, present)):
        # Whatever is looked at has been brought up to date, with every row that belongs to something.
        counted = _count(kept, "old table is", "old tables are")
        yield finding("S08", f"{counted} kept by upgrades that have ended well: {_told(kept)}.", facts=kept)
    unfinished = [name for name in present if name in notes or re.fullmatch(r"tradestore_\w*unfinished", name)]
    if left := row_counts(look.connection, unfinished):
        yield finding(
            "S08",
            f"{_count(left, 'table is', 'tables are')} left over from changes that were cut short: {_told(left)}.",
            facts=left,
            remedy="Do the change, or the copy, again: its end removes the table. Drop it if there is none to be done.",
        )


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({rows} rows)" for name, rows in counts.items())


def broken_references(look: Look) -> Iterator[Finding]:
    """S09: by the models' references, and on SQLite by those of all other tables as well."""
    for table in look.tables.values():
        for constraint in table.foreign_key_constraints:
            parent = constraint.referred_table
            if (table.name, parent.name) in _SEEN_ELSEWHERE or parent.name not in look.tables:
                continue
            yield from _broken(look, table, parent, constraint)
    if look.engine == "sqlite":
        yield from _broken_in_others(look)


def _broken(look: Look, table: Table, parent: Table, constraint: Any) -> Iterator[Finding]:
    pairs = [(element.parent, element.column) for element in constraint.elements]
    matches = and_(*(own == other for own, other in pairs))
    is_broken = ~select(literal_column("1")).select_from(parent).where(matches).correlate(table).exists()
    for own, _ in pairs:
        is_broken &= own.is_not(None)
    names = [own.name for own, _ in pairs]
    if len(table.primary_key.columns) == 1:
        yield from rows_that(look, "S09", table, is_broken, names, f"rows of {table.name} refer to no {parent.name}")
        return
    count = look.connection.execute(select(func.count()).select_from(table).where(is_broken)).scalar_one()
    if count:
        yield finding("S09", f"{count} rows of {table.name} refer to no {parent.name}.", table=table.name, rows=count)


def _broken_in_others(look: Look) -> Iterator[Finding]:
    counts: dict[str, list[int]] = {}
    for table, row, _, _ in look.connection.exec_driver_sql("PRAGMA foreign_key_check"):
        if table not in look.tables:
            counts.setdefault(table, []).append(row or 0)
    for table, rows in counts.items():
        detail = f"{len(rows)} rows of {table} refer to rows that are not there."
        ids = rows[: look.most_ids]
        yield finding("S09", detail, table=table, rows=len(rows), ids=ids)


def missing_tables(look: Look) -> Iterator[Finding]:
    """S10: what they are for fails."""
    missing = sorted(ModelBase.metadata.tables.keys() - look.tables.keys())
    if missing:
        detail = f"{_count(missing, 'table is', 'tables are')} missing: {', '.join(missing)}."
        yield finding("S10", detail, facts={name: {} for name in missing})


def case_blind_texts(look: Look) -> Iterator[Finding]:
    """S11: two pairs, ids or keys that differ in case alone are the same to MariaDB then."""
    look.only("mysql")
    query = text(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns "
        "WHERE table_schema = database() AND collation_name IS NOT NULL AND collation_name NOT LIKE :binary "
        "AND data_type <> 'enum' ORDER BY table_name, column_name"
    )
    found: Sequence[Any] = look.connection.execute(query, {"binary": r"%\_bin"}).all()
    facts: Mapping[str, Any] = {
        f"{table}.{column}": {"found": rule} for table, column, rule in found if table in look.tables
    }
    if facts:
        detail = f"{len(facts)} text columns take upper and lower case for the same: {', '.join(facts)}."
        yield finding("S11", detail, facts=facts)


def _count(names: Collection[str], one: str, many: str) -> str:
    return f"1 {one}" if len(names) == 1 else f"{len(names)} {many}"
