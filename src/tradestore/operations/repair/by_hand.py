"""Edits that a person decides about: plans like those of repairs, with totals by the library's own math."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from tradestore._clock import as_naive_utc, utc_now
from tradestore._plain_twin import plain_trade
from tradestore._record import cut
from tradestore.accounting._decimal import exact, multiply
from tradestore.exceptions import InvalidValue, TradeStoreError
from tradestore.local_order import LocalOrder
from tradestore.operations._endpoints import snapshot
from tradestore.operations._referring_rows import (
    REMEDY,
    Leaving,
    leaving_with,
    refer_to_leaving,
    references_of_others,
)
from tradestore.operations.opening import Place, open_to_read
from tradestore.operations.repair.editing import EDITABLE_ORDER_FIELDS, EDITABLE_TRADE_FIELDS, checked_fields
from tradestore.operations.repair.plan import RepairPlan
from tradestore.operations.repair.rows import StoredRows
from tradestore.operations.repair.totals import changes_of, is_over, settled, story_of
from tradestore.operations.repair.trade_repairs import orders_of
from tradestore.operations.repair.workbench import Workbench

__all__ = [
    "plan_close_trade",
    "plan_delete_order",
    "plan_delete_trade",
    "plan_edit_order",
    "plan_edit_trade",
    "plan_reopen_trade",
]

_UNUSABLE: Final = (ArithmeticError, AttributeError, TypeError, ValueError, TradeStoreError)
_NOT_CLOSED: Final = {
    "is_open": True,
    "close_date": None,
    "close_rate": None,
    "close_rate_requested": None,
    "exit_reason": None,
    "exit_order_status": None,
}
_NO_PROFIT: Final = {"realized_profit": 0.0, "close_profit": None, "close_profit_abs": None}


def plan_close_trade(
    place: Place,
    trade_id: int,
    *,
    rate: float,
    date: datetime | None = None,
    reason: str = "closed by hand",
    fee: float | None = None,
) -> RepairPlan:
    """Plan to close an open trade that was sold, or bought back, beside the bot.

    A filled order for all that it holds is added, and the trade closes by it as it would by one of the exchange. Orders
    of it that wait are ended; what was filled of them counts.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Which trade.
        rate: At which it was closed, in stake currency.
        date: When (UTC); now if not given.
        reason: Is kept as the exit's reason, cut to what fits.
        fee: Ratio of the fee of the exit (0.001 is 0.1 %); the trade's own if not given.

    Raises:
        InvalidValue: If there is no such open trade, or the rate, the date or the fee cannot be.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    if not rate > 0 or rate == float("inf"):
        msg = f"The rate must be above 0, but was {rate!r}. Nothing was changed."
        raise InvalidValue(msg)
    closed_at, reason = as_naive_utc(date or utc_now()), cut(reason) or ""
    with _bench(place) as bench:
        trade = _trade(bench, trade_id, is_open=True)
        if closed_at < trade["open_date"]:
            msg = f"Trade {trade_id} was opened at {trade['open_date']} UTC, after {closed_at}. Nothing was changed."
            raise InvalidValue(msg)
        filled = [order["order_filled_date"] for order in orders_of(bench, trade_id) if order["filled"]]
        last = max(filter(None, filled), default=closed_at)
        if closed_at < last:
            msg = f"An order of trade {trade_id} was filled at {last} UTC, after {closed_at}. Nothing was changed."
            raise InvalidValue(msg)
        _end_waiting_orders(bench, trade_id)
        if fee is not None:
            bench.change("trades", trade_id, **checked_fields("trades", EDITABLE_TRADE_FIELDS, {"fee_close": fee}))
        _settle(bench, trade_id)
        trade = _trade(bench, trade_id, is_open=True)
        with _usable(trade_id):
            story = story_of(trade, orders_of(bench, trade_id))
            held = story.trade
            order = _closing_order(trade, held.exit_side, rate, closed_at, reason)
            twin = plain_trade(held.__dict__, ())
            twin.orders = [*held.orders, _local(order)]
            story.trade = twin
            twin.update_trade(twin.orders[-1])
        order["funding_fee"] = twin.orders[-1].funding_fee
        bench.add("orders", order)
        fields = changes_of(story, trade)
        bench.change("trades", trade_id, **fields, exit_reason=reason, close_rate_requested=rate)
        bench.finish_step(f"it was closed at {rate} beside the bot")
        return bench.plan()


def plan_reopen_trade(place: Place, trade_id: int, *, drop_exit: bool = False) -> RepairPlan:
    """Plan to open a closed trade again.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Which trade.
        drop_exit: Delete its last exit order, which never was. Without it, the orders must leave something to hold.

    Raises:
        InvalidValue: If there is no such closed trade, or if its orders leave nothing to hold.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    with _bench(place) as bench:
        trade = _trade(bench, trade_id, is_open=False)
        with _usable(trade_id):
            story = story_of(trade, orders_of(bench, trade_id))
        if drop_exit and story.exits:
            _delete_order(bench, story.exits[-1].id)
        elif story.exits and is_over(story):
            last = story.exits[-1]
            msg = (
                f"The orders of trade {trade_id} have sold everything, so it cannot be open: if its last exit, order "
                f"{last.id} ({last.order_id}), never was, add --drop-exit (drop_exit). Nothing was changed."
            )
            raise InvalidValue(msg)
        bench.change("trades", trade_id, **_NOT_CLOSED, **_NO_PROFIT)
        _settle(bench, trade_id)
        bench.finish_step("it is to be open again")
        return bench.plan()


def plan_delete_trade(place: Place, trade_id: int) -> RepairPlan:
    """Plan to delete a trade with its orders and what is remembered about it; the log keeps all of it.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Which trade.

    Raises:
        InvalidValue: If there is no such trade, or if rows of other tables refer to it.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    with _bench(place) as bench:
        _trade(bench, trade_id)
        _refuse_referring(bench, leaving_with([trade_id]), f"trade {trade_id}")
        # The engine would do the same by itself, and then nobody could undo it.
        for intent in bench.select("order_intents", "ft_trade_id", trade_id):
            bench.change("order_intents", intent["id"], ft_trade_id=None)
        for table in ("trade_custom_data", "orders"):
            for row in bench.select(table, "ft_trade_id", trade_id):
                bench.delete(table, row["id"])
        bench.delete("trades", trade_id)
        bench.finish_step("the trade is to be deleted")
        return bench.plan()


def plan_edit_trade(place: Place, trade_id: int, /, **fields: Any) -> RepairPlan:
    """Plan to change fields of a trade; its totals follow.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Which trade.
        **fields: Of :data:`EDITABLE_TRADE_FIELDS`; what follows from the orders is edited there.

    Raises:
        InvalidValue: If there is no such trade or field, or the field cannot be that.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    values = checked_fields("trades", EDITABLE_TRADE_FIELDS, fields)
    with _bench(place) as bench:
        _trade(bench, trade_id)
        bench.change("trades", trade_id, **values)
        _settle(bench, trade_id)
        bench.finish_step(f"{', '.join(values)} edited by hand")
        return bench.plan()


def plan_edit_order(place: Place, order_id: int, /, **fields: Any) -> RepairPlan:
    """Plan to change fields of an order; the totals of its trade follow.

    Args:
        place: A database URL, or the database that is open.
        order_id: The order's ``id`` in the table, not that of the exchange.
        **fields: Of :data:`EDITABLE_ORDER_FIELDS`.

    Raises:
        InvalidValue: If there is no such order or field, or the field cannot be that.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    values = checked_fields("orders", EDITABLE_ORDER_FIELDS, fields)
    with _bench(place) as bench:
        before = _order(bench, order_id)
        bench.change("orders", order_id, **values)
        for trade_id in {before["ft_trade_id"], values.get("ft_trade_id", before["ft_trade_id"])}:
            _settle(bench, trade_id)
        bench.finish_step(f"{', '.join(values)} edited by hand")
        return bench.plan()


def plan_delete_order(place: Place, order_id: int) -> RepairPlan:
    """Plan to delete an order; the totals of its trade follow, and the log keeps it.

    Args:
        place: A database URL, or the database that is open.
        order_id: The order's ``id`` in the table, not that of the exchange.

    Raises:
        InvalidValue: If there is no such order, or if rows of other tables refer to it.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    with _bench(place) as bench:
        order = _order(bench, order_id)
        _refuse_referring(bench, {"orders": ("id", [order_id])}, f"order {order_id}")
        _delete_order(bench, order_id)
        _settle(bench, order["ft_trade_id"])
        bench.finish_step("the order is to be deleted")
        return bench.plan()


@contextmanager
def _bench(place: Place) -> Iterator[Workbench]:
    with open_to_read(place) as store, snapshot(store.engine) as connection:
        yield Workbench(StoredRows(connection))


@contextmanager
def _usable(trade_id: int) -> Iterator[None]:
    try:
        yield
    except _UNUSABLE as e:
        msg = f"Trade {trade_id} cannot be computed ({e}). Nothing was changed: correct that first, with an edit."
        raise InvalidValue(msg) from e


def _trade(bench: Workbench, trade_id: int, *, is_open: bool | None = None) -> dict[str, Any]:
    trade = bench.row("trades", trade_id)
    if trade is None:
        msg = f"There is no trade {trade_id}. Nothing was changed: see `tradestore trades` for those that there are."
        raise InvalidValue(msg)
    if is_open is not None and trade["is_open"] is not is_open:
        msg = f"Trade {trade_id} is {'open' if trade['is_open'] else 'closed'} already. Nothing was changed."
        raise InvalidValue(msg)
    return trade


def _order(bench: Workbench, order_id: int) -> dict[str, Any]:
    order = bench.row("orders", order_id)
    if order is None:
        msg = f"There is no order {order_id}. Nothing was changed: `tradestore trade ID` lists a trade's orders."
        raise InvalidValue(msg)
    return order


def _refuse_referring(bench: Workbench, leaving: Leaving, what: str) -> None:
    """Refuse what the engine would do to rows of a user's own tables: the log would not have them."""
    connection = bench.rows.connection
    if found := list(refer_to_leaving(connection, references_of_others(connection), leaving)):
        msg = (
            f"Rows of other tables refer to {what}, or to what is deleted with it: {'; '.join(found)}. Nothing was "
            f"changed: {REMEDY}"
        )
        raise InvalidValue(msg)


def _delete_order(bench: Workbench, order_id: Any) -> None:
    order = bench.row("orders", order_id)
    for intent in bench.select("order_intents", "order_id", order and order["order_id"]):
        # An intent of an order that never was must not be taken for one whose order was lost.
        bench.change("order_intents", intent["id"], state="void")
    bench.delete("orders", order_id)


def _settle(bench: Workbench, trade_id: int) -> None:
    trade = bench.row("trades", trade_id)
    if trade is None:
        msg = f"There is no trade {trade_id}. Nothing was changed: see `tradestore trades` for those that there are."
        raise InvalidValue(msg)
    with _usable(trade_id):
        fields = settled(story_of(trade, orders_of(bench, trade_id)))
    bench.change("trades", trade_id, **fields)


def _end_waiting_orders(bench: Workbench, trade_id: int) -> None:
    for order in orders_of(bench, trade_id):
        if order["ft_is_open"]:
            filled_at = order["order_filled_date"] or order["order_update_date"] or order["order_date"]
            bench.change(
                "orders",
                order["id"],
                ft_is_open=False,
                status="canceled",
                order_filled_date=filled_at if order["filled"] else None,
            )


def _closing_order(trade: dict[str, Any], side: str, rate: float, closed_at: datetime, reason: str) -> dict[str, Any]:
    """Return the row of an order that takes all of a trade's position at one rate."""
    amount = trade["amount"]
    return {
        "ft_trade_id": trade["id"],
        "ft_order_side": side,
        "ft_pair": trade["pair"],
        "ft_is_open": False,
        "ft_amount": amount,
        "ft_price": rate,
        "order_id": f"by-hand-{uuid4().hex}",
        "status": "closed",
        "symbol": trade["pair"],
        "order_type": "market",
        "side": side,
        "price": rate,
        "average": rate,
        "amount": amount,
        "filled": amount,
        "remaining": 0.0,
        "cost": float(multiply(exact(amount), exact(rate))),
        "order_date": closed_at,
        "order_filled_date": closed_at,
        "order_update_date": closed_at,
        "ft_order_tag": reason,
    }


def _local(order: dict[str, Any]) -> LocalOrder:
    result = object.__new__(LocalOrder)
    result.__dict__.update(order)
    return result
