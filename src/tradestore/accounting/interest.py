"""Margin interest, by the rules of the exchanges that lend."""

from datetime import timedelta
from decimal import Decimal

from tradestore.accounting._decimal import ONE, ZERO, add, divide, exact, multiply
from tradestore.exceptions import OperationalException

__all__ = ["interest_on"]

_HOUR = timedelta(hours=1)
_KRAKEN_PERIOD = timedelta(hours=4)
_HOURS_PER_DAY = Decimal(24)


def interest_on(
    borrowed: float | Decimal, interest_rate: float | Decimal, duration: timedelta, exchange: str
) -> Decimal:
    """Return the interest owed on a loan, in the currency that was borrowed.

    Binance charges a daily rate by the begun hour. Kraken charges the rate once for opening and once per begun
    period of four hours.

    Args:
        borrowed: The loan, in stake currency for a long and in base currency for a short.
        interest_rate: Ratio (0.0005 is 0.05 %), per day on Binance and per period on Kraken.
        duration: How long the loan has been out.
        exchange: Name of the exchange.

    Raises:
        OperationalException: If the exchange's rule is unknown.
    """
    charge = multiply(exact(borrowed), exact(interest_rate))
    lender = exchange.lower()
    if lender == "binance":
        return divide(multiply(charge, _begun(_HOUR, duration)), _HOURS_PER_DAY)
    if lender == "kraken":
        return multiply(charge, add(ONE, _begun(_KRAKEN_PERIOD, duration)))
    msg = (
        f"The margin interest of exchange {exchange!r} is not known: it is for 'binance' and 'kraken'. "
        "Trade in spot or futures mode there."
    )
    raise OperationalException(msg)


def _begun(period: timedelta, duration: timedelta) -> Decimal:
    """Count the periods that have begun, without going through fractions of an hour."""
    if duration <= timedelta(0):
        return ZERO
    return Decimal(-(-duration // period))
