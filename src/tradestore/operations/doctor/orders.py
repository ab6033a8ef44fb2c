"""Orders that contradict themselves or their trade."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select

from tradestore._clock import as_naive_utc
from tradestore.constants import PLACEHOLDER
from tradestore.operations.doctor._look import Look, finding, rows_that
from tradestore.operations.doctor.findings import Finding
from tradestore.operations.doctor.stories import DUST, Story

__all__ = [
    "done_at_the_exchange",
    "doubled_ids",
    "filled_beyond_amount",
    "hours_apart",
    "of_another_pair",
    "open_on_closed_trade",
    "orphans",
    "sold_more_than_held",
    "unknown_sides",
    "waiting_for_ids",
]

Rows = Iterator[tuple[int, dict[str, Any]]]
"""Primary keys with facts by column."""

_FINAL: Final = frozenset({"closed", "canceled", "cancelled", "expired", "rejected"})
_SIDES: Final = ("buy", "sell", "stoploss")
_HOUR: Final = timedelta(hours=1)
_FARTHEST_ZONE: Final = 14
_SKEW: Final = timedelta(seconds=60)
_PATIENCE: Final = timedelta(minutes=10)
"""How long an order may wait for its id."""


def of_another_pair(story: Story) -> Rows:
    """O02: the order's pair is not the trade's."""
    for order in story.orders:
        if order.ft_pair != story.trade.pair:
            yield _of(order, {"ft_pair": {"found": order.ft_pair, "expected": story.trade.pair}})


def open_on_closed_trade(story: Story) -> Rows:
    """O03: the trade is closed, and the order waits."""
    if not story.trade.is_open:
        for order in story.orders:
            if order.ft_is_open:
                yield _of(order, {"ft_is_open": {"found": True, "expected": False}, "status": {"found": order.status}})


def filled_beyond_amount(story: Story) -> Rows:
    """O04: more was filled than ordered."""
    for order in story.orders:
        amount = order.amount or order.ft_amount
        if order.filled and amount and order.filled > amount * (1 + DUST):
            yield _of(order, {"filled": {"found": order.filled}, "amount": {"found": amount}})


def done_at_the_exchange(story: Story) -> Rows:
    """O07: the exchange is done with the order, and it waits here."""
    if story.trade.is_open:
        for order in story.orders:
            if order.ft_is_open and order.status in _FINAL:
                yield _of(order, {"ft_is_open": {"found": True, "expected": False}, "status": {"found": order.status}})


def unknown_sides(story: Story) -> Rows:
    """O08: the order neither enters nor leaves."""
    for order in story.orders:
        if order.ft_order_side not in _SIDES:
            yield _of(order, {"ft_order_side": {"found": order.ft_order_side}})


def sold_more_than_held(story: Story) -> Rows:
    """O09: the exits together are larger than the entries; of the trade."""
    if story.entries and story.left < -DUST * story.entered:
        yield story.trade.id, {"position": {"found": story.left}, "entered": {"found": story.entered}}


def hours_apart(story: Story) -> Rows:
    """N10: a trade's moments are whole hours off those of its orders, as if they were of another zone."""
    trade = story.trade
    entered = [o.order_date for o in story.orders if o.ft_order_side == trade.entry_side and o.order_date is not None]
    left = [o.order_filled_date for o in story.exits if o.order_filled_date is not None]
    pairs = {
        "open_date": (trade.open_date, min(entered, default=None)),
        "close_date": (None if trade.is_open else trade.close_date, max(left, default=None)),
    }
    facts = {
        name: {"found": own, "expected": told, "hours": hours}
        for name, (own, told) in pairs.items()
        if own is not None and told is not None and (hours := _whole_hours(own - told))
    }
    if facts:
        yield trade.id, facts


def _whole_hours(apart: timedelta) -> int:
    if abs(apart) < _HOUR - _SKEW:
        return 0
    hours = round(apart / _HOUR)
    is_whole = 1 <= abs(hours) <= _FARTHEST_ZONE and abs(apart - hours * _HOUR) <= _SKEW
    return hours if is_whole else 0


def _of(order: Any, facts: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return order.id, {**facts, "ft_trade_id": {"found": order.ft_trade_id}}


def orphans(look: Look) -> Iterator[Finding]:
    """O01: there is no such trade."""
    orders, trades = look.table("orders"), look.table("trades")
    is_orphan = orders.c.ft_trade_id.not_in(select(trades.c.id))
    yield from rows_that(
        look, "O01", orders, is_orphan, ("ft_trade_id", "order_id", "ft_pair"), "orders belong to no trade"
    )


def doubled_ids(look: Look) -> Iterator[Finding]:
    """O05: one exchange has given an order's id once for a pair, and it stands here twice."""
    orders, trades = look.table("orders"), look.table("trades")
    pair = func.coalesce(orders.c.symbol, orders.c.ft_pair)
    key = (trades.c.exchange, orders.c.order_id, pair)
    joined = orders.join(trades, trades.c.id == orders.c.ft_trade_id)
    doubled = select(*key).select_from(joined).group_by(*key).having(func.count() > 1).limit(look.most_ids)
    ids: list[int] = []
    facts: dict[int, Any] = {}
    for exchange, order_id, symbol in look.connection.execute(doubled).all():
        alike = select(orders.c.id, orders.c.ft_trade_id).select_from(joined).order_by(orders.c.id)
        rows = look.connection.execute(
            alike.where(trades.c.exchange == exchange, orders.c.order_id == order_id, pair == symbol)
        ).all()
        for row in rows:
            ids.append(row.id)
            facts[row.id] = {"order_id": {"found": order_id}, "ft_trade_id": {"found": row.ft_trade_id}}
    if ids:
        yield finding(
            "O05",
            f"{len(ids)} orders share an id with another one.",
            table="orders",
            rows=len(ids),
            ids=ids,
            facts=facts,
        )


def waiting_for_ids(look: Look) -> Iterator[Finding]:
    """O06: an order was to be sent, and nobody has noted what the exchange calls it."""
    orders = look.table("orders")
    since: datetime = as_naive_utc(look.now - _PATIENCE)
    waits = orders.c.order_id.like(f"{PLACEHOLDER}%") & look.well_formed(
        orders.c.order_date, orders.c.order_date < since
    )
    yield from rows_that(look, "O06", orders, waits, ("order_id", "ft_trade_id"), "orders wait for the exchange's id")
