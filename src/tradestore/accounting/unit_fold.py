"""The fold over fills once more, in whole numbers: exact as well, and in a third of the time.

:func:`tradestore.accounting.fills.fold_fills` tells what the numbers mean. Here amounts, prices, fees and leverage are
counts of 10^-8, products of two and three of them counts of 10^-16 and 10^-24, and funding fees counts of 10^-24.
Stake and average price have as many decimals as the quotients before them were cut at. Sums and products of whole
numbers are exact, and Python rounds the quotient of two to the nearest float, as it does a decimal: so each float that
comes out is the one that decimals give. Trades that do not fit in (finer numbers, margin, more sold than was held) are
left to the decimals.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Final, NamedTuple

from tradestore.accounting._decimal import FIFTEEN_DIGITS, QUOTIENT_DECIMALS, TO_WHOLE, exact, multiply
from tradestore.accounting.fills import Outcome, Terms
from tradestore.enums import TradingMode

__all__ = ["Row", "fold_units", "open_value_by_units"]

_FUTURES = TradingMode.FUTURES
_MODES = (TradingMode.SPOT, _FUTURES)

_TEN: Final[Sequence[int]] = [10**digits for digits in range(256)]
_UNITS: Final = _TEN[8]
_THREE_UNITS: Final = _TEN[24]
_FLOAT_UNITS: Final = 1e8
_FINE: Final = Decimal(10**24)

_outcome: Final[Callable[[tuple[float | None, ...]], Outcome]] = partial(tuple.__new__, Outcome)
"""Makes an outcome from its values in order, past the names."""

Row = tuple[bool, float, float, float, float, datetime | None]
"""The values of a fill: to make an object of each would take longer than to take it in."""


class _Factors(NamedTuple):
    """Of 10^-8: the opening fee, what it and the closing fee multiply a value by, and the leverage."""

    fee_open: int
    opening: int
    closing: int
    leverage: int


def fold_units(fills: Iterable[Row], terms: Terms, funding_running: float) -> Outcome | None:
    """Return what fills amount to, or None where decimals must tell.

    Args:
        fills: In the order in which they happened; the values of :class:`tradestore.accounting.fills.Fill`.
        terms: Of the trade.
        funding_running: Funding fees since the last fill, in stake currency.
    """
    is_short, leverage, mode, fee_open, fee_close, loan = terms
    if loan is not None or (mode is not None and mode not in _MODES):
        return None
    try:
        factors = _factors(fee_open, fee_close, leverage, is_short)
        if factors is None:
            return None
        running = _count_finely(funding_running) if funding_running else 0
        return _walk(fills, factors, is_short, mode == _FUTURES, running)
    except (TypeError, ValueError, ArithmeticError):
        return None  # Decimals, and what is no number at all.


def _walk(  # noqa: C901 - all in one loop: to call a function takes as long as to take in a fill
    fills: Iterable[Row], factors: _Factors, is_short: bool, pays_funding: bool, running: int
) -> Outcome | None:
    _, opening, closing, _ = factors
    held = stake = average = entry_cost = funding = waiting = realized = realized_of = 0
    stake_digits, average_digits = 16, 8
    is_averaged, last = True, None
    for is_entry, filled, fee_base, price, funding_fee, _ in fills:
        if funding_fee:
            waiting += _count_finely(funding_fee)
        float_amount = (filled * _FLOAT_UNITS + TO_WHOLE) - TO_WHOLE
        float_rate = (price * _FLOAT_UNITS + TO_WHOLE) - TO_WHOLE
        if not (
            float_amount / _FLOAT_UNITS == filled
            and float_rate / _FLOAT_UNITS == price
            and 0.0 <= float_amount < FIFTEEN_DIGITS
            and 0.0 <= float_rate < FIFTEEN_DIGITS
            # Numbers of other packages may calculate with fewer digits.
            and type(float_amount) is type(float_rate) is float
        ):
            return None
        amount, rate = int(float_amount), int(float_rate)
        if fee_base:
            amount -= _count(fee_base)
        if amount <= 0:
            continue
        if is_entry:
            cost = amount * rate
            entry_cost += cost
            if held:
                held += amount
                stake += cost * _TEN[stake_digits - 16]
                is_averaged = False
            else:
                held, stake, stake_digits, average, average_digits = amount, cost, 16, rate, 8
        elif amount > held:
            return None
        else:
            if not is_averaged:
                average, average_digits = _quotient(stake, stake_digits, held, 8)
                is_averaged = True
            opened = amount * average * opening
            closed = amount * rate * closing * _TEN[average_digits - 8]
            fees = waiting * _TEN[average_digits - 8] if pays_funding else 0
            last = _to_units(opened - closed + fees if is_short else closed - opened + fees, average_digits + 16)
            realized += last
            realized_of = entry_cost * opening
            held -= amount
            stake, stake_digits = _less(stake, stake_digits, amount * average, average_digits + 8) if held else (0, 16)
            funding += waiting
            waiting = 0
    if not is_averaged:
        average, average_digits = _quotient(stake, stake_digits, held, 8)
    position = held, stake, stake_digits, average, average_digits, entry_cost
    return _in_floats(position, factors, funding + waiting + running, realized, realized_of, last)


def _in_floats(
    position: tuple[int, int, int, int, int, int],
    factors: _Factors,
    funding: int,
    realized: int,
    realized_of: int,
    last: int | None,
) -> Outcome:
    held, stake, stake_digits, average, average_digits, entry_cost = position
    fee_open, _, _, leverage = factors
    own_entry_cost = _own(entry_cost, 16, leverage)
    return _outcome(
        (
            held / _UNITS,
            average / _TEN[average_digits],
            own_entry_cost if (stake, stake_digits) == (entry_cost, 16) else _own(stake, stake_digits, leverage),
            own_entry_cost,
            fee_open * entry_cost / _THREE_UNITS,
            funding / _THREE_UNITS,
            None if last is None else realized / _UNITS,
            None if last is None else last / _UNITS,
            _ratio(realized, realized_of, leverage) if realized and realized_of else 0.0,
        )
    )


def open_value_by_units(amount: float, rate: float, fee_open: float, is_short: bool) -> float | None:
    """Return the open value in stake currency, or None where decimals must tell.

    Args:
        amount: In base currency.
        rate: In stake currency.
        fee_open: Ratio.
        is_short: Whether the position is short.
    """
    try:
        factors = _factors(fee_open, 0.0, 1.0, is_short)
        return None if factors is None else _count(amount) * _count(rate) * factors.opening / _THREE_UNITS
    except (TypeError, ValueError, ArithmeticError):
        return None


def _own(value: int, digits: int, leverage: int) -> float:
    if leverage != _UNITS:
        value, digits = _quotient(value, digits, leverage, 8)
    return value / _TEN[digits]


def _ratio(realized: int, realized_of: int, leverage: int) -> float:
    share, digits = _quotient(abs(realized), 8, realized_of, 24)
    return (share if realized > 0 else -share) * leverage / _TEN[digits + 8]


def _quotient(dividend: int, dividend_digits: int, divisor: int, divisor_digits: int) -> tuple[int, int]:
    """Divide as :func:`tradestore.accounting._decimal.divide` does; return the quotient and its decimals.

    Neither number is negative.
    """
    digits = QUOTIENT_DECIMALS
    if dividend * _TEN[divisor_digits] < divisor * _TEN[dividend_digits]:
        places_of_divisor = len(str(divisor)) - divisor_digits
        digits += max(0, places_of_divisor - len(str(dividend)) + dividend_digits)
    shift = digits + divisor_digits - dividend_digits
    if shift >= 0:
        return dividend * _TEN[shift] // divisor, digits
    return dividend // (divisor * _TEN[-shift]), digits


def _less(number: int, digits: int, other: int, other_digits: int) -> tuple[int, int]:
    if digits >= other_digits:
        return number - other * _TEN[digits - other_digits], digits
    return number * _TEN[other_digits - digits] - other, other_digits


def _to_units(number: int, digits: int) -> int:
    """Round to 8 decimals, halves to the even neighbour."""
    one = _TEN[digits - 8]
    whole, rest = divmod(number, one)
    if 2 * rest > one or (2 * rest == one and whole % 2):
        whole += 1
    return whole


def _count(number: float) -> int:
    """Return a number as a count of 10^-8.

    Raises:
        ValueError: If it is finer or has more than 15 digits.
    """
    count = (number * _FLOAT_UNITS + TO_WHOLE) - TO_WHOLE
    if type(count) is float and -FIFTEEN_DIGITS < count < FIFTEEN_DIGITS and count / _FLOAT_UNITS == number:
        return int(count)
    raise ValueError(number)


def _count_finely(number: float) -> int:
    """Return a number as a count of 10^-24: funding fees are products that nobody rounded.

    Raises:
        ValueError: If it is finer.
    """
    scaled = multiply(exact(number), _FINE)
    count = int(scaled)
    if count != scaled:
        raise ValueError(number)
    return count


# A trade has the same terms from its first fill to its last.
@lru_cache(maxsize=1024, typed=True)
def _factors(fee_open: float, fee_close: float, leverage: float, is_short: bool) -> _Factors | None:
    opening_fee, closing_fee, factor = _count(fee_open), _count(fee_close), _count(leverage)
    if is_short:
        opening, closing = _UNITS - opening_fee, _UNITS + closing_fee
    else:
        opening, closing = _UNITS + opening_fee, _UNITS - closing_fee
    return _Factors(opening_fee, opening, closing, factor) if opening > 0 and factor > 0 else None
