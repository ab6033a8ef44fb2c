"""A trade of a backtest from entry to exit, on the library's objects and on bare ones."""

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.floor import BareOrder, BareTrade
from benchmarks.measuring import PROCESSOR, Case, Contest
from benchmarks.stories import STOP_LOSS, Kind, Story, close_to, new_trade, place_order, stories
from tradestore import FtNoDBContext, LocalOrder, LocalTrade, Order

__all__ = ["CASES"]

OPEN_AT_ONCE = 5


def run_backtest(told: Sequence[Story], trade_class: Any, order_class: Any) -> list[Any]:
    """Let all trades happen, some of them at the same time; return them as they were closed."""
    waiting: deque[tuple[Any, Story]] = deque()
    for story in told:
        waiting.append((_enter(story, trade_class, order_class), story))
        if len(waiting) == OPEN_AT_ONCE:
            _live_and_leave(*waiting.popleft(), trade_class, order_class)
    while waiting:
        _live_and_leave(*waiting.popleft(), trade_class, order_class)
    closed: list[Any] = trade_class.bt_trades
    return closed


def _enter(story: Story, trade_class: Any, order_class: Any) -> Any:
    trade = new_trade(story, trade_class)
    order = place_order(trade, order_class, story.opened, story.amounts[0], story.open_rate, is_entry=True)
    order.close_bt_order(story.opened, trade)
    trade.adjust_stop_loss(trade.open_rate, STOP_LOSS, initial=True)
    trade_class.add_bt_trade(trade)
    return trade


def _live_and_leave(trade: Any, story: Story, trade_class: Any, order_class: Any) -> None:
    moment = story.opened
    pays_funding = story.kind.trading_mode == "futures"
    for number, candle in enumerate(story.candles, start=1):
        moment += timedelta(minutes=5)
        if pays_funding:
            trade.set_funding_fees(candle.funding_fee)
        trade.adjust_min_max_rates(candle.high, candle.low)
        trade.adjust_stop_loss(candle.close, STOP_LOSS)
        trade.calc_profit_ratio(candle.close)
        if number < len(story.amounts):
            entry = place_order(trade, order_class, moment, story.amounts[number], candle.close, is_entry=True)
            entry.close_bt_order(moment, trade)
    leave = place_order(trade, order_class, moment, trade.amount, story.close_rate, is_entry=False)
    leave.close_bt_order(moment, trade)
    trade.exit_reason = "roi"
    trade.close(story.close_rate, show_msg=False)
    trade_class.close_bt_trade(trade)


def same_results(ours: Sequence[Any], floor: Sequence[Any]) -> bool:
    """Tell whether the same trades earned the same, with the same stops and ranges."""
    names = ("close_profit_abs", "close_profit", "stop_loss", "max_rate", "min_rate", "stake_amount", "open_rate")
    return len(ours) == len(floor) and all(
        our.id == bare.id and all(close_to(getattr(our, name), getattr(bare, name)) for name in names)
        for our, bare in zip(ours, floor, strict=True)
    )


@contextmanager
def _contest(kind: Kind, order_class: type[LocalOrder], count: int) -> Iterator[Contest]:
    chance = random.Random(count)

    def material() -> list[Story]:
        LocalTrade.reset_trades()
        BareTrade.reset_trades()
        return stories(chance, kind, count)

    with FtNoDBContext("5m"):
        yield Contest(
            ours=lambda told: run_backtest(told, LocalTrade, order_class),
            floor=lambda told: run_backtest(told, BareTrade, BareOrder),
            material=material,
            operations=count,
            agree=same_results,
        )
        LocalTrade.reset_trades()
        BareTrade.reset_trades()


def _case(name: str, kind: Kind, order_class: type[LocalOrder], allowed: float | None) -> Case:
    prepare: Callable[[int], Any] = partial(_contest, kind, order_class)
    return Case(
        name=f"lifecycle: {name}",
        unit="trades",
        sizes=(100, 1_000),
        prepare=prepare,
        clock=PROCESSOR,
        allowed_ratio=allowed,
        seconds=1.0,
    )


_KINDS = {
    "spot": Kind(),
    "spot, 2 further entries": Kind(entries=3),
    "futures short with funding": Kind(is_short=True, trading_mode="futures", leverage=3.0),
}

CASES = (
    *(_case(name, kind, LocalOrder, 4.0) for name, kind in _KINDS.items()),
    _case("spot, no precision known", Kind(knows_precision=False), LocalOrder, 4.0),
    *(_case(f"{name}, mapped Order", kind, Order, None) for name, kind in _KINDS.items()),
)
