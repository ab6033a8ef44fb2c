"""What the operator asks from other threads, and orders from there."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from examples.paper_bot.bot import PaperBot
from tradestore import PairLocks, Trade
from tradestore.models import custom_data_rpc_wrapper

__all__ = ["Answer", "Rpc", "UnknownTrade", "Watcher", "in_thread"]

_T = TypeVar("_T")
Answer = dict[str, Any]


class UnknownTrade(LookupError):
    """There is no such trade, or not in that state."""


class Rpc:
    """Questions and orders to a bot. Each may be called in any thread, and leaves no session behind.

    Answers are plain values, never trades: those belong to the session that has read them.
    """

    def __init__(self, bot: PaperBot) -> None:
        self._bot = bot

    @custom_data_rpc_wrapper
    def status(self) -> list[Answer]:
        """Return the open trades with what they would bring now, and what the strategy has noted of them."""
        told = []
        for trade in Trade.get_open_trades():
            rate = self._bot.market.candle(trade.pair, max(0, self._bot.number)).close
            profit = trade.calculate_profit(rate)
            notes = {entry.cd_key: entry.value for entry in trade.get_all_custom_data()}
            told.append(
                trade.to_json() | {"current_rate": rate, "total_profit_abs": profit.total_profit, "custom_data": notes}
            )
        return told

    @custom_data_rpc_wrapper
    def profit(self) -> Answer:
        best = Trade.get_best_pair()
        return {
            "closed_profit": Trade.get_total_closed_profit(),
            "open_trades": Trade.get_open_trade_count(),
            "open_stakes": Trade.total_open_trades_stakes(),
            "volume": Trade.get_trading_volume(),
            "best_pair": None if best is None else best[0],
        }

    @custom_data_rpc_wrapper
    def performance(self) -> dict[str, list[Answer]]:
        return {
            "pairs": Trade.get_overall_performance(),
            "entry_tags": Trade.get_enter_tag_performance(None),
            "exit_reasons": Trade.get_exit_reason_performance(None),
            "mixed_tags": Trade.get_mix_tag_performance(None),
        }

    @custom_data_rpc_wrapper
    def trades(self, after: int | None = None, limit: int = 50) -> list[Answer]:
        """Return one page of the closed trades, the latest first."""
        page = Trade.get_trades_page(after=after, limit=limit, newest_first=True, by="close_date")
        return [trade.to_json() for trade in page]

    @custom_data_rpc_wrapper
    def locks(self) -> list[Answer]:
        return [lock.to_json() for lock in PairLocks.get_pair_locks(None, self._bot.now)]

    @custom_data_rpc_wrapper
    def lock(self, pair: str, candles: int, reason: str = "operator") -> Answer:
        """Keep the bot from a pair for some candles."""
        with self._bot.turn:
            until = self._bot.market.time(self._bot.number + candles)
            return PairLocks.lock_pair(pair, until, reason, now=self._bot.now).to_json()

    @custom_data_rpc_wrapper
    def force_exit(self, trade_id: int) -> Answer:
        """Leave a trade at the market, and return it."""
        with self._bot.turn:
            trade = _found(trade_id)
            if not trade.is_open or trade.has_open_orders or not trade.nr_of_successful_entries:
                raise UnknownTrade(f"trade {trade_id} holds nothing that could be sold now")
            rate = self._bot.market.candle(trade.pair, self._bot.number).close
            self._bot.exit(trade, "force_exit", rate, "market")
            Trade.commit()
            return trade.to_json()

    @custom_data_rpc_wrapper
    def delete_trade(self, trade_id: int) -> Answer:
        """Forget a trade: its orders are cancelled, what it holds is the operator's from now on. Return what it was."""
        with self._bot.turn:
            trade = _found(trade_id)
            for order in [order for order in trade.orders if order.ft_is_open]:
                self._bot.desk.cancel(trade, order, "deleted")
            told = trade.to_json()
            trade.delete()
            return told


def _found(trade_id: int) -> Trade:
    trade = Trade.get_trades(Trade.id == trade_id).first()
    if trade is None:
        raise UnknownTrade(f"there is no trade {trade_id}")
    return trade


def in_thread(ask: Callable[[], _T]) -> _T:
    """Run a function in a thread of its own, as a chat program's message does; return or raise what it does."""
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(ask())
        except BaseException as error:  # noqa: BLE001 - it is raised again, where it can be seen
            errors.append(error)

    thread = threading.Thread(target=run, name="rpc")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class Watcher(threading.Thread):
    """Asks again and again, as a screen that shows the bot does, until it is told to stop.

    Attributes:
        asked: How often it has asked.
        error: What went wrong, which ends it.
    """

    def __init__(self, rpc: Rpc, pause: float = 0.5) -> None:
        super().__init__(name="watcher")
        self.asked = 0
        self.error: BaseException | None = None
        self._rpc = rpc
        self._pause = pause
        self._done = threading.Event()

    def run(self) -> None:
        try:
            while not self._done.wait(self._pause):
                for ask in (self._rpc.status, self._rpc.profit, self._rpc.performance, self._rpc.locks):
                    ask()
                self.asked += 1
        except BaseException as error:  # noqa: BLE001 - whoever stops it looks
            self.error = error

    def stop(self) -> None:
        """End it, and raise what it has met."""
        self._done.set()
        self.join()
        if self.error is not None:
            raise self.error
