"""Totals that trades keep, held against what follows from their orders."""

from collections.abc import Iterator
from typing import Any, Final

from tradestore.constants import RECORD_VERSION
from tradestore.operations.doctor.stories import Story

__all__ = ["TOTALS", "differing"]

TOTALS: Final = {
    "T01": "amount",
    "T02": "stake_amount",
    "T03": "open_rate",
    "T04": "realized_profit",
    "T05": "max_stake_amount",
    "T06": "funding_fees",
    "T07": "open_trade_value",
    "T08": "fee_open_cost",
    "T09": "close_profit",
    "T10": "close_profit_abs",
}
"""The column that each code is about."""

_MAY_BE_UNKNOWN: Final = frozenset({"max_stake_amount", "open_trade_value", "fee_open_cost"})
"""Older trades have none."""

_WITH_FUNDING: Final = frozenset({"realized_profit", "close_profit", "close_profit_abs", "funding_fees"})


def differing(story: Story, column: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield a trade's id and facts if a total is not what its orders tell.

    Args:
        story: Of the trade.
        column: Of the total.
    """
    trade = story.trade
    if not story.is_told or column not in story.expected or _is_excused(story, column):
        return
    found = getattr(trade, column)
    is_missing = found is None and column.startswith("close_")
    if is_missing or not story.agrees(column):
        yield trade.id, {column: {"found": found, "expected": story.expected[column]}}


def _is_excused(story: Story, column: str) -> bool:
    trade = story.trade
    found = getattr(trade, column)
    if found is None and column in _MAY_BE_UNKNOWN:
        return True
    if column in _WITH_FUNDING and not story.is_funding_told:
        return True
    match column:
        case "realized_profit":
            # Trades from before there were partial exits have it in their profit alone.
            return not found and not trade.is_open and len(story.exits) == 1
        case "max_stake_amount":
            return trade.record_version < RECORD_VERSION
        case "fee_open_cost":
            # What the exchange told is better than what is computed.
            return trade.fee_open_currency is not None
    return False
