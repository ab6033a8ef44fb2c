"""Rows read and written as they lie there, past what models make of them."""

from collections.abc import Iterable
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Connection, MetaData, Table, inspect, select
from sqlalchemy.orm import Session
from sqlalchemy.types import NullType

from tradestore._sqltypes import moment_text
from tradestore._stored_values import StoredTable
from tradestore.base import ModelBase
from tradestore.operations.repair.row_text import Row

__all__ = ["KEY", "StoredRows"]

KEY: Final = "id"


class StoredRows:
    """The rows of the library's tables, with the columns that others may have added."""

    def __init__(self, source: Connection | Session) -> None:
        """Take what reads them, and the session that writes them.

        Args:
            source: A connection to read by; a session in a transaction to write, too.
        """
        self._session = source if isinstance(source, Session) else None
        self.connection = source.connection() if isinstance(source, Session) else source
        self._tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """Return a table with all columns that it has in the database, without those that the engine computes."""
        if name not in self._tables:
            known = ModelBase.metadata.tables[name].columns
            columns = [
                Column(
                    found["name"],
                    known[found["name"]].type if found["name"] in known else found["type"],
                    primary_key=found["name"] == KEY,
                )
                for found in inspect(self.connection).get_columns(name)
                if not found.get("computed")
            ]
            self._tables[name] = Table(name, MetaData(), *columns)
        return self._tables[name]

    def select(self, name: str, column: str, value: Any) -> list[Row]:
        """Return the rows of a table that have a value in a column, by id."""
        table = self.table(name)
        reader = StoredTable(table)
        names = [each.name for each in reader.columns]
        found = reader.batches(self.connection, where=_equals(table.c[column], value), order=[table.c[KEY]])
        with closing(found) as batches:
            return [dict(zip(names, row, strict=True)) for columns in batches for row in zip(*columns, strict=True)]

    def lock(self, places: Iterable[tuple[str, str, Any]]) -> None:
        """Keep others from changing rows until the transaction ends; on SQLite a writer is alone anyway.

        Args:
            places: Tables, columns and values, as for :meth:`select`.
        """
        if self.connection.dialect.name == "sqlite":
            return
        for name, column, value in sorted(places, key=lambda place: (place[0] != "trades", *map(str, place))):
            table = self.table(name)
            rows = select(table.c[KEY]).where(_equals(table.c[column], value)).order_by(table.c[KEY])
            self._execute(rows.with_for_update()).all()

    def insert(self, name: str, row: Row) -> Any:
        """Add a row; returns its id."""
        table = self._untyped(name)
        result = self._execute(sa.insert(table).values(self._bound(row)))
        return row.get(KEY) or result.inserted_primary_key[0]

    def update(self, name: str, row_id: Any, row: Row) -> None:
        """Change values of one row."""
        table = self._untyped(name)
        self._execute(sa.update(table).where(table.c[KEY] == row_id).values(self._bound(row)))

    def delete(self, name: str, row_id: Any) -> None:
        """Remove one row."""
        table = self.table(name)
        self._execute(sa.delete(table).where(table.c[KEY] == row_id))

    def _untyped(self, name: str) -> Table:
        """Return a table whose types take every value as it is: what was odd has to be put back as odd."""
        names = [column.name for column in self.table(name).columns]
        columns = [Column(each, sa.Integer() if each == KEY else NullType(), primary_key=each == KEY) for each in names]
        return Table(name, MetaData(), *columns)

    def _execute(self, statement: Any) -> Any:
        if self._session is None:
            msg = "These rows are only to be read."
            raise RuntimeError(msg)
        # By the session, which knows from it that there is something to commit, and what limits have to be held.
        return self._session.execute(statement)

    def _bound(self, row: Row) -> dict[str, Any]:
        is_sqlite = self.connection.dialect.name == "sqlite"
        return {name: _written(value, is_sqlite=is_sqlite) for name, value in row.items()}


def _equals(column: Column[Any], value: Any) -> ColumnElement[bool]:
    return column.is_(None) if value is None else column == value


def _written(value: Any, *, is_sqlite: bool) -> Any:
    """Return the expression that stores a value as it was read."""
    if is_sqlite:
        match value:
            case datetime():
                value = moment_text(value)
            case date() | time():
                value = value.isoformat()
            case Decimal():
                value = float(value)
            case str() if not value.isascii():
                # A text that is no proper one can only be handed over as bytes.
                return sa.cast(sa.literal(value.encode("utf-8", "surrogateescape"), sa.LargeBinary()), sa.Text())
    return sa.literal(value, NullType())
