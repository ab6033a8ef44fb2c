"""Funding fees and margin interest of a trade that is left in parts, computed by hand."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.accounting.making import OPENED, entry, leave, numbers, terms
from tradestore.accounting import Position, fold_fills

FUTURES = terms(trading_mode="futures")
FUTURES_SHORT = terms(trading_mode="futures", is_short=True)
# 10 at 20 with leverage 2 borrow 100; 100 · 0.0024 / 24 = 0.01 per hour.
MARGIN = terms(trading_mode="margin", leverage=2.0, interest_rate=0.0024, ends_at=OPENED + timedelta(hours=3))


def at(hours: float) -> datetime:
    return OPENED + timedelta(hours=hours)


@pytest.mark.parametrize("conditions", [FUTURES, FUTURES_SHORT])
def test_an_exit_has_the_funding_since_the_exit_before(conditions):
    """At an even price the first exit realises -1 - 0.5, the second only +2; together 0.5."""
    fills = [entry(10.0, 20.0, funding_fee=-1.0), leave(4.0, 20.0, funding_fee=-0.5), leave(6.0, 20.0, funding_fee=2.0)]
    first, both = fold_fills(fills[:2], conditions), fold_fills(fills, conditions)
    assert (first.last_exit_profit, first.realized_profit) == numbers("-1.5", "-1.5")
    assert (both.last_exit_profit, both.realized_profit, both.funding_fees) == numbers(2, "0.5", "0.5")


def test_funding_of_later_entries_waits_for_the_next_exit():
    """Funding on an entry between two exits belongs to the second."""
    fills = [entry(10.0, 20.0), leave(4.0, 20.0), entry(4.0, 20.0, funding_fee=-3.0), leave(10.0, 20.0)]
    assert fold_fills(fills, FUTURES).last_exit_profit == -3


def test_spot_profit_has_no_funding():
    """Funding is summed up in every mode, but only futures earn or pay it."""
    position = fold_fills([entry(10.0, 20.0, funding_fee=-1.0), leave(10.0, 21.0)], terms())
    assert (position.funding_fees, position.realized_profit) == numbers(-1, 10)


def test_funding_of_an_eaten_fill_is_kept():
    """A fill that its fee ate adds no amount, but its funding counts and reaches the next exit."""
    eaten = entry(1.0, 20.0, fee_base=1.0, funding_fee=-2.0)
    assert fold_fills([eaten], FUTURES) == Position(funding_fees=Decimal(-2))
    assert fold_fills([entry(10.0, 20.0), eaten, leave(10.0, 20.0)], FUTURES).realized_profit == -2


def test_an_exit_that_its_fee_ate_is_no_exit():
    """An exit of which nothing is left realises nothing, not even 0, and leaves its funding to the next."""
    eaten = leave(1.0, 25.0, fee_base=1.0, funding_fee=-2.0)
    fills = [entry(10.0, 20.0), eaten, leave(10.0, 20.0)]
    assert fold_fills(fills[:2], FUTURES).realized_profit is None
    assert fold_fills(fills, FUTURES).last_exit_profit == -2


def test_long_interest_is_charged_in_proportion():
    """5 owe 50 · 0.0024 / 24 = 0.005 per hour: 0.005 sold after one hour, 0.015 after three."""
    fills = [entry(10.0, 20.0), leave(5.0, 20.0, filled_at=at(1)), leave(5.0, 20.0, filled_at=at(3))]
    assert fold_fills(fills[:2], MARGIN).realized_profit == Decimal("-0.005")
    assert fold_fills(fills, MARGIN).realized_profit == Decimal("-0.02")


def test_short_interest_is_charged_in_proportion():
    """5 owe 5 · 0.0024 / 24 = 0.0005 per hour: buying 5.0005 back at 20 costs 100.01, 5.0015 cost 100.03."""
    conditions = terms(trading_mode="margin", is_short=True, interest_rate=0.0024, ends_at=at(3))
    fills = [entry(10.0, 20.0), leave(5.0, 20.0, filled_at=at(1)), leave(5.0, 20.0, filled_at=at(3))]
    assert fold_fills(fills[:2], conditions).realized_profit == Decimal("-0.01")
    assert fold_fills(fills, conditions).realized_profit == Decimal("-0.04")


@pytest.mark.parametrize(
    ("exchange", "is_short", "profit"),
    [
        ("binance", False, "-0.03"),  # 100 · 0.0024 · 3/24
        ("kraken", False, "-0.48"),  # 100 · 0.0024 · (1 + 1)
        ("binance", True, "-0.06"),  # 10 · 0.0024 · 3/24 = 0.003 more to buy at 20
        ("kraken", True, "-0.96"),  # 10 · 0.0024 · (1 + 1) = 0.048 more to buy at 20
    ],
)
def test_two_halves_cost_the_interest_of_the_whole(exchange, is_short, profit):
    """5 + 5 sold at the same time cost what 10 at once cost."""
    conditions = terms(
        trading_mode="margin",
        leverage=2.0,
        interest_rate=0.0024,
        ends_at=at(3),
        exchange=exchange,
        is_short=is_short,
    )
    halves = [entry(10.0, 20.0), leave(5.0, 20.0, filled_at=at(3)), leave(5.0, 20.0, filled_at=at(3))]
    whole = [entry(10.0, 20.0), leave(10.0, 20.0, filled_at=at(3))]
    assert fold_fills(halves, conditions).realized_profit == Decimal(profit)
    assert fold_fills(whole, conditions).realized_profit == Decimal(profit)


def test_exit_without_a_date_pays_until_the_end():
    """A partial exit whose fill time is unknown pays interest until the trade's end: 3 · 0.005."""
    assert fold_fills([entry(10.0, 20.0), leave(5.0, 20.0)], MARGIN).realized_profit == Decimal("-0.015")


def test_last_exit_pays_until_the_end():
    """What is left pays until the trade's close date, whatever the fill says: 3 · 0.01."""
    fills = [entry(10.0, 20.0), leave(10.0, 20.0, filled_at=at(1))]
    assert fold_fills(fills, MARGIN).realized_profit == Decimal("-0.03")


def test_long_without_leverage_owes_nothing():
    """A margin long that borrows nothing is charged nothing, on Kraken's opening fee either."""
    conditions = terms(trading_mode="margin", interest_rate=0.0024, exchange="kraken")
    assert fold_fills([entry(10.0, 20.0), leave(10.0, 21.0)], conditions).realized_profit == 10
