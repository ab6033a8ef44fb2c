"""Column types that keep the same value on every engine."""

import math
import operator
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Dialect, Double, Enum, Float, Integer, String, Text
from sqlalchemy.dialects.mysql import DATETIME, LONGTEXT
from sqlalchemy.types import TypeDecorator, TypeEngine

from tradestore._clock import as_naive_utc
from tradestore.accounting._decimal import finite
from tradestore.exceptions import InvalidValue

__all__ = ["BigCount", "LongText", "Number", "UtcDateTime", "is_storable", "moment_text", "storable"]

_MYSQL = ("mysql", "mariadb")
_SHOWN = 60
_MOMENT_LENGTH = len("2026-03-01 12:00:00.123456")


class UtcDateTime(TypeDecorator[datetime]):
    """Microseconds in UTC without offset: aware moments are converted on the way in, naive ones are UTC already.

    A question may also have a day, which is its first moment, or the ISO text of either.
    """

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MariaDB for the microseconds that it leaves out by default."""
        return dialect.type_descriptor(DATETIME(fsp=6) if dialect.name in _MYSQL else DateTime())

    def process_bind_param(self, value: date | str | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC and drop the offset."""
        if value is None:
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        return as_naive_utc(value) if isinstance(value, datetime) else datetime.combine(value, time())


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


def moment_text(moment: datetime) -> str:
    """Return the text of a moment in UTC, as it stands in a column: to the microsecond, without offset."""
    # The offset of a moment that is in UTC already is cut off: to make it naive first takes twice as long.
    utc = moment if moment.tzinfo is None or moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:_MOMENT_LENGTH]


def storable(owner: str, column_type: TypeEngine[Any], value: Any) -> Any:
    """Return a value in the form in which every engine gives it back, or refuse it before any engine sees it.

    SQLite would take what PostgreSQL refuses; this is the line that they share.

    Args:
        owner: The column's name for the message.
        column_type: The column's type.
        value: Not None.

    Raises:
        InvalidValue: If a text is too long or no proper text, a number is not finite, or a count is too large.
    """
    try:
        return _converted(column_type, value)
    except (OverflowError, ValueError) as e:
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
        msg = f"{owner} cannot be {shown}: {str(e).removesuffix('.')}. Nothing was stored."
        raise InvalidValue(msg) from None


def is_storable(column_type: TypeEngine[Any]) -> Callable[[Any], bool]:
    """Return a quick test that knows most of the values which :func:`storable` returns as they are.

    Args:
        column_type: The column's type.
    """
    test: Callable[[Any], bool]
    match column_type:
        case Enum():
            test = _unknown
        case String():
            longest = sys.maxsize if column_type.length is None else column_type.length
            test = partial(_is_text, longest)
        case Number() | Float():
            test = _is_number
        case Boolean():
            test = _is_flag
        case UtcDateTime():
            test = _is_moment
        case Integer():
            test = partial(_is_count, _limit(column_type))
        case _:
            test = _unknown
    return test


def _unknown(_value: Any) -> bool:
    return False


def _is_text(longest: int, value: Any) -> bool:
    return type(value) is str and len(value) <= longest and value.isascii() and "\0" not in value


def _is_number(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_moment(value: Any) -> bool:
    return type(value) is datetime and value.tzinfo is None


def _is_count(limit: int, value: Any) -> bool:
    return type(value) is int and -limit <= value < limit


def _converted(column_type: TypeEngine[Any], value: Any) -> Any:
    converted = value
    match column_type:
        case Enum():
            converted = _choice(column_type, value)
        case String():
            converted = _text(column_type, value)
        case Number() | Float():
            converted = finite(value)
        case Boolean():
            converted = _flag(value)
        case UtcDateTime():
            converted = _moment(value)
        case Integer():
            converted = _count(column_type, value)
    return converted


def _choice(column_type: Enum, value: Any) -> Any:
    members = list(column_type.enum_class or ())
    if value not in members and value not in column_type.enums:
        msg = f"it is one of {', '.join(map(str, members or column_type.enums))}"
        raise ValueError(msg)
    return value


def _text(column_type: String, value: Any) -> str:
    if not isinstance(value, str) and (not isinstance(value, int) or isinstance(value, bool)):
        msg = "a text was expected"
        raise ValueError(msg)  # noqa: TRY004 - the caller makes one kind of error of all reasons
    # The plain text of what may be an enum's member, or of an id that came as a number.
    text = str.__str__(value) if isinstance(value, str) else str(value)
    if column_type.length is not None and len(text) > column_type.length:
        msg = f"it has {len(text)} characters, at most {column_type.length} fit"
        raise ValueError(msg)
    if "\0" in text:
        msg = "a NUL character cannot be stored"
        raise ValueError(msg)
    if not text.isascii():
        text.encode()
    return text


def _flag(value: Any) -> bool:
    # The flags of other packages are no numbers, but know the plain one that they stand for.
    plain = value.item() if hasattr(value, "item") else value
    if not isinstance(plain, int) or plain not in {0, 1}:
        msg = "True or False was expected"
        raise ValueError(msg)
    return bool(plain)


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        msg = "a datetime was expected"
        raise ValueError(msg)  # noqa: TRY004 - the caller makes one kind of error of all reasons
    if value != value:  # noqa: PLR0124 - as NaN among the numbers: other packages have a moment that is none
        msg = "it is no moment in time, and None stands for a missing one"
        raise ValueError(msg)
    return as_naive_utc(value)


def _count(column_type: Integer, value: Any) -> int:
    limit = _limit(column_type)
    try:
        count = operator.index(value)
    except TypeError:
        count = limit
    if not -limit <= count < limit:
        msg = f"a whole number between {-limit} and {limit - 1} was expected"
        raise ValueError(msg)
    return count


def _limit(column_type: Integer) -> int:
    limit: int = 2 ** (63 if isinstance(column_type, BigInteger) else 31)
    return limit
