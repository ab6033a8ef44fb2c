"""Databases for the benchmarks: a place that holds them, opened by the library and by the raw driver."""

import importlib
import io
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from sqlalchemy import event

from benchmarks.rows import ORDER_COLUMNS, TRADE_COLUMNS, batches, rows_of
from tests.servers import PostgresServer
from tradestore import Database, Trade, init_db

__all__ = ["OPEN_TRADES", "PLACES", "PostgresPlace", "SqlitePlace", "Statement", "Store", "StorePlace", "statements_of"]

OPEN_TRADES = 20
_BATCH = 10_000

Row = tuple[Any, ...]
Statement = tuple[str, Any]


class Store:
    """A database that the library has open, and the raw driver beside it.

    Attributes:
        place: Where it is.
        database: The library's.
        raw: The driver's connection, which leaves transactions to whoever uses it.
    """

    def __init__(self, place: "StorePlace", database: Database, raw: Any) -> None:
        self.place = place
        self.database = database
        self.raw = raw

    def tell(self, sql: str) -> None:
        """Run one statement through the raw driver."""
        cursor = self.raw.cursor()
        cursor.execute(sql)
        cursor.close()

    def fetch(self, sql: str, *parameters: Any) -> list[Row]:
        """Run one query through the raw driver, with a tuple or dict of parameters or none; take all of its rows."""
        cursor = self.raw.cursor()
        cursor.execute(sql, *parameters)
        rows: list[Row] = cursor.fetchall()
        cursor.close()
        return rows


class StorePlace(ABC):
    """An engine with a folder or a server of its own, in which databases are made when they are first asked for.

    Attributes:
        name: For the table.
        mark: What stands for a value in a statement of the driver.
        begin_write: Begins a transaction that writes.
        is_embedded: Whether it needs no server.
        traced_sizes: For how many trades memory is traced, which makes everything several times slower: one engine
            has to go the whole way, the other only far enough to show that it doesn't grow.
    """

    name: ClassVar[str]
    mark: ClassVar[str]
    begin_write: ClassVar[str] = "BEGIN"
    is_embedded: ClassVar[bool] = False
    traced_sizes: ClassVar[tuple[int, ...]] = (10_000, 30_000)

    def __init__(self) -> None:
        self._filled: set[int] = set()

    @abstractmethod
    def __enter__(self) -> Self:
        """Make it ready."""

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind."""

    @abstractmethod
    def missing(self) -> str | None:
        """Say what keeps the engine from running here, None if nothing does."""

    @abstractmethod
    def url(self, name: str) -> str:
        """Return the URL of a database, which is made if it isn't there."""

    @abstractmethod
    def connect(self, url: str) -> Any:
        """Open a connection of the raw driver, as durable as the library's."""

    @abstractmethod
    def write_many(self, cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert rows by the driver's own means for many of them."""

    def load(self, cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Insert rows in the fastest way there is."""
        self.write_many(cursor, table, columns, rows)

    @contextmanager
    def store(self, name: str = "empty") -> Iterator[Store]:
        """Open a database on both sides; it is closed afterwards, and stays as it is."""
        url = self.url(name)
        database = init_db(url)
        raw = self.connect(url)
        try:
            yield Store(self, database, raw)
        finally:
            Trade.session.remove()
            raw.close()
            database.close()

    @contextmanager
    def filled(self, trades: int) -> Iterator[Store]:
        """Open a database with so many trades of two orders each, the last of them open."""
        with self.store(f"filled_{trades}") as store:
            if trades not in self._filled:
                self._fill(store, trades)
                self._filled.add(trades)
            yield store

    def _fill(self, store: Store, trades: int) -> None:
        cursor = store.raw.cursor()
        cursor.execute("BEGIN")
        for batch in batches(rows_of(trades, min(OPEN_TRADES, trades // 2)), _BATCH):
            self.load(cursor, "trades", TRADE_COLUMNS, (trade for trade, _ in batch))
            self.load(cursor, "orders", ORDER_COLUMNS, chain.from_iterable(orders for _, orders in batch))
        cursor.execute("COMMIT")
        cursor.close()
        self.after_filling(store)

    @abstractmethod
    def after_filling(self, store: Store) -> None:
        """Do what the engine would have done in time by itself."""

    def insert(self, table: str, columns: Sequence[str]) -> str:
        """Return the statement that inserts one row."""
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([self.mark] * len(columns))})"


class SqlitePlace(StorePlace):
    """SQLite files in a folder of their own."""

    name = "SQLite"
    mark = "?"
    begin_write = "BEGIN IMMEDIATE"
    is_embedded = True
    traced_sizes = (10_000, 100_000)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tradestore-bench-")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def missing(self) -> str | None:
        return None

    def url(self, name: str) -> str:
        return f"sqlite:///{Path(self._folder.name) / name}.sqlite"

    def connect(self, url: str) -> sqlite3.Connection:
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def after_filling(self, store: Store) -> None:
        pass

    def write_many(self, cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        cursor.executemany(self.insert(table, columns), rows)


class PostgresPlace(StorePlace):
    """A private PostgreSQL, which waits for the disk as one in production does."""

    name = "PostgreSQL"
    mark = "%s"

    def __init__(self) -> None:
        super().__init__()
        self._made: set[str] = set()

    def __enter__(self) -> Self:
        self._server = PostgresServer(durable=True)
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, traceback)

    def missing(self) -> str | None:
        return PostgresServer.missing()

    def url(self, name: str) -> str:
        if name not in self._made:
            self._server.create_database(name)
            self._made.add(name)
        return self._server.url("postgresql", name)

    def connect(self, url: str) -> Any:
        connection = importlib.import_module("psycopg2").connect(url)
        connection.autocommit = True  # BEGIN and COMMIT are written out, as for the other driver.
        return connection

    def write_many(self, cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        # Its executemany() sends every row by itself, and takes several times as long.
        insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES %s"
        importlib.import_module("psycopg2.extras").execute_values(cursor, insert, rows, page_size=1_000)

    def load(self, cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        text = "\n".join("\t".join("\\N" if value is None else str(value) for value in row) for row in rows)
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", io.StringIO(text))

    def after_filling(self, store: Store) -> None:
        for table in ("trades", "orders"):
            store.tell(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        store.tell("VACUUM ANALYZE")


PLACES: tuple[type[StorePlace], ...] = (SqlitePlace, PostgresPlace)


@contextmanager
def statements_of(database: Database) -> Iterator[list[Statement]]:
    """Note what the library sends to the driver, parameters included."""
    sent: list[Statement] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        sent.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
