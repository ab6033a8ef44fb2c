"""Recalculation from orders and the questions about profit, against plain functions of floats."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.floor import BareOrder, BareTrade
from benchmarks.measuring import PROCESSOR, Case, Contest
from benchmarks.stories import Kind, close_to, trade_with_entries
from tradestore import LocalOrder, LocalTrade, ProfitStruct

__all__ = ["CASES"]

_KINDS = {"spot": Kind(), "futures short": Kind(is_short=True, trading_mode="futures", leverage=3.0)}

# So many fills a turn, shared among as many trades as have that many orders.
FILLS_PER_TURN = 2_000
RATES_PER_TURN = 2_000


def _twins(chance: random.Random, kind: Kind, orders: int, number: int = 1) -> tuple[Any, Any]:
    """Return the same trade on both sides."""
    seed = chance.random()
    return (
        trade_with_entries(random.Random(seed), kind, orders, LocalTrade, LocalOrder, number=number),
        trade_with_entries(random.Random(seed), kind, orders, BareTrade, BareOrder, number=number),
    )


@contextmanager
def _recalculation(kind: Kind, orders: int) -> Iterator[Contest]:
    chance = random.Random(orders)
    count = max(1, FILLS_PER_TURN // orders)

    def material() -> tuple[Sequence[Any], Sequence[Any]]:
        twins = [_twins(chance, kind, orders, number) for number in range(1, count + 1)]
        for trade in (trade for pair in twins for trade in pair):
            for order in trade.orders:  # Other prices than those that the making of the trade has met.
                order.average = round(order.price * 1.01, 4)
        return [ours for ours, _ in twins], [bare for _, bare in twins]

    def recalculate(trades: Sequence[Any]) -> list[float]:
        for trade in trades:
            trade.recalc_trade_from_orders()
        return [trade.max_stake_amount for trade in trades]

    yield Contest(
        ours=lambda twins: recalculate(twins[0]),
        floor=lambda twins: recalculate(twins[1]),
        material=material,
        operations=count,
        agree=_same_numbers,
    )


@contextmanager
def _questions(kind: Kind, method: str, orders: int) -> Iterator[Contest]:
    chance = random.Random(orders)

    def material() -> tuple[Any, Any, Sequence[float]]:
        rates = [round(chance.uniform(20.0, 900.0), 2 + number % 3) for number in range(RATES_PER_TURN)]
        return *_twins(chance, kind, orders), rates

    def ask(trade: Any, rates: Sequence[float]) -> list[Any]:
        question: Callable[[float], Any] = getattr(trade, method)
        return [question(rate) for rate in rates]

    yield Contest(
        ours=lambda given: ask(given[0], given[2]),
        floor=lambda given: ask(given[1], given[2]),
        material=material,
        operations=RATES_PER_TURN,
        agree=_same_profits if method == "calculate_profit" else _same_numbers,
    )


def _same_numbers(ours: Sequence[float], floor: Sequence[float]) -> bool:
    return all(close_to(our, bare) for our, bare in zip(ours, floor, strict=True))


def _same_profits(ours: Sequence[ProfitStruct], floor: Sequence[tuple[float, ...]]) -> bool:
    return all(
        _same_numbers((our.profit_abs, our.profit_ratio, our.total_profit, our.total_profit_ratio), bare)
        for our, bare in zip(ours, floor, strict=True)
    )


_METHODS = {"calc_profit_ratio": 4.0, "calc_profit": None, "calculate_profit": None, "calc_close_trade_value": None}

CASES = (
    *(
        Case(
            name=f"recalculation: {name}",
            unit="orders",
            sizes=(20, 200, 1_000),
            prepare=partial(_recalculation, kind),
            clock=PROCESSOR,
            allowed_growth=60.0,
        )
        for name, kind in _KINDS.items()
    ),
    *(
        Case(
            name=f"profit: {method}, {name}",
            unit="orders",
            sizes=(2, 20),
            prepare=partial(_questions, kind, method),
            clock=PROCESSOR,
            allowed_ratio=allowed,
        )
        for method, allowed in _METHODS.items()
        for name, kind in _KINDS.items()
    ),
)
