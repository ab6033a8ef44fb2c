"""Values as the cells of a CSV file, and back.

A missing value is an empty cell. Spreadsheets take a text for a formula if it begins with one of a few signs, and run
it: such a text gets an apostrophe before it, as does one that begins with an apostrophe itself, or that is empty. To
read a text, take away one apostrophe at its beginning.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from tradestore._exported_columns import ColumnType

__all__ = ["cells_of", "moment_cell", "number_cell", "read_moment", "read_number", "values_of"]

_APOSTROPHE: Final = "'"
# With blanks before it, some programs find a formula all the same; the last four are the wide forms of the first.
_FORMULA: Final = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n']")  # noqa: RUF001 - they are meant
_COUNT: Final = re.compile(r"-?[0-9]{1,19}")
_NUMBER: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|inf|nan)")
_LARGEST: Final = 2**63


def cells_of(column_type: ColumnType, values: Sequence[Any]) -> Sequence[str]:
    """Return the cells of values of one column."""
    form = _FORMS[column_type]
    return ["" if value is None else form(value) for value in values]


def values_of(column_type: ColumnType, cells: Sequence[str]) -> Sequence[Any]:
    """Return the values of cells of one column.

    Raises:
        ValueError: If one cannot be read; the message says why.
    """
    read = _PARSERS[column_type]
    return [None if cell == "" else read(cell) for cell in cells]


def number_cell(number: float) -> str:
    """Return the shortest text that gives the same number again."""
    return repr(number)


def moment_cell(moment: datetime) -> str:
    """Return a moment in UTC in the form of ISO 8601, with microseconds."""
    return moment.isoformat(timespec="microseconds") + "Z"


def read_number(text: str) -> float:
    """Read a number.

    Raises:
        ValueError: If it is none.
    """
    if _NUMBER.fullmatch(text) is None:
        msg = "a number such as 1234.5 was expected"
        raise ValueError(msg)
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        msg = "the number is larger than a float of 8 bytes can be"
        raise ValueError(msg)
    return number


def read_moment(text: str) -> datetime:
    """Read a moment.

    Returns:
        In UTC, without zone.

    Raises:
        ValueError: If it is none, or has no zone.
    """
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).replace(tzinfo=None)
    except (OverflowError, ValueError):
        pass
    msg = "a moment with its zone was expected, such as 2026-03-01T12:00:00.000000Z"
    raise ValueError(msg)


def _text_cell(text: str) -> str:
    return _APOSTROPHE + text if not text or _FORMULA.match(text) else text


def _read_text(cell: str) -> str:
    return cell.removeprefix(_APOSTROPHE)


def _read_count(cell: str) -> int:
    number = int(cell) if _COUNT.fullmatch(cell) else _LARGEST
    if not -_LARGEST <= number < _LARGEST:
        msg = "a whole number of 8 bytes was expected"
        raise ValueError(msg)
    return number


def _read_flag(cell: str) -> bool:
    found = {"true": True, "false": False}.get(cell.lower())
    if found is None:
        msg = "true or false was expected"
        raise ValueError(msg)
    return found


_FORMS: Final[dict[ColumnType, Callable[[Any], str]]] = {
    ColumnType.COUNT: str,
    ColumnType.NUMBER: number_cell,
    ColumnType.TEXT: _text_cell,
    ColumnType.FLAG: lambda flag: "true" if flag else "false",
    ColumnType.MOMENT: moment_cell,
}
_PARSERS: Final[dict[ColumnType, Callable[[str], Any]]] = {
    ColumnType.COUNT: _read_count,
    ColumnType.NUMBER: read_number,
    ColumnType.TEXT: _read_text,
    ColumnType.FLAG: _read_flag,
    ColumnType.MOMENT: read_moment,
}
