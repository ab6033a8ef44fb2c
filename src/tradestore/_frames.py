"""Tables of trades and orders for pandas and polars, with typed columns."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, get_args

from tradestore._clock import as_utc
from tradestore._exported_columns import EXPORTED_TABLES, ColumnType
from tradestore._extras import load_extra
from tradestore.exceptions import InvalidValue
from tradestore.local_order import LocalOrder

__all__ = ["FrameLibrary", "frame_of", "values_of"]

FrameLibrary = Literal["pandas", "polars"]

_EXTRA: Final = "frames"
_PANDAS: Final = {
    ColumnType.COUNT: "Int64",
    ColumnType.NUMBER: "Float64",
    ColumnType.TEXT: "string",
    ColumnType.FLAG: "boolean",
    ColumnType.MOMENT: "datetime64[us, UTC]",
}


def frame_of(table: str, columns: Sequence[Sequence[Any]], library: FrameLibrary) -> Any:
    """Return a data frame.

    Args:
        table: ``trades`` or ``orders``.
        columns: The values of each column, in the order of an export.
        library: That it is for.

    Raises:
        InvalidValue: If there is no such library.
        MissingPackage: If it is not installed.
    """
    if library not in get_args(FrameLibrary):
        msg = f"library is pandas or polars, but was {library!r}."
        raise InvalidValue(msg)
    described = EXPORTED_TABLES[table].columns
    named = {column.name: (column.type, values) for column, values in zip(described, columns, strict=True)}
    if library == "pandas":
        pandas = load_extra("pandas", _EXTRA)
        return pandas.DataFrame(
            {name: pandas.array(_plain(kind, values), dtype=_PANDAS[kind]) for name, (kind, values) in named.items()}
        )
    polars = load_extra("polars", _EXTRA)
    types = {
        ColumnType.COUNT: polars.Int64,
        ColumnType.NUMBER: polars.Float64,
        ColumnType.TEXT: polars.String,
        ColumnType.FLAG: polars.Boolean,
        ColumnType.MOMENT: polars.Datetime("us", "UTC"),
    }
    return polars.DataFrame(
        [polars.Series(name, _plain(kind, values), dtype=types[kind]) for name, (kind, values) in named.items()]
    )


def values_of(table: str, records: Iterable[object]) -> list[list[Any]]:
    """Return the values of trades or orders in memory, one list for each column.

    Args:
        table: ``trades`` or ``orders``.
        records: As many as there are.
    """
    names = EXPORTED_TABLES[table].names
    columns: list[list[Any]] = [[] for _ in names]
    for record in records:
        for name, values in zip(names, columns, strict=True):
            values.append(_value(record, name))
    return columns


def _value(record: object, name: str) -> Any:
    value = getattr(record, name, None)
    if value is None and name == "ft_trade_id" and isinstance(record, LocalOrder) and record.trade is not None:
        # An order in memory knows its trade only.
        return record.trade.id
    return value


def _plain(kind: ColumnType, values: Sequence[Any]) -> list[Any]:
    """Return values of the very types that the libraries take: moments with their zone, words instead of members."""
    forms = {
        ColumnType.COUNT: int,
        ColumnType.NUMBER: float,
        ColumnType.TEXT: str.__str__,
        ColumnType.FLAG: bool,
        ColumnType.MOMENT: as_utc,
    }
    form: Any = forms[kind]
    return [None if value is None else form(value) for value in values]
