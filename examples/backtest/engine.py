"""The loop over the candles.

A strategy sees candles that are over, and what it wants is done at the open of the next one: nothing is known before
its time. Within a candle, for each moment the worse is taken to come first:

1.  At the open: funding, in the hours that have it. Then trades that the gap to the open has carried beyond their
    liquidation price or stop are over. Of the others, those with an exit signal are left, and those whose position the
    strategy wants to change are changed. Then new trades are entered.
2.  Within the candle, each trade by itself: liquidation or stop loss, whichever the price meets first; and only if it
    met neither, the profit with which the strategy is content.
3.  At the close: the best and worst rates are noted, and stops begin to trail the best one; both hold from the next
    candle on.

Fills are at the open, at the stop, or at the rate of that profit. Beyond a gap, a stop is filled at the open, which is
worse, and a profit too, which is better. A liquidation takes place at its own price: what is missing then is the
exchange's loss.

All prices of a pair are complete candles, and every order is filled completely. At the end, what is open is closed.
"""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.backtest.books import Book, MemoryBook
from examples.backtest.broker import Broker
from examples.backtest.candles import CANDLE, TIMEFRAME, Candle, History, make_histories
from examples.backtest.protections import lock_after_exit
from examples.backtest.settings import Settings
from examples.backtest.strategy import Advice, Entry, Strategy, gain_of
from tradestore import ExitType, LocalPairLock, LocalTrade, TradingMode


@dataclass(frozen=True)
class Result:
    """What came of a backtest; it can be pickled if its trades are plain ones.

    Attributes:
        settings: What it was told.
        trades: All of them, closed, by id.
        locks: In the order in which they were made.
        refusals: How often an entry was refused, by why.
    """

    settings: Settings
    trades: list[LocalTrade]
    locks: list[LocalPairLock]
    refusals: Counter[str] = field(default_factory=Counter)


def run_backtest(settings: Settings, book: Book | None = None) -> Result:
    """Trade through all candles.

    Args:
        settings: All that the result depends on.
        book: Where to keep the trades: in memory if none is given.
    """
    book = MemoryBook(TIMEFRAME) if book is None else book
    return Engine(settings, book, make_histories(settings.pairs, settings.candles, settings.seed)).run()


@dataclass(frozen=True)
class _Pair:
    """A pair with all that is known of it."""

    name: str
    history: History
    advice: Sequence[Advice]

    @property
    def candles(self) -> Sequence[Candle]:
        return self.history.candles


class Engine:
    """One backtest."""

    def __init__(self, settings: Settings, book: Book, histories: Sequence[History]) -> None:
        """Prepare it.

        Args:
            settings: All that the result depends on but the candles.
            book: Where to keep the trades.
            histories: One for each pair, all with candles of the same hours.
        """
        self._settings = settings
        self._book = book
        self._strategy = Strategy(can_short=settings.mode != TradingMode.SPOT, most_leverage=settings.most_leverage)
        self._broker = Broker(settings, book, self._strategy.name)
        self._pairs = [
            _Pair(
                name=history.market.pair(is_future=settings.is_futures),
                history=history,
                advice=self._strategy.advise(history.candles),
            )
            for history in histories
        ]
        self._open: dict[str, LocalTrade] = {}
        self._refusals: Counter[str] = Counter()

    def run(self) -> Result:
        """Trade through all candles, and close what is open at the end."""
        last = self._settings.candles - 1
        for number in range(1, last + 1):
            with self._book.candle():
                # Asked anew each time: the book, not the engine, is what trades live in.
                self._open = {trade.pair: trade for trade in self._book.trade_class.get_open_trades()}
                self._trade_through(number)
                if number == last:
                    self._leave_all(number)
        return Result(self._settings, self._book.trades(), self._book.all_locks(), self._refusals)

    def _trade_through(self, number: int) -> None:
        for pair in self._pairs:
            if trade := self._open.get(pair.name):
                self._begin_candle(pair, trade, number)
        for pair in self._pairs:
            if (entry := pair.advice[number - 1].enter) and pair.name not in self._open:
                self._enter(pair, entry, pair.candles[number])
        for pair in self._pairs:
            if trade := self._open.get(pair.name):
                self._live_through(trade, pair.candles[number])

    def _begin_candle(self, pair: _Pair, trade: LocalTrade, number: int) -> None:
        """Do what happens to an open trade at the open."""
        candle, before = pair.candles[number], pair.candles[number - 1]
        if self._settings.is_futures and (rate := pair.history.funding.get(candle.date)) is not None:
            self._broker.charge_funding(trade, rate, candle.open)
        if self._stopped(trade, candle, worst=candle.open):
            return
        if pair.advice[number - 1].leaves(trade):
            self._leave(trade, candle.open, candle, ExitType.EXIT_SIGNAL)
            return
        # A copy: what a strategy does to it is its own affair.
        change = self._strategy.adjust_position(copy.deepcopy(trade), before)
        if change > 0.0:
            if self._free_balance() < change:
                self._refusals["further entry: no balance"] += 1
            else:
                self._broker.add(trade, change, candle.open, candle.date)
        elif change < 0.0:
            self._broker.reduce(trade, -change, candle.open, candle.date)

    def _enter(self, pair: _Pair, entry: Entry, candle: Candle) -> None:
        """Enter a pair at the open, unless something speaks against it."""
        side = "short" if entry.is_short else "long"
        stake = self._settings.stake * entry.stake_share
        # What costs least is asked first.
        if len(self._open) >= self._settings.max_open_trades:
            self._refusals["too many open trades"] += 1
        elif self._book.locks.is_pair_locked(pair.name, candle.date, side):
            self._refusals["locked"] += 1
        elif self._free_balance() < stake:
            self._refusals["no balance"] += 1
        elif trade := self._broker.enter(pair.history.market, entry, stake, candle.open, candle.date):
            self._open[pair.name] = trade

    def _live_through(self, trade: LocalTrade, candle: Candle) -> None:
        """Do what happens to an open trade within the candle and at its close."""
        worst, best = (candle.high, candle.low) if trade.is_short else (candle.low, candle.high)
        if self._stopped(trade, candle, worst) or self._content(trade, candle, best):
            return
        trade.adjust_min_max_rates(candle.high, candle.low)
        if gain_of(trade, best) >= self._strategy.trailing_offset:
            trade.adjust_stop_loss(best, -self._strategy.trailing_distance * (trade.leverage or 1.0))

    def _stopped(self, trade: LocalTrade, candle: Candle, worst: float) -> bool:
        """Close a trade if the price met its liquidation price or its stop; tell whether it did."""
        stop, liquidation = trade.stop_loss or 0.0, trade.liquidation_price
        if _reached(trade, candle.open, liquidation):
            met, reason = liquidation, ExitType.LIQUIDATION
        elif _reached(trade, worst, trade.stoploss_or_liquidation):
            met, reason = trade.stoploss_or_liquidation, ExitType.STOP_LOSS
            if met == liquidation:
                reason = ExitType.LIQUIDATION
            elif trade.is_stop_loss_trailing:
                reason = ExitType.TRAILING_STOP_LOSS
        else:
            return False
        if reason != ExitType.LIQUIDATION:
            met = max(stop, candle.open) if trade.is_short else min(stop, candle.open)
        self._leave(trade, met or stop, candle, reason)
        return True

    def _content(self, trade: LocalTrade, candle: Candle, best: float) -> bool:
        """Close a trade if the price met the profit that is enough for its age; tell whether it did."""
        ratio = self._strategy.content_with(candle.date - trade.open_date_utc, trade.leverage or 1.0)
        rate = self._broker.rate_with_profit(trade, ratio, candle.date)
        if (best > rate) if trade.is_short else (best < rate):
            return False
        self._leave(trade, min(rate, candle.open) if trade.is_short else max(rate, candle.open), candle, ExitType.ROI)
        return True

    def _leave(self, trade: LocalTrade, rate: float, candle: Candle, reason: ExitType) -> None:
        self._broker.leave(trade, rate, candle.date, reason)
        del self._open[trade.pair]
        lock_after_exit(self._book, trade, candle.date, self._settings.balance)

    def _leave_all(self, number: int) -> None:
        for pair in self._pairs:
            if trade := self._open.get(pair.name):
                candle = pair.candles[number]
                self._leave(trade, candle.close, candle._replace(date=candle.date + CANDLE), ExitType.FORCE_EXIT)

    def _free_balance(self) -> float:
        """Return the own money that no trade binds, in stake currency."""
        trades = self._book.trade_class
        return self._settings.balance + trades.get_total_closed_profit() - trades.total_open_trades_stakes()


def _reached(trade: LocalTrade, price: float, limit: float | None) -> bool:
    """Tell whether a price is as bad for a trade as a limit, or worse."""
    if limit is None:
        return False
    return price >= limit if trade.is_short else price <= limit
