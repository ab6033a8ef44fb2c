"""Saying what opening a database would do to it, without doing it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import Connection, Engine, MetaData, inspect

from tradestore._revisions import HEAD, history, stamp_of
from tradestore.adoption.carried_rows import CarriedRows
from tradestore.adoption.obstacles import obstacles
from tradestore.adoption.plan import CORE_TABLES, TablePlan, has_stamped_tables, plan_adoption
from tradestore.exceptions import MigrationError

__all__ = ["Scan", "SchemaState", "scan_database"]


class SchemaState(StrEnum):
    """How a database stands to this version of the library."""

    EMPTY = "empty"
    """It has no table yet."""
    CURRENT = "current"
    """Nothing has to be done."""
    OLDER = "older"
    """An older version of this library wrote it."""
    NEWER = "newer"
    """A newer version of this library wrote it: it would be refused."""
    UNSTAMPED = "unstamped"
    """Another layer wrote it, a first start was cut short, or the tables are older than the stamp says."""
    WRECKED = "wrecked"
    """Another layer wrote it, and an upgrade of it has failed and hides rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What opening a database would do.

    Attributes:
        state: How the database stands to this version of the library.
        revision: Its stamp, None without one.
        steps: What would be done, in words, in its order.
        blockers: Why it would be refused instead, in words; empty if it would not be.
    """

    state: SchemaState
    revision: str | None
    steps: Sequence[str] = ()
    blockers: Sequence[str] = ()

    def __str__(self) -> str:
        """Return all of it as lines for a person."""
        stamp = "without a stamp" if self.revision is None else f"at revision {self.revision}"
        lines = [f"The database is {self.state}, {stamp}; this library works with {HEAD}."]
        lines += [f"  would be done: {step}" for step in self.steps]
        lines += [f"  in the way: {blocker}" for blocker in self.blockers]
        return "\n".join(lines)


def scan_database(engine: Engine, metadata: MetaData) -> Scan:
    """Look at a database and say what opening it would do; nothing is changed.

    Args:
        engine: Of the database.
        metadata: Of the models.
    """
    with engine.connect() as connection:
        stamped = stamp_of(connection)
        if stamped is not None:
            return _scan_stamped(connection, metadata, stamped)
        if not inspect(connection).get_table_names():
            return Scan(state=SchemaState.EMPTY, revision=None, steps=["create all tables"])
        return _scan_unstamped(connection, metadata)


def _scan_stamped(connection: Connection, metadata: MetaData, stamped: str) -> Scan:
    known = history()
    if stamped not in known:
        blocker = f"revision {stamped!r} is newer than this library: install the version that wrote it, or a later one"
        return Scan(state=SchemaState.NEWER, revision=stamped, blockers=[blocker])
    missing = sorted(set(metadata.tables) - set(inspect(connection).get_table_names()))
    steps = [f"run revision {revision}" for revision in known[known.index(stamped) + 1 :]]
    if not has_stamped_tables(connection, metadata):
        found = _scan_unstamped(connection, metadata)
        return replace(found, revision=stamped, steps=[*found.steps[:-1], *steps])
    state = SchemaState.OLDER if steps else SchemaState.CURRENT
    return Scan(state=state, revision=stamped, steps=[*steps, *(f"create table {name}" for name in missing)])


def _scan_unstamped(connection: Connection, metadata: MetaData) -> Scan:
    try:
        plan = plan_adoption(connection, metadata)
    except MigrationError as e:
        return Scan(state=SchemaState.UNSTAMPED, revision=None, blockers=[str(e)])
    rows = CarriedRows(connection, plan)
    aside = rows.set_aside(connection)
    others = sorted(set(metadata.tables) - set(CORE_TABLES) - set(inspect(connection).get_table_names()))
    is_wrecked = any(table.hidden is not None or table.forgotten is not None for table in plan.tables)
    return Scan(
        state=SchemaState.WRECKED if is_wrecked else SchemaState.UNSTAMPED,
        revision=None,
        steps=[
            *(step for table in plan.tables for step in _steps(table, aside)),
            *(f"create table {name}" for name in others),
            f"stamp it with {HEAD}",
        ],
        blockers=obstacles(connection, plan, rows),
    )


def _steps(table: TablePlan, aside: Mapping[str, int]) -> Iterator[str]:
    if table.hidden is not None:
        name = table.hidden.name
        which = f"{table.hidden_rows} rows" if name not in aside else _some(table.hidden_rows, aside[name], "the")
        yield f"bring {which} that only {name} has back to {table.name}"
    if table.forgotten is not None:
        yield f"make the orders anew that only {table.forgotten.name} knows of, and give pairs their present form"
    if table.current is None:
        yield f"create table {table.name}"
    else:
        which = f"its {table.rows} rows" if table.name not in aside else _some(table.rows, aside[table.name], "its")
        yield f"build {table.name} anew with {which}, and keep the old table as {table.backup}"
    for origin in table.origins:
        if origin.name in aside:
            left = aside[origin.name]
            yield f"leave {left} {'row' if left == 1 else 'rows'} in {table.place_of(origin)} alone, of no trade"


def _some(rows: int, aside: int, whose: str) -> str:
    return f"{rows - aside} of {whose} {rows} rows"
