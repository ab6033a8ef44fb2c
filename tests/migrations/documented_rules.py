"""What becomes of an old database by the documented rules, row by row in Python: nothing of it is the library's.

The recorded databases show that it says what the expected files say; so it can say what no file says.
"""

from collections.abc import Mapping
from typing import Any, Final

from tests.migrations.legacy import Row, Rows, mirrored_rows
from tests.migrations.mirrored_tables import TABLES

__all__ = ["expected_by_rules"]

_OTHERS: Final = ("pairlocks", "KeyValueStore", "trade_custom_data", "wallet_history")

_OLD_NAMES: Final = {
    "fee_open": "fee",
    "fee_close": "fee",
    "stake_amount": "btc_amount",
    "exit_order_status": "sell_order_status",
    "enter_tag": "buy_tag",
    "timeframe": "ticker_interval",
    "liquidation_price": "isolated_liq",
    "precision_mode_price": "precision_mode",
}
_NEW_VALUES: Final[Mapping[str, Row]] = {
    "trades": {
        "fee_open": 0.0,
        "fee_close": 0.0,
        "stop_loss": 0.0,
        "initial_stop_loss": 0.0,
        "max_rate": 0.0,
        "realized_profit": 0.0,
        "leverage": 1.0,
        "is_short": False,
        "interest_rate": 0.0,
        "funding_fees": 0.0,
        "record_version": 1,
    },
    "orders": {"funding_fee": 0.0},
    "pairlocks": {"side": "*"},
}
_EXIT_REASONS: Final = {
    "sell_signal": "exit_signal",
    "custom_sell": "custom_exit",
    "force_sell": "force_exit",
    "emergency_sell": "emergency_exit",
}


def expected_by_rules(old: Mapping[str, Rows], *, ignores_case: bool) -> dict[str, Rows]:
    """Return the six tables as they have to be afterwards, as the expected files write them.

    Args:
        old: All rows of all tables as they were, as a driver gives them.
        ignores_case: Whether the engine's LIKE takes DRY for dry.
    """
    trades = [_trade(row) for row in old["trades"]]
    orders = [_order(row) for row in old.get("orders", []) if row["ft_trade_id"] is not None]
    tables = {name: [_copied(name, row) for row in old.get(name, [])] for name in _OTHERS}
    orders += _unknown_orders(old["trades"], trades, orders)
    _correct_orders(trades, orders, ignores_case=ignores_case)
    _correct_stakes(old["trades"], trades)
    return mirrored_rows({"trades": trades, "orders": orders, **tables})


def _copied(table: str, old: Row) -> Row:
    new_values = _NEW_VALUES.get(table, {})
    return {name: old.get(name, old.get(_OLD_NAMES.get(name, ""), new_values.get(name))) for name in TABLES[table]}


def _trade(old: Row) -> Row:
    if "record_version" in old:
        return _copied("trades", old)
    new = _copied("trades", old)
    new["exchange"] = old["exchange"].lower()
    if "fee_open" not in old and "/" not in old["pair"] and "_" in old["pair"]:
        stake, _, base = old["pair"].partition("_")
        new["pair"] = f"{base}/{stake}"
    if "btc_amount" in old and old["close_profit"] is not None:
        new["close_profit"] = old["close_profit"] / 100
    new["open_rate"], new["amount"] = (_needed(old, name) for name in ("open_rate", "amount"))
    if "amount_requested" not in old:
        new["amount_requested"] = new["amount"]
    if "open_trade_value" not in old:
        new["open_trade_value"] = new["amount"] * new["open_rate"] * (1 + new["fee_open"])
    if "close_profit_abs" not in old and old["close_rate"] is not None:
        value = new["amount"] * old["close_rate"] * (1 - new["fee_close"])
        new["close_profit_abs"] = value - new["open_trade_value"]
    if "max_stake_amount" not in old:
        new["max_stake_amount"] = new["stake_amount"]
    if "is_stop_loss_trailing" not in old:
        new["is_stop_loss_trailing"] = (new["stop_loss_pct"] or 0.0) != (new["initial_stop_loss_pct"] or 0.0)
    reason = old.get("sell_reason", old.get("exit_reason"))
    return new | {"exit_reason": _EXIT_REASONS.get(str(reason), reason)}


def _needed(old: Row, name: str) -> Any:
    return next((value for value in (old[name], old.get(f"{name}_requested")) if value is not None), 0.0)


def _order(old: Row) -> Row:
    new = _copied("orders", old)
    for name in ("amount", "price"):
        if f"ft_{name}" not in old:
            new[f"ft_{name}"] = 0.0 if old[name] is None else old[name]
    return new


def _unknown_orders(old: Rows, trades: Rows, orders: Rows) -> Rows:
    known = {(order["ft_pair"], order["order_id"]) for order in orders}
    number = max((order["id"] for order in orders), default=0)
    made: Rows = []
    for name in ("open_order_id", "stoploss_order_id"):
        for row, trade in zip(old, trades, strict=True):
            order_id = row.get(name)
            if order_id is None or (trade["pair"], order_id) in known:
                continue
            known.add((trade["pair"], order_id))
            is_entry = (trade["close_rate_requested"] is None) != bool(trade["is_short"])
            filled = {"ft_trade_id": trade["id"], "ft_pair": trade["pair"], "order_id": order_id, "ft_is_open": True}
            filled["ft_order_side"] = "stoploss" if name == "stoploss_order_id" else "buy" if is_entry else "sell"
            numbers = {"id": number + len(made) + 1, "ft_amount": 0.0, "ft_price": 0.0, "funding_fee": 0.0}
            made.append(dict.fromkeys(TABLES["orders"]) | filled | numbers)
    return made


def _correct_orders(trades: Rows, orders: Rows, *, ignores_case: bool) -> None:
    waiting = {trade["id"] for trade in trades if trade["is_open"]}
    for order in orders:
        order_id = order["order_id"].lower() if ignores_case else order["order_id"]
        is_over = order["ft_order_side"] == "stoploss" or order["ft_trade_id"] not in waiting
        if order_id.startswith("dry") and is_over:
            order["ft_is_open"] = False


def _correct_stakes(old: Rows, trades: Rows) -> None:
    for row, trade in zip(old, trades, strict=True):
        is_leveraged = (trade["leverage"] or 0.0) > 1 and not trade["is_open"] and trade["max_stake_amount"]
        if is_leveraged and trade["record_version"] < 2:
            if "max_stake_amount" in row:
                trade["max_stake_amount"] /= trade["leverage"]
            trade["record_version"] = 2
