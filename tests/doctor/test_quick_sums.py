"""Totals told at once: never right where the exact ones say that something is wrong, and right for most trades."""

from copy import deepcopy

import pytest

from tests.doctor.random_trades import random_trades
from tradestore import LocalTrade
from tradestore.operations.doctor.stories import Story
from tradestore.operations.doctor.totals import TOTALS, differing

TRADES = random_trades(150)


def _stored(trade: LocalTrade) -> LocalTrade:
    found = deepcopy(trade)
    # As it is stored: without the offset.
    found.open_date = found.open_date.replace(tzinfo=None)
    return found


@pytest.mark.parametrize("column", TOTALS.values())
@pytest.mark.parametrize("share", [-1.5, -0.6, 0.4, 0.9, 1.1, 1e3])
def test_what_is_told_right_at_once_is_right(column: str, share: float) -> None:
    for trade in TRADES:
        changed = _stored(trade)
        tolerance = Story(changed).tolerance(column)
        setattr(changed, column, (getattr(changed, column) or 0.0) + share * tolerance)
        story = Story(changed)
        assert not (story.sums_are_right and list(differing(story, column))), trade.id


def test_simple_trades_are_told_right_at_once() -> None:
    simple = [each for each in TRADES if each.trading_mode != "margin" and each.price_precision is None]
    told = sum(Story(_stored(each)).sums_are_right for each in simple)
    assert told > 0.9 * len(simple)
