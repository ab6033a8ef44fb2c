"""Totals in plain floats, to tell at once that a trade's are right: exact numbers take ten times as long.

A yes is certain: what is found lies within half of what is tolerated, and floats err by less than the other half while
amounts are below a million. A no means nothing: then the library's own math has to tell.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tradestore.enums import TradingMode
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade

__all__ = ["HELD_FIELDS", "quick_totals"]

HELD_FIELDS: Final = ("amount", "open_rate", "stake_amount", "open_trade_value", "fee_open_cost")
"""What a trade keeps of what it holds, and of the last that it held once it is closed."""

_MODES: Final = frozenset({None, TradingMode.SPOT, TradingMode.FUTURES})
_LARGEST_AMOUNT: Final = 1e6
_NOTHING: Final = 1e-9
"""Less than the smallest amount that is stored."""


def quick_totals(trade: LocalTrade, fills: Sequence[LocalOrder], entered: float) -> Mapping[str, float] | None:
    """Return the totals that a trade's fills tell, unrounded; None if they are not simple enough.

    Args:
        trade: In memory.
        fills: Those of its orders that count.
        entered: The amount of all entries together, in base currency.
    """
    if not fills or trade.trading_mode not in _MODES or not 0.0 < entered < _LARGEST_AMOUNT:
        return None
    leverage, fee_open, fee_close = trade.leverage or 1.0, trade.fee_open or 0.0, trade.fee_close or 0.0
    sign = -1.0 if trade.is_short else 1.0
    opening, closing = 1.0 + sign * fee_open, 1.0 - sign * fee_close
    entry_side, pays_funding = trade.entry_side, trade.trading_mode == TradingMode.FUTURES
    amount = cost = entry_cost = funding = waiting = realized = last = 0.0
    held = None
    for fill in fills:
        taken, price = (fill.filled or 0.0) - (fill.ft_fee_base or 0.0), fill.safe_price or 0.0
        waiting += fill.funding_fee or 0.0
        if taken <= 0.0 or price <= 0.0:
            return None
        if fill.ft_order_side == entry_side:
            amount, cost, entry_cost = amount + taken, cost + taken * price, entry_cost + taken * price
            continue
        if taken > amount + _NOTHING:
            return None
        held = amount, cost, entry_cost
        opened = taken * cost / amount
        last = sign * (taken * price * closing - opened * opening) + (waiting if pays_funding else 0.0)
        realized, funding, waiting = realized + last, funding + waiting, 0.0
        amount, cost = (amount - taken, cost - opened) if amount - taken > _NOTHING else (0.0, 0.0)
    if bool(amount) is not bool(trade.is_open):
        return None
    told = {
        "max_stake_amount": entry_cost / leverage,
        "funding_fees": funding + waiting + (trade.funding_fee_running or 0.0),
    }
    if held is not None:
        told["realized_profit"] = realized
        told["close_profit"] = realized / (held[2] * opening) * leverage
        told["close_profit_abs"] = last if amount else realized
        if not amount:
            # A closed trade keeps what the last exit found.
            amount, cost, entry_cost = held
    values = (amount, cost / amount, cost / leverage, cost * opening, entry_cost * fee_open)
    return told | dict(zip(HELD_FIELDS, values, strict=True))
