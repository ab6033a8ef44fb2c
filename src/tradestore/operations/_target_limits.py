"""What a target can hold: every value is looked at before the first one is written."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import partial
from types import NoneType
from typing import Any, Final, NoReturn

import sqlalchemy as sa
from sqlalchemy import Column, Dialect
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from tradestore._stored_values import Kind
from tradestore.exceptions import InvalidValue
from tradestore.operations._transfer_plan import Cargo

__all__ = ["TargetLimits", "Unfit"]

_SHOWN: Final = 60
_TYPES: Final[dict[Kind, type]] = {
    Kind.FLAG: bool,
    Kind.NUMBER: float,
    Kind.COUNT: int,
    Kind.EXACT: Decimal,
    Kind.TEXT: str,
    Kind.MOMENT: datetime,
    Kind.DAY: date,
    Kind.CLOCK: time,
    Kind.JSON: str,
    Kind.BYTES: bytes,
    Kind.ANY: str,
}
_FREE: Final = (Kind.FLAG, Kind.DAY, Kind.CLOCK)
"""Of these, any value of the right type can be stored anywhere."""
_MYSQL_TEXT: Final = 65_535
"""Bytes in a plain TEXT or BLOB of MariaDB."""

Objection = Callable[[Any], str | None]
"""Says why a value cannot be stored, None if it can."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that cannot be stored.

    Attributes:
        row: Its place among the rows that were looked at.
        column: Where it was to go.
        value: The value.
        reason: Why not.
    """

    row: int
    column: Column[Any]
    value: Any
    reason: str

    @property
    def shown(self) -> str:
        """The value, or its beginning."""
        shown = repr(self.value)
        return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


class TargetLimits:
    """What the columns of a table can hold where it goes."""

    def __init__(self, cargo: Cargo, dialect: Dialect) -> None:
        """Take a table.

        Args:
            cargo: The table.
            dialect: The target's.
        """
        self._cargo = cargo
        self._dialect = dialect
        kinds = zip(cargo.stored.kinds, cargo.stored.columns, strict=True)
        self._objections = [_objection(kind, column, dialect) for kind, column in kinds]

    def check(self, values: Sequence[Sequence[Any]]) -> None:
        """Refuse what cannot be stored.

        Args:
            values: Of each column, for some rows.

        Raises:
            InvalidValue: If there is any such value; the message names its row.
        """
        found = self.find(values)
        if found is not None:
            self._refuse(values, found)

    def find(self, values: Sequence[Sequence[Any]]) -> Unfit | None:
        """Return a value that cannot be stored, None without any.

        Args:
            values: Of each column, for some rows.
        """
        stored = self._cargo.stored
        for kind, column, objection, of_column in zip(
            stored.kinds, stored.columns, self._objections, values, strict=True
        ):
            present = set(map(type, of_column))
            if NoneType in present and (column.primary_key or not column.nullable):
                return Unfit(of_column.index(None), column, None, "the column needs a value")
            present.discard(NoneType)
            if not present or (kind in _FREE and present == {_TYPES[kind]}):
                continue
            for value in _extremes(kind, column, of_column) if present == {_TYPES.get(kind)} else of_column:
                reason = None if value is None else objection(value)
                if reason is not None:
                    # By identity: 1 and True are equal, and only one of them may be in the way.
                    row = next(number for number, each in enumerate(of_column) if each is value)
                    return Unfit(row, column, value, reason)
        return None

    def _refuse(self, values: Sequence[Sequence[Any]], found: Unfit) -> NoReturn:
        stored = self._cargo.stored
        by_column = dict(zip(stored.columns, values, strict=True))
        named = self._cargo.key or stored.columns
        place = ", ".join(f"{each.name} {by_column[each][found.row]!r:.{_SHOWN}}" for each in named)
        msg = (
            f"{found.column.table.name}.{found.column.name} of the row with {place} is {found.shown}, which "
            f"{self._dialect.name} cannot hold: {found.reason}. Nothing of it was copied: correct it at the source, "
            "then run the transfer again."
        )
        raise InvalidValue(msg)


def _extremes(kind: Kind, column: Column[Any], values: Sequence[Any]) -> Iterable[Any]:
    """Return those of a column's values that say enough about all of them."""
    present = [value for value in values if value is not None]
    match kind:
        case Kind.TEXT if hasattr(column.type, "enums"):
            return set(present)
        case Kind.TEXT:
            together = "".join(present)
            if together.isascii() and "\0" not in together:
                return set(present) if len(set(present)) < len(present) // 2 else [max(present, key=len)]
        case Kind.COUNT:
            return min(present), max(present)
        case Kind.NUMBER if all(map(math.isfinite, present)):
            return ()
    return present


def _objection(kind: Kind, column: Column[Any], dialect: Dialect) -> Objection:
    if kind is Kind.OWN:
        return _no_objection
    if dialect.name == "sqlite":
        return _SQLITE.get(kind, _no_objection)
    form, is_mysql = column.type.dialect_impl(dialect), dialect.name != "postgresql"
    objection: Objection = partial(_type_objection, kind)
    match kind:
        case Kind.TEXT:
            objection = _text_objection(form, is_mysql=is_mysql)
        case Kind.COUNT:
            is_unsigned = getattr(form, "unsigned", False)
            objection = partial(_range_objection, 2 ** (_bits(form) + (1 if is_unsigned else 0)))
        case Kind.NUMBER if is_mysql:
            objection = _number_objection
        case Kind.EXACT:
            objection = partial(_digits_objection, getattr(form, "precision", None), getattr(form, "scale", None))
        case Kind.MOMENT if is_mysql and not getattr(form, "fsp", None):
            objection = _whole_seconds_objection
        case Kind.JSON:
            objection = _json_objection
        case Kind.BYTES if is_mysql and not isinstance(form, mysql.LONGBLOB):
            objection = partial(_size_objection, getattr(form, "length", None) or _MYSQL_TEXT)
    return objection


def _no_objection(_value: Any) -> None:
    return None


def _type_objection(kind: Kind, value: Any) -> str | None:
    expected = _TYPES[kind]
    return None if type(value) is expected else f"a value of the type {expected.__name__} was expected"


def _text_objection(form: TypeEngine[Any], *, is_mysql: bool) -> Objection:
    choices = getattr(form, "enums", None)
    # The length of an enum or a set is that of its longest member.
    longest = None if choices is not None or isinstance(form, mysql.SET) else getattr(form, "length", None)
    is_short = is_mysql and longest is None and not isinstance(form, mysql.LONGTEXT | mysql.MEDIUMTEXT)

    def objection(value: Any) -> str | None:
        if type(value) is not str:
            return _type_objection(Kind.TEXT, value)
        if choices is not None and value not in choices:
            return f"it is one of {', '.join(choices)}"
        if longest is not None and len(value) > longest:
            return f"it has {len(value)} characters, at most {longest} fit"
        if "\0" in value and not is_mysql:
            return "a NUL character cannot be stored"
        return _encoding_objection(value) or (_size_objection(_MYSQL_TEXT, value.encode()) if is_short else None)

    return objection


def _encoding_objection(value: Any) -> str | None:
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return "it is no proper text"
    return None


def _size_objection(longest: int, value: Any) -> str | None:
    if type(value) is not bytes:
        return _type_objection(Kind.BYTES, value)
    return f"it has {len(value)} bytes, at most {longest} fit" if len(value) > longest else None


def _bits(form: TypeEngine[Any]) -> int:
    match form:
        case sa.BigInteger():
            return 63
        case sa.SmallInteger():
            return 15
        case _:
            return 31


def _range_objection(limit: int, value: Any) -> str | None:
    if type(value) is not int:
        return _type_objection(Kind.COUNT, value)
    return None if -limit <= value < limit else f"a whole number between {-limit} and {limit - 1} was expected"


def _number_objection(value: Any) -> str | None:
    if type(value) is not float:
        return _type_objection(Kind.NUMBER, value)
    return None if math.isfinite(value) else "a finite number was expected"


def _digits_objection(precision: int | None, scale: int | None, value: Any) -> str | None:
    if type(value) is not Decimal:
        return _type_objection(Kind.EXACT, value)
    if not value.is_finite():
        return "a finite number was expected"
    whole = None if precision is None else precision - (scale or 0)
    if whole is not None and value and value.adjusted() >= whole:
        return f"at most {whole} digits before the point fit"
    decimals = f"{value:f}".partition(".")[2].rstrip("0")
    return f"at most {scale or 0} decimals fit" if precision is not None and len(decimals) > (scale or 0) else None


def _whole_seconds_objection(value: Any) -> str | None:
    if type(value) is not datetime:
        return _type_objection(Kind.MOMENT, value)
    return "its column has no fractions of seconds" if value.microsecond else None


def _json_objection(value: Any) -> str | None:
    try:
        json.loads(value, parse_constant=_refuse_constant)
    except (RecursionError, TypeError, ValueError):
        return "it is no proper JSON"
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _nan_objection(value: Any) -> str | None:
    return "it would become NULL" if isinstance(value, float) and math.isnan(value) else None


def _float_objection(value: Any) -> str | None:
    if not isinstance(value, Decimal):
        return None
    return None if Decimal(repr(float(value))) == value else "it has more digits than a float"


def _long_objection(value: Any) -> str | None:
    return _range_objection(2**63, value) if isinstance(value, int) else None


# SQLite holds whatever its driver takes, also a value of another type.
_SQLITE: Final[dict[Kind, Objection]] = {
    Kind.NUMBER: _nan_objection,
    Kind.EXACT: _float_objection,
    Kind.COUNT: _long_objection,
    Kind.TEXT: _encoding_objection,
    Kind.JSON: _encoding_objection,
    Kind.ANY: _encoding_objection,
}
