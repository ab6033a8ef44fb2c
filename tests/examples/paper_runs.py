"""Runs of the paper bot for tests: with an operator who interferes, and with an exchange whose caller dies."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import select

from examples.paper_bot.api import create_app
from examples.paper_bot.bot import PaperBot
from examples.paper_bot.client import ApiClient
from examples.paper_bot.exchange import START_BALANCE, TOKEN_PRICE, Exchange
from examples.paper_bot.market import Market
from examples.paper_bot.rpc import Rpc, UnknownTrade, Watcher, in_thread
from examples.paper_bot.summary import read_summary
from tradestore import Order, Store, Trade

__all__ = [
    "BEGIN",
    "DyingExchange",
    "Killed",
    "Operator",
    "accompanied",
    "assert_ledger_agrees",
    "paper_bot",
    "summary_of",
    "watched",
]

BEGIN = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=10)
"""Lately, so that the doctor finds nothing old."""


class Killed(BaseException):
    """As if the process were gone."""


class DyingExchange(Exchange):
    """Does what it is told; the caller dies before it hears of it, at some calls."""

    def __init__(self, market: Market, dies_at: Collection[int]) -> None:
        super().__init__(market)
        self.calls = 0
        self._dies_at = frozenset(dies_at)

    def create_order(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        answer = super().create_order(*arguments, **named)
        self._die()
        return answer

    def cancel_order(self, order_id: str) -> dict[str, Any]:
        answer = super().cancel_order(order_id)
        self._die()
        return answer

    def advance(self, number: int) -> None:
        super().advance(number)
        self._die()

    def _die(self) -> None:
        self.calls += 1
        if self.calls in self._dies_at:
            raise Killed


def paper_bot(store: Store, exchange: Exchange | None = None) -> PaperBot:
    """Return a bot that has started."""
    market = Market(begin=BEGIN) if exchange is None else exchange.market
    bot = PaperBot(store, market, exchange or Exchange(market))
    bot.start()
    return bot


@dataclass
class Operator:
    """Somebody who asks and interferes at certain iterations, by threads and by the API, the same in every run.

    Attributes:
        bot: Which one.
        client: Of its API.
        answered: How many requests were answered.
        exits: How many trades were left by force.
        deleted: The exchange's ids of the orders of trades that were deleted.
    """

    bot: PaperBot
    client: ApiClient
    answered: int = 0
    exits: int = 0
    deleted: set[str] = field(default_factory=set)

    def look(self, number: int) -> None:
        """Do what is to be done after an iteration."""
        if number % 250 == 0:
            self._ask_all()
        if number == 150:
            assert self.client.post("/lock", pair="XRP/USDT", candles=24).json()["pair"] == "XRP/USDT"
            assert "operator" in {lock["reason"] for lock in self.client.get("/locks").json()}
        if number >= 400 and self.exits == 0:
            self._exit_by_thread()
        if number >= 700 and self.exits == 1:
            self._exit_by_api()
        if number >= 1000 and not self.deleted:
            self._delete_by_api()

    def _ask_all(self) -> None:
        rpc = Rpc(self.bot)
        told = {"profit": in_thread(rpc.profit), "performance": in_thread(rpc.performance)}
        for name, expected in told.items():
            assert self._get(f"/{name}") == expected
        assert self._get("/health") == {"can_write": True, "last_iteration": self.bot.number}
        pages: list[dict[str, Any]] = []
        while page := self._get("/trades", limit=40, **({"after": pages[-1]["trade_id"]} if pages else {})):
            pages += page
        assert len({trade["trade_id"] for trade in pages}) == len(pages)
        assert len(pages) == sum(row["count"] for row in told["performance"]["pairs"])

    def _get(self, path: str, **parameters: Any) -> Any:
        answer = self.client.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        self.answered += 1
        return answer.json()

    def _exit_by_thread(self) -> None:
        rpc = Rpc(self.bot)
        for trade in in_thread(rpc.status):
            trade_id = trade["trade_id"]
            try:
                told = in_thread(partial(rpc.force_exit, trade_id))
            except UnknownTrade:
                continue
            self.exits += not told["is_open"]
            return

    def _exit_by_api(self) -> None:
        assert self.client.post("/forceexit/999999").status_code == 404
        for trade in self._get("/status"):
            answer = self.client.post(f"/forceexit/{trade['trade_id']}")
            if answer.status_code == 200:
                self.exits += not answer.json()["is_open"]
                return

    def _delete_by_api(self) -> None:
        for trade in self._get("/status"):
            # Coins may stay where they are; a position would go on at the exchange.
            if ":" not in trade["pair"] and trade["nr_of_successful_entries"]:
                told = self.client.delete(f"/trades/{trade['trade_id']}").json()
                self.deleted = {order["order_id"] for order in told["orders"]}
                return


@contextmanager
def accompanied(bot: PaperBot) -> Iterator[Operator]:
    """Let an operator be there during a block."""
    with ApiClient(create_app(bot)) as client:
        yield Operator(bot, client)


@contextmanager
def watched(bot: PaperBot) -> Iterator[Operator]:
    """Let an operator, and two who only look all the time, be there during a block."""
    watchers = [Watcher(Rpc(bot), pause) for pause in (0.5, 1.0)]
    for watcher in watchers:
        watcher.start()
    try:
        with accompanied(bot) as operator:
            yield operator
    finally:
        for watcher in watchers:
            watcher.stop()
    assert all(watcher.asked for watcher in watchers)


def summary_of(bot: PaperBot) -> dict[str, Any]:
    return read_summary(list(bot.market.pairs))


def assert_ledger_agrees(exchange: Exchange, deleted: Collection[str] = ()) -> None:
    """Hold the profit that the store tells against what the exchange's balances have become, when all is closed.

    The two differ by what is known: where the fee was taken from the coins, f of what was bought, the profit counts
    the rest at its price and the fee on it, a·p·(1 - f)·(1 + f) = a·p·(1 - f²), where a·p was paid. And each exit's
    profit is rounded to 8 decimals.
    """
    counted = [fill for fill in exchange.fills if fill.order_id not in deleted]
    earned = sum((fill.stake_change - fill.token_fee * TOKEN_PRICE for fill in counted), Decimal(0))
    earned += sum((fee for paid in exchange.funding.values() for _, fee in paid), Decimal(0))
    if not deleted:
        assert earned == exchange.worth() - START_BALANCE
        assert not any(amount for name, amount in exchange.balances.items() if name not in {"USDT", "BNB"})
    for fill in counted:
        if fill.fee_currency == fill.pair.partition("/")[0]:
            rate = fill.fee / fill.amount
            earned += fill.amount * fill.price * rate * rate
    profits = [trade.close_profit_abs for trade in Trade.get_closed_trades()]
    told = sum((Decimal(repr(profit)) for profit in profits), Decimal(0))
    assert abs(told - earned) <= Decimal("5e-9") * len(counted)

    stored = set(Order.session.scalars(select(Order.order_id).where(Order.filled > 0)))
    assert stored == {fill.order_id for fill in counted}
