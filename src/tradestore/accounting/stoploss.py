"""Where a stop loss belongs."""

from decimal import Decimal
from functools import lru_cache

from tradestore.accounting._decimal import ONE, add, divide, exact, multiply, subtract
from tradestore.accounting.precision import Rounding, price_to_precision

__all__ = ["stop_price", "tighter_stop"]


def stop_price(
    price: float,
    stoploss: float,
    leverage: float,
    *,
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
    stop = float(multiply(exact(price), _share_of_price(stoploss, leverage, is_short)))
    return price_to_precision(stop, precision, mode, Rounding.DOWN if is_short else Rounding.UP)


def tighter_stop(stop_loss: float, liquidation_price: float | None, *, is_short: bool) -> float:
    """Return whichever of stop loss and liquidation price is reached first; 0 and None count as not set."""
    if not liquidation_price:
        return stop_loss
    if not stop_loss:
        return liquidation_price
    return min(stop_loss, liquidation_price) if is_short else max(stop_loss, liquidation_price)


# A strategy asks for the same distance on every candle.
@lru_cache(maxsize=1024)
def _share_of_price(stoploss: float, leverage: float, is_short: bool) -> Decimal:
    distance = divide(exact(stoploss), exact(leverage)).copy_abs()
    return add(ONE, distance) if is_short else subtract(ONE, distance)
