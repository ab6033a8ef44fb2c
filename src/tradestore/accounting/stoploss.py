"""Where a stop loss belongs."""

import math
from decimal import Decimal
from functools import lru_cache

from tradestore.accounting._decimal import FIFTEEN_DIGITS, ONE, TO_WHOLE, add, divide, exact, multiply, subtract
from tradestore.accounting.precision import Rounding, price_to_precision

__all__ = ["stop_price", "tighter_stop"]

_UP, _DOWN = Rounding.UP, Rounding.DOWN

_UNITS_PER_ONE = 10**8
"""Prices are counted in units of 10^-8: most of them are no finer."""


def stop_price(
    price: float,
    stoploss: float,
    leverage: float,
    is_short: bool,
    precision: float | None,
    mode: int | None,
) -> float:
    """Return the stop at a distance from a price, rounded towards the market.

    Args:
        price: The rate to keep the distance from, in stake currency.
        stoploss: Loss ratio of the stake (-0.1 is 10 %); its sign does not matter.
        leverage: The stake's loss comes at a price move that is smaller by this factor.
        is_short: A short's stop lies above the price, a long's below.
        precision: Price precision of the exchange, None where unknown.
        mode: How it counts, see :mod:`tradestore.accounting.precision`.
    """
    share, numerator, denominator = _share_of_price(stoploss, leverage, is_short)
    units = (price * _UNITS_PER_ONE + TO_WHOLE) - TO_WHOLE if type(price) is float else math.nan
    if units / _UNITS_PER_ONE == price and -FIFTEEN_DIGITS < units < FIFTEEN_DIGITS:
        # Whole numbers multiply faster than decimals, and Python rounds their quotient to the nearest float as well.
        stop = int(units) * numerator / denominator
    else:
        stop = float(multiply(exact(price), share))
    if precision is None:
        return stop
    return price_to_precision(stop, precision, mode, _DOWN if is_short else _UP)


def tighter_stop(stop_loss: float, liquidation_price: float | None, *, is_short: bool) -> float:
    """Return whichever of stop loss and liquidation price is reached first; 0 and None count as not set."""
    if not liquidation_price:
        return stop_loss
    if not stop_loss:
        return liquidation_price
    return min(stop_loss, liquidation_price) if is_short else max(stop_loss, liquidation_price)


# A strategy asks for the same distance on every candle.
@lru_cache(maxsize=1024, typed=True)
def _share_of_price(stoploss: float, leverage: float, is_short: bool) -> tuple[Decimal, int, int]:
    """Return what part of a price the stop is: as a decimal, and as the quotient that turns units into a price."""
    distance = divide(exact(stoploss), exact(leverage)).copy_abs()
    share = add(ONE, distance) if is_short else subtract(ONE, distance)
    numerator, denominator = share.as_integer_ratio()
    return share, numerator, denominator * _UNITS_PER_ONE
