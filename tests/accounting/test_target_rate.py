"""The closing rate that gives a wanted profit ratio, computed by hand.

The positions hold 10 that were opened for 200. Closing fees of 20 % (long) and 25 % (short) give short numbers: a long
brings in 10 · 0.8 · rate = 8 · rate, a short costs 10 · 1.25 · rate = 12.5 · rate.
"""

from decimal import Decimal
from typing import Any

import pytest

from tradestore.accounting import rate_for_profit_ratio
from tradestore.exceptions import InvalidValue, OperationalException

LONG, SHORT = False, True


def target_rate(target: float, *, is_short: bool = LONG, opened: str = "200", **changes: Any) -> float:
    values: dict[str, Any] = {
        "amount": 10.0,
        "fee_close": 0.25 if is_short else 0.2,
        "leverage": 1.0,
        "trading_mode": "spot",
    } | changes
    return rate_for_profit_ratio(target, opened=Decimal(opened), is_short=is_short, **values)


@pytest.mark.parametrize(
    ("target", "values", "rate"),
    [
        (0.2, {}, 30.0),  # 200 · 1.2 = 240 = 8 · 30
        (0.2, {"trading_mode": None}, 30.0),
        (0.0, {}, 25.0),  # 200 = 8 · 25
        (-0.2, {}, 20.0),  # 160 = 8 · 20
        (-1.0, {}, 0.0),
        (0.8, {"leverage": 4.0}, 30.0),  # 0.8 of the stake is 0.2 of the position
        (0.2, {"trading_mode": "margin", "interest": Decimal(8)}, 31.0),  # (240 + 8) / 8
        (0.2, {"trading_mode": "futures", "funding_fees": 8.0}, 29.0),  # (240 - 8) / 8
        (0.2, {"trading_mode": "futures", "funding_fees": -8.0}, 31.0),  # (240 + 8) / 8
        (-1.0, {"trading_mode": "futures", "funding_fees": -8.0}, 1.0),  # 0 + 8 = 8 · 1
        (0.1, {"opened": "200.2", "fee_close": 0.0}, 22.022),  # 200.2 · 1.1 / 10
    ],
)
def test_long(target, values, rate):
    """A long's rate covers the wanted value, the fee, and interest or funding."""
    assert target_rate(target, **values) == rate


@pytest.mark.parametrize(
    ("target", "values", "rate"),
    [
        (0.25, {}, 12.0),  # 200 · 0.75 = 150 = 12.5 · 12
        (0.0, {}, 16.0),  # 200 = 12.5 · 16
        (-0.25, {}, 20.0),  # 250 = 12.5 · 20
        (1.0, {}, 0.0),
        (0.5, {"leverage": 2.0}, 12.0),  # 0.5 of the stake is 0.25 of the position
        (0.25, {"trading_mode": "margin", "interest": Decimal(2)}, 10.0),  # 150 / ((10 + 2) · 1.25)
        (0.25, {"trading_mode": "futures", "funding_fees": 25.0}, 14.0),  # (150 + 25) / 12.5
        (0.25, {"trading_mode": "futures", "funding_fees": -25.0}, 10.0),  # (150 - 25) / 12.5
    ],
)
def test_short(target, values, rate):
    """A short's rate leaves the wanted part of what opening brought in."""
    assert target_rate(target, is_short=SHORT, **values) == rate


@pytest.mark.parametrize(
    ("target", "values"),
    [
        (-1.01, {}),
        (-2.01, {"leverage": 2.0}),
        (0.2, {"trading_mode": "futures", "funding_fees": 240.01}),  # more than wanted before anything is sold
        (1.01, {"is_short": SHORT}),
        (2.0, {"is_short": SHORT}),
        (0.25, {"is_short": SHORT, "trading_mode": "futures", "funding_fees": -150.01}),
        (0.0, {"fee_close": 1.0}),  # a fee that takes everything
    ],
)
def test_unreachable_target_is_refused(target, values):
    """A ratio that no rate can give is refused instead of answered with a negative rate."""
    with pytest.raises(InvalidValue, match="No closing rate"):
        target_rate(target, **values)


@pytest.mark.parametrize("is_short", [LONG, SHORT])
@pytest.mark.parametrize("mode", ["spot", "margin", "futures"])
def test_empty_position_is_refused(is_short, mode):
    """A position without an amount has no closing rate."""
    with pytest.raises(InvalidValue, match="amount 0"):
        target_rate(0.1, is_short=is_short, amount=0.0, opened="0", trading_mode=mode)


@pytest.mark.parametrize("is_short", [LONG, SHORT])
def test_position_that_cost_nothing_is_refused(is_short):
    """Where nothing was paid the ratio is 0 at any rate, so no rate gives another one."""
    with pytest.raises(InvalidValue):
        target_rate(0.5, is_short=is_short, opened="0")


def test_unknown_mode_is_refused():
    """An unknown trading mode is refused here as it is for the close value."""
    with pytest.raises(OperationalException, match="isolated"):
        target_rate(0.1, trading_mode="isolated")


def test_refusal_tells_what_was_asked():
    """The message names target, amount and open value."""
    with pytest.raises(ValueError, match=r"ratio of 2\.0 \(amount 10\.0, open value 200\)"):
        target_rate(2.0, is_short=SHORT)


def test_cheap_coin_keeps_its_digits():
    """A rate far below one has all digits of a float: 2.469 · 1.5 / 3e8 = 0.000000012345."""
    rate = target_rate(0.5, amount=3e8, opened="2.469", fee_close=0.0)
    assert rate == 1.2345e-8
