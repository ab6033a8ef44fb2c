"""Rounding to what exchanges accept, computed by hand."""

import pytest

from tradestore.accounting import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    Rounding,
    amount_to_contract_precision,
    amount_to_precision,
    price_to_precision,
)
from tradestore.exceptions import InvalidValue, OperationalException

NEAREST, UP, DOWN, TRUNCATE = Rounding.NEAREST, Rounding.UP, Rounding.DOWN, Rounding.TRUNCATE


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(
    ("price", "precision", "mode"),
    [
        (1.1, 2, DECIMAL_PLACES),  # 1.1 · 100 is 110.00000000000001 in floats
        (641.68, 2, DECIMAL_PLACES),  # 641.68 · 100 is 64167.99999999999 in floats
        (0.29, 2, DECIMAL_PLACES),
        (1.15, 2, DECIMAL_PLACES),
        (-1.1, 2, DECIMAL_PLACES),
        (0.0, 2, DECIMAL_PLACES),
        (123000.0, 3, SIGNIFICANT_DIGITS),
        (0.00123, 3, SIGNIFICANT_DIGITS),
        (9.99e-7, 3, SIGNIFICANT_DIGITS),
        (-123000.0, 3, SIGNIFICANT_DIGITS),
        (0.0, 3, SIGNIFICANT_DIGITS),
        (0.3, 0.1, TICK_SIZE),  # 0.3 / 0.1 is 2.9999999999999996 in floats
        (1.05, 0.35, TICK_SIZE),
        (1e-8, 1e-8, TICK_SIZE),
        (-0.3, 0.1, TICK_SIZE),
        (0.0, 0.1, TICK_SIZE),
    ],
)
def test_exact_prices_stay(price, precision, mode, rounding):
    """A price that has the precision already stays as it is, whichever way it is rounded."""
    assert price_to_precision(price, precision, mode, rounding) == price


@pytest.mark.parametrize(
    ("price", "precision", "mode", "nearest", "up", "down", "truncate"),
    [
        (1.234, 2, DECIMAL_PLACES, 1.23, 1.24, 1.23, 1.23),
        (1.235, 2, DECIMAL_PLACES, 1.24, 1.24, 1.23, 1.23),
        (1.225, 2, DECIMAL_PLACES, 1.23, 1.23, 1.22, 1.22),  # a half goes up, not to the even digit
        (-1.234, 2, DECIMAL_PLACES, -1.23, -1.23, -1.24, -1.23),
        (-1.235, 2, DECIMAL_PLACES, -1.24, -1.23, -1.24, -1.23),
        (2.5, 0, DECIMAL_PLACES, 3.0, 3.0, 2.0, 2.0),
        (155.0, -1, DECIMAL_PLACES, 160.0, 160.0, 150.0, 150.0),
        (0.00000001234, 8, DECIMAL_PLACES, 1e-8, 2e-8, 1e-8, 1e-8),
        (123456.0, 3, SIGNIFICANT_DIGITS, 123000.0, 124000.0, 123000.0, 123000.0),
        (123500.0, 3, SIGNIFICANT_DIGITS, 124000.0, 124000.0, 123000.0, 123000.0),
        (999.6, 3, SIGNIFICANT_DIGITS, 1000.0, 1000.0, 999.0, 999.0),  # one digit more before the point
        (0.0012345, 3, SIGNIFICANT_DIGITS, 0.00123, 0.00124, 0.00123, 0.00123),
        (-123456.0, 3, SIGNIFICANT_DIGITS, -123000.0, -123000.0, -124000.0, -123000.0),
        (1.13, 0.05, TICK_SIZE, 1.15, 1.15, 1.1, 1.1),  # 22.6 ticks
        (1.125, 0.05, TICK_SIZE, 1.15, 1.15, 1.1, 1.1),  # 22.5 ticks
        (100.0, 0.3, TICK_SIZE, 99.9, 100.2, 99.9, 99.9),  # 333.33 ticks
        (7.0, 5, TICK_SIZE, 5.0, 10.0, 5.0, 5.0),
        (-1.13, 0.05, TICK_SIZE, -1.15, -1.1, -1.15, -1.1),
        (0.04, 0.1, TICK_SIZE, 0.0, 0.1, 0.0, 0.0),
    ],
)
def test_price_is_rounded(price, precision, mode, nearest, up, down, truncate):
    """A price goes to the neighbour that was asked for."""
    results = {rounding: price_to_precision(price, precision, mode, rounding) for rounding in Rounding}
    assert results == {NEAREST: nearest, UP: up, DOWN: down, TRUNCATE: truncate}


def test_price_goes_to_the_nearest_unless_told_otherwise():
    """Without a rounding a price goes to the nearest step, a half up."""
    assert price_to_precision(1.125, 2, DECIMAL_PLACES) == 1.13


@pytest.mark.parametrize(("precision", "mode"), [(None, DECIMAL_PLACES), (2, None), (None, None)])
def test_unknown_precision_leaves_numbers_alone(precision, mode):
    """Without a precision or a mode nothing is rounded."""
    assert price_to_precision(1.23456, precision, mode) == 1.23456
    assert amount_to_precision(1.23456, precision, mode) == 1.23456
    assert amount_to_contract_precision(1.23456, precision, mode, 10.0) == 1.23456


def test_tick_of_zero_leaves_the_price_alone():
    """A tick size of 0 means that there is none."""
    assert price_to_precision(1.23456, 0.0, TICK_SIZE) == 1.23456


@pytest.mark.parametrize(
    ("amount", "precision", "mode", "result"),
    [
        (1.239, 2, DECIMAL_PLACES, 1.23),
        (1.1, 2, DECIMAL_PLACES, 1.1),
        (-1.239, 2, DECIMAL_PLACES, -1.23),
        (0.0, 2, DECIMAL_PLACES, 0.0),
        (129999.0, 3, SIGNIFICANT_DIGITS, 129000.0),
        (0.99, 0.1, TICK_SIZE, 0.9),
        (0.3, 0.1, TICK_SIZE, 0.3),
        (0.09, 0.1, TICK_SIZE, 0.0),
    ],
)
def test_amount_is_cut(amount, precision, mode, result):
    """An amount is cut, never rounded up to what one doesn't have."""
    assert amount_to_precision(amount, precision, mode) == result


@pytest.mark.parametrize(
    ("amount", "precision", "contract_size", "result"),
    [
        (1.5, 1.0, 0.1, 1.5),  # 15 contracts
        (0.3, 1.0, 0.1, 0.3),  # 3 contracts, where floats see 2.9999999999999996
        (1.57, 1.0, 0.1, 1.5),  # 15.7 contracts
        (1.57, 0.5, 0.1, 1.55),  # 15.7 contracts in halves
        (999.0, 1.0, 100.0, 900.0),
        (99.0, 1.0, 100.0, 0.0),
        (-1.57, 1.0, 0.1, -1.5),
        (1.57, 0.1, 1.0, 1.5),  # one per contract: the amount itself counts
        (1.57, 0.1, None, 1.5),
        (1.57, 0.1, 0.0, 1.5),
        (1.0, 1.0, 0.3, 0.9),  # 3.33 contracts
    ],
)
def test_amount_is_cut_to_contracts(amount, precision, contract_size, result):
    """On futures the number of contracts is cut, and what comes back is in base currency."""
    assert amount_to_contract_precision(amount, precision, TICK_SIZE, contract_size) == result


@pytest.mark.parametrize("mode", [0, 1, 5, -2])
def test_unknown_mode_is_refused(mode):
    """A mode that is none of the three is refused, for prices and amounts."""
    with pytest.raises(OperationalException, match="Unknown precision mode"):
        price_to_precision(1.5, 2, mode)
    with pytest.raises(OperationalException, match="Unknown precision mode"):
        amount_to_precision(1.5, 2, mode)
    with pytest.raises(OperationalException, match="Unknown precision mode"):
        amount_to_contract_precision(1.5, 2, mode, 10.0)


def test_what_is_no_number_is_refused():
    """NaN isn't rounded to anything."""
    with pytest.raises(InvalidValue):
        price_to_precision(float("nan"), 2, DECIMAL_PLACES)
