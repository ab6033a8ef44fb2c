"""An old database and what opening it has made of it, once for all tests that look at it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Inspector, inspect

from tests.capabilities import Backend
from tests.migrations.legacy import LegacyCase, Rows, contents, plain_connection, single_precision
from tests.migrations.mirrored_tables import TABLES
from tests.servers import Server
from tradestore import Database, Trade, init_db

__all__ = ["Adopted", "Adoptions", "TableShape", "listening", "opened", "shape_of"]

ServerOf = Callable[[Backend], Server]

TableShape = dict[str, object]
"""What a table is made of, by kind and name: nullability of columns, and keys and indexes with their columns."""


class _Ear(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def listening() -> Iterator[list[str]]:
    """List what the library logs meanwhile, from INFO up."""
    logger, ear = logging.getLogger("tradestore"), _Ear()
    level = logger.level
    logger.addHandler(ear)
    logger.setLevel(logging.INFO)
    try:
        yield ear.heard
    finally:
        logger.setLevel(level)
        logger.removeHandler(ear)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open a database with the library, and close it afterwards, whatever happened."""
    database = init_db(url)
    try:
        yield database
    finally:
        Trade.session.remove()
        database.close()


@dataclass
class Adopted:
    """An old database that was opened once.

    Attributes:
        case: What it was made from.
        backend: Where it is.
        url: Of the database.
        before: All rows of all tables before it was opened.
        after: The same afterwards.
        log: What opening it has told.
        tolerance: Relative difference that its numbers may have.
    """

    case: LegacyCase
    backend: Backend
    url: str
    before: dict[str, Rows] = field(init=False, repr=False)
    after: dict[str, Rows] = field(init=False, repr=False)
    log: list[str] = field(init=False, repr=False)
    tolerance: float = field(init=False)

    def __post_init__(self) -> None:
        """Load the old database, open it, and close it again."""
        self.tolerance = single_precision(self.url)
        self.case.load(self.url)
        self.before = contents(self.url)
        with listening() as self.log, opened(self.url):
            pass
        self.after = contents(self.url)


class Adoptions:
    """The databases of one module's tests: each case is loaded and opened once on each engine."""

    def __init__(self, folder: Path) -> None:
        """Choose where the files go."""
        self._folder = folder
        self._adopted: dict[tuple[str, str], Adopted] = {}
        self._failures: dict[tuple[str, str], Exception] = {}
        self._fresh: dict[str, str] = {}

    def of(self, case: LegacyCase, backend: Backend, server: Server | None) -> Adopted:
        """Return an old database on an engine after it was opened; where that failed, fail once more at no cost."""
        key = (case.number, backend.id)
        if key not in self._adopted and key not in self._failures:
            try:
                self._adopted[key] = Adopted(case, backend, self.empty(f"case_{case.number}", backend, server))
            except Exception as e:  # noqa: BLE001 - whatever it was, it is told by each test
                self._failures[key] = e
        if (failure := self._failures.get(key)) is not None:
            msg = f"case {case.number} could not be opened: {type(failure).__name__}: {failure}"
            raise AssertionError(msg) from failure
        return self._adopted[key]

    def fresh(self, backend: Backend, server: Server | None) -> str:
        """Return a database that the library has just made, one on each engine."""
        if backend.id not in self._fresh:
            url = self.empty("fresh", backend, server)
            with opened(url):
                self._fresh[backend.id] = url
        return self._fresh[backend.id]

    def empty(self, name: str, backend: Backend, server: Server | None) -> str:
        """Return the URL of a new database."""
        if server is not None:
            database = f"tradestore_{name}_{backend.id.replace('-', '_')}"
            server.create_database(database)
            return server.url(backend.scheme, database)
        folder = self._folder / name
        folder.mkdir()
        return f"sqlite:///{folder / 'tradesv3.sqlite'}"


def shape_of(url: str) -> dict[str, TableShape]:
    """Return what the six tables of a database are made of."""
    with plain_connection(url) as connection:
        inspector = inspect(connection)
        return {name: _table_shape(inspector, name) for name in TABLES}


def _table_shape(inspector: Inspector, table: str) -> TableShape:
    shape: TableShape = {f"column {column['name']}": column["nullable"] for column in inspector.get_columns(table)}
    primary = inspector.get_pk_constraint(table)
    shape[f"primary key {primary['name']}"] = primary["constrained_columns"]
    for key in inspector.get_foreign_keys(table):
        referred = (key["constrained_columns"], key["referred_table"], key["referred_columns"])
        shape[f"foreign key {key['name']}"] = (*referred, sorted(key["options"].items()))
    for unique in inspector.get_unique_constraints(table):
        shape[f"unique {unique['name']}"] = unique["column_names"]
    for index in inspector.get_indexes(table):
        shape[f"index {index['name']}"] = (index["column_names"], bool(index["unique"]))
    return shape
