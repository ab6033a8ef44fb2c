"""Books of trades for reports, and their figures once more by other means: plain Python over a list."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from tradestore import Trade
from tradestore.testing.builders import OPENED, make_order, make_trade

__all__ = ["Deal", "book_of", "random_book", "store_book"]


@dataclass(frozen=True)
class Deal:
    """A closed trade in a few words: one unit bought at 100 and sold with a profit.

    Attributes:
        hours: After which it was closed, counted from the beginning.
        profit: In hundredths of the stake currency.
        ratio: In thousandths.
    """

    hours: float
    profit: int
    ratio: int
    pair: str = "ADA/USDT"
    tag: str | None = "dip"
    reason: str | None = "roi"
    funding: float = 0.0

    @property
    def closed(self) -> datetime:
        return OPENED + timedelta(hours=self.hours)


def book_of(deals: Sequence[Deal]) -> list[Trade]:
    """Return a trade for each of the deals, open for an hour, with fees of 0.1 % on 100 in and on 110 out."""
    return [_trade(deal) for deal in deals]


def _trade(deal: Deal, **fields: Any) -> Trade:
    trade = make_trade(
        **{
            "pair": deal.pair,
            "amount": 1.0,
            "open_rate": 100.0,
            "stake_amount": 100.0,
            "is_open": False,
            "open_date": deal.closed - timedelta(hours=1),
            "close_date": deal.closed,
            "close_rate": 110.0,
            "close_profit_abs": deal.profit / 100,
            "realized_profit": deal.profit / 100,
            "close_profit": deal.ratio / 1000,
            "enter_tag": deal.tag,
            "exit_reason": deal.reason,
            "fee_open": 0.001,
            "fee_close": 0.001,
            "funding_fees": deal.funding,
        }
        | fields
    )
    for side, price in (("buy", 100.0), ("sell", 110.0)):
        trade.orders.append(make_order(ft_pair=deal.pair, ft_order_side=side, amount=1.0, price=price))
    return trade


def store_book(trades: Sequence[Trade]) -> None:
    """Store trades, and let go of them."""
    Trade.bulk_add(trades)


def random_book(count: int, seed: int = 1) -> list[Deal]:
    """Return deals of any profits, some of them closed at the same moment."""
    chance, hours, deals = random.Random(seed), 0.0, []
    for _ in range(count):
        hours += chance.choice([0.0, 1.25, 7.5, 40.0])
        profit = chance.randint(-900, 1000)
        deals.append(
            Deal(
                hours,
                profit,
                profit // 10,
                chance.choice(["ADA/USDT", "BTC/USDT", "ETH/USDT"]),
                chance.choice(["dip", "trend", None]),
                chance.choice(["roi", "stop_loss"]),
                chance.choice([0.0, 0.125, -0.25]),
            )
        )
    return deals


def deepest_fall(deals: Sequence[Deal]) -> tuple[Fraction, datetime | None, datetime | None]:
    """Return the deepest fall, the moment of the top before, and its own: by looking at all pairs of moments."""
    levels = [Fraction(0)]
    for deal in deals:
        levels.append(levels[-1] + Fraction(deal.profit, 100))
    dates = [None, *(deal.closed for deal in deals)]
    falls = [
        (levels[i] - levels[j], -j, -i)
        for j in range(len(levels))
        for i in range(j + 1)
        if levels[i] >= max(levels[: j + 1])
    ]
    deepest, end, top = max(falls)
    return deepest, dates[-top], dates[-end]
