"""What is done about defects of trades and orders: the orders decide, by the library's own math."""

from datetime import datetime, timedelta
from typing import Any, Final

from tradestore.accounting._decimal import exact, multiply, subtract
from tradestore.constants import FINAL_ORDER_STATUSES
from tradestore.exceptions import TradeStoreError
from tradestore.operations.doctor.stories import Story
from tradestore.operations.doctor.totals import TOTALS
from tradestore.operations.repair.totals import is_over, settled, story_of
from tradestore.operations.repair.workbench import Workbench

__all__ = [
    "attach_or_delete_order",
    "bound_rates",
    "clear_close_date",
    "complete_close",
    "end_order",
    "end_order_of_closed_trade",
    "name_currencies",
    "orders_of",
    "replace_infinite",
    "settle",
    "shift_dates",
]

_HOUR: Final = timedelta(hours=1)
_NEAR: Final = timedelta(minutes=1)
_TOTALS: Final = frozenset(TOTALS.values())
_UNUSABLE: Final = (ArithmeticError, AttributeError, TypeError, ValueError, TradeStoreError)


def orders_of(bench: Workbench, trade_id: Any) -> list[dict[str, Any]]:
    """Return the orders of a trade, by id."""
    return bench.select("orders", "ft_trade_id", trade_id)


def settle(bench: Workbench, trade_id: Any) -> str | None:
    """Compute the totals of a trade from its orders, and end it if these have sold everything.

    Returns:
        Why that cannot be done, None if it was.
    """
    trade = bench.row("trades", trade_id)
    if trade is None:
        return "its trade is not there"
    try:
        fields = settled(story_of(trade, orders_of(bench, trade_id)))
    except _UNUSABLE as e:
        return f"the trade cannot be computed from its orders ({e}): correct that first, with edit-order or edit-trade"
    bench.change("trades", trade_id, **fields)
    return None


def clear_close_date(bench: Workbench, trade_id: Any) -> str | None:
    """Take the close date from an open trade that holds something; one that holds nothing is closed."""
    story = _story(bench, trade_id)
    if story is not None and is_over(story):
        return settle(bench, trade_id)
    bench.change("trades", trade_id, close_date=None)
    return None


def complete_close(bench: Workbench, trade_id: Any) -> str | None:
    """Give a closed trade the date and the rate of its last exit."""
    story = _story(bench, trade_id)
    last = story.exits[-1] if story is not None and story.exits else None
    moment = None if last is None else last.order_filled_date or last.order_update_date or last.order_date
    if story is None or last is None or moment is None:
        return "no filled exit order tells when and at what rate it was closed: close it by hand with close-trade"
    bench.change(
        "trades",
        trade_id,
        close_date=story.trade.close_date or moment,
        close_rate=story.trade.close_rate or last.safe_price,
    )
    return settle(bench, trade_id)


def bound_rates(bench: Workbench, trade_id: Any) -> str | None:
    """Let the lowest and the highest rate enclose every rate that the trade is known to have seen."""
    trade, orders = bench.row("trades", trade_id) or {}, orders_of(bench, trade_id)
    known = [trade.get(name) for name in ("min_rate", "max_rate", "open_rate", "close_rate")]
    known += [order["average"] or order["price"] for order in orders if order["filled"]]
    rates = [rate for rate in known if isinstance(rate, float) and 0 < rate < float("inf")]
    if not rates:
        return "no rate of it is known"
    bench.change("trades", trade_id, min_rate=min(rates), max_rate=max(rates))
    return None


def name_currencies(bench: Workbench, trade_id: Any) -> str | None:
    """Take the currencies from the pair."""
    trade = bench.row("trades", trade_id)
    base, slash, rest = (trade or {}).get("pair", "").partition("/")
    if not slash:
        return "its pair doesn't tell the currencies: rename it with rename-pair"
    bench.change("trades", trade_id, base_currency=base, stake_currency=rest.partition(":")[0])
    return None


def shift_dates(bench: Workbench, trade_id: Any) -> str | None:
    """Shift a trade's dates by the whole hours that they are apart from those of its orders.

    The orders are right: exchanges send times since 1970, which know no time zones.
    """
    trade, orders = bench.row("trades", trade_id), orders_of(bench, trade_id)
    story = _story(bench, trade_id)
    if trade is None or story is None:
        return "its values cannot be used: correct them first, with edit-trade or edit-order"
    entered = [each["order_date"] for each in orders if each["ft_order_side"] == story.trade.entry_side]
    left = [each.order_filled_date for each in story.exits]
    dates = {}
    if hours := _hours_between(trade["open_date"], min(filter(None, entered), default=None)):
        dates["open_date"] = trade["open_date"] - hours
    if hours := _hours_between(trade["close_date"], max(filter(None, left), default=None)):
        dates["close_date"] = trade["close_date"] - hours
    if not dates:
        return "it cannot be told which of the dates is right: compare with the exchange, then use edit-trade"
    bench.change("trades", trade_id, **dates)
    return settle(bench, trade_id)


def attach_or_delete_order(bench: Workbench, order_id: Any) -> str | None:
    """Give an order back to the trade that its intent names; one that nobody names is deleted."""
    order = bench.row("orders", order_id)
    if order is None or bench.row("trades", order["ft_trade_id"]) is not None:
        return None
    for intent in bench.select("order_intents", "order_id", order["order_id"]):
        trade_id = intent["ft_trade_id"]
        trade = None if trade_id is None else bench.row("trades", trade_id)
        if trade is not None and trade["pair"] == order["ft_pair"] == intent["pair"]:
            bench.change("orders", order_id, ft_trade_id=trade_id)
            return settle(bench, trade_id)
    bench.delete("orders", order_id)
    return None


def end_order(bench: Workbench, order_id: Any) -> str | None:
    """Let an order that waits no more be done, and its trade count what was filled of it."""
    order = bench.row("orders", order_id)
    if order is None:
        return None
    filled = order["filled"] or 0.0
    values: dict[str, Any] = {"ft_is_open": False}
    if order["status"] not in FINAL_ORDER_STATUSES:
        wanted = order["amount"] or order["ft_amount"] or 0.0
        values["status"] = "closed" if filled and filled >= wanted else "canceled"
    if filled and order["order_filled_date"] is None:
        values["order_filled_date"] = order["order_update_date"] or order["order_date"]
    bench.change("orders", order_id, **values)
    return settle(bench, order["ft_trade_id"]) if filled else None


def end_order_of_closed_trade(bench: Workbench, order_id: Any) -> str | None:
    """End an order that waits though its trade is closed, unless its fills would open the trade again."""
    order = bench.row("orders", order_id)
    refusal = end_order(bench, order_id)
    if refusal or order is None or not order["filled"]:
        return refusal
    story = _story(bench, order["ft_trade_id"])
    if story is not None and not story.is_dust_left:
        return (
            f"with the {order['filled']!r} that were filled of it, the closed trade {order['ft_trade_id']} would still "
            "hold something: compare with the exchange, then use edit-order, delete-order or reopen-trade"
        )
    return None


def replace_infinite(bench: Workbench, table: str, row_id: Any) -> str | None:
    """Compute a number that is none anew, where other numbers of the same trade or order decide it."""
    row = bench.row(table, row_id) or {}
    odd = {name for name, value in row.items() if isinstance(value, float) and value - value != 0}
    if table == "orders":
        return _recompute_order(bench, row, odd)
    if table != "trades" or not odd:
        return "only a person can know the right number: use edit-trade or edit-order"
    if odd - {*_TOTALS, "max_rate", "min_rate"}:
        return f"no order tells {', '.join(sorted(odd - _TOTALS))}: give it with edit-trade"
    if odd & _TOTALS and not any(order["filled"] and not order["ft_is_open"] for order in orders_of(bench, row_id)):
        return "it has no filled orders to compute it from: give it with edit-trade"
    refusal = settle(bench, row_id)
    return refusal or (bound_rates(bench, row_id) if odd & {"max_rate", "min_rate"} else None)


def _recompute_order(bench: Workbench, row: dict[str, Any], odd: set[str]) -> str | None:
    if not odd or odd - {"remaining", "cost"}:
        return "only the exchange knows the right number: use edit-order"
    filled, price = row["filled"] or 0.0, row["average"] or row["price"] or row["ft_price"]
    wanted = row["amount"] or row["ft_amount"]
    right = {
        "remaining": float(subtract(exact(wanted), exact(filled))),
        "cost": float(multiply(exact(filled), exact(price))),
    }
    bench.change("orders", row["id"], **{name: right[name] for name in odd})
    return None


def _story(bench: Workbench, trade_id: Any) -> Story | None:
    trade = bench.row("trades", trade_id)
    try:
        return None if trade is None else story_of(trade, orders_of(bench, trade_id))
    except _UNUSABLE:
        return None


def _hours_between(moment: datetime | None, other: datetime | None) -> timedelta | None:
    """Return the whole hours by which one moment is after another one, None if it is something else."""
    if not isinstance(moment, datetime) or not isinstance(other, datetime):
        return None
    hours = round((moment - other) / _HOUR) * _HOUR
    return hours if hours and abs(moment - other - hours) <= _NEAR else None
