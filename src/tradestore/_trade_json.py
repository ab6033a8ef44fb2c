"""Trades to and from JSON."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tradestore._clock import from_timestamp, moment_to_json
from tradestore.accounting._decimal import exact, exact_sum, subtract
from tradestore.constants import PROFIT_DECIMALS

if TYPE_CHECKING:
    from datetime import datetime

    from tradestore.local_trade import LocalTrade

_FEES = tuple(f"fee_{side}{what}" for side in ("open", "close") for what in ("", "_cost", "_currency"))
_TERMS = (
    "leverage",
    "interest_rate",
    "liquidation_price",
    "is_short",
    "trading_mode",
    "funding_fees",
    "amount_precision",
    "price_precision",
    "precision_mode",
    "precision_mode_price",
    "contract_size",
)
_NOTES = ("strategy", "enter_tag", "timeframe")
_EXIT = ("exit_reason", "exit_order_status")
_RANGE = ("min_rate", "max_rate")

_SAME_NAME = ("pair", "base_currency", "is_open", "close_rate", *_NOTES, *_FEES, *_EXIT, *_RANGE, *_TERMS)
"""Fields that a trade is read back from under their own name; a field that the text lacks keeps its default."""


_TOLD_BY_ORDERS = (
    "open_fill_date",
    "open_fill_timestamp",
    "stoploss_last_update",
    "stoploss_last_update_timestamp",
    "nr_of_successful_entries",
    "nr_of_successful_exits",
    "has_open_orders",
    "orders",
)


def without_orders(values: dict[str, Any]) -> dict[str, Any]:
    """Return what :func:`trade_to_json` gave without what is wrong for a trade whose orders were not read."""
    for name in _TOLD_BY_ORDERS:
        del values[name]
    return values


def trade_to_json(trade: "LocalTrade", *, minified: bool) -> dict[str, Any]:
    """Return the trade and its orders as JSON-ready values.

    Args:
        trade: Any trade.
        minified: Whether its orders carry only what a backtest's result needs.
    """
    orders = trade.select_filled_or_open_orders()
    return {
        "trade_id": trade.id,
        "pair": trade.pair,
        "base_currency": trade.safe_base_currency,
        "quote_currency": trade.safe_quote_currency,
        "is_open": trade.is_open,
        "exchange": trade.exchange,
        "amount": _round(trade.amount),
        "amount_requested": _round(trade.amount_requested),
        "stake_amount": _round(trade.stake_amount),
        "max_stake_amount": _round(trade.max_stake_amount),
        **_values(trade, _NOTES),
        **_values(trade, _FEES),
        **_opening(trade),
        **_closing(trade),
        **_values(trade, _EXIT),
        **_stops(trade),
        **_values(trade, _RANGE),
        **_values(trade, _TERMS),
        "nr_of_successful_entries": trade.nr_of_successful_entries,
        "nr_of_successful_exits": trade.nr_of_successful_exits,
        "has_open_orders": any(o.ft_is_open and o.ft_order_side != "stoploss" for o in orders),
        "orders": [o.to_json(trade.entry_side, minified) for o in orders],
    }


def _opening(trade: "LocalTrade") -> dict[str, Any]:
    return {
        **_moment("open_date", "open_timestamp", trade.open_date),
        **_moment("open_fill_date", "open_fill_timestamp", trade.date_entry_fill_utc),
        "open_rate": trade.open_rate,
        "open_rate_requested": trade.open_rate_requested,
        "open_trade_value": _round(trade.open_trade_value),
    }


def _closing(trade: "LocalTrade") -> dict[str, Any]:
    closed = trade.close_date_utc
    seconds = None if closed is None else int((closed - trade.open_date_utc).total_seconds())
    return {
        **_moment("close_date", "close_timestamp", closed),
        "close_rate": trade.close_rate,
        "close_rate_requested": trade.close_rate_requested,
        "trade_duration_s": seconds,
        "trade_duration": None if seconds is None else seconds // 60,
        "realized_profit": trade.realized_profit or 0.0,
        "realized_profit_ratio": trade.close_profit,
        "close_profit": trade.close_profit,
        "close_profit_pct": _percent(trade.close_profit),
        "close_profit_abs": trade.close_profit_abs,
        "profit_ratio": trade.close_profit,
        "profit_pct": _percent(trade.close_profit),
        "profit_abs": trade.close_profit_abs,
    }


def _stops(trade: "LocalTrade") -> dict[str, Any]:
    placed = trade.stoploss_last_update_utc
    return {
        "stop_loss_abs": trade.stop_loss,
        "stop_loss_ratio": trade.stop_loss_pct,
        "stop_loss_pct": _percent(trade.stop_loss_pct),
        **_moment("stoploss_last_update", "stoploss_last_update_timestamp", placed),
        "initial_stop_loss_abs": trade.initial_stop_loss,
        "initial_stop_loss_ratio": trade.initial_stop_loss_pct,
        "initial_stop_loss_pct": _percent(trade.initial_stop_loss_pct),
    }


def _values(trade: "LocalTrade", names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(trade, name) for name in names}


def read_trade(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the fields of a trade, and of each of its orders, from what :func:`trade_to_json` gave as text.

    Nothing is computed anew but what the text leaves out: the stop loss trails if it has moved towards profit, and the
    running funding fee is what the orders' fees leave of the trade's.

    Raises:
        KeyError: If the text lacks a field that no trade can be without.
    """
    data = json.loads(text)
    fields = {name: data[name] for name in _SAME_NAME if name in data}
    stop, first_stop = data.get("stop_loss_abs"), data.get("initial_stop_loss_abs")
    fields |= {
        "pair": data["pair"],
        "id": data.get("trade_id") or 0,
        "exchange": data.get("exchange", "import"),
        "stake_currency": data.get("quote_currency"),
        "amount": data["amount"],
        "amount_requested": data.get("amount_requested", data["amount"]),
        "stake_amount": data["stake_amount"],
        "max_stake_amount": data.get("max_stake_amount"),
        "open_date": from_timestamp(data["open_timestamp"]),
        "open_rate": data["open_rate"],
        "open_rate_requested": data.get("open_rate_requested", data["open_rate"]),
        "close_date": _read_moment(data, "close_timestamp"),
        "close_rate_requested": data.get("close_rate_requested", data.get("close_rate")),
        "realized_profit": data.get("realized_profit", 0.0),
        "close_profit": data.get("close_profit", data.get("profit_ratio")),
        "close_profit_abs": data.get("close_profit_abs", data.get("profit_abs")),
        "stop_loss": stop,
        "stop_loss_pct": data.get("stop_loss_ratio"),
        "initial_stop_loss": first_stop,
        "initial_stop_loss_pct": data.get("initial_stop_loss_ratio"),
        "is_stop_loss_trailing": _has_trailed(stop, first_stop, data.get("is_short", False)),
        "funding_fee_running": _running_funding(data),
        "interest_rate": data.get("interest_rate") or 0.0,
    }
    if data.get("open_trade_value") is not None:
        fields["open_trade_value"] = data["open_trade_value"]
    return fields, [_read_order(order, data["pair"]) for order in data.get("orders", [])]


def _has_trailed(stop: float | None, first_stop: float | None, is_short: bool) -> bool:
    if not stop or not first_stop:
        return False
    return stop < first_stop if is_short else stop > first_stop


def _running_funding(data: Mapping[str, Any]) -> float | None:
    orders = data.get("orders", [])
    if data.get("funding_fees") is None or not all("funding_fee" in order for order in orders):
        return None
    booked = exact_sum(order["funding_fee"] for order in orders)
    return float(subtract(exact(data["funding_fees"]), exact(booked)))


def _read_order(data: Mapping[str, Any], pair: str) -> dict[str, Any]:
    price = data.get("price", data["safe_price"])
    filled_at = _read_moment(data, "order_filled_timestamp")
    return {
        "order_id": data.get("order_id", ""),
        "ft_pair": data.get("pair", pair),
        "ft_order_side": data["ft_order_side"],
        "ft_is_open": data.get("is_open", False),
        "ft_amount": data["amount"],
        "ft_price": price,
        "ft_order_tag": data.get("ft_order_tag"),
        "ft_fee_base": data.get("ft_fee_base"),
        "symbol": data.get("pair", pair),
        "side": data["ft_order_side"],
        "order_type": data.get("order_type"),
        "status": data.get("status", "closed"),
        "price": price,
        # The average itself was rounded for reading.
        "average": data["safe_price"],
        "amount": data["amount"],
        "filled": data.get("filled", data["amount"]),
        "remaining": data.get("remaining", 0.0),
        "cost": data["cost"],
        "order_date": _read_moment(data, "order_timestamp"),
        "order_filled_date": filled_at,
        "funding_fee": data.get("funding_fee"),
    }


def _moment(date_key: str, timestamp_key: str, moment: "datetime | None") -> dict[str, Any]:
    text, timestamp = moment_to_json(moment)
    return {date_key: text, timestamp_key: timestamp}


def _read_moment(data: Mapping[str, Any], key: str) -> "datetime | None":
    return None if data.get(key) is None else from_timestamp(data[key])


def _round(number: float | None) -> float | None:
    return None if number is None else round(number, PROFIT_DECIMALS)


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio * 100, 2)
