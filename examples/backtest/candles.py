"""Candles and funding rates that are made up: always the same ones for the same seed, on every machine."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

TIMEFRAME: Final = "1h"
CANDLE: Final = timedelta(hours=1)
BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
FUNDING_HOURS: Final = 8
STAKE_CURRENCY: Final = "USDT"

_STEPS: Final = 4
"""Moves within a candle, which give it a high and a low."""


class Candle(NamedTuple):
    """What a price did within an hour.

    Attributes:
        date: When the hour begins (UTC).
        open: First price, in stake currency; so are the highest, the lowest and the last one.
        volume: In base currency.
    """

    date: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class Market(NamedTuple):
    """What is traded, and how finely.

    Attributes:
        base: The traded currency.
        price: At which its story begins, in stake currency.
        price_decimals: Of its prices.
        amount_decimals: Of its amounts.
    """

    base: str
    price: float
    price_decimals: int
    amount_decimals: int

    def pair(self, *, is_future: bool) -> str:
        """Return the name of the pair, as exchanges write it."""
        spot = f"{self.base}/{STAKE_CURRENCY}"
        return f"{spot}:{STAKE_CURRENCY}" if is_future else spot


MARKETS: Final = (
    Market("BTC", 95000.0, 1, 5),
    Market("ETH", 3300.0, 2, 4),
    Market("BNB", 680.0, 2, 3),
    Market("SOL", 190.0, 2, 2),
    Market("XRP", 2.2, 4, 1),
    Market("DOGE", 0.32, 5, 0),
    Market("ADA", 0.88, 4, 1),
    Market("TRX", 0.255, 4, 0),
    Market("AVAX", 36.0, 3, 2),
    Market("LINK", 20.0, 3, 2),
    Market("SUI", 4.1, 4, 1),
    Market("XLM", 0.33, 5, 0),
    Market("TON", 5.5, 3, 2),
    Market("HBAR", 0.27, 5, 0),
    Market("DOT", 6.7, 3, 2),
    Market("LTC", 103.0, 2, 3),
    Market("BCH", 435.0, 1, 3),
    Market("UNI", 13.0, 3, 2),
    Market("ATOM", 6.2, 3, 2),
    Market("ETC", 25.0, 3, 2),
)


@dataclass(frozen=True)
class History:
    """What one market went through.

    Attributes:
        market: Which one.
        candles: One for each hour, without gaps.
        funding: The rate of each moment at which futures are charged: a ratio of the position, which longs pay to
            shorts where it is positive.
    """

    market: Market
    candles: Sequence[Candle]
    funding: Mapping[datetime, float]


def make_histories(pairs: int, candles: int, seed: int) -> list[History]:
    """Return the stories of the first markets.

    Args:
        pairs: How many markets, up to 20.
        candles: How many hours.
        seed: Another number tells other stories.
    """
    return [make_history(market, candles, seed) for market in MARKETS[:pairs]]


def make_history(market: Market, candles: int, seed: int) -> History:
    """Return a random walk with calm and wild days, trends, and now and then a gap."""
    # Only sums and products of plain random numbers: other functions may differ in the last digit elsewhere.
    chance = random.Random(f"{seed} {market.base}")
    price, drift, unrest = market.price, 0.0, 0.004
    made: list[Candle] = []
    for number in range(candles):
        if number % 12 == 0:
            drift, unrest = chance.uniform(-0.0012, 0.0012), chance.uniform(0.002, 0.008)
        if chance.random() < 0.01:
            price *= 1.0 + chance.choice((-1, 1)) * chance.uniform(0.04, 0.13)
        path = [price]
        for _ in range(_STEPS):
            price *= 1.0 + drift + unrest * (chance.random() + chance.random() - 1.0) * 1.5
            path.append(price)
        rounded = [round(step, market.price_decimals) for step in path]
        made.append(
            Candle(
                date=BEGIN + number * CANDLE,
                open=rounded[0],
                high=max(rounded),
                low=min(rounded),
                close=rounded[-1],
                volume=round(chance.uniform(1e5, 1e6) / market.price, market.amount_decimals),
            )
        )
    # A chance of its own: more candles must not change what the first ones saw.
    chance = random.Random(f"{seed} {market.base} funding")
    funding = {
        candle.date: round(chance.uniform(-0.0003, 0.0006), 6)
        for candle in made
        if candle.date.hour % FUNDING_HOURS == 0
    }
    return History(market, made, funding)
