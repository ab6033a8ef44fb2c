"""What is done about defects of trades and orders: the orders decide, by the library's own math."""

from datetime import datetime, timedelta
from typing import Any, Final

from tradestore.accounting._decimal import exact, multiply, subtract
from tradestore.constants import FINAL_ORDER_STATUSES
from tradestore.exceptions import TradeStoreError
from tradestore.local_trade import LocalTrade
from tradestore.operations.repair.totals import TOTALS, is_over, last_exit_of, settled, twin_of
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
_NEAR: Final = timedelta(minutes=5)
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
        fields = settled(trade, orders_of(bench, trade_id))
    except _UNUSABLE as e:
        return f"the trade cannot be computed from its orders ({e}): correct that first, with edit-order or edit-trade"
    if fields:
        bench.change("trades", trade_id, **fields)
    return None


def clear_close_date(bench: Workbench, trade_id: Any) -> str | None:
    """Take the close date from an open trade that holds something; one that holds nothing is closed."""
    twin = _twin(bench, trade_id)
    if twin is None or not twin.is_open:
        return None
    if is_over(twin):
        return settle(bench, trade_id)
    bench.change("trades", trade_id, close_date=None)
    return None


def complete_close(bench: Workbench, trade_id: Any) -> str | None:
    """Give a closed trade the date and the rate of its last exit."""
    twin = _twin(bench, trade_id)
    last = None if twin is None else last_exit_of(twin)
    moment = None if last is None else last.order_filled_date or last.order_update_date or last.order_date
    if twin is None or last is None or moment is None:
        return "no filled exit order tells when and at what rate it was closed: close it by hand with close-trade"
    bench.change(
        "trades",
        trade_id,
        close_date=twin.close_date or moment,
        close_rate=twin.close_rate or last.safe_price,
    )
    return settle(bench, trade_id)


def bound_rates(bench: Workbench, trade_id: Any) -> str | None:
    """Let the lowest and the highest rate enclose every rate that the trade is known to have seen."""
    twin = _twin(bench, trade_id)
    if twin is None:
        return "its trade is not there"
    known = [twin.min_rate, twin.max_rate, twin.open_rate, twin.close_rate]
    known += [order.safe_price for order in twin.orders if order.filled]
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
    twin = _twin(bench, trade_id)
    first = next((each for each in orders if twin and each["ft_order_side"] == twin.entry_side), None)
    last = None if twin is None else last_exit_of(twin)
    if trade is None or first is None:
        return "it has no entry order that would tell the time"
    dates = {}
    if hours := _hours_between(trade["open_date"], first["order_date"]):
        dates["open_date"] = trade["open_date"] - hours
    if last is not None and (hours := _hours_between(trade["close_date"], last.order_filled_date)):
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
    twin = _twin(bench, order["ft_trade_id"])
    if twin is not None and not is_over(twin):
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
    if odd - {*TOTALS, "max_rate", "min_rate"}:
        return f"no order tells {', '.join(sorted(odd - set(TOTALS)))}: give it with edit-trade"
    if odd & set(TOTALS) and not any(order["filled"] and not order["ft_is_open"] for order in orders_of(bench, row_id)):
        return "it has no filled orders to compute it from: give it with edit-trade"
    bench.change("trades", row_id, **{name: row["open_rate"] for name in odd - set(TOTALS)})
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


def _twin(bench: Workbench, trade_id: Any) -> LocalTrade | None:
    trade = bench.row("trades", trade_id)
    try:
        return None if trade is None else twin_of(trade, orders_of(bench, trade_id))
    except ValueError:
        return None


def _hours_between(moment: datetime | None, other: datetime | None) -> timedelta | None:
    """Return the whole hours by which one moment is after another one, None if it is something else."""
    if not isinstance(moment, datetime) or not isinstance(other, datetime):
        return None
    hours = round((moment - other) / _HOUR) * _HOUR
    return hours if hours and abs(moment - other - hours) <= _NEAR else None


