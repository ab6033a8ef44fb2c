"""Rounding of prices and amounts to what an exchange accepts.

The precision modes are the ones exchange libraries use: 2 counts decimal places, 3 counts significant digits, 4 is
a tick size. All rounding happens on the exact decimal text of the float, so a number that already has the asked
precision stays as it is.

A stop loss is rounded on every candle, so floats answer wherever they leave no doubt. Let u be 2^-53, and let the step
be m·10^-d, where m is whole. The number of steps, price·10^d / m, has one input and two operations, each within u, and
so is within 3u of itself: below 10^12 steps that is less than 0.001. Farther than that from every whole number (and,
for the nearest step, from every half) floats and decimals agree on which neighbour n it is. Closer than that, the price
may lie on the step n itself: it does if n·m has at most 15 digits and n·m / 10^d is the price, since a decimal of up to
15 digits is the shortest that reads back as its float. Otherwise decimals answer. The result n·m / 10^d divides two
whole numbers that floats hold, below 2^53 and up to 10^22, and so is the float nearest to the exact one.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import Enum
from functools import lru_cache
from typing import Final

from tradestore.accounting._decimal import (
    FIFTEEN_DIGITS,
    ONE,
    TO_WHOLE,
    add,
    divide,
    divide_int,
    exact,
    multiply,
    quantize,
    subtract,
)
from tradestore.exceptions import OperationalException

__all__ = [
    "DECIMAL_PLACES",
    "SIGNIFICANT_DIGITS",
    "TICK_SIZE",
    "Rounding",
    "amount_to_contract_precision",
    "amount_to_precision",
    "price_to_precision",
]

DECIMAL_PLACES: Final = 2
SIGNIFICANT_DIGITS: Final = 3
TICK_SIZE: Final = 4


class Rounding(Enum):
    """Which neighbour a number is rounded to."""

    NEAREST = ROUND_HALF_UP
    UP = ROUND_CEILING
    DOWN = ROUND_FLOOR
    TRUNCATE = ROUND_DOWN


_NEAREST, _UP, _TRUNCATE = Rounding.NEAREST, Rounding.UP, Rounding.TRUNCATE

_MOST_STEPS: Final = 1e12
_DOUBT: Final = 0.001
_LARGEST_POWER_OF_TEN: Final = 22
"""Powers of ten up to this one are floats."""


def price_to_precision(
    price: float, precision: float | None, mode: int | None, rounding: Rounding = Rounding.NEAREST
) -> float:
    """Round a price to the exchange's precision.

    Args:
        price: In stake currency per unit of base currency.
        precision: Decimal places, significant digits or tick size; None leaves the price alone.
        mode: How the precision counts: 2, 3 or 4; None leaves the price alone.
        rounding: Half up unless told otherwise; stop losses go towards the market.

    Raises:
        OperationalException: If the mode is none of the three.
    """
    if precision is None or mode is None:
        return price
    sure = _round_by_floats(price, precision, mode, rounding)
    return float(_round(exact(price), precision, mode, rounding)) if sure is None else sure


def amount_to_precision(amount: float, precision: float | None, mode: int | None) -> float:
    """Truncate an amount to the exchange's precision.

    Args:
        amount: In base currency, or in contracts.
        precision: Decimal places, significant digits or tick size; None leaves the amount alone.
        mode: How the precision counts: 2, 3 or 4; None leaves the amount alone.

    Raises:
        OperationalException: If the mode is none of the three.
    """
    if precision is None or mode is None:
        return amount
    sure = _round_by_floats(amount, precision, mode, _TRUNCATE)
    return float(_round(exact(amount), precision, mode, _TRUNCATE)) if sure is None else sure


def amount_to_contract_precision(
    amount: float, precision: float | None, mode: int | None, contract_size: float | None
) -> float:
    """Truncate an amount to whole steps of what the exchange trades, which on futures may be contracts.

    Args:
        amount: In base currency.
        precision: Precision of the number of contracts; None leaves the amount alone.
        mode: How the precision counts: 2, 3 or 4; None leaves the amount alone.
        contract_size: Base currency per contract; None or 0 where amounts are traded as they are.

    Returns:
        The amount in base currency.

    Raises:
        OperationalException: If the mode is none of the three.
    """
    if precision is None or mode is None:
        return amount
    if not contract_size or contract_size == 1:
        return amount_to_precision(amount, precision, mode)
    size = exact(contract_size)
    contracts = _round(divide(exact(amount), size), precision, mode, _TRUNCATE)
    return float(multiply(contracts, size))


def _round_by_floats(number: float, precision: float, mode: int, rounding: Rounding) -> float | None:
    """Return the rounded number, or None where floats cannot tell; see the top of this file."""
    grid = _grid(precision, mode)
    # Numbers of other packages may calculate with fewer digits.
    if grid is None or type(number) is not float:
        return None
    step, scale = grid
    steps = number * scale / step
    if not 0.0 < steps < _MOST_STEPS:
        return None
    whole = (steps + TO_WHOLE) - TO_WHOLE
    beyond = steps - whole
    if -_DOUBT < beyond < _DOUBT:
        units = whole * step
        return number if units < FIFTEEN_DIGITS and units / scale == number else None
    if rounding is _NEAREST:
        if not _DOUBT - 0.5 < beyond < 0.5 - _DOUBT:
            return None
    elif rounding is _UP:
        whole += beyond > 0.0
    else:
        whole -= beyond < 0.0
    units = whole * step
    return units / scale if units < FIFTEEN_DIGITS else None


@lru_cache(maxsize=1024, typed=True)
def _grid(precision: float, mode: int) -> tuple[float, float] | None:
    """Return m and 10^d of the step m·10^-d, or None where there is no one step that floats can count."""
    if mode == TICK_SIZE:
        _, digits, exponent = exact(precision).as_tuple()
        step = int("".join(map(str, digits)))
    else:
        step, exponent = 1, -int(precision)
    if mode not in {DECIMAL_PLACES, TICK_SIZE} or not step or not isinstance(exponent, int) or precision < 0:
        return None
    if abs(exponent) > _LARGEST_POWER_OF_TEN or step > FIFTEEN_DIGITS:
        return None
    return (float(step), float(10**-exponent)) if exponent <= 0 else (float(step * 10**exponent), 1.0)


def _round(number: Decimal, precision: float, mode: int, rounding: Rounding) -> Decimal:
    if mode == TICK_SIZE:
        return _to_step(number, exact(precision), rounding)
    places = int(precision)
    if mode == DECIMAL_PLACES:
        return _to_decimals(number, -places, rounding)
    if mode == SIGNIFICANT_DIGITS:
        return _to_decimals(number, number.adjusted() - places + 1, rounding) if number else number
    msg = f"Unknown precision mode {mode!r}: use 2 (decimal places), 3 (significant digits) or 4 (tick size)."
    raise OperationalException(msg)


def _to_decimals(number: Decimal, exponent: int, rounding: Rounding) -> Decimal:
    return quantize(number, Decimal((0, (1,), exponent)), rounding.value)


def _to_step(number: Decimal, step: Decimal, rounding: Rounding) -> Decimal:
    if not step:
        return number
    whole = divide_int(number, step)
    rest = subtract(number, multiply(whole, step))
    if not rest:
        return number
    return multiply(add(whole, quantize(divide(rest, step), ONE, rounding.value)), step)
