"""Exact arithmetic on the shortest decimal text of a float, so that 0.1 + 0.2 is 0.3."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, localcontext

from tradestore.exceptions import InvalidValue

ZERO = Decimal(0)
ONE = Decimal(1)

_QUOTIENT_DECIMALS = 18

_EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
_WHOLE = Context(prec=1000, rounding=ROUND_DOWN, Emin=-999999, Emax=999999)


def exact_arithmetic() -> AbstractContextManager[Context]:
    """Make ``+``, ``-`` and ``*`` on decimals exact inside the block, whatever the caller's own context is.

    A float has at most 17 significant digits, and no formula here multiplies more than a handful of them.
    """
    return localcontext(_EXACT)


def exact(number: float | Decimal) -> Decimal:
    """Return the number as a decimal with exactly the digits that Python prints for it.

    Args:
        number: An int, float or decimal; number types of other packages go through float.

    Raises:
        InvalidValue: If the number is not finite.
    """
    if isinstance(number, float):
        result = Decimal(float.__repr__(number))
    elif isinstance(number, (int, Decimal)):
        result = Decimal(number)
    else:
        result = Decimal(repr(float(number)))
    if not result.is_finite():
        msg = f"A price, amount or rate must be a finite number, but was {number!r}."
        raise InvalidValue(msg)
    return result


def divide(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Divide, truncating at 18 decimals, or later where leading zeros would eat the significant digits.

    The cut at 18 decimals is the one that exchange libraries make, so numbers of existing databases come out
    bit for bit; a coin priced at 0.00000001 keeps its full precision all the same.
    """
    leading_zeros = max(0, divisor.adjusted() - dividend.adjusted())
    scale = _QUOTIENT_DECIMALS + leading_zeros
    return _WHOLE.divide_int(dividend.scaleb(scale, _WHOLE), divisor).scaleb(-scale, _WHOLE)


def exact_sum(numbers: Iterable[float | None]) -> float:
    """Add numbers without the rounding of each step; None counts as 0."""
    with exact_arithmetic():
        return float(sum((exact(number) for number in numbers if number), start=ZERO))
