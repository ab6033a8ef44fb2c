"""How figures stand in a report: with as many digits as tell something, and as text that no browser takes for code."""

import json
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any, Final

from tradestore.operations.report.figures import ReportFigures

__all__ = [
    "NOTHING",
    "Money",
    "as_label",
    "duration",
    "json_for_script",
    "moment",
    "percent",
    "quantity",
    "rate",
    "shortened",
    "whole",
]

NOTHING: Final = "\u2013"
_MINUS: Final = "\u2212"
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
_DAYS_WITH_HOURS: Final = 10
_MILLION: Final = 1_000_000


class Money:
    """Amounts of one currency, all with the same number of decimals.

    Attributes:
        currency: Its name.
        decimals: 2 where trades move tens, up to 8 where they move less than a cent.
    """

    def __init__(self, figures: ReportFigures) -> None:
        self.currency = figures.scope.stake_currency
        extremes = [each.profit_abs for each in (figures.best, figures.worst) if each]
        scale = max([abs(figures.profit_abs), *map(abs, extremes)], default=0.0)
        self.decimals = 2 if scale >= 1 or not scale else 4 if scale >= 0.01 else 8

    def text(self, value: float | None, *, signed: bool = False) -> str:
        """Return an amount without its currency."""
        return _number(value, self.decimals, signed=signed)

    def with_currency(self, value: float | None, *, signed: bool = False) -> str:
        """Return an amount with its currency."""
        return f"{self.text(value, signed=signed)} {self.currency}".strip()


def percent(ratio: float | None, *, signed: bool = False) -> str:
    """Return a ratio (0.01) as a percentage (1.00 %, which no line breaks)."""
    return NOTHING if ratio is None else f"{_number(ratio * 100, 2, signed=signed)}\u00a0%"


def quantity(value: float | None) -> str:
    """Return a plain number with two decimals."""
    return _number(value, 2)


def whole(value: int) -> str:
    """Return a count."""
    return f"{value:,}"


def rate(value: float | None) -> str:
    """Return a rate or an amount with six significant digits, none of them behind an exponent."""
    if value is None:
        return NOTHING
    text = f"{value:,.0f}" if abs(value) >= _MILLION else f"{Decimal(f'{value:.6g}'):,f}"
    return text.replace("-", _MINUS)


def moment(at: datetime | None) -> str:
    """Return a moment to the minute (UTC)."""
    return NOTHING if at is None else f"{at:%Y-%m-%d %H:%M}"


def duration(seconds: float | None) -> str:
    """Return how long something took, in the two units that tell most."""
    if seconds is None:
        return NOTHING
    total = int(seconds)
    days, hours, minutes = total // _DAY, total % _DAY // _HOUR, total % _HOUR // _MINUTE
    if days:
        return f"{days} d {hours} h" if days < _DAYS_WITH_HOURS else f"{days} d"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def shortened(text: str, longest: int) -> str:
    """Return a text of at most that many characters, with a mark where it was cut."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def json_for_script(value: Any) -> str:
    """Return JSON that may stand within a script element: nothing in it ends the element or a line."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def as_label(text: str, longest: int) -> str:
    """Return a text for a chart, which would take tags in it for markup, and dollars for formulas."""
    return escape(shortened(text, longest)).replace("$", "&#36;")


def _number(value: float | None, decimals: int, *, signed: bool = False) -> str:
    if value is None:
        return NOTHING
    text = f"{abs(value):,.{decimals}f}"
    if not float(text.replace(",", "")):
        return text
    return f"{_MINUS if value < 0 else '+' if signed else ''}{text}"
