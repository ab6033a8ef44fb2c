"""Copying and pickling a trade: strategies get a copy before every callback, and workers send their trades back."""

import copy
import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.floor import BareOrder, BareTrade
from benchmarks.measuring import PROCESSOR, Case, Contest
from benchmarks.stories import Kind, trade_with_entries
from tradestore import LocalOrder, LocalTrade

__all__ = ["CASES"]

ORDERS_PER_TURN = 2_000


@contextmanager
def _copying(orders: int) -> Iterator[Contest]:
    ours = trade_with_entries(random.Random(1), Kind(), orders, LocalTrade, LocalOrder)
    bare = trade_with_entries(random.Random(1), Kind(), orders, BareTrade, BareOrder)
    count = max(1, ORDERS_PER_TURN // orders)

    def agree(copied: Any, by_hand: Any) -> bool:
        both = [(copied, ours), (by_hand, bare)]
        return all(
            twin is not original
            and len(twin.orders) == len(original.orders) == orders
            and all(order._trade_bt is twin for order in twin.orders)
            and twin.open_rate == original.open_rate
            for twin, original in both
        )

    yield Contest(
        ours=lambda _: [copy.deepcopy(ours) for _ in range(count)][-1],
        floor=lambda _: [bare.copy() for _ in range(count)][-1],
        operations=count,
        agree=agree,
    )


@contextmanager
def _pickling(orders: int) -> Iterator[Contest]:
    trade = trade_with_entries(random.Random(1), Kind(), orders, LocalTrade, LocalOrder)
    fields = _fields_of(trade) | {"orders": [_fields_of(order) for order in trade.orders]}
    count = max(1, ORDERS_PER_TURN // orders)

    yield Contest(
        ours=lambda _: [pickle.loads(pickle.dumps(trade)) for _ in range(count)][-1],
        floor=lambda _: [pickle.loads(pickle.dumps(fields)) for _ in range(count)][-1],
        operations=count,
        agree=lambda ours, floor: _fields_of(ours) == {name: floor[name] for name in floor if name != "orders"},
    )


def _fields_of(record: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in {"orders", "_trade_bt"}}


CASES = (
    Case(
        name="copy: copy.deepcopy of a trade",
        unit="orders",
        sizes=(20, 200),
        prepare=_copying,
        clock=PROCESSOR,
        allowed_ratio=3.0,
        allowed_growth=11.0,
    ),
    Case(name="copy: pickle there and back", unit="orders", sizes=(20, 200), prepare=_pickling, clock=PROCESSOR),
)
