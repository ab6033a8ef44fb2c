"""Exact arithmetic on the shortest decimal text of a float, so that 0.1 + 0.2 is 0.3.

The operators of decimals round to the precision of whatever context the caller has. Sums, differences and products go
through functions that never do; a longer calculation brings its own context, :func:`with_exact_operators`, in which the
operators don't either.
"""

import math
from collections.abc import Callable, Iterable
from decimal import ROUND_DOWN, Context, Decimal, getcontext, setcontext
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from tradestore.exceptions import InvalidValue

ZERO = Decimal(0)
ONE = Decimal(1)

QUOTIENT_DECIMALS = 18
_UP, _DOWN = ONE.scaleb(QUOTIENT_DECIMALS), ONE.scaleb(-QUOTIENT_DECIMALS)

# A float has at most 17 significant digits, and no formula here multiplies more than a handful of them.
_EXACT = Context(prec=1000, rounding=ROUND_DOWN, Emin=-999999, Emax=999999)

add = _EXACT.add
subtract = _EXACT.subtract
multiply = _EXACT.multiply
divide_int = _EXACT.divide_int

FIFTEEN_DIGITS = 1e15
"""Of all decimals with up to 15 digits only one reads back as a given float. So the float nearest to n / 10^d, with a
whole n below this, stands for exactly that decimal."""

TO_WHOLE = 1.5 * 2.0**52
"""Adding it to a float below 2^51 pushes out the decimals, half to even; subtracting it leaves the nearest integer."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


def with_exact_operators(calculation: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let the operators of decimals be exact within a function, at half the cost of a function for each of them."""

    @wraps(calculation)
    def calculate(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        callers_context = getcontext()
        setcontext(_EXACT)
        try:
            return calculation(*args, **kwargs)
        finally:
            setcontext(callers_context)

    return calculate


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
    try:
        return _exact(number)
    except TypeError:  # What cannot be a key of the cache is no number.
        finite(number)
        raise


# A trade's amounts, rates and fees are looked at again with each of its fills. Typed, since 2**60 and 2.0**60 are equal
# but print other digits.
@lru_cache(maxsize=8192, typed=True)
def _exact(number: float | Decimal) -> Decimal:
    if isinstance(number, Decimal):
        result = number
    elif isinstance(number, int):
        result = Decimal(number)
    else:
        result = Decimal(repr(number if type(number) is float else finite(number)))
    if not result.is_finite():
        finite(number)
    return result or ZERO


def quantize(number: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Round to as many decimals as the step has."""
    return number.quantize(step, rounding, _EXACT)


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Divide, truncating at 18 decimals, or later where leading zeros would eat the significant digits.

    The cut at 18 decimals is the one that exchange libraries make, so numbers of existing databases come out
    bit for bit; a coin priced at 0.00000001 keeps its full precision all the same.
    """
    leading_zeros = divisor.adjusted() - dividend.adjusted()
    up, down = _shifts(leading_zeros) if leading_zeros > 0 else (_UP, _DOWN)
    return multiply(divide_int(multiply(dividend, up), divisor), down)


@lru_cache(maxsize=1024)
def _shifts(leading_zeros: int) -> tuple[Decimal, Decimal]:
    scale = QUOTIENT_DECIMALS + leading_zeros
    return ONE.scaleb(scale, _EXACT), ONE.scaleb(-scale, _EXACT)


def exact_sum(numbers: Iterable[float | None]) -> float:
    """Add numbers without the rounding of each step; None counts as 0."""
    total = ZERO
    for number in numbers:
        if number:
            total = add(total, exact(number))
    return float(total)
