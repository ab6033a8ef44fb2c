"""Records as columns of values, checked as single values are.

A column of a thousand values is looked at by a few calls instead of a thousand: nearly always all of its values are of
the one type that the column wants.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any

from sqlalchemy import Boolean, Column, Enum, Table
from sqlalchemy.types import TypeEngine

from tradestore._sqltypes import Number, UtcDateTime, storable
from tradestore.base import ModelBase

__all__ = ["read_columns", "storable_column", "storable_columns", "with_default"]

_DATE_LENGTH = len("2026-03-01 12:00:00.123456")


def read_columns(records: Sequence[object], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the values of records by the names of their fields; what a mapped record was never given is None.

    Args:
        records: Plain ones, and mapped ones that are in no session.
        names: At least two.
    """
    plain, mapped = attrgetter(*names), itemgetter(*names)
    blank = dict.fromkeys(names)
    # Mapped attributes are slow to read, and in no session they are all where they are kept.
    rows = [
        mapped({**blank, **record.__dict__}) if isinstance(record, ModelBase) else plain(record) for record in records
    ]
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return dict(zip(names, columns, strict=True))


def storable_columns(owner: str, table: Table, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Return all columns as :func:`storable_column` does.

    Args:
        owner: The name of the records' kind for messages.
        table: Where they will be stored.
        columns: Values by the names of the table's columns.

    Raises:
        InvalidValue: If a value cannot be kept.
    """
    return {name: storable_column(f"{owner}.{name}", table.c[name].type, columns[name]) for name in columns}


def storable_column(owner: str, column_type: TypeEngine[Any], values: Sequence[Any]) -> Sequence[Any]:
    """Return the values as bool, int, float, str or None, in the form in which every engine takes and keeps them.

    Dates become their text in UTC, choices the names of their members.

    Args:
        owner: The column's name for the message.
        column_type: The column's type.
        values: Of many records.

    Raises:
        InvalidValue: If one of them cannot be kept.
    """
    kinds = set(map(type, values))
    has_none = NoneType in kinds
    kinds.discard(NoneType)
    kind = next(iter(kinds)) if len(kinds) == 1 else None
    if not kinds or (kind is bool and isinstance(column_type, Boolean)):
        return values
    if kind is float and isinstance(column_type, Number):
        present = [value for value in values if value is not None] if has_none else values
        if all(map(isfinite, present)):
            return values
    elif kind is datetime and isinstance(column_type, UtcDateTime):
        return [None if value is None else _utc_text(value) for value in values]
    elif kind is not None and issubclass(kind, str | int):
        # Equal ones are stored alike, and most are repeated.
        forms = {value: _form(owner, column_type, value) for value in set(values)}
        return list(map(forms.__getitem__, values))
    return [_form(owner, column_type, value) for value in values]


def with_default(column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    """Return the values with the column's default in place of None, as a single insert would have it."""
    default: Any = column.default
    if default is None or None not in values:
        return values
    if default.is_scalar:
        return [default.arg if value is None else value for value in values]
    return [default.arg(None) if value is None else value for value in values]


def _form(owner: str, column_type: TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    stored = storable(owner, column_type, value)
    if isinstance(column_type, Enum):
        return stored if stored in column_type.enums else column_type.enum_class(stored).name  # type: ignore[misc]
    return _utc_text(stored) if isinstance(column_type, UtcDateTime) else stored


def _utc_text(moment: datetime) -> str:
    utc = moment if moment.tzinfo is None or moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:_DATE_LENGTH]
