"""Synthetic candles of a few pairs: the same for the same seed, on every machine."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tradestore import TradingMode

__all__ = ["BEGIN", "CANDLE", "FUNDING_CANDLES", "PAIRS", "TIMEFRAME", "Candle", "Market", "Pair"]

TIMEFRAME: Final = "5m"
CANDLE: Final = timedelta(minutes=5)
BEGIN: Final = datetime(2025, 9, 1, tzinfo=UTC)
FUNDING_CANDLES: Final = 96
"""Funding is paid every eight hours."""

_SHOCK_CANDLES: Final = 250
_SHOCK: Final = 0.3


@dataclass(frozen=True, slots=True)
class Pair:
    """What is traded, and on which terms.

    Attributes:
        name: As CCXT writes it.
        start: The price around which the market swings, in stake currency.
        price_digits: Decimals of a price.
        lot_digits: Decimals of the amount of an entry.
        fee_rate: Ratio of each trade's value.
        fee_in: ``quote``, ``base`` (of what was bought), or the name of a third currency.
        leverage: 1.0 on spot.
    """

    name: str
    start: float
    price_digits: int
    lot_digits: int
    fee_rate: float = 0.001
    fee_in: str = "quote"
    leverage: float = 1.0

    @property
    def base(self) -> str:
        return self.name.partition("/")[0]

    @property
    def is_futures(self) -> bool:
        return ":" in self.name

    @property
    def mode(self) -> TradingMode:
        return TradingMode.FUTURES if self.is_futures else TradingMode.SPOT


PAIRS: Final = (
    Pair("BTC/USDT", 108_000.0, 1, 5),
    Pair("ETH/USDT", 4_400.0, 2, 4, fee_in="base"),
    Pair("LTC/USDT", 110.0, 2, 3, fee_in="BNB"),
    Pair("XRP/USDT", 2.8, 4, 1),
    Pair("BTC/USDT:USDT", 108_100.0, 1, 4, fee_rate=0.0005, leverage=3.0),
    Pair("ETH/USDT:USDT", 4_402.0, 2, 3, fee_rate=0.0005, leverage=5.0),
    Pair("SOL/USDT:USDT", 200.0, 3, 2, fee_rate=0.0005, leverage=5.0),
    Pair("DOGE/USDT:USDT", 0.21, 5, 0, fee_rate=0.0005, leverage=4.0),
)


@dataclass(frozen=True, slots=True)
class Candle:
    """Prices of five minutes, in stake currency."""

    open: float
    high: float
    low: float
    close: float


class Market:
    """Candles by pair and number; futures have a shock now and then.

    Attributes:
        pairs: By name.
        begin: Of candle 0 (UTC).
    """

    def __init__(self, seed: int = 1, begin: datetime = BEGIN, pairs: Sequence[Pair] = PAIRS) -> None:
        self.begin = begin
        self.pairs = {pair.name: pair for pair in pairs}
        self._chances = {pair.name: random.Random(f"{seed} {pair.name}") for pair in pairs}
        self._candles: dict[str, list[Candle]] = {pair.name: [] for pair in pairs}

    def time(self, number: int) -> datetime:
        """Return when a candle ends (UTC), which is when the bot sees it."""
        return self.begin + (number + 1) * CANDLE

    def candle(self, pair: str, number: int) -> Candle:
        candles = self._candles[pair]
        while len(candles) <= number:
            candles.append(self._next(self.pairs[pair], len(candles)))
        return candles[number]

    def average(self, pair: str, number: int, candles: int) -> float:
        """Return the mean close of the candles up to and with a number."""
        first = max(0, number + 1 - candles)
        closes = [self.candle(pair, each).close for each in range(first, number + 1)]
        return sum(closes) / len(closes)

    def _next(self, pair: Pair, number: int) -> Candle:
        chance, digits = self._chances[pair.name], pair.price_digits
        before = self._candles[pair.name][-1].close if number else pair.start
        begin = before * (1 + self._shock(pair, number))
        pull = 0.01 * (pair.start / begin - 1)
        end = begin * (1 + pull + 0.016 * (chance.random() - 0.5))
        high = max(begin, end) * (1 + 0.003 * chance.random())
        low = min(begin, end) * (1 - 0.003 * chance.random())
        return Candle(*(round(price, digits) for price in (begin, high, low, end)))

    def _shock(self, pair: Pair, number: int) -> float:
        place = list(self.pairs).index(pair.name)
        count, rest = divmod(number + 29 * place, _SHOCK_CANDLES)
        if not pair.is_futures or rest or not count:
            return 0.0
        return _SHOCK if count % 2 else -_SHOCK
