"""What the charts of a report show, as plain numbers: how they are drawn is up to the page."""

from collections.abc import Sequence
from typing import Any, Final

from tradestore._clock import to_milliseconds
from tradestore.operations.report._wording import Money, as_label
from tradestore.operations.report.figures import GroupFigures, ReportFigures

__all__ = ["chart_data", "shown_groups"]

MOST_BARS: Final = 20
"""Of more groups than this, the best and the worst are drawn."""

_LABEL: Final = 22
_HOVER: Final = 120
_WEEKDAY: Final = 3


def chart_data(figures: ReportFigures, money: Money) -> dict[str, Any]:
    """Return what the page's charts are drawn from, ready for JSON."""
    return {
        "currency": as_label(money.currency, _LABEL),
        "decimals": money.decimals,
        "equity": {
            "at": [to_milliseconds(point.at) for point in figures.equity],
            "profit": [point.profit_abs for point in figures.equity],
            "drawdown": [0.0 - point.drawdown_abs for point in figures.equity],
        },
        "groups": {
            "pairs": _bars(shown_groups(figures.pairs)),
            "enter_tags": _bars(shown_groups(figures.enter_tags)),
            "exit_reasons": _bars(shown_groups(figures.exit_reasons)),
            "months": _bars(figures.months),
            "weekdays": _bars(figures.weekdays, _WEEKDAY),
            "hours": _bars(figures.hours),
        },
        "bins": {
            "low": [each.low for each in figures.bins],
            "high": [each.high for each in figures.bins],
            "count": [each.count for each in figures.bins],
        },
    }


def shown_groups(groups: Sequence[GroupFigures]) -> Sequence[GroupFigures]:
    """Return the groups that are drawn: of many, the best and the worst."""
    if len(groups) <= MOST_BARS:
        return groups
    return [*groups[: MOST_BARS // 2], *groups[-MOST_BARS // 2 :]]


def _bars(groups: Sequence[GroupFigures], longest: int | None = None) -> dict[str, list[Any]]:
    return {
        "label": [as_label(each.group, _LABEL)[:longest] for each in groups],
        "name": [as_label(each.group, _HOVER) for each in groups],
        "profit": [each.profit_abs for each in groups],
        "count": [each.count for each in groups],
        "wins": [each.wins for each in groups],
    }
