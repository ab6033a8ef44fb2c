"""Margin interest at the boundaries of the periods that exchanges charge, computed by hand.

The loan is 60 at a rate of 0.0005: 60 · 0.0005 = 0.03 per day on Binance, 0.03 / 24 = 0.00125 per hour, and 0.03 per
period of four hours on Kraken, which charges one period for opening.
"""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from tradestore.accounting import interest_on
from tradestore.exceptions import OperationalException

TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("duration", "binance", "kraken"),
    [
        # duration, hours begun · 0.00125, (1 + periods begun) · 0.03
        (timedelta(0), "0", "0.03"),
        (TICK, "0.00125", "0.06"),
        (timedelta(seconds=1), "0.00125", "0.06"),
        (HOUR - TICK, "0.00125", "0.06"),
        (HOUR, "0.00125", "0.06"),
        (HOUR + TICK, "0.0025", "0.06"),
        (4 * HOUR, "0.005", "0.06"),
        (4 * HOUR + TICK, "0.00625", "0.09"),
        (8 * HOUR, "0.01", "0.09"),
        (24 * HOUR, "0.03", "0.21"),  # 6 periods
        (24 * HOUR + TICK, "0.03125", "0.24"),
        (365 * 24 * HOUR, "10.95", "65.73"),  # 8760 hours, 2190 periods
        (-HOUR, "0", "0.03"),  # a clock that runs back owes nothing
    ],
)
def test_begun_periods_count_in_full(duration, binance, kraken):
    """Each begun hour or period is charged, and one that ends on time begins no other."""
    assert interest_on(60.0, 0.0005, duration, "binance") == Decimal(binance)
    assert interest_on(60.0, 0.0005, duration, "kraken") == Decimal(kraken)


@pytest.mark.parametrize("exchange", ["binance", "kraken"])
@pytest.mark.parametrize(("loan", "rate"), [(0.0, 0.0005), (60.0, 0.0)])
def test_nothing_borrowed_or_charged(exchange, loan, rate):
    """Without a loan or a rate there is no interest."""
    assert interest_on(loan, rate, HOUR, exchange) == 0


def test_name_in_capitals():
    """The name of the exchange may be written as people do."""
    assert interest_on(60.0, 0.0005, HOUR, "Binance") == Decimal("0.00125")


def test_hours_of_a_repeating_fraction():
    """1 · 0.0005 / 24 has no end; it is cut by less than 1e-18."""
    missing = Fraction(5, 240000) - Fraction(interest_on(1.0, 0.0005, HOUR, "binance"))
    assert 0 <= missing < Fraction(1, 10**18)


@pytest.mark.parametrize("exchange", ["bybit", ""])
def test_another_exchange_is_refused(exchange):
    """Interest of an exchange whose rule is unknown is refused instead of guessed."""
    with pytest.raises(OperationalException, match="not known"):
        interest_on(60.0, 0.0005, HOUR, exchange)
