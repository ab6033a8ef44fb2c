"""Exact arithmetic on the shortest decimal text of a float, so that 0.1 + 0.2 is 0.3.

Sums, differences and products go through functions instead of operators: the operators round to the precision of
whatever context the caller has, these never do.
"""

import math
from collections.abc import Iterable
from decimal import ROUND_DOWN, Context, Decimal
from functools import lru_cache
from typing import Any

from tradestore.exceptions import InvalidValue

ZERO = Decimal(0)
ONE = Decimal(1)

_QUOTIENT_DECIMALS = 18

# A float has at most 17 significant digits, and no formula here multiplies more than a handful of them.
_EXACT = Context(prec=1000, rounding=ROUND_DOWN, Emin=-999999, Emax=999999)

add = _EXACT.add
subtract = _EXACT.subtract
multiply = _EXACT.multiply
divide_int = _EXACT.divide_int


def finite(number: Any) -> float:
    """Return a number of any type as a float.

    Raises:
        InvalidValue: If it is no number, or not finite. Text is none, even if it could be read as one.
    """
    try:
        result = math.nan if isinstance(number, (str, bytes, bytearray)) else float(number)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        msg = f"A price, amount or rate must be a finite number, but was {number!r:.60}."
        raise InvalidValue(msg)
    return result


def exact(number: float | Decimal) -> Decimal:
    """Return the number as a decimal with exactly the digits that Python prints for it.

    Args:
        number: An int, float or decimal; number types of other packages go through float.

    Raises:
        InvalidValue: If the number is not finite.
    """
    if type(number) is float:
        return _exact_float(number)
    if isinstance(number, Decimal):
        if not number.is_finite():
            finite(number)
        return number
    return Decimal(number) if isinstance(number, int) else _exact_float(finite(number))


# A backtest meets the same rate, fee or amount many times in a row.
@lru_cache(maxsize=8192)
def _exact_float(number: float) -> Decimal:
    return Decimal(repr(finite(number))) or ZERO


def quantize(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Round to as many decimals as the step has."""
    return number.quantize(step, rounding, _EXACT)


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Divide, truncating at 18 decimals, or later where leading zeros would eat the significant digits.

    The cut at 18 decimals is the one that exchange libraries make, so numbers of existing databases come out
    bit for bit; a coin priced at 0.00000001 keeps its full precision all the same.
    """
    leading_zeros = max(0, divisor.adjusted() - dividend.adjusted())
    scale = _QUOTIENT_DECIMALS + leading_zeros
    return divide_int(dividend.scaleb(scale, _EXACT), divisor).scaleb(-scale, _EXACT)


def exact_sum(numbers: Iterable[float | None]) -> float:
    """Add numbers without the rounding of each step; None counts as 0."""
    total = ZERO
    for number in numbers:
        if number:
            total = add(total, exact(number))
    return float(total)
