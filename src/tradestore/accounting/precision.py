"""Rounding of prices and amounts to what an exchange accepts.

The precision modes are the ones exchange libraries use: 2 counts decimal places, 3 counts significant digits, 4 is
a tick size. All rounding happens on the exact decimal text of the float, so a number that already has the asked
precision stays as it is.
"""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Final

from tradestore.accounting._decimal import ONE, add, divide, divide_int, exact, multiply, quantize, subtract
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
    return float(_round(exact(price), precision, mode, rounding))


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
    return float(_round(exact(amount), precision, mode, Rounding.TRUNCATE))


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
    contracts = _round(divide(exact(amount), size), precision, mode, Rounding.TRUNCATE)
    return float(multiply(contracts, size))


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
