"""Rows written as they were read: by the fastest way that the engine has, past what types would make of them."""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, event
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.types import NullType

from tradestore._bulk import insert_rows
from tradestore._copy import copy_data
from tradestore._errors import is_retryable
from tradestore._sqltypes import moment_text
from tradestore._stored_values import Kind
from tradestore.exceptions import TransferError
from tradestore.operations._transfer_plan import Cargo

__all__ = ["driver_values", "write_rows"]


def write_rows(connection: Connection, cargo: Cargo, values: Sequence[Sequence[Any]]) -> None:
    """Insert rows.

    Args:
        connection: To the target, within a transaction.
        cargo: Their table.
        values: Of each column, as :class:`StoredTable` reads them.

    Raises:
        TransferError: If the engine does not take them.
        DBAPIError: If others hold a lock, or the connection is lost.
    """
    if not values or not values[0]:
        return
    engine, stored = connection.engine, cargo.stored
    is_postgresql = engine.dialect.name == "postgresql"
    is_plain = Kind.OWN not in stored.kinds and (not is_postgresql or event.contains(engine, "do_execute", copy_data))
    columns = {
        column.key: driver_values(kind, of_column, engine.dialect.name, is_copied=is_plain and is_postgresql)
        for kind, column, of_column in zip(stored.kinds, stored.columns, values, strict=True)
    }
    try:
        if is_plain:
            insert_rows(connection, cargo.table, columns)
        else:
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            connection.execute(_as_given(cargo).insert(), rows)
    except StatementError as e:
        if isinstance(e, DBAPIError) and (e.connection_invalidated or is_retryable(e)):
            raise
        msg = (
            f"{engine.dialect.name} does not take rows of the table {cargo.name!r} ({str(e.orig).strip()}). What was "
            "copied before them stays: correct them at the source, then run the transfer again, which goes on there."
        )
        raise TransferError(msg) from e


def driver_values(kind: Kind, values: Sequence[Any], dialect_name: str, *, is_copied: bool = False) -> Sequence[Any]:
    """Return values in the form in which a driver takes them and keeps what they are.

    Args:
        kind: What they are.
        values: Of a column, as :class:`StoredTable` reads them.
        dialect_name: The target's.
        is_copied: Whether PostgreSQL reads them from the text of its COPY.
    """
    match kind:
        case Kind.MOMENT:
            form: Any = partial(_moment, offset="+00:00" if dialect_name == "postgresql" else "")
        case Kind.DAY | Kind.CLOCK:
            form = _calendar_text
        case Kind.EXACT:
            form = partial(_decimal, is_sqlite=dialect_name == "sqlite")
        case Kind.BYTES if is_copied:
            form = _hexadecimal
        case _:
            return values
    return [None if value is None else form(value) for value in values]


def _moment(value: Any, *, offset: str) -> Any:
    # PostgreSQL reads the offset where a column has a zone, and passes over it elsewhere.
    return moment_text(value) + offset if isinstance(value, datetime) else value


def _calendar_text(value: Any) -> Any:
    if isinstance(value, time):
        return value.isoformat("microseconds")
    return value.isoformat() if isinstance(value, date) else value


def _decimal(value: Any, *, is_sqlite: bool) -> Any:
    if not isinstance(value, Decimal):
        return value
    return float(value) if is_sqlite else str(value)


def _hexadecimal(value: Any) -> Any:
    return rf"\x{value.hex()}" if isinstance(value, bytes) else value


def _as_given(cargo: Cargo) -> Table:
    """Return the table without the types that would look at values which are ready for the driver."""
    columns = zip(cargo.stored.kinds, cargo.stored.columns, strict=True)
    return Table(
        cargo.name,
        MetaData(),
        *(
            Column(column.name, column.type if kind is Kind.OWN else NullType(), key=column.key)
            for kind, column in columns
        ),
    )
