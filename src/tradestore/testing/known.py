"""Trades with known numbers: each comes with the figures that follow from its orders.

The figures are worked out here from the formulas, in fractions that never round; nothing of the library takes part.
Ten units at 20 are the pattern, so that they can be checked in the head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any, Final

from tradestore.local_trade import LocalTrade
from tradestore.testing.builders import (
    CLOSED,
    OPENED,
    make_local_order,
    make_local_trade,
    make_order,
    make_trade,
)
from tradestore.trade_model import Trade

__all__ = [
    "KNOWN_TRADES",
    "Figures",
    "KnownTrade",
    "make_known_dca",
    "make_known_futures_short",
    "make_known_margin_long",
    "make_known_spot_long",
]

_FEE: Final = Fraction(1, 1000)
_FUTURES_FEE: Final = Fraction(5, 10_000)
_DECIMALS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a trade must show, as the floats nearest to the exact numbers; profits and ratios with 8 decimals.

    Attributes:
        amount: Held now, or by the exit that closed the trade; base currency.
        open_rate: Average of the entries.
        stake_amount: Own money in what is held, without fees; stake currency.
        max_stake_amount: Own money of all entries, without fees.
        open_trade_value: Of what is held, with the opening fee (added for a long, taken off for a short).
        realized_profit: Of all exits.
        close_profit_abs: Of the trade once it is closed, else of its last exit.
        close_profit: The profit as a ratio of the value of all entries, with leverage (0.01 is 1 %).
        funding_fees: Received; negative if paid.
    """

    amount: float
    open_rate: float
    stake_amount: float
    max_stake_amount: float
    open_trade_value: float
    realized_profit: float
    close_profit_abs: float
    close_profit: float
    funding_fees: float = 0.0


@dataclass(frozen=True)
class KnownTrade:
    """A trade and what it must show.

    Attributes:
        name: In a few words.
        trade: With its orders: a mapped trade that is in no session yet, or one in memory.
        figures: What follows from the orders.
    """

    name: str
    trade: LocalTrade
    figures: Figures


def make_known_spot_long(*, local: bool = False) -> KnownTrade:
    """Return a closed trade: 10 bought at 20, sold at 22, with a fee of 0.1 % on each side.

    Args:
        local: Whether it is a plain trade in memory, not a mapped one.
    """
    opened = 10 * 20 * (1 + _FEE)  # 200.2
    closed = 10 * 22 * (1 - _FEE)  # 219.78
    profit = closed - opened  # 19.58
    trade = _trade(local, _fees(_FEE))
    _fill(trade, trade.entry_side, 10.0, 20.0, hours=0)
    _fill(trade, trade.exit_side, 10.0, 22.0, hours=5)
    return KnownTrade(
        "spot long",
        _closed(trade, 22.0),
        Figures(
            amount=10.0,
            open_rate=20.0,
            stake_amount=200.0,
            max_stake_amount=200.0,
            open_trade_value=float(opened),
            realized_profit=_rounded(profit),
            close_profit_abs=_rounded(profit),
            close_profit=_rounded(profit / opened),
        ),
    )


def make_known_dca(*, local: bool = False) -> KnownTrade:
    """Return an open trade: 10 bought at 20, 10 more at 18, then 5 sold at 21, with a fee of 0.1 %.

    Args:
        local: Whether it is a plain trade in memory, not a mapped one.
    """
    average = Fraction(10 * 20 + 10 * 18, 20)  # 19
    profit = 5 * 21 * (1 - _FEE) - 5 * average * (1 + _FEE)  # 104.895 - 95.095 = 9.8
    entries = 20 * average * (1 + _FEE)  # 380.38
    trade = _trade(local, _fees(_FEE))
    _fill(trade, trade.entry_side, 10.0, 20.0, hours=0)
    _fill(trade, trade.entry_side, 10.0, 18.0, hours=1)
    _fill(trade, trade.exit_side, 5.0, 21.0, hours=2)
    trade.recalc_trade_from_orders()
    return KnownTrade(
        "further entry and partial exit",
        trade,
        Figures(
            amount=15.0,
            open_rate=float(average),
            stake_amount=float(15 * average),  # 285
            max_stake_amount=float(20 * average),  # 380
            open_trade_value=float(15 * average * (1 + _FEE)),  # 285.285
            realized_profit=_rounded(profit),
            close_profit_abs=_rounded(profit),
            close_profit=_rounded(profit / entries),
        ),
    )


def make_known_futures_short(*, local: bool = False) -> KnownTrade:
    """Return a closed trade: 10 sold short at 20, bought back at 18, leverage 4, fee 0.05 %, 0.25 funding received.

    Args:
        local: Whether it is a plain trade in memory, not a mapped one.
    """
    funding = Fraction(1, 4)
    opened = 10 * 20 * (1 - _FUTURES_FEE)  # 199.9
    closed = 10 * 18 * (1 + _FUTURES_FEE) - funding  # 180.09 - 0.25 = 179.84
    profit = opened - closed  # 20.06
    market = {"pair": "ADA/USDT:USDT", "trading_mode": "futures", "is_short": True, "leverage": 4.0}
    trade = _trade(local, market | {"stake_amount": 50.0} | _fees(_FUTURES_FEE))
    _fill(trade, trade.entry_side, 10.0, 20.0, hours=0)
    _fill(trade, trade.exit_side, 10.0, 18.0, hours=5, funding_fee=float(funding))
    return KnownTrade(
        "futures short with funding",
        _closed(trade, 18.0),
        Figures(
            amount=10.0,
            open_rate=20.0,
            stake_amount=50.0,  # 200 / 4
            max_stake_amount=50.0,
            open_trade_value=float(opened),
            realized_profit=_rounded(profit),
            close_profit_abs=_rounded(profit),
            close_profit=_rounded(profit / opened * 4),
            funding_fees=float(funding),
        ),
    )


def make_known_margin_long(*, local: bool = False) -> KnownTrade:
    """Return a closed trade: 10 bought at 20 with leverage 5, sold at 22, fee 0.1 %; the loan costs 0.05 % a day.

    Binance charges by the begun hour, and there are five.

    Args:
        local: Whether it is a plain trade in memory, not a mapped one.
    """
    borrowed = Fraction(10 * 20 * (5 - 1), 5)  # 160
    interest = borrowed * Fraction(5, 10_000) * 5 / 24  # 1/60
    opened = 10 * 20 * (1 + _FEE)  # 200.2
    closed = 10 * 22 * (1 - _FEE) - interest  # 219.78 - 0.01666...
    profit = closed - opened  # 19.56333...
    loan = {"trading_mode": "margin", "leverage": 5.0, "interest_rate": 0.0005, "stake_amount": 40.0}
    trade = _trade(local, loan | _fees(_FEE))
    _fill(trade, trade.entry_side, 10.0, 20.0, hours=0)
    _fill(trade, trade.exit_side, 10.0, 22.0, hours=5)
    return KnownTrade(
        "margin long",
        _closed(trade, 22.0),
        Figures(
            amount=10.0,
            open_rate=20.0,
            stake_amount=40.0,  # 200 / 5
            max_stake_amount=40.0,
            open_trade_value=float(opened),
            realized_profit=_rounded(profit),
            close_profit_abs=_rounded(profit),
            close_profit=_rounded(profit / opened * 5),
        ),
    )


KNOWN_TRADES: Final[Sequence[Callable[..., KnownTrade]]] = (
    make_known_spot_long,
    make_known_dca,
    make_known_futures_short,
    make_known_margin_long,
)
"""All of them, for a test with `parametrize`."""


def _fees(fee: Fraction) -> dict[str, Any]:
    return {"fee_open": float(fee), "fee_close": float(fee)}


def _rounded(number: Fraction) -> float:
    return float(round(number, _DECIMALS))


def _trade(local: bool, fields: dict[str, Any]) -> LocalTrade:
    return make_local_trade(**fields) if local else make_trade(**fields)


def _fill(trade: LocalTrade, side: str, amount: float, price: float, *, hours: int, funding_fee: float = 0.0) -> None:
    moment = OPENED + timedelta(hours=hours)
    make = make_order if isinstance(trade, Trade) else make_local_order
    order = make(
        ft_pair=trade.pair,
        symbol=trade.pair,
        ft_order_side=side,
        amount=amount,
        price=price,
        funding_fee=funding_fee,
        order_date=moment,
        order_filled_date=moment,
    )
    trade.orders.append(order)
    order.belong_to(trade)


def _closed(trade: LocalTrade, rate: float) -> LocalTrade:
    trade.recalc_trade_from_orders()
    trade.exit_reason = "exit_signal"
    trade.close_date = CLOSED
    trade.close(rate, show_msg=False)
    return trade
