"""The loop: what an iteration does, and how it begins again after it was killed anywhere."""

import copy
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from sqlalchemy import true
from sqlalchemy.orm import Session

from examples.paper_bot.desk import Desk
from examples.paper_bot.exchange import STAKE, Exchange
from examples.paper_bot.market import CANDLE, FUNDING_CANDLES, TIMEFRAME, Candle, Market, Pair
from examples.paper_bot.protections import forget_old_locks, protect
from examples.paper_bot.strategy import Signal, Strategy
from tradestore import KeyValueStore, LocalOrder, PairLocks, Store, Trade, WalletHistory
from tradestore.accounting import TICK_SIZE
from tradestore.key_value_store import set_startup_time

__all__ = ["PaperBot"]

MAX_OPEN: Final = 5
STAKE_AMOUNT: Final = 100.0
WAIT_CANDLES: Final = 3
"""How long a limit order may wait."""

_LAST: Final = "last iteration"
_HOUR: Final = 12
_DAY: Final = 288


class PaperBot:
    """A bot on an open store and a simulated exchange.

    Attributes:
        turn: Held by whoever changes trades or sends orders: the loop during an iteration, or a thread of the RPC.
        number: The iteration, which is the number of the candle.
    """

    def __init__(self, store: Store, market: Market, exchange: Exchange) -> None:
        self.store = store
        self.market = market
        self.exchange = exchange
        self.strategy = Strategy(market)
        self.desk = Desk(store, exchange, self._on_fill)
        self.counts = self.desk.counts
        self.turn = threading.RLock()
        self.number = -1
        self._closed: dict[int, str] = {}  # Pairs by trade: a trade itself belongs to the session of its thread.
        PairLocks.timeframe = TIMEFRAME

    @property
    def now(self) -> datetime:
        """The market's time (UTC)."""
        return self.market.time(self.number)

    def start(self) -> None:
        """Find out what happened since the bot stopped or was killed, before anything is sent."""
        set_startup_time()
        self.store.set_limits(MAX_OPEN, one_per_pair_and_side=True)
        last = KeyValueStore.get_int_value(_LAST)
        self.number = -1 if last is None else last
        self._note_funding()  # Before an order that closes the trade.
        self.desk.resolve()
        self._note_funding()  # Of trades that were not known.
        self.desk.catch_up(_open_trades())
        for trade in _open_trades():
            if trade.nr_of_successful_entries and not trade.stop_loss:
                self._after_entry(trade)
            elif not trade.nr_of_successful_entries and not trade.has_open_orders:
                trade.delete()
        Trade.commit()

    def run(self, iterations: int, after_each: Callable[[int], None] | None = None) -> None:
        """Go on until so many iterations are done in all, those before a restart included."""
        while self.number + 1 < iterations:
            self.iterate()
            if after_each is not None:
                after_each(self.number)

    def iterate(self) -> None:
        """Live through one candle."""
        with self.turn:
            number = self.number + 1
            self.exchange.advance(number)
            self.number = number
            has_funding, has_doubts = number % FUNDING_CANDLES == 0, self.desk.has_doubts
            if has_funding:
                self._note_funding()  # Before an order that closes the trade.
            if has_doubts:
                self.desk.resolve()
            if has_funding and has_doubts:
                self._note_funding()  # Of trades that were not known.
            trades = _open_trades()
            self.desk.take_in_messages(trades)
            for trade in trades:
                if _is_there(trade):
                    self._manage(trade)
            if self._closed:
                protect(self.now, self._closed.values())
                self._closed.clear()
            self._enter()
            self._keep_books()

    def _manage(self, trade: Trade) -> None:
        """Look after an open trade."""
        candle = self.market.candle(trade.pair, self.number)
        for order in trade.open_orders:
            is_young = self.now - cast("datetime", order.order_date_utc) < WAIT_CANDLES * CANDLE
            if is_young and not self._is_stopped(trade, candle):
                return
            self.counts["orders that waited too long"] += 1
            self.desk.cancel(trade, order, "timeout")
        if not (_is_there(trade) and trade.nr_of_successful_entries):
            return
        trade.adjust_min_max_rates(candle.high, candle.low)
        if self._is_stopped(trade, candle):
            kind = "trailing_stop_loss" if trade.is_stop_loss_trailing else "stop_loss"
            self.exit(trade, kind, candle.close, "market")
            return
        self._ask_strategy(trade, candle)
        if trade.is_open and not trade.has_open_orders and not self.desk.has_doubts:
            self._place_stop(trade)

    def _ask_strategy(self, trade: Trade, candle: Candle) -> None:
        shown = copy.deepcopy(trade)  # Whatever a strategy does to it, the trade stays as it is.
        profit = trade.calc_profit_ratio(candle.close)
        trade.adjust_stop_loss(candle.close, self.strategy.custom_stoploss(shown, profit))
        reason = self.strategy.custom_exit(shown, self.now, profit)
        if reason is not None:
            self.exit(trade, reason, candle.close, "limit")
            return
        change = self.strategy.adjust_trade_position(shown, profit)
        if change is not None:
            self._adjust(trade, change, candle.close)

    def _adjust(self, trade: Trade, change: float, rate: float) -> None:
        """Enter once more, or leave with a part."""
        pair = self.market.pairs[trade.pair]
        amount = round(abs(change) * pair.leverage / rate, pair.lot_digits)
        if change > 0 and self.desk.send(trade, trade.entry_side, amount, rate, "market", tag="averaging"):
            self.counts["further entries"] += 1
        elif change < 0 and 0 < amount < trade.amount and self._clear_stops(trade):
            self.counts["partial exits"] += 1
            self.desk.send(trade, trade.exit_side, amount, self._limit(trade, rate), "limit", tag="partial")

    def exit(self, trade: Trade, reason: str, rate: float, order_type: str) -> None:
        """Leave with all that is held."""
        if not self._clear_stops(trade):
            return
        trade.exit_reason = reason
        price = self._limit(trade, rate) if order_type == "limit" else rate
        self.desk.send(trade, trade.exit_side, trade.amount, price, order_type, tag=reason)

    def _limit(self, trade: Trade, rate: float) -> float:
        digits = self.market.pairs[trade.pair].price_digits
        return round(rate * (0.9995 if trade.is_short else 1.0005), digits)

    def _clear_stops(self, trade: Trade) -> bool:
        """Take the stop loss from the exchange, before the coins are sold otherwise; say whether they are there."""
        for order in trade.open_sl_orders:
            self.desk.cancel(trade, order, "replaced")
        return trade.is_open

    def _is_stopped(self, trade: Trade, candle: Candle) -> bool:
        if not trade.stop_loss or (trade.has_open_sl_orders and not self._has_jumped(trade, candle)):
            return False
        return candle.close >= trade.stop_loss if trade.is_short else candle.close <= trade.stop_loss

    @staticmethod
    def _has_jumped(trade: Trade, candle: Candle) -> bool:
        """Whether the price is so far beyond the stop loss that it was not filled at the exchange."""
        stop = trade.stop_loss or 0.0
        return candle.low > stop if trade.is_short else candle.high < stop

    def _place_stop(self, trade: Trade) -> None:
        """Keep a stop loss of the right amount near the right price at the exchange."""
        stop = trade.stop_loss
        if not stop:
            return
        for order in trade.open_sl_orders:
            if order.amount == trade.amount and abs((order.stop_price or 0.0) / stop - 1) < 0.003:
                return
            self.counts["stop losses moved"] += 1
            self.desk.cancel(trade, order, "moved")
        if trade.is_open:
            self.desk.send(trade, "stoploss", trade.amount, stop, "stop")

    def _enter(self) -> None:
        """Enter what the strategy likes, where nothing speaks against it."""
        signals = {name: self.strategy.entry_signal(name, self.number) for name in self.market.pairs}
        if not any(signals.values()):
            return
        taken = {trade.pair for trade in Trade.get_trades(Trade.is_open == true(), include_orders=False)}
        if self.desk.has_doubts:
            taken |= {intent.pair for intent in self.store.unresolved_intents()}
        if len(taken) >= MAX_OPEN:
            return
        locked = {side: PairLocks.is_global_lock(self.now, side) for side in ("long", "short")}
        for name, signal in signals.items():
            if signal is None or name in taken or len(taken) >= MAX_OPEN:
                continue
            if locked[signal.side] or PairLocks.is_pair_locked(name, self.now, signal.side):
                self.counts["entries refused by a lock"] += 1
            elif not self.strategy.confirm_trade_entry(name, signal):
                self.counts["entries refused by the strategy"] += 1
            else:
                taken.add(name)
                self._open(self.market.pairs[name], signal)

    def _open(self, pair: Pair, signal: Signal) -> None:
        rate = self.market.candle(pair.name, self.number).close
        nearer = 1.0005 if signal.is_short else 0.9995
        price = rate if signal.is_urgent else round(rate * nearer, pair.price_digits)
        amount = round(STAKE_AMOUNT * pair.leverage / price, pair.lot_digits)
        trade = Trade(
            pair=pair.name,
            base_currency=pair.base,
            stake_currency=STAKE,
            exchange="paper",
            open_date=self.now,
            open_rate=price,
            open_rate_requested=price,
            amount=amount,
            amount_requested=amount,
            stake_amount=STAKE_AMOUNT,
            fee_open=pair.fee_rate,
            fee_close=pair.fee_rate,
            enter_tag=signal.tag,
            strategy=self.strategy.name,
            timeframe=5,
            trading_mode=pair.mode,
            is_short=signal.is_short,
            leverage=pair.leverage,
            amount_precision=10.0**-pair.lot_digits if pair.is_futures else 1e-8,
            price_precision=10.0**-pair.price_digits,
            precision_mode=TICK_SIZE,
            contract_size=1.0,
        )
        self.desk.send(
            trade, trade.entry_side, amount, price, "market" if signal.is_urgent else "limit", tag=signal.tag
        )

    def _on_fill(self, trade: Trade, order: LocalOrder) -> None:
        """Go on after an order has ended, with a fill or without."""
        if not trade.is_open:
            self._after_close(trade)
        elif order.ft_order_side == trade.entry_side and order.filled:
            self._after_entry(trade)
        elif not order.filled and not trade.nr_of_successful_entries:
            self.counts["entries never filled"] += 1
            trade.delete()
        elif order.ft_order_side == trade.exit_side and not order.filled:
            trade.exit_reason = None

    def _after_entry(self, trade: Trade) -> None:
        trade.adjust_stop_loss(trade.open_rate, self.strategy.stoploss * (trade.leverage or 1.0), initial=True)
        trade.set_liquidation_price(self.exchange.fetch_liquidation_price(trade.pair))
        self.strategy.order_filled(trade)

    def _after_close(self, trade: Trade) -> None:
        for order in [order for order in trade.orders if order.ft_is_open]:
            self.desk.cancel(trade, order, "trade closed")
        if trade.id not in self._closed:
            self._closed[trade.id] = trade.pair
            self.strategy.trade_closed(trade)

    def _note_funding(self) -> None:
        """Ask what futures have cost or brought, and note what no order has taken yet."""
        for trade in _open_trades():
            if self.market.pairs[trade.pair].is_futures:
                paid = self.exchange.fetch_funding(trade.pair, int(trade.open_date_utc.timestamp() * 1000))
                taken = sum(order.funding_fee or 0.0 for order in trade.orders)
                trade.set_funding_fees(round(paid - taken, 8))
        Trade.commit()

    def _keep_books(self) -> None:
        """Commit what the iteration has changed, and that it is done."""
        Trade.commit()
        number, now = self.number, self.now

        def note(session: Session) -> None:
            if number % _HOUR == 0:
                balance, worth = float(self.exchange.balances[STAKE]), float(self.exchange.worth())
                session.add(
                    WalletHistory(
                        timestamp=now, currency=STAKE, quote_currency=STAKE, balance=balance, total_quote=worth
                    )
                )
                forget_old_locks(now)
            KeyValueStore.store_value(_LAST, number)

        self.store.run(note)
        if number % _DAY == 0:
            self.store.delete_intents(before=datetime.now(UTC) - timedelta(days=1))

    def exit_all(self, reason: str) -> None:
        """Leave everything at the market, as before a long pause."""
        with self.turn:
            while trades := _open_trades():
                self.desk.resolve()
                for trade in trades:
                    for order in trade.open_orders:
                        self.desk.cancel(trade, order, reason)
                    if _is_there(trade):
                        self.exit(trade, reason, self.market.candle(trade.pair, self.number).close, "market")
            self._closed.clear()
            Trade.commit()


def _open_trades() -> list[Trade]:
    return cast("list[Trade]", list(Trade.get_open_trades()))


def _is_there(trade: Trade) -> bool:
    """Whether a trade that was open a moment ago has neither been closed nor deleted."""
    return trade.is_open and trade in Trade.session
