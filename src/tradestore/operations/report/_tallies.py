"""Counting closed trades one by one: sums that never round, and curves that keep their peaks at a fixed size."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from tradestore._performance import NO_TAG
from tradestore.accounting._decimal import ZERO, add, divide, exact, multiply, subtract
from tradestore.operations.report.figures import ClosedTrade, Drawdown, EquityPoint, GroupFigures, ProfitBin

__all__ = ["Curve", "Groups", "Histogram", "Tally"]

_STRETCHES: Final = 1500
"""Of how many stretches of time a curve keeps four points each: more than a screen has columns."""

_LAST_SHOWN: Final = 50

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_FINEST: Final = Decimal(1000)
"""Ratios are counted in thousandths."""
_WIDEST: Final = 1000
"""Ratios beyond a hundred percent, in thousandths, are counted at their edge."""
_MOST_BINS: Final = 40
_BIN_WIDTHS: Final = (1, 2, 5, 10, 20, 50, 100)


class _Sums:
    """What the trades of one group add up to."""

    __slots__ = ("count", "losses", "profit", "ratios", "wins")

    def __init__(self) -> None:
        self.profit = self.ratios = ZERO
        self.count = self.wins = self.losses = 0


class Groups:
    """Sums of trades by what they have in common."""

    def __init__(self, key: Callable[[ClosedTrade], str]) -> None:
        self._key = key
        self._sums: dict[str, _Sums] = {}

    def add(self, trade: ClosedTrade, profit: Decimal, ratio: Decimal) -> None:
        """Count a trade."""
        key = self._key(trade)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = _Sums()
        sums.profit = add(sums.profit, profit)
        sums.ratios = add(sums.ratios, ratio)
        sums.count += 1
        if trade.profit_abs > 0:
            sums.wins += 1
        elif trade.profit_abs < 0:
            sums.losses += 1

    def in_order(self, keys: Iterable[str] | None = None) -> tuple[GroupFigures, ...]:
        """Return the groups by their names, or those of the given names in that order."""
        return tuple(self._figures(key) for key in (sorted(self._sums) if keys is None else keys) if key in self._sums)

    def best_first(self) -> tuple[GroupFigures, ...]:
        """Return the groups, the best profit first."""
        return tuple(self._figures(key) for key in sorted(self._sums, key=lambda key: (-self._sums[key].profit, key)))

    def _figures(self, key: str) -> GroupFigures:
        sums = self._sums[key]
        return GroupFigures(
            group=key,
            count=sums.count,
            wins=sums.wins,
            losses=sums.losses,
            profit_abs=float(sums.profit),
            profit_ratio=float(divide(sums.ratios, Decimal(sums.count))),
        )


class Curve:
    """The closed profit over time, and how far it fell."""

    def __init__(self, first: datetime, last: datetime, capital: float | None) -> None:
        self._first = first
        self._stretch = max((last - first) / _STRETCHES, timedelta(microseconds=1))
        self._capital = exact(capital or 0.0)
        self._profit = self._top = self._deepest = self._top_of_deepest = ZERO
        self._top_date: datetime | None = None
        self._deepest_dates: tuple[datetime | None, datetime | None] = (None, None)
        self._kept: list[EquityPoint] = []
        self._number = -1
        self._open: dict[str, tuple[int, EquityPoint]] = {}
        self._count = 0

    def add(self, at: datetime, profit: Decimal) -> None:
        """Go on by a trade that was closed then."""
        self._profit = add(self._profit, profit)
        if self._profit > self._top:
            self._top, self._top_date = self._profit, at
        fall = subtract(self._top, self._profit)
        if fall > self._deepest:
            self._deepest, self._top_of_deepest, self._deepest_dates = fall, self._top, (self._top_date, at)
        self._keep(EquityPoint(at, float(self._profit), float(fall)))

    def _keep(self, point: EquityPoint) -> None:
        number = (point.at - self._first) // self._stretch
        if number != self._number:
            self._flush()
            self._number = number
        self._count += 1
        entry = (self._count, point)
        kept = self._open
        kept.setdefault("first", entry)
        kept["last"] = entry
        if "low" not in kept or point.profit_abs < kept["low"][1].profit_abs:
            kept["low"] = entry
        if "high" not in kept or point.profit_abs > kept["high"][1].profit_abs:
            kept["high"] = entry
        if "deep" not in kept or point.drawdown_abs > kept["deep"][1].drawdown_abs:
            kept["deep"] = entry

    def _flush(self) -> None:
        self._kept += [point for _, point in sorted(set(self._open.values()), key=lambda entry: entry[0])]
        self._open = {}

    def points(self) -> tuple[EquityPoint, ...]:
        """Return the curve; what was left out lies between the points that were kept."""
        self._flush()
        return tuple(self._kept)

    def drawdown(self) -> Drawdown:
        """Return the deepest fall."""
        base = add(self._capital, self._top_of_deepest)
        return Drawdown(
            profit_abs=float(self._deepest),
            ratio=float(divide(self._deepest, base)) if base > ZERO and self._deepest else None,
            from_date=self._deepest_dates[0],
            to_date=self._deepest_dates[1],
        )


class Histogram:
    """How often which profit ratio came about."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, ratio: Decimal) -> None:
        """Count a trade."""
        thousandths = math.floor(multiply(ratio, _FINEST))
        self._counts[min(max(thousandths, -_WIDEST), _WIDEST)] += 1

    def bins(self) -> tuple[ProfitBin, ...]:
        """Return at most forty ranges of one width, without gaps; the width suits the middle 98 % of trades."""
        if not self._counts:
            return ()
        low, high = self._quantile(0.01), self._quantile(0.99)
        width = next((each for each in _BIN_WIDTHS if (high - low) // each < _MOST_BINS - 1), _BIN_WIDTHS[-1])
        first, last = low // width, high // width
        counts: Counter[int] = Counter()
        for thousandths, count in self._counts.items():
            counts[min(max(thousandths // width, first), last)] += count
        return tuple(
            ProfitBin(float(number * width / _FINEST), float((number + 1) * width / _FINEST), counts[number])
            for number in range(first, last + 1)
        )

    def _quantile(self, share: float) -> int:
        wanted, seen = share * self._counts.total(), 0
        for thousandths in sorted(self._counts):
            seen += self._counts[thousandths]
            if seen >= wanted:
                break
        return thousandths


class Tally:
    """All that is counted of closed trades, in the order of their closing."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.histogram = Histogram()
        self.pairs = Groups(lambda trade: trade.pair)
        self.enter_tags = Groups(lambda trade: trade.enter_tag or NO_TAG)
        self.exit_reasons = Groups(lambda trade: trade.exit_reason or NO_TAG)
        self.months = Groups(lambda trade: f"{trade.close_date.year:04}-{trade.close_date.month:02}")
        self.weekdays = Groups(lambda trade: _WEEKDAYS[trade.close_date.weekday()])
        self.hours = Groups(lambda trade: f"{trade.close_date.hour:02}")
        self.wins = self.losses = self.draws = 0
        self.gained = self.lost = self.ratios = self.funding_fees = ZERO
        self.open_for = timedelta()
        self.best: ClosedTrade | None = None
        self.worst: ClosedTrade | None = None
        self.last: deque[ClosedTrade] = deque(maxlen=_LAST_SHOWN)

    @property
    def count(self) -> int:
        """How many trades there were."""
        return self.wins + self.losses + self.draws

    @property
    def profit(self) -> Decimal:
        """Of all trades."""
        return subtract(self.gained, self.lost)

    def add(self, trade: ClosedTrade, funding_fees: float) -> None:
        """Count a trade."""
        profit, ratio = exact(trade.profit_abs), exact(trade.profit_ratio)
        for groups in (self.pairs, self.enter_tags, self.exit_reasons, self.months, self.weekdays, self.hours):
            groups.add(trade, profit, ratio)
        self.curve.add(trade.close_date, profit)
        self.histogram.add(ratio)
        if profit > ZERO:
            self.wins, self.gained = self.wins + 1, add(self.gained, profit)
        elif profit < ZERO:
            self.losses, self.lost = self.losses + 1, subtract(self.lost, profit)
        else:
            self.draws += 1
        self.ratios = add(self.ratios, ratio)
        if funding_fees:
            self.funding_fees = add(self.funding_fees, exact(funding_fees))
        self.open_for += trade.close_date - trade.open_date
        if self.best is None or trade.profit_abs > self.best.profit_abs:
            self.best = trade
        if self.worst is None or trade.profit_abs < self.worst.profit_abs:
            self.worst = trade
        self.last.append(trade)

    def per_trade(self, total: Decimal) -> float | None:
        """Return the mean of a total, None without trades."""
        return float(divide(total, Decimal(self.count))) if self.count else None

    def weekdays_in_order(self) -> tuple[GroupFigures, ...]:
        """Return the groups from Monday to Sunday."""
        return self.weekdays.in_order(_WEEKDAYS)

    def share_of_wins(self) -> float | None:
        """Return the wins as a ratio of all, None without trades."""
        return float(divide(Decimal(self.wins), Decimal(self.count))) if self.count else None

    def profit_factor(self) -> float | None:
        """Return all profits over all losses, None without a loss."""
        return float(divide(self.gained, self.lost)) if self.lost else None
