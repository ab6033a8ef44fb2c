"""Transactions that each store one trade with two orders, against the raw driver's with the same rows."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

from benchmarks.measuring import Case, Contest
from benchmarks.queries import SIZES
from benchmarks.rows import ORDER_COLUMNS, TRADE_COLUMNS, as_row, order_fields, trade_fields
from benchmarks.stores import Store, StorePlace
from tradestore import Order, Trade

__all__ = ["cases"]

COMMITS_PER_TURN = 20

_WITHOUT_ID = TRADE_COLUMNS[1:], ORDER_COLUMNS[1:]
_numbers = count(1)

Fields = dict[str, Any]
Row = tuple[Any, ...]


@contextmanager
def _contest(place: StorePlace, trades: int) -> Iterator[Contest]:
    chance = random.Random(trades)
    with place.filled(trades) as store:

        def material() -> tuple[list[tuple[Fields, list[Fields]]], list[tuple[Row, list[Row]]]]:
            Trade.session.remove()
            ours = [_made_up(chance, "ours") for _ in range(COMMITS_PER_TURN)]
            return ours, [_rows(*_made_up(chance, "floor")) for _ in range(COMMITS_PER_TURN)]

        yield Contest(
            ours=lambda given: _commit_ours(given[0]),
            floor=lambda given: _commit_raw(store, given[1]),
            material=material,
            operations=COMMITS_PER_TURN,
            agree=lambda ours, floor: ours == floor == COMMITS_PER_TURN and _stored_alike(store),
        )


def _made_up(chance: random.Random, side: str) -> tuple[Fields, list[Fields]]:
    number = next(_numbers)
    fields = trade_fields(chance, number)
    return fields, [order_fields(fields, f"{side}-{number}-{leg}", is_entry=leg == 0) for leg in range(2)]


def _rows(trade: Fields, orders: Sequence[Fields]) -> tuple[Row, list[Row]]:
    return as_row(trade, _WITHOUT_ID[0]), [as_row(order, _WITHOUT_ID[1])[1:] for order in orders]


def _commit_ours(given: Sequence[tuple[Fields, list[Fields]]]) -> int:
    for fields, orders in given:
        trade = Trade(**fields)
        trade.orders += [Order(**order) for order in orders]
        Trade.session.add(trade)
        Trade.commit()
    return len(given)


def _commit_raw(store: Store, given: Sequence[tuple[Row, list[Row]]]) -> int:
    place = store.place
    insert_trade = f"{place.insert('trades', _WITHOUT_ID[0])} RETURNING id"
    insert_order = place.insert("orders", _WITHOUT_ID[1])
    cursor = store.raw.cursor()
    for trade, orders in given:
        cursor.execute(place.begin_write)
        cursor.execute(insert_trade, trade)
        (trade_id,) = cursor.fetchone()
        for order in orders:
            cursor.execute(insert_order, (trade_id, *order))
        cursor.execute("COMMIT")
    return len(given)


def _stored_alike(store: Store) -> bool:
    """Tell whether both sides have filled the same columns of as many rows."""
    totals = store.fetch(
        "SELECT count(*), count(DISTINCT ft_trade_id), count(filled), count(cost), count(order_filled_date) "
        "FROM orders WHERE order_id LIKE 'ours-%' "
        "UNION ALL "
        "SELECT count(*), count(DISTINCT ft_trade_id), count(filled), count(cost), count(order_filled_date) "
        "FROM orders WHERE order_id LIKE 'floor-%'"
    )
    return totals[0] == totals[1]


def cases(place: StorePlace) -> tuple[Case, ...]:
    """Return the case on one engine."""
    return (
        Case(
            name=f"{place.name} writing: commit of a trade with 2 orders",
            unit="trades",
            sizes=SIZES,
            prepare=partial(_contest, place),
            allowed_ratio=3.0,
            seconds=2.0,
        ),
    )
