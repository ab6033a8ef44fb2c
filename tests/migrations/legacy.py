"""The old databases of `tests/data/legacy`: loading them, reading what became of them, and telling differences."""

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, make_url, text

from tests.capabilities import BACKENDS, Backend
from tests.migrations.mirrored_tables import TABLES, MirroredColumn
from tradestore._engine import check_url

__all__ = [
    "CASES",
    "FOLDER",
    "RUNS",
    "LegacyCase",
    "Rows",
    "case_named",
    "contents",
    "differences",
    "is_kept",
    "load_script",
    "mirrored_rows",
    "plain_connection",
    "quoted",
    "run_id",
    "runs_of",
    "same_rows",
    "single_precision",
    "table_rows",
]

FOLDER: Final = Path(__file__).parents[1] / "data" / "legacy"
_SINGLE_PRECISION: Final = 1e-6
_MULTI_STATEMENTS: Final = 1 << 16  # What PyMySQL calls CLIENT.MULTI_STATEMENTS.

# The engine's family that a dump is written for, by the end of its name.
_DIALECTS: Final = {".pg.sql": ("postgresql",), ".mysql.sql": ("mysql", "mariadb"), ".sql": ("sqlite",)}

Row = dict[str, Any]
Rows = list[Row]


@dataclass(frozen=True)
class LegacyCase:
    """An old database.

    Attributes:
        number: As its name begins.
        dump: The file that it is made from.
        families: What its engine is called in a URL.
    """

    number: str
    dump: Path
    families: tuple[str, ...]

    @cached_property
    def expected(self) -> Mapping[str, Any]:
        """What should become of it."""
        name = self.dump.name.removesuffix(next(end for end in _DIALECTS if self.dump.name.endswith(end)))
        found: Mapping[str, Any] = json.loads((FOLDER / f"{name}.expected.json").read_text(encoding="utf-8"))
        return found

    @cached_property
    def expected_rows(self) -> Mapping[str, Rows]:
        """Every row of the six tables afterwards, with the better value where the mirrored layer's own is wrong."""
        tables = {name: [dict(row) for row in rows] for name, rows in self.expected["tables"].items()}
        for cell in self.expected["recommended"]:
            (row,) = (row for row in tables[cell["table"]] if row["id"] == cell["id"])
            assert row[cell["column"]] == cell["freqtrade"]
            row[cell["column"]] = cell["better"]
        return tables

    def load(self, url: str) -> None:
        """Make the database at the URL, which must be empty, that old one."""
        load_script(url, self.dump.read_text(encoding="utf-8"))

    def runs_on(self, backend: Backend) -> bool:
        """Say whether the dump is for that engine."""
        return backend.persistent and make_url(f"{backend.scheme}://").get_backend_name() in self.families


def _case(dump: Path) -> LegacyCase:
    families = next(families for end, families in _DIALECTS.items() if dump.name.endswith(end))
    return LegacyCase(dump.name.partition("_")[0], dump, families)


CASES: Final = [_case(dump) for dump in sorted(FOLDER.glob("*.sql"))]


def case_named(number: str) -> LegacyCase:
    """Return the case whose file begins with a number."""
    (found,) = (case for case in CASES if case.number == number)
    return found


def runs_of(*numbers: str) -> list[Any]:
    """Return the named cases, or all, each with every engine that it can be loaded into, as test parameters."""
    return [
        (backend, case)
        for case in CASES
        if not numbers or case.number in numbers
        for backend in BACKENDS
        if case.runs_on(backend)
    ]


def run_id(value: object) -> str:
    """Name a test parameter."""
    return value.number if isinstance(value, LegacyCase) else getattr(value, "id", str(value))


RUNS: Final = runs_of()


def load_script(url: str, script: str) -> None:
    """Run a dump, or other SQL of several statements, in the dialect of the URL's engine."""
    family = make_url(url).get_backend_name()
    if family == "sqlite":
        connection = sqlite3.connect(str(make_url(url).database))
        connection.executescript(script)
        connection.close()
        return
    options = {"client_flag": _MULTI_STATEMENTS} if "mysql" in _family_names(family) else {}
    engine = create_engine(check_url(url), poolclass=NullPool, connect_args=options)
    raw = engine.raw_connection()
    cursor = raw.cursor()
    cursor.execute(script)
    while options and cursor.nextset():
        pass
    raw.commit()
    raw.close()
    engine.dispose()


def _family_names(family: str) -> tuple[str, ...]:
    return next(families for families in _DIALECTS.values() if family in families)


@contextmanager
def plain_connection(url: str) -> Iterator[Connection]:
    """Open a transaction that knows nothing of the library, as another program would; it is committed."""
    engine: Engine = create_engine(check_url(url), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def quoted(connection: Connection, name: str) -> str:
    """Return a table's name as the engine wants it in SQL."""
    return connection.dialect.identifier_preparer.quote_identifier(name)


def table_rows(connection: Connection, name: str) -> Rows:
    """Return all rows of a table as the driver gives them, sorted by id, or as text where there is none."""
    found = connection.execute(text(f"SELECT * FROM {quoted(connection, name)}")).mappings()
    rows = [dict(row) for row in found]
    return sorted(rows, key=lambda row: (row["id"] if isinstance(row.get("id"), int) else -1, repr(row)))


def contents(url: str) -> dict[str, Rows]:
    """Return all rows of all tables of a database."""
    with plain_connection(url) as connection:
        return {name: table_rows(connection, name) for name in inspect(connection).get_table_names()}


def single_precision(url: str) -> float:
    """Return how far numbers of an old database may be off: on some engines they had 4 bytes."""
    return _SINGLE_PRECISION if "mysql" in _family_names(make_url(url).get_backend_name()) else 0.0


def mirrored_rows(tables: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return the six tables as the expected files write them: their columns alone, moments as ISO text."""
    return {
        name: [{key: _normal(column, row[key]) for key, column in columns.items()} for row in tables[name]]
        for name, columns in TABLES.items()
    }


def _normal(column: MirroredColumn, value: Any) -> Any:
    """Return a value as the expected files write it; one that is not of the column's kind comes back as it is."""
    match column.kind, value:
        case "BOOLEAN", 0 | 1:
            return bool(value)
        case "DATETIME", datetime():
            return value.isoformat(timespec="microseconds")
        case "DATETIME", str():
            # Only what is written in full, as all programs that read the file expect.
            moment = datetime.fromisoformat(value)
            assert moment.isoformat(" ", "microseconds") == value
            return moment.isoformat(timespec="microseconds")
        case _:
            return value


def differences(
    expected: Mapping[str, Rows], found: Mapping[str, Rows], *, tolerance: float = 0.0
) -> list[tuple[Any, ...]]:
    """Return where rows of tables differ: table, id, column, what was expected, what was found.

    A row or column that only one side has is told with its id, or its name, alone.

    Args:
        expected: Rows by table.
        found: As many tables, or more.
        tolerance: Relative difference of numbers that counts as none.
    """
    told: list[tuple[Any, ...]] = []
    for name, rows in expected.items():
        left, right = ({row["id"]: row for row in side} for side in (rows, found[name]))
        assert (len(left), len(right)) == (len(rows), len(found[name])), f"{name}: an id stands twice"
        told += [(name, number) for number in sorted(left.keys() ^ right.keys())]
        for number in sorted(left.keys() & right.keys()):
            one, other = left[number], right[number]
            told += [(name, number, column) for column in sorted(one.keys() ^ other.keys())]
            told += [
                (name, number, column, one[column], other[column])
                for column in one
                if column in other and not _same(one[column], other[column], tolerance)
            ]
    return told


def _same(one: Any, other: Any, tolerance: float) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    if numbers and isinstance(one, bool) == isinstance(other, bool):
        return math.isclose(one, other, rel_tol=tolerance) if tolerance else one == other
    return type(one) is type(other) and bool(one == other)


def same_rows(one: Rows, other: Rows, columns: Sequence[str], tolerance: float) -> bool:
    """Say whether two tables hold the same rows, looking at some columns alone; 1 and True are the same here."""
    if len(one) != len(other) or not all(set(columns) <= row.keys() for row in other):
        return False
    return all(
        _equal(left[name], right[name], tolerance)
        for left, right in zip(_sorted(one, columns), _sorted(other, columns), strict=True)
        for name in columns
    )


def _sorted(rows: Rows, columns: Sequence[str]) -> Rows:
    # Numbers that are nearly the same must not change the order, so only ids and texts count.
    def key(row: Row) -> list[tuple[bool, str]]:
        return [(row[name] is None, str(row[name])) for name in columns if not isinstance(row[name], float)]

    return sorted(rows, key=lambda row: (row["id"] if isinstance(row.get("id"), int) else -1, key(row)))


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=tolerance) if tolerance else one == other
    return bool(one == other)


def is_kept(name: str, rows: Rows, tables: Mapping[str, Rows], tolerance: float) -> bool:
    """Say whether all that a table held can still be read: in the table itself, or in a backup of it.

    Args:
        name: The table's name.
        rows: What it held.
        tables: All tables that are there now.
        tolerance: Relative difference of numbers that counts as none.
    """
    if not rows:
        return True
    columns = list(rows[0])
    homes = [home for home in tables if home == name or home.startswith(f"{name}_bak")]
    return any(same_rows(rows, tables[home], columns, tolerance) for home in homes)
