"""Profits by plain floats, wherever these leave no doubt about any of the 8 decimals.

A backtest asks for a profit on every candle. Decimals take many times as long as floats to answer, and in nearly all
cases a float's error is far too small to reach the eighth decimal. Each function here gives the same float as the
exact formulas of :mod:`tradestore.accounting.profit`, or None where it cannot be sure: then those must answer.

The error bound. Let u be 2^-53. A float x stands for the shortest decimal that reads back as x, at most u|x| away
while x is no subnormal, and each operation on floats errs by at most u times its result. So, to first order:

* A fee f with |f| <= 1/2 gives 1 ± f within 2u of itself: u|f| come from f, u(1 ± f) from the operation, |f| <= 1 ± f.
* The value m = A·R·(1 ± fc) is within 6u·m: two inputs, the factor, two products. Nothing is lost to subnormals, since
  amount and rate are above 10^-100.
* Closing, with funding F, is within 6u·m + u|F| + u(m + |F|) <= 7u(m + |F|).
* The open value O is one input, within u·O. The profit is within 7u(m + |F|) + u·O + u(m + |F| + O) <= 8u·s, where s is
  m + |F| + O.
* The quotient q = closed / O is within 7u(m + |F|)/O + 2u|q|, and with |F| <= O that is <= u(9|q| + 14). Subtracting 1
  adds u|q - 1|; the leverage L and its product add 2u of the ratio y = L(q - 1). Since |q| <= |q - 1| + 1, the ratio is
  within u·L(10|q - 1| + 23) + 2u|y| <= 23u(L + |y|).

Rounding looks at z, which is 10^8 times the result and errs by another u|z|. What the exact path cuts from a quotient
after 18 decimals moves z by at most 10^-10·L. Terms of the second order are below a millionth of these. So z is known
within 9·10^8·u·s < 1.01e-7·s for a profit, and within 24·10^8·u(L + |y|) + 10^-10·L < 2.7e-7·(L + |y|) for a ratio,
which is below 0.001 while L and |y| are below 1000. Where z lies closer to a whole number n than one half less that
error, the exact number rounds to n as well. Both n and 10^8 are floats, so n / 10^8 is the float nearest to the exact
answer.
"""

from typing import Final

from tradestore.accounting._decimal import TO_WHOLE
from tradestore.constants import PROFIT_DECIMALS
from tradestore.enums import TradingMode

__all__ = ["sure_profit", "sure_profit_ratio"]

_SPOT, _FUTURES = TradingMode.SPOT, TradingMode.FUTURES

_SCALE: Final = 10.0**PROFIT_DECIMALS

_SMALLEST: Final = 1e-100
"""Above it neither a number nor the product of two is a subnormal."""

_LARGEST_FEE: Final = 0.5
_LARGEST_RATIO: Final = 1000.0
_LARGEST_SCALED_RATIO: Final = _LARGEST_RATIO * _SCALE

_RATIO_CERTAINTY: Final = 0.5 - 0.001
_PROFIT_DOUBT: Final = 1.1e-7


def sure_profit_ratio(
    amount: float,
    rate: float,
    fee_close: float,
    opened: float,
    trading_mode: str | None,
    funding_fees: float,
    leverage: float,
    is_short: bool,
) -> float | None:
    """Return the profit ratio of a position rounded to 8 decimals, or None where floats cannot tell.

    Args:
        amount: In base currency.
        rate: Closing rate in stake currency.
        fee_close: Ratio.
        opened: Open value in stake currency.
        trading_mode: Spot where None. Interest on margin is for the exact path.
        funding_fees: Stake currency, positive where received; they count on futures only.
        leverage: 1.0 where there is none.
        is_short: Whether the position is short.
    """
    if trading_mode is None or trading_mode == _SPOT:
        funding_fees = 0.0
    elif trading_mode != _FUTURES:
        return None
    try:
        if not (amount > _SMALLEST and rate > _SMALLEST and opened > _SMALLEST and 0.0 < leverage < _LARGEST_RATIO):
            return None
        if not (-_LARGEST_FEE < fee_close < _LARGEST_FEE and -opened <= funding_fees <= opened):
            return None
        if is_short:
            scaled = (1.0 - (amount * rate * (1.0 + fee_close) - funding_fees) / opened) * leverage * _SCALE
        else:
            scaled = ((amount * rate * (1.0 - fee_close) + funding_fees) / opened - 1.0) * leverage * _SCALE
        whole = (scaled + TO_WHOLE) - TO_WHOLE
        # The type tells whether a number of another package came in, which may calculate with fewer digits.
        if (
            type(scaled) is float
            and -_LARGEST_SCALED_RATIO < scaled < _LARGEST_SCALED_RATIO
            and -_RATIO_CERTAINTY < scaled - whole < _RATIO_CERTAINTY
        ):
            return whole / _SCALE
    except (TypeError, ValueError, ArithmeticError):
        pass  # Decimals and what is no number at all: the exact path knows what to do with them.
    return None


def sure_profit(
    amount: float,
    rate: float,
    fee_close: float,
    opened: float,
    trading_mode: str | None,
    funding_fees: float,
    is_short: bool,
) -> float | None:
    """Return the profit of a position in stake currency rounded to 8 decimals, or None where floats cannot tell.

    Args:
        amount: In base currency.
        rate: Closing rate in stake currency.
        fee_close: Ratio.
        opened: Open value in stake currency.
        trading_mode: Spot where None. Interest on margin is for the exact path.
        funding_fees: Stake currency, positive where received; they count on futures only.
        is_short: Whether the position is short.
    """
    if trading_mode is None or trading_mode == _SPOT:
        funding_fees = 0.0
    elif trading_mode != _FUTURES:
        return None
    try:
        if not (amount > _SMALLEST and rate > _SMALLEST and opened >= 0.0 and -_LARGEST_FEE < fee_close < _LARGEST_FEE):
            return None
        if is_short:
            value = amount * rate * (1.0 + fee_close)
            scaled = (opened - (value - funding_fees)) * _SCALE
        else:
            value = amount * rate * (1.0 - fee_close)
            scaled = (value + funding_fees - opened) * _SCALE
        whole = (scaled + TO_WHOLE) - TO_WHOLE
        doubt = _PROFIT_DOUBT * (value + abs(funding_fees) + opened)
        if type(scaled) is float and abs(scaled - whole) + doubt < 0.5:
            return whole / _SCALE
    except (TypeError, ValueError, ArithmeticError):
        pass  # Decimals and what is no number at all: the exact path knows what to do with them.
    return None
