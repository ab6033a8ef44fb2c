"""Renaming a pair everywhere, as after an exchange has given a coin another name."""

from typing import Any, Final

from tradestore.constants import PAIR_LENGTH
from tradestore.exceptions import InvalidValue
from tradestore.operations._endpoints import snapshot
from tradestore.operations.opening import Place, open_to_read
from tradestore.operations.repair.plan import RepairPlan
from tradestore.operations.repair.rows import StoredRows
from tradestore.operations.repair.workbench import Workbench

__all__ = ["plan_rename_pair"]

_WITHOUT_EXCHANGE: Final = ("pairlocks", "trade_custom_data")


def plan_rename_pair(place: Place, old: str, new: str, *, exchange: str | None = None) -> RepairPlan:
    """Plan to give a pair another name in trades, orders, intents, locks and what is remembered about it.

    Trades that are archived, and the sums of what they brought, keep the old name: put them back before.

    Args:
        place: A database URL, or the database that is open.
        old: Its name, such as ``MATIC/USDT``.
        new: Its new name.
        exchange: Only in trades of this exchange, with their orders; locks and what is remembered about pairs belong to
            no exchange and keep the old name then. Everywhere if not given.

    Raises:
        InvalidValue: If there is nothing of that name, the new one is no pair, or something of the new name is in the
            way.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    base, slash, rest = new.partition("/")
    if not (base and slash and rest) or len(new) > PAIR_LENGTH or new == old:
        msg = f"{new!r} is no other pair: a name such as POL/USDT was expected. Nothing was changed."
        raise InvalidValue(msg)
    with open_to_read(place) as store, snapshot(store.engine) as connection:
        bench = Workbench(StoredRows(connection))
        trades = _of_exchange(bench.select("trades", "pair", old), exchange)
        for trade in trades:
            currencies = {"base_currency": base, "stake_currency": rest.partition(":")[0]}
            bench.change("trades", trade["id"], pair=new, **currencies)
            _rename_orders(bench, trade["id"], old, new)
        for intent in _of_exchange(bench.select("order_intents", "pair", old), exchange):
            bench.change("order_intents", intent["id"], pair=new)
        for table in _WITHOUT_EXCHANGE if exchange is None else ():
            _refuse_collision(bench, table, old, new)
            for row in bench.select(table, "pair", old):
                bench.change(table, row["id"], pair=new)
        bench.finish_step(f"the pair {old} is {new} now")
        plan = bench.plan()
    if not plan.steps:
        msg = f"There is nothing of the pair {old!r}{f' on {exchange}' if exchange else ''}. Nothing was changed."
        raise InvalidValue(msg)
    return plan


def _of_exchange(rows: list[dict[str, Any]], exchange: str | None) -> list[dict[str, Any]]:
    return [row for row in rows if exchange is None or row["exchange"] == exchange]


def _rename_orders(bench: Workbench, trade_id: Any, old: str, new: str) -> None:
    taken = {order["order_id"] for order in bench.select("orders", "ft_pair", new)}
    for order in bench.select("orders", "ft_trade_id", trade_id):
        if order["ft_pair"] != old:
            continue
        if order["order_id"] in taken:
            msg = (
                f"The pair {new} has an order {order['order_id']!r} already, and so has {old}. Nothing was changed: "
                "delete the one that does not belong there first."
            )
            raise InvalidValue(msg)
        bench.change("orders", order["id"], ft_pair=new, symbol=new if order["symbol"] == old else order["symbol"])


def _refuse_collision(bench: Workbench, table: str, old: str, new: str) -> None:
    """Refuse to make one of two things that were kept apart by their pairs."""
    key = ("side", "lock_end_time", "active") if table == "pairlocks" else ("ft_trade_id", "cd_key")
    taken = {tuple(row[name] for name in key) for row in bench.select(table, "pair", new)}
    for row in bench.select(table, "pair", old):
        if tuple(row[name] for name in key) in taken:
            told = ", ".join(f"{name} {row[name]}" for name in key)
            msg = f"{new} and {old} both have a row in {table} with {told}. Nothing was changed: delete one first."
            raise InvalidValue(msg)
