"""Questions to the trades, locks and values in memory: the same answer out of a short history and a long one."""

import random
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from benchmarks.floor import BareOrder, BareTrade
from benchmarks.measuring import PROCESSOR, Case, Contest
from benchmarks.stories import PAIRS, START, Kind, new_trade, place_order, stories
from tradestore import CustomDataWrapper, FtNoDBContext, LocalOrder, LocalTrade, PairLocks, Trade

__all__ = ["CASES"]

ASKED = 300
SIZES = (500, 5_000, 50_000)
CLOSED_LATELY = 20
LOCKED_YET = 10


@contextmanager
def _protections(trades: int) -> Iterator[Contest]:
    """Ask which trades of a pair closed lately: always the same number of them."""
    LocalTrade.reset_trades()
    BareTrade.reset_trades()
    for story in stories(random.Random(trades), Kind(), trades):
        _close(story, LocalTrade, LocalOrder)
        _close(story, BareTrade, BareOrder)
    since = START + timedelta(minutes=5 * max(0, trades - CLOSED_LATELY * len(PAIRS)))
    pairs = [PAIRS[number % len(PAIRS)] for number in range(ASKED)]

    with FtNoDBContext("5m"):
        yield Contest(
            ours=lambda _: [Trade.get_trades_proxy(pair=pair, is_open=False, close_date=since) for pair in pairs],
            floor=lambda _: [BareTrade.closed_after(pair, since) for pair in pairs],
            operations=ASKED,
            agree=lambda ours, floor: _numbers(ours) == _numbers(floor),
        )
    LocalTrade.reset_trades()
    BareTrade.reset_trades()


def _close(story: Any, trade_class: Any, order_class: Any) -> None:
    trade = new_trade(story, trade_class)
    place_order(trade, order_class, story.opened, trade.amount, story.open_rate, is_entry=True)
    trade.is_open, trade.close_date, trade.close_profit_abs = False, story.opened + timedelta(minutes=1), 1.0
    trade_class.add_bt_trade(trade)


def _numbers(answers: Sequence[Sequence[Any]]) -> list[list[int]]:
    return [[trade.id for trade in trades] for trades in answers]


@contextmanager
def _pair_locks(locks: int) -> Iterator[Contest]:
    """Ask whether a pair is locked: of all locks that were made, the same few hold."""
    bare: defaultdict[str, list[datetime]] = defaultdict(list)
    now = START + timedelta(minutes=5 * max(0, locks - LOCKED_YET))
    pairs = [f"{PAIRS[number % len(PAIRS)]}:{number % 3}" for number in range(ASKED)]

    def is_locked(pair: str) -> bool:
        return any(len(ends) > bisect_right(ends, now) for ends in (bare.get(pair, ()), bare.get("*", ())))

    with FtNoDBContext("5m"):
        PairLocks.reset_locks()
        for number in range(locks):
            pair, end = f"{PAIRS[number % len(PAIRS)]}:0", START + timedelta(minutes=5 * (number + 1))
            PairLocks.lock_pair(pair, end, "cooldown", now=START)
            insort(bare[pair], end)
        yield Contest(
            ours=lambda _: [PairLocks.is_pair_locked(pair, now, "long") for pair in pairs],
            floor=lambda _: [is_locked(pair) for pair in pairs],
            operations=ASKED,
        )
        PairLocks.reset_locks()


@contextmanager
def _reading_values(trades: int) -> Iterator[Contest]:
    """Read a value of a trade, out of as many as there are trades."""
    bare = {(number, "level"): ("float", str(number / 7)) for number in range(1, trades + 1)}
    asked = _chosen(trades)

    def read(number: int) -> Any:
        kind, text = bare[number, "level"]
        return float(text) if kind == "float" else text

    def read_ours(number: int) -> Any:
        return CustomDataWrapper.get_custom_data(trade_id=number, key="level")[0].value

    with _values_of(trades):
        yield Contest(
            ours=lambda _: [read_ours(number) for number in asked],
            floor=lambda _: [read(number) for number in asked],
            operations=ASKED,
        )


@contextmanager
def _writing_values(trades: int) -> Iterator[Contest]:
    """Write a value of a trade over the one that it had."""
    bare = {(number, "level"): ("float", "0.0", START) for number in range(1, trades + 1)}
    chance = random.Random(trades)
    asked = _chosen(trades)

    def write(values: Sequence[float]) -> int:
        for number, value in zip(asked, values, strict=True):
            bare[number, "level"] = (type(value).__name__, str(value), datetime.now(START.tzinfo))
        return len(values)

    def write_ours(values: Sequence[float]) -> int:
        for number, value in zip(asked, values, strict=True):
            CustomDataWrapper.set_custom_data(number, "level", value)
        return len(values)

    with _values_of(trades):
        yield Contest(
            ours=write_ours,
            floor=write,
            material=lambda: [chance.uniform(20.0, 900.0) for _ in range(ASKED)],
            operations=ASKED,
        )


@contextmanager
def _values_of(trades: int) -> Iterator[None]:
    with FtNoDBContext("5m"):
        CustomDataWrapper.reset_custom_data()
        for number in range(1, trades + 1):
            CustomDataWrapper.set_custom_data(number, "level", number / 7)
        yield
        CustomDataWrapper.reset_custom_data()


def _chosen(trades: int) -> list[int]:
    chance = random.Random(7)
    return [chance.randint(1, trades) for _ in range(ASKED)]


CASES = tuple(
    Case(name=f"memory: {name}", unit=unit, sizes=SIZES, prepare=prepare, clock=PROCESSOR, allowed_growth=2.0)
    for name, unit, prepare in (
        ("trades of a pair that closed lately", "trades", _protections),
        ("is_pair_locked", "locks", _pair_locks),
        ("read a custom value", "values", _reading_values),
        ("write a custom value", "values", _writing_values),
    )
)
