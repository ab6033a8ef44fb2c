"""Many trades at once, against the raw driver's way of writing the same rows; and how much memory that takes."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from typing import Any

from benchmarks.measuring import Case, Contest, Pauses
from benchmarks.rows import ORDER_COLUMNS, TRADE_COLUMNS, batches, order_fields, rows_of, trade_fields
from benchmarks.stores import StorePlace
from tradestore import LocalOrder, LocalTrade, Trade

__all__ = ["cases"]

SIZES = (10_000, 100_000)
BATCH = 1_000


@contextmanager
def _speed(place: StorePlace, trades: int) -> Iterator[Contest]:
    """Write into two databases, one for each side, emptied before each turn; costs are told for one trade."""
    pauses = Pauses()
    with place.store("bulk_floor"):
        pass  # Has the tables from now on.
    with place.store("bulk_ours") as store, closing(place.connect(place.url("bulk_floor"))) as raw:

        def empty_both() -> None:
            Trade.session.remove()
            _empty(store.raw)
            _empty(raw)

        yield Contest(
            ours=lambda _: _write_ours(pauses, trades),
            floor=lambda _: _write_raw(place, raw, pauses, trades),
            material=empty_both,
            operations=trades,
            agree=lambda ours, floor: ours == floor == trades and _stored(store.raw) == _stored(raw),
            pauses=pauses,
        )
        empty_both()


@contextmanager
def _memory(place: StorePlace, trades: int) -> Iterator[Contest]:
    """Write into one database; the floor's memory is that of the batch that one chooses."""
    with place.store("bulk_ours") as store:
        _empty(store.raw)
        yield Contest(ours=lambda _: _write_ours(Pauses(), trades), floor=None)
        _empty(store.raw)


def _empty(raw: Any) -> None:
    with closing(raw.cursor()) as cursor:
        for table in ("orders", "trades"):
            cursor.execute(f"DELETE FROM {table}")


def _write_ours(pauses: Pauses, trades: int) -> int:
    return Trade.bulk_add(pauses.during(_trades(trades)))


def _trades(count: int) -> Iterator[LocalTrade]:
    """Make up the trades that :func:`rows_of` gives as rows."""
    chance = random.Random(count)
    for number in range(1, count + 1):
        fields = trade_fields(chance, number)
        orders = [order_fields(fields, f"order-{2 * number + leg}", is_entry=leg == 0) for leg in range(2)]
        yield LocalTrade(**fields, orders=[LocalOrder(**order) for order in orders])


def _write_raw(place: StorePlace, raw: Any, pauses: Pauses, trades: int) -> int:
    written = 0
    with closing(raw.cursor()) as cursor:
        cursor.execute(place.begin_write)
        for batch in batches(pauses.during(rows_of(trades)), BATCH):
            place.write_many(cursor, "trades", TRADE_COLUMNS, [trade for trade, _ in batch])
            place.write_many(cursor, "orders", ORDER_COLUMNS, chain.from_iterable(orders for _, orders in batch))
            written += len(batch)
        cursor.execute("COMMIT")
    return written


def _stored(connection: Any) -> list[tuple[Any, ...]]:
    sums = "count(*), count(close_date), round(sum(close_profit_abs)), count(DISTINCT pair), count(leverage)"
    with closing(connection.cursor()) as cursor:
        cursor.execute(
            f"SELECT {sums} FROM trades UNION ALL "
            "SELECT count(*), count(order_date), round(sum(cost)), count(DISTINCT ft_pair), count(filled) FROM orders"
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def cases(place: StorePlace) -> tuple[Case, ...]:
    """Return the cases on one engine."""
    return (
        Case(
            name=f"{place.name} writing: bulk, each trade with 2 orders",
            unit="trades",
            sizes=SIZES,
            prepare=partial(_speed, place),
            allowed_ratio=3.0,
            allowed_growth=1.2,
            turns=(1, 3),
            seconds=3.0,
        ),
        Case(
            name=f"{place.name} writing: bulk, peak of memory",
            unit="trades",
            sizes=place.traced_sizes,
            prepare=partial(_memory, place),
            allowed_growth=1.2,
            quantity="memory",
            turns=(1, 1),
        ),
    )
