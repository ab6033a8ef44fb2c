"""How values stand in tables: short, for people; scripts get them whole, as JSON."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.table import Table

from tradestore._clock import as_utc
from tradestore.cli._answers import printable

__all__ = ["counted", "fields_of", "moment", "number", "percent", "size", "table_of"]

_DECIMALS: Final = 8
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_BITS: Final = 10
"""Of the factor from one unit to the next: 1024."""


def table_of(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    numbers: Collection[str] = (),
    unbroken: Collection[str] = (),
) -> Table:
    """Return a table.

    Args:
        columns: Their headings.
        rows: What stands in them; None is shown as ``-``.
        numbers: Headings of the columns that are aligned to the right, and never broken into lines.
        unbroken: Headings of others that are never broken, such as dates: a narrow terminal breaks the rest.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for name in columns:
        is_number = name in numbers
        whole = is_number or name in unbroken
        table.add_column(name, justify="right" if is_number else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*(_shown(each) for each in row))
    return table


def fields_of(values: Iterable[tuple[str, Any]]) -> Table:
    """Return names and values, a line for each; None is shown as ``-``."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in values:
        table.add_row(name, _shown(value))
    return table


def number(value: float | None) -> str | None:
    """Return a number with up to 8 decimals."""
    if value is None:
        return None
    text = f"{value:.{_DECIMALS}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(count: int, what: str) -> str:
    """Return a number of things, such as ``1 trade`` or ``2 trades``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def percent(ratio: float | None) -> str | None:
    """Return a ratio (0.01) as a percentage (1.00%)."""
    return None if ratio is None else f"{ratio:.2%}"


def moment(value: datetime | None) -> str | None:
    """Return a moment to the minute, in UTC."""
    return None if value is None else f"{as_utc(value):%Y-%m-%d %H:%M}"


def size(count: int | None) -> str | None:
    """Return a number of bytes in a unit that suits it."""
    if count is None:
        return None
    power = min(len(_UNITS) - 1, max(0, count.bit_length() - 1) // _BITS)
    return f"{count / (1 << _BITS * power):.{min(power, 1)}f} {_UNITS[power]}"


def _shown(value: Any) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return moment(value) or "-"
        case _:
            return printable(str(value))
