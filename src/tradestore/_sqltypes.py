"""Column types that keep the same value on every engine."""

import math
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Double, Enum, Integer, String, Text
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.types import TypeDecorator, TypeEngine

from tradestore._clock import as_naive_utc
from tradestore.exceptions import InvalidValue

__all__ = ["BigCount", "LongText", "Number", "UtcDateTime", "storable"]

_MYSQL = ("mysql", "mariadb")
_SHOWN = 60


class UtcDateTime(TypeDecorator[datetime]):
    """Microseconds in UTC without offset: aware moments are converted on the way in, naive ones are UTC already."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MariaDB for the microseconds that it leaves out by default."""
        return dialect.type_descriptor(DATETIME(fsp=6) if dialect.name in _MYSQL else DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC and drop the offset."""
        return None if value is None else as_naive_utc(value)


class Number(TypeDecorator[float]):
    """A float of 8 bytes on every engine, whatever number type is handed in."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Hand the driver a plain float: drivers print the number types of other packages in their own ways."""
        return None if value is None else float(value)


BigCount = BigInteger().with_variant(Integer(), "sqlite")
"""A whole number of 8 bytes: a time in milliseconds needs more than 4."""

LongText = Text().with_variant(LONGTEXT(), *_MYSQL)
"""Text without a practical limit; MariaDB's plain TEXT ends at 64 KiB."""


def storable(owner: str, column_type: TypeEngine[Any], value: Any) -> Any:
    """Return a value in the form in which every engine gives it back, or refuse it before any engine sees it.

    SQLite would take what PostgreSQL refuses; this is the line that they share.

    Args:
        owner: The column's name for the message.
        column_type: The column's type.
        value: Not None.

    Raises:
        InvalidValue: If a text is too long or holds a NUL, a number is not finite, or a count is too large.
    """
    problem = None
    match column_type:
        case Enum():
            problem = _choice_problem(column_type, value)
        case String():
            text = _plain_text(value)
            problem = "a text was expected" if text is None else _text_problem(column_type.length, text)
            if problem is None:
                return text
        case Number() | Double():
            number = _finite(value)
            if number is not None:
                return number
            problem = "a finite number was expected"
        case Integer() if isinstance(value, int):
            problem = _count_problem(column_type, value)
        case UtcDateTime():
            if isinstance(value, datetime):
                return as_naive_utc(value)
            problem = "a datetime was expected"
    if problem:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        msg = f"{owner} cannot be {shown}: {problem}. Nothing was stored."
        raise InvalidValue(msg)
    return value


def _choice_problem(column_type: Enum, value: Any) -> str | None:
    choices = [str(choice) for choice in column_type.enum_class or ()]
    return None if value in choices else f"it is one of {', '.join(choices)}"


def _plain_text(value: Any) -> str | None:
    """Return the text without the class that some enums give it, and a number's digits; ids may come as numbers."""
    if isinstance(value, str):
        return str.__str__(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _text_problem(limit: int | None, text: str) -> str | None:
    if limit is not None and len(text) > limit:
        return f"it has {len(text)} characters, at most {limit} fit"
    if "\0" in text:
        return "a NUL character cannot be stored"
    return None


def _finite(number: Any) -> float | None:
    if isinstance(number, str):
        return None
    try:
        value = float(number)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _count_problem(column_type: TypeEngine[Any], count: int) -> str | None:
    wide = isinstance(column_type, BigInteger)
    limit: int = 2 ** (63 if wide else 31)
    return None if -limit <= count < limit else f"whole numbers here lie between {-limit} and {limit - 1}"
