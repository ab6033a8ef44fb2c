"""Records as columns of values, checked as single values are.

A column of a thousand values is looked at by a few calls instead of a thousand: nearly always all of its values are of
the one type that the column wants.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from math import isfinite
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any

from sqlalchemy import Boolean, Column, Dialect, Enum
from sqlalchemy.types import TypeEngine

from tradestore._bound_types import bound_column, is_familiar
from tradestore._sqltypes import Number, UtcDateTime, moment_text, storable
from tradestore.base import ModelBase
from tradestore.exceptions import InvalidValue

__all__ = ["completed_columns", "read_columns", "storable_columns"]


def read_columns(records: Sequence[object], names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the values of records by the names of their fields; what a record has no value for is None.

    Args:
        records: Plain ones, and mapped ones that are in no session.
        names: At least two.
    """
    try:
        rows = _rows(records, names, attrgetter(*names))
    except AttributeError:
        # A plain record has no attribute for a column that somebody has added.
        rows = _rows(records, names, lambda record: tuple(getattr(record, name, None) for name in names))
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return dict(zip(names, columns, strict=True))


def _rows(
    records: Sequence[object], names: Sequence[str], plain: Callable[[object], tuple[Any, ...]]
) -> Sequence[tuple[Any, ...]]:
    mapped, blank = itemgetter(*names), dict.fromkeys(names)
    # Mapped attributes are slow to read, and in no session they are all where they are kept.
    return [
        mapped({**blank, **record.__dict__}) if isinstance(record, ModelBase) else plain(record) for record in records
    ]


def completed_columns(
    owner: str, columns: Mapping[str, Column[Any]], values: Mapping[str, Sequence[Any]]
) -> dict[str, Sequence[Any]]:
    """Return the values with the defaults of their columns in place of None, as single inserts would have them.

    What only the database fills in is left out.

    Args:
        owner: The name of the records' kind for messages.
        columns: By the names of their attributes.
        values: By the same names.

    Raises:
        InvalidValue: If a default differs from row to row in a way that only the database knows.
    """
    return {
        name: _with_default(f"{owner}.{name}", columns[name], given)
        for name, given in values.items()
        if columns[name].server_default is None
        or columns[name].default is not None
        or any(value is not None for value in given)
    }


def storable_columns(
    owner: str, columns: Mapping[str, Column[Any]], values: Mapping[str, Sequence[Any]], dialect: Dialect
) -> dict[str, Sequence[Any]]:
    """Return the values in the form in which the engine takes them, by the keys of their columns.

    Types of the library become bool, int, float, str or None, the same for every engine: dates their text in UTC,
    choices the names of their members. Any other type says itself what its driver gets.

    Args:
        owner: The name of the records' kind for messages.
        columns: By the names of their attributes.
        values: By the same names, of those columns that will be stored.
        dialect: The engine's.

    Raises:
        InvalidValue: If a value cannot be kept.
    """
    return {
        columns[name].key: _storable_column(f"{owner}.{name}", columns[name].type, given)
        if is_familiar(columns[name].type, dialect)
        else bound_column(f"{owner}.{name}", columns[name].type, given, dialect)
        for name, given in values.items()
    }


def _storable_column(owner: str, column_type: TypeEngine[Any], values: Sequence[Any]) -> Sequence[Any]:
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
        with suppress(OverflowError):  # Whichever has no place in the calendar is named below.
            return [None if value is None else moment_text(value) for value in values]
    elif kind is not None and issubclass(kind, str | int):
        # Equal ones are stored alike, and most are repeated.
        forms = {value: _form(owner, column_type, value) for value in set(values)}
        return list(map(forms.__getitem__, values))
    return [_form(owner, column_type, value) for value in values]


def _with_default(owner: str, column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    default: Any = column.default
    if (default is None and column.server_default is None) or None not in values:
        return values
    if default is not None and default.is_scalar:
        return [default.arg if value is None else value for value in values]
    if default is not None and default.is_callable:
        return [default.arg(None) if value is None else value for value in values]
    msg = (
        f"{owner} has a default that the database works out for each row, so that some of many cannot be left without "
        "a value. Nothing was stored: give each record one, or add the records one by one."
    )
    raise InvalidValue(msg)


def _form(owner: str, column_type: TypeEngine[Any], value: Any) -> Any:
    if value is None:
        return None
    stored = storable(owner, column_type, value)
    if isinstance(column_type, Enum):
        return stored if stored in column_type.enums else column_type.enum_class(stored).name  # type: ignore[misc]
    return moment_text(stored) if isinstance(column_type, UtcDateTime) else stored
