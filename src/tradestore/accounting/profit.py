"""The profit formulas of spot, margin and futures trades.

With A amount, R rate, fo and fc the fee ratios of opening and closing, L leverage, I interest, F funding fees:

    ===================  ======================  ======================
    quantity             long                    short
    ===================  ======================  ======================
    open value           A·R·(1 + fo)            A·R·(1 - fo)
    close value spot     A·R·(1 - fc)            A·R·(1 + fc)
    close value margin   A·R·(1 - fc) - I        (A + I)·R·(1 + fc)
    close value futures  A·R·(1 - fc) + F        A·R·(1 + fc) - F
    profit               close - open            open - close
    profit ratio         (close / open - 1)·L    (1 - close / open)·L
    ===================  ======================  ======================

Values are decimals in stake currency; nothing is rounded before the result becomes a float.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from tradestore.accounting._decimal import ONE, ZERO, add, divide, exact, multiply, quantize, subtract
from tradestore.constants import PROFIT_DECIMALS
from tradestore.enums import TradingMode
from tradestore.exceptions import InvalidValue, OperationalException

__all__ = [
    "ProfitStruct",
    "borrowed_amount",
    "close_value",
    "fee_factor",
    "open_value",
    "profit_of",
    "profit_ratio_of",
    "rate_for_profit_ratio",
    "rounded",
    "to_profit_decimals",
    "total_profit_ratio_of",
]

_SPOT, _MARGIN, _FUTURES = TradingMode.SPOT, TradingMode.MARGIN, TradingMode.FUTURES

_STEP = Decimal(1).scaleb(-PROFIT_DECIMALS)


@dataclass(frozen=True, slots=True)
class ProfitStruct:
    """The profit of a trade at some rate, each number rounded to 8 decimals.

    Attributes:
        profit_abs: Profit of the amount asked about, in stake currency.
        profit_ratio: The same as a ratio of what it cost, with leverage (0.01 is 1 %).
        total_profit: That profit and what earlier exits realised, in stake currency.
        total_profit_ratio: The total as a ratio of the largest stake.
    """

    profit_abs: float
    profit_ratio: float
    total_profit: float
    total_profit_ratio: float


def rounded(number: Decimal) -> float:
    """Round to the 8 decimals of profits and ratios; what rounds to nothing is 0.0, never -0.0."""
    return float(to_profit_decimals(number)) + 0.0


def to_profit_decimals(number: Decimal) -> Decimal:
    """Round to 8 decimals without going through a float, which has no room for them beside many digits."""
    return quantize(number, _STEP, ROUND_HALF_EVEN)


# A trade has the same fees from its first fill to its last.
@lru_cache(maxsize=1024, typed=True)
def fee_factor(fee: float | Decimal, adds: bool) -> Decimal:
    """Return what a value is multiplied by for a fee ratio that adds to it or is taken from it."""
    return add(ONE, exact(fee)) if adds else subtract(ONE, exact(fee))


def open_value(amount: float | Decimal, rate: float | Decimal, fee_open: float | Decimal, *, is_short: bool) -> Decimal:
    """Return what opening the position cost (long) or brought in (short), fee included, in stake currency."""
    return multiply(multiply(exact(amount), exact(rate)), fee_factor(fee_open, not is_short))


def close_value(
    amount: float | Decimal,
    rate: float | Decimal,
    fee_close: float | Decimal,
    *,
    is_short: bool,
    trading_mode: str | None,
    interest: Decimal = ZERO,
    funding_fees: float | Decimal = 0.0,
) -> Decimal:
    """Return what closing the position brings in (long) or costs (short), in stake currency.

    Args:
        amount: In base currency.
        rate: Closing rate.
        fee_close: Ratio.
        is_short: Whether the position is short.
        trading_mode: Spot where None.
        interest: Owed on margin: stake currency for a long, base currency for a short.
        funding_fees: Stake currency; positive where the trade received them.

    Raises:
        OperationalException: If the trading mode is unknown.
    """
    factor = multiply(exact(rate), fee_factor(fee_close, is_short))
    funding = exact(funding_fees) if trading_mode == _FUTURES else ZERO
    return value_at(exact(amount), factor, is_short, trading_mode, interest, funding)


def value_at(
    amount: Decimal, factor: Decimal, is_short: bool, trading_mode: str | None, interest: Decimal, funding_fees: Decimal
) -> Decimal:
    """Return the close value, see :func:`close_value`, with a factor that is the rate with its fee."""
    if trading_mode is None or trading_mode == _SPOT:
        return multiply(amount, factor)
    if trading_mode == _FUTURES:
        return (subtract if is_short else add)(multiply(amount, factor), funding_fees)
    if trading_mode == _MARGIN:
        return multiply(add(amount, interest), factor) if is_short else subtract(multiply(amount, factor), interest)
    raise _unknown_mode(trading_mode)


def profit_of(opened: Decimal, closed: Decimal, *, is_short: bool) -> Decimal:
    """Return the profit between two values, in stake currency."""
    return subtract(opened, closed) if is_short else subtract(closed, opened)


def profit_ratio_of(opened: Decimal, closed: Decimal, leverage: float | Decimal, *, is_short: bool) -> Decimal:
    """Return the profit between two values as a ratio of the open value, with leverage; 0 where nothing was opened."""
    if not opened:
        return ZERO
    share = divide(closed, opened)
    return multiply(subtract(ONE, share) if is_short else subtract(share, ONE), exact(leverage))


def total_profit_ratio_of(
    total_profit: Decimal, max_stake_amount: float | None, fee_open: float, *, is_short: bool
) -> Decimal:
    """Return a total profit as a ratio of the largest stake with its opening fee; 0 where no stake is known.

    Args:
        total_profit: Stake currency.
        max_stake_amount: Stake currency, without leverage.
        fee_open: Ratio.
        is_short: Whether the position is short.
    """
    staked = open_value(max_stake_amount or 0.0, ONE, fee_open, is_short=is_short)
    return divide(total_profit, staked) if staked else ZERO


def borrowed_amount(
    amount: float | Decimal, open_rate: float | Decimal, leverage: float | Decimal, *, is_short: bool
) -> Decimal:
    """Return the loan behind a position: stake currency for a long, base currency for a short.

    A long borrows what leverage adds to its own stake. A short borrows all that it sells, without leverage too.
    """
    base, factor = exact(amount), exact(leverage)
    if is_short:
        return base
    if factor == ONE:
        return ZERO
    return divide(multiply(multiply(base, exact(open_rate)), subtract(factor, ONE)), factor)


def rate_for_profit_ratio(
    target: float,
    *,
    amount: float,
    opened: Decimal,
    fee_close: float,
    leverage: float,
    is_short: bool,
    trading_mode: str | None,
    interest: Decimal = ZERO,
    funding_fees: float = 0.0,
) -> float:
    """Return the closing rate at which the profit ratio is the target: the inverse of the formulas above.

    Args:
        target: Profit ratio with leverage (0.01 is 1 %).
        amount: In base currency.
        opened: Open value in stake currency.
        fee_close: Ratio.
        leverage: 1.0 where there is none.
        is_short: Whether the position is short.
        trading_mode: Spot where None.
        interest: Owed on margin: stake currency for a long, base currency for a short.
        funding_fees: Stake currency; positive where the trade received them.

    Raises:
        InvalidValue: If no rate gives that ratio: an empty position, or a target below a total loss or, on a short,
            above what a rate of zero gives.
        OperationalException: If the trading mode is unknown.
    """
    # The close value is linear in the rate: value(rate) = value(0) + rate·slope.
    at_zero, at_one = (
        close_value(
            amount,
            rate,
            fee_close,
            is_short=is_short,
            trading_mode=trading_mode,
            interest=interest,
            funding_fees=funding_fees,
        )
        for rate in (ZERO, ONE)
    )
    slope = subtract(at_one, at_zero)
    gain = divide(exact(target), exact(leverage))
    wanted = subtract(multiply(opened, subtract(ONE, gain) if is_short else add(ONE, gain)), at_zero)
    rate = divide(wanted, slope) if slope and opened else Decimal(-1)
    if rate < 0:
        msg = (
            f"No closing rate of this position gives a profit ratio of {target!r} "
            f"(amount {amount!r}, open value {opened}). Ask for a target that the position can reach."
        )
        raise InvalidValue(msg)
    return float(rate)


def _unknown_mode(trading_mode: object) -> OperationalException:
    msg = f"Unknown trading mode {trading_mode!r}: it is one of {', '.join(TradingMode)}."
    return OperationalException(msg)
