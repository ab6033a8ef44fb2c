"""What a table holds, as it lies there: the same on every engine, and read without a failure whatever it is.

A type would turn some values into objects of its own and stumble over others: SQLite keeps a text in a column of
numbers. So the values come as the driver has them, and are brought into one form column by column. What has no such
form stays as it is, for others to judge.
"""

import math
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from enum import Enum, auto
from functools import partial
from types import NoneType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Column, ColumnElement, Connection, Dialect, Select, Table, cast, select, type_coerce
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine, UserDefinedType

from tradestore._clock import as_naive_utc
from tradestore._sqltypes import Number, UtcDateTime

__all__ = ["BATCH_ROWS", "Kind", "StoredTable", "as_stored", "kind_of"]

BATCH_ROWS: Final = 2000
"""How many rows are in memory at once, unless told otherwise."""

_MOST_ROWS: Final = 2**31 - 1
"""To which drivers can count."""

_UNUSUAL: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = datetime(2026, 1, 1)  # noqa: DTZ001 - of any day
_WIDE: Final = Context(prec=400)
_NOISE: Final = 1e-15
"""What the last digit of a float is worth, in proportion to it."""


class Kind(Enum):
    """What the values of a column are, apart from None and from what should not be there."""

    FLAG = auto()
    """bool"""
    NUMBER = auto()
    """float"""
    COUNT = auto()
    """int"""
    EXACT = auto()
    """Decimal"""
    TEXT = auto()
    """str; of an enum the name of its member"""
    MOMENT = auto()
    """datetime in UTC without offset"""
    DAY = auto()
    """date"""
    CLOCK = auto()
    """time"""
    JSON = auto()
    """str, as JSON is written"""
    BYTES = auto()
    """bytes"""
    ANY = auto()
    """Whatever the driver has: the column has no type."""
    OWN = auto()
    """Whatever the type makes of it, which differs from engine to engine in what is stored."""


_KINDS: Final[Sequence[tuple[type[TypeEngine[Any]], Kind]]] = (
    (UtcDateTime, Kind.MOMENT),
    (Number, Kind.NUMBER),
    (sa.Interval, Kind.OWN),
    (TypeDecorator, Kind.OWN),
    (sa.Uuid, Kind.OWN),
    (sa.Boolean, Kind.FLAG),
    (sa.JSON, Kind.JSON),
    (sa.String, Kind.TEXT),
    (sa.Float, Kind.NUMBER),
    (sa.Numeric, Kind.EXACT),
    (sa.Integer, Kind.COUNT),
    (sa.DateTime, Kind.MOMENT),
    (sa.Date, Kind.DAY),
    (sa.Time, Kind.CLOCK),
    (sa.LargeBinary, Kind.BYTES),
    (sa.BINARY, Kind.BYTES),
    (sa.VARBINARY, Kind.BYTES),
    (NullType, Kind.ANY),
)


def kind_of(column_type: TypeEngine[Any]) -> Kind:
    """Tell what the values of a type are when they are stored.

    A type that decorates another one is taken for that one, since it stores nothing else; but one that chooses another
    type for each engine has to say itself what its values are.

    Args:
        column_type: The column's type.
    """
    if isinstance(column_type, TypeDecorator) and not isinstance(column_type, (UtcDateTime, Number, sa.Interval)):
        chooses = type(column_type).load_dialect_impl is not TypeDecorator.load_dialect_impl
        return Kind.OWN if chooses else kind_of(column_type.impl_instance)
    return next((kind for family, kind in _KINDS if isinstance(column_type, family)), Kind.OWN)


def as_stored(column: Column[Any], dialect: Dialect) -> ColumnElement[Any]:
    """Return the expression that reads a column as the driver has it.

    Args:
        column: Of a table.
        dialect: The engine's.
    """
    match kind_of(column.type):
        case Kind.OWN:
            return type_coerce(column, _Tolerant(column.type))
        case Kind.JSON if dialect.name == "postgresql":
            # Its drivers read JSON themselves, and then its null and a missing value look alike.
            return cast(column, sa.Text())
    return type_coerce(column, NullType())


class StoredTable:
    """A table to be read as it lies there.

    Attributes:
        table: Which.
        columns: Those that are read, by name.
        kinds: What their values are.
    """

    def __init__(self, table: Table, names: Collection[str] | None = None) -> None:
        """Choose what is read.

        Args:
            table: A model's, or one that was reflected.
            names: Of its columns; all if None.
        """
        self.table = table
        chosen = [column for column in table.columns if names is None or column.name in names]
        self.columns = sorted(chosen, key=lambda column: column.name)
        self.kinds = [kind_of(column.type) for column in self.columns]

    def batches(
        self,
        connection: Connection,
        *,
        size: int = BATCH_ROWS,
        where: ColumnElement[bool] | None = None,
        order: Sequence[Column[Any]] = (),
        skip: int = 0,
        streamed: bool = False,
    ) -> Generator[Sequence[Sequence[Any]]]:
        """Yield the values of all rows, some rows at a time, each time as one sequence for each column.

        Whoever may stop before the end has to close it: else the connection stays busy for as long as an error lives.

        Args:
            connection: Busy with this until the last batch was taken.
            size: How many rows at a time.
            where: Of which rows, which then come at once; of all if None.
            order: By which columns; as they come without any.
            skip: How many rows are left out at the beginning.
            streamed: Whether rows that were asked for by *where* may be too many to come at once.
        """
        query, size = self._query(connection.dialect, where, order, skip), min(size, _MOST_ROWS)
        # Whoever names the rows knows how many there are: few enough to come at once.
        options = {"stream_results": True, "yield_per": size} if where is None or streamed else {}
        with _any_text(connection):
            result = connection.execute(query, execution_options=options)
            try:
                for rows in result.partitions(size):
                    values: Sequence[Sequence[Any]] = list(zip(*rows, strict=True))
                    yield [
                        _in_one_form(kind, column, of_column)
                        for kind, column, of_column in zip(self.kinds, self.columns, values, strict=True)
                    ]
            finally:
                result.close()

    def _query(
        self, dialect: Dialect, where: ColumnElement[bool] | None, order: Sequence[Column[Any]], skip: int
    ) -> Select[*tuple[Any, ...]]:
        # Names of our own: a column's may be one that a driver takes for something else.
        read = [as_stored(column, dialect).label(f"value_{place}") for place, column in enumerate(self.columns)]
        query = select(*read).select_from(self.table)
        if where is not None:
            query = query.where(where)
        if order:
            query = query.order_by(*order)
        return query.offset(skip) if skip else query


class _Tolerant(UserDefinedType[Any]):
    """Reads what another type makes of a value, and the value as it is where the other type stumbles over it."""

    cache_ok = False

    def __init__(self, inner: TypeEngine[Any]) -> None:
        self.inner = inner

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any] | None:
        process = self.inner.dialect_impl(dialect).result_processor(dialect, coltype)
        return None if process is None else partial(_one, process)


@contextmanager
def _any_text(connection: Connection) -> Generator[None]:
    """Let SQLite's driver read texts that are no proper ones: it would give up at the first."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver_connection: Any = connection.connection.driver_connection
    before = driver_connection.text_factory
    driver_connection.text_factory = _text
    try:
        yield
    finally:
        driver_connection.text_factory = before


def _text(stored: bytes) -> str:
    return str(stored, "utf-8", "surrogateescape")


def _in_one_form(kind: Kind, column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:
    present = set(map(type, values)) - {NoneType}
    if not present or present == _READY.get(kind):
        return values
    convert = _CONVERSIONS.get(kind)
    if kind is Kind.EXACT:
        convert = partial(_exact, getattr(column.type, "scale", None))
    if convert is None:
        return values
    try:
        return [None if value is None else convert(value) for value in values]
    except _UNUSUAL:
        return [_one(convert, value) for value in values]


def _one(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else convert(value)
    except _UNUSUAL:
        return value


def _flag(value: Any) -> bool:
    return {0: False, 1: True}[value]


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, int | Decimal) else value


def _exact(scale: int | None, value: Any) -> Any:
    """Return the decimal that a number was written as; SQLite keeps it as a float or a whole number."""
    if not isinstance(value, int | float | Decimal):
        return value
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if scale is None or not isinstance(value, float) or not number.is_finite():
        return number
    rounded = number.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    # What is more than the noise of a float was meant: whoever cannot hold it has to say so.
    return rounded if math.isclose(rounded, value, rel_tol=_NOISE) else number


def _moment(value: Any) -> datetime:
    return as_naive_utc(datetime.fromisoformat(value) if isinstance(value, str) else value)


def _day(value: Any) -> Any:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _clock(value: Any) -> Any:
    if isinstance(value, timedelta):  # As the driver of MariaDB has it.
        return (_MIDNIGHT + value).time() if timedelta() <= value < _DAY else value
    return time.fromisoformat(value) if isinstance(value, str) else value


def _bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview | bytearray) else value


_READY: Final[dict[Kind, set[type]]] = {Kind.FLAG: {bool}, Kind.NUMBER: {float}, Kind.DAY: {date}, Kind.CLOCK: {time}}
_CONVERSIONS: Final[dict[Kind, Callable[[Any], Any]]] = {
    Kind.FLAG: _flag,
    Kind.NUMBER: _number,
    Kind.MOMENT: _moment,
    Kind.DAY: _day,
    Kind.CLOCK: _clock,
    Kind.BYTES: _bytes,
    Kind.ANY: _bytes,
}
