"""What happens to the trades of a backtest: made up by chance, and the same for both sides.

No two candles have the same rates, so that a side which remembers what it has computed gains what it would gain in a
real backtest, and no more.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tradestore.accounting.precision import TICK_SIZE

__all__ = [
    "PAIRS",
    "START",
    "STOP_LOSS",
    "Candle",
    "Kind",
    "Story",
    "close_to",
    "new_trade",
    "place_order",
    "stories",
    "trade_with_entries",
]

START = datetime(2026, 1, 1, tzinfo=UTC)
PAIRS = tuple(f"{base}/USDT" for base in ("ADA", "BTC", "DOGE", "DOT", "ETH", "LINK", "LTC", "SOL", "XLM", "XRP"))

STOP_LOSS = -0.1
CANDLES = 10
AMOUNT_STEP = 0.001


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the trades of a backtest have in common.

    Attributes:
        is_short: Whether they sell first.
        trading_mode: Such as `spot`.
        leverage: 1.0 where there is none.
        entries: How many entries each of them has.
        knows_precision: Whether the exchange told the steps of prices and amounts.
    """

    is_short: bool = False
    trading_mode: str = "spot"
    leverage: float = 1.0
    entries: int = 1
    knows_precision: bool = True


@dataclass(frozen=True, slots=True)
class Candle:
    """Rates in stake currency, and the funding fee since the candle before."""

    high: float
    low: float
    close: float
    funding_fee: float


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to one trade.

    Attributes:
        number: From 1.
        kind: What it has in common with the others.
        pair: Such as `ETH/USDT`.
        opened: When.
        tick: Step of its prices, in stake currency.
        amounts: Of each entry, in base currency; all entries after the first come with a candle each.
        open_rate: Of the first entry; later ones are filled at their candle's close.
        candles: What it lives through.
        close_rate: At which it is left.
    """

    number: int
    kind: Kind
    pair: str
    opened: datetime
    tick: float
    amounts: Sequence[float]
    open_rate: float
    candles: Sequence[Candle]
    close_rate: float


def stories(chance: random.Random, kind: Kind, count: int) -> list[Story]:
    """Make up what happens to a number of trades."""
    return [_story(chance, kind, number) for number in range(1, count + 1)]


def _story(chance: random.Random, kind: Kind, number: int) -> Story:
    decimals = chance.choice((2, 3, 4))
    rate = chance.uniform(20.0, 900.0)
    candles = []
    for _ in range(CANDLES):
        close = rate * chance.uniform(0.98, 1.03)
        candles.append(
            Candle(
                high=round(max(rate, close) * chance.uniform(1.0, 1.01), decimals),
                low=round(min(rate, close) * chance.uniform(0.99, 1.0), decimals),
                close=round(close, decimals),
                funding_fee=round(chance.uniform(-0.5, 0.5), 8),
            )
        )
    return Story(
        number=number,
        kind=kind,
        pair=chance.choice(PAIRS),
        opened=START + timedelta(minutes=5 * number),
        tick=10.0**-decimals,
        amounts=[round(chance.uniform(0.5, 20.0), 3) for _ in range(kind.entries)],
        open_rate=round(rate, decimals),
        candles=candles,
        close_rate=round(rate * chance.uniform(0.95, 1.08), decimals),
    )


def new_trade(story: Story, trade_class: Any) -> Any:
    """Make the trade as a backtest does: with all that is known before its first order is filled."""
    kind, amount = story.kind, story.amounts[0]
    return trade_class(
        id=story.number,
        pair=story.pair,
        exchange="binance",
        open_rate=story.open_rate,
        open_rate_requested=story.open_rate,
        open_date=story.opened,
        stake_amount=amount * story.open_rate / kind.leverage,
        amount=amount,
        amount_requested=amount,
        fee_open=0.001,
        fee_close=0.001,
        enter_tag="dip",
        trading_mode=kind.trading_mode,
        is_short=kind.is_short,
        leverage=kind.leverage,
        amount_precision=AMOUNT_STEP if kind.knows_precision else None,
        price_precision=story.tick if kind.knows_precision else None,
        precision_mode=TICK_SIZE if kind.knows_precision else None,
        orders=[],
    )


def place_order(trade: Any, order_class: Any, moment: datetime, amount: float, rate: float, *, is_entry: bool) -> Any:
    """Give a trade one more order, which waits."""
    side = "buy" if is_entry != trade.is_short else "sell"
    number = len(trade.orders) + 1
    order = order_class(
        id=number,
        ft_trade_id=trade.id,
        order_date=moment,
        ft_is_open=True,
        ft_pair=trade.pair,
        order_id=f"{trade.id}-{number}",
        symbol=trade.pair,
        ft_order_side=side,
        side=side,
        order_type="limit",
        status="open",
        price=rate,
        average=rate,
        amount=amount,
        filled=0.0,
        remaining=amount,
        cost=amount * rate,
        ft_order_tag="dip" if is_entry else "roi",
    )
    order._trade_bt = trade
    trade.orders.append(order)
    return order


def trade_with_entries(
    chance: random.Random, kind: Kind, count: int, trade_class: Any, order_class: Any, *, number: int = 1
) -> Any:
    """Return an open trade with many filled entries, computed once from all of them."""
    story = _story(chance, kind, number)
    trade = new_trade(story, trade_class)
    for minute in range(count):
        moment = story.opened + timedelta(minutes=minute)
        amount = round(chance.uniform(0.5, 20.0), 3)
        order = place_order(trade, order_class, moment, amount, round(chance.uniform(20.0, 900.0), 2), is_entry=True)
        order.filled, order.remaining = amount, 0.0
        order.status, order.ft_is_open = "closed", False
        order.order_filled_date, order.funding_fee = moment, 0.0
    trade.recalc_trade_from_orders()
    trade.adjust_stop_loss(trade.open_rate, STOP_LOSS, initial=True)
    return trade


def close_to(ours: float, floor: float) -> bool:
    """Tell whether exact arithmetic and floats came to the same number."""
    return math.isclose(ours, floor, rel_tol=1e-9, abs_tol=3e-8)
