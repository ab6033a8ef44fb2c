"""Columns whose types the library doesn't know: those that somebody has added to its tables."""

from collections.abc import Callable, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, Dialect, Enum, Float, Integer, String, bindparam
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from tradestore._sqltypes import Number, UtcDateTime
from tradestore.exceptions import InvalidValue

__all__ = ["bound_column", "is_familiar"]

_POSTGRESQL: Final[Dialect] = PGDialect()  # type: ignore[no-untyped-call]
"""Without a driver, whose own objects COPY could not take."""

_FAMILIAR: Final = (Boolean, Float, Integer, String)
_BINDING: Final = frozenset({kind.bind_processor for kind in (*_FAMILIAR, Enum)})


def is_familiar(column_type: TypeEngine[Any], dialect: Dialect) -> bool:
    """Tell whether :func:`tradestore._sqltypes.storable` knows all that a type does with its values.

    Args:
        column_type: The column's type.
        dialect: Of the engine, where the type may have a variant.
    """
    kind = type(column_type)
    if kind in {Number, UtcDateTime}:
        return True
    return (
        isinstance(column_type, _FAMILIAR)
        and kind.bind_processor in _BINDING
        and kind.bind_expression is TypeEngine.bind_expression
        and not isinstance(column_type.dialect_impl(dialect), TypeDecorator)
        and not (isinstance(column_type, Enum) and _has_own_names(column_type))
    )


def _has_own_names(choice: Enum) -> bool:
    """Tell whether something else is stored than the names of an enum's members."""
    return choice.enum_class is not None and choice.enums != [*choice.enum_class.__members__]


def bound_column(owner: str, column_type: TypeEngine[Any], values: Sequence[Any], dialect: Dialect) -> Sequence[Any]:
    """Return values as their type hands them to the engine's driver; as text for PostgreSQL, whose COPY takes them.

    Args:
        owner: The column's name for the message.
        column_type: The column's type.
        values: Of many records.
        dialect: The engine's.

    Raises:
        InvalidValue: If the type or a value of it is beyond what can be stored for many records at once.
    """
    is_copied = dialect.name == _POSTGRESQL.name
    form = column_type.dialect_impl(_POSTGRESQL if is_copied else dialect)
    if form.bind_expression(bindparam("value")) is not None:
        raise _refusal(owner, column_type, "it takes an SQL expression for each value")
    process = form.bind_processor(_POSTGRESQL if is_copied else dialect)
    try:
        return [_bound(form, process, value, as_text=is_copied) for value in values]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as e:
        raise _refusal(owner, column_type, str(e)) from e


def _bound(form: TypeEngine[Any], process: Callable[[Any], Any] | None, value: Any, *, as_text: bool) -> Any:
    if value is None and form.should_evaluate_none:
        # JSON has a null of its own, which only a value that was given can mean.
        return None
    bound = value if process is None else process(value)
    return _copied(bound) if as_text and bound is not None else bound


def _copied(value: Any) -> str:
    """Return the text by which PostgreSQL reads a value."""
    match value:
        case str():
            return str.__str__(value)
        case bool():
            return "t" if value else "f"
        case bytes():
            return rf"\x{value.hex()}"
        case date() | time():
            return value.isoformat()
        case int() | float() | Decimal() | UUID():
            return str(value)
    msg = f"a {type(value).__name__} cannot be copied to PostgreSQL"
    raise TypeError(msg)


def _refusal(owner: str, column_type: TypeEngine[Any], reason: str) -> InvalidValue:
    return InvalidValue(
        f"{owner} of type {type(column_type).__name__} cannot be stored for many records at once: {reason}. "
        "Nothing was stored: add the records one by one."
    )
