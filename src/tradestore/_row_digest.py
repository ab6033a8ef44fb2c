"""What the rows of a table come to, in constant memory: equal before and after means that nothing was lost."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, column, inspect, select, table

from tradestore._sqlite_files import quoted
from tradestore._table_content import RunningContent, TableContent

__all__ = ["columns_of", "digest_of", "sqlite_columns_of", "sqlite_digest_of"]

_BATCH: Final = 1000


def columns_of(connection: Connection, wanted: Collection[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Return the columns of every table that is there, or of those that are wanted."""
    if connection.dialect.name == "sqlite":
        found = sqlite_columns_of(_driver_connection(connection))
        return {name: columns for name, columns in found.items() if wanted is None or name in wanted}
    inspector = inspect(connection)
    return {
        name: tuple(each["name"] for each in inspector.get_columns(name))
        for name in inspector.get_table_names()
        if wanted is None or name in wanted
    }


def digest_of(connection: Connection, name: str, columns: Sequence[str]) -> TableContent:
    """Return what some columns of a table hold, as this connection sees them."""
    if connection.dialect.name == "sqlite":
        return sqlite_digest_of(_driver_connection(connection), name, columns)
    query: Any = select(*(column(each) for each in columns)).select_from(table(name))
    options = {"stream_results": True, "yield_per": _BATCH}
    with connection.execute(query, execution_options=options) as rows:
        return _content(rows)


def sqlite_columns_of(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns of every table of an SQLite database, SQLite's own tables included, virtual ones not."""
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0").fetchall()
    return {
        name: tuple(row[1] for row in connection.execute(f"PRAGMA table_xinfo({quoted(name)})")) for (name,) in tables
    }


def sqlite_digest_of(connection: sqlite3.Connection, name: str, columns: Sequence[str]) -> TableContent:
    """Return what some columns of a table of an SQLite database hold, texts that are no valid UTF-8 included."""
    # The sign keeps converters, which go by a column's declared type, from reading the values.
    names = ", ".join(f"+{quoted(each)}" for each in columns)
    with _any_text(connection):
        return _content(connection.execute(f"SELECT {names} FROM {quoted(name)}"))  # noqa: S608 - quoted


def _content(rows: Iterable[Iterable[object]]) -> TableContent:
    running = RunningContent()
    running.add(ascii(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)) for row in rows)
    return running.content


@contextmanager
def _any_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Let texts be read whatever their bytes are; valid ones read as ever, also for others on this connection."""
    before = connection.text_factory
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = before


def _driver_connection(connection: Connection) -> sqlite3.Connection:
    driver_connection: Any = connection.connection.driver_connection
    return driver_connection  # type: ignore[no-any-return]
