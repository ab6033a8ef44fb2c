"""Trades with two orders each, as rows for a driver: what a database is filled with, and what the floor writes."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from benchmarks.stories import START

__all__ = [
    "ORDER_COLUMNS",
    "PAIRS",
    "TRADE_COLUMNS",
    "as_row",
    "batches",
    "moment_text",
    "order_fields",
    "rows_of",
    "trade_fields",
]

_T = TypeVar("_T")

PAIRS: Final = tuple(f"COIN{number:02}/USDT" for number in range(40))
_TAGS: Final = ("dip", "breakout", "trend", None)
_REASONS: Final = ("roi", "exit_signal", "stop_loss", "trailing_stop_loss")

TRADE_COLUMNS: Final = (
    "id",
    "exchange",
    "pair",
    "base_currency",
    "stake_currency",
    "is_open",
    "fee_open",
    "fee_close",
    "open_rate",
    "open_rate_requested",
    "open_trade_value",
    "close_rate",
    "realized_profit",
    "close_profit",
    "close_profit_abs",
    "stake_amount",
    "max_stake_amount",
    "amount",
    "amount_requested",
    "open_date",
    "close_date",
    "stop_loss",
    "initial_stop_loss",
    "is_stop_loss_trailing",
    "max_rate",
    "min_rate",
    "exit_reason",
    "strategy",
    "enter_tag",
    "timeframe",
    "trading_mode",
    "leverage",
    "is_short",
    "interest_rate",
    "record_version",
)
ORDER_COLUMNS: Final = (
    "id",
    "ft_trade_id",
    "ft_order_side",
    "ft_pair",
    "ft_is_open",
    "ft_amount",
    "ft_price",
    "order_id",
    "status",
    "symbol",
    "order_type",
    "side",
    "price",
    "average",
    "amount",
    "filled",
    "remaining",
    "cost",
    "order_date",
    "order_filled_date",
)


def trade_fields(chance: random.Random, number: int, *, is_open: bool = False) -> dict[str, Any]:
    """Make up a trade, without its id; one was opened every five minutes and held for an hour."""
    rate = round(chance.uniform(20.0, 900.0), 2)
    amount = round(chance.uniform(0.5, 20.0), 3)
    stake = round(amount * rate, 8)
    ratio = round(chance.uniform(-0.1, 0.1), 8)
    profit = round(stake * ratio, 8)
    pair = PAIRS[number % len(PAIRS)]
    opened = START + timedelta(minutes=5 * number)
    return {
        "exchange": "binance",
        "pair": pair,
        "base_currency": pair.partition("/")[0],
        "stake_currency": "USDT",
        "is_open": is_open,
        "fee_open": 0.001,
        "fee_close": 0.001,
        "open_rate": rate,
        "open_rate_requested": rate,
        "open_trade_value": stake * 1.001,
        "close_rate": None if is_open else round(rate * (1 + ratio), 2),
        "realized_profit": 0.0 if is_open else profit,
        "close_profit": None if is_open else ratio,
        "close_profit_abs": None if is_open else profit,
        "stake_amount": stake,
        "max_stake_amount": stake,
        "amount": amount,
        "amount_requested": amount,
        "open_date": opened,
        "close_date": None if is_open else opened + timedelta(hours=1),
        "stop_loss": round(rate * 0.9, 2),
        "initial_stop_loss": round(rate * 0.9, 2),
        "is_stop_loss_trailing": False,
        "max_rate": round(rate * 1.05, 2),
        "min_rate": round(rate * 0.95, 2),
        "exit_reason": None if is_open else _REASONS[number % 7 % 4],
        "strategy": "Patience",
        "enter_tag": _TAGS[number % 11 % 4],
        "timeframe": 5,
        "trading_mode": "spot",
        "leverage": 1.0,
        "is_short": False,
        "interest_rate": 0.0,
        "record_version": 2,
    }


def order_fields(trade: Mapping[str, Any], order_id: str, *, is_entry: bool) -> dict[str, Any]:
    """Return the entry or the exit of a trade, without ids; the exit of an open trade waits."""
    waits = trade["is_open"] and not is_entry
    price = trade["open_rate"] if is_entry else trade["close_rate"] or trade["max_rate"]
    amount, side = trade["amount"], "buy" if is_entry else "sell"
    placed = trade["open_date"] if is_entry else trade["close_date"] or trade["open_date"]
    return {
        "ft_order_side": side,
        "ft_pair": trade["pair"],
        "ft_is_open": waits,
        "ft_amount": amount,
        "ft_price": price,
        "order_id": order_id,
        "status": "open" if waits else "closed",
        "symbol": trade["pair"],
        "order_type": "limit",
        "side": side,
        "price": price,
        "average": None if waits else price,
        "amount": amount,
        "filled": 0.0 if waits else amount,
        "remaining": amount if waits else 0.0,
        "cost": 0.0 if waits else amount * price,
        "order_date": placed,
        "order_filled_date": None if waits else placed,
    }


def moment_text(moment: datetime) -> str:
    """Write a moment in the form that SQLite keeps and PostgreSQL reads."""
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def as_row(fields: Mapping[str, Any], columns: Sequence[str]) -> tuple[Any, ...]:
    """Return fields as values for a driver, in the order of the columns."""
    return tuple(_plain(name, fields.get(name)) for name in columns)


def rows_of(count: int, still_open: int = 0) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Make up trades and their orders as rows, with ids from 1; the last ones are open."""
    chance = random.Random(count)
    for number in range(1, count + 1):
        fields = trade_fields(chance, number, is_open=number > count - still_open)
        orders = [
            as_row(
                order_fields(fields, f"order-{2 * number + leg}", is_entry=leg == 0)
                | {"id": 2 * number + leg - 1, "ft_trade_id": number},
                ORDER_COLUMNS,
            )
            for leg in range(2)
        ]
        yield as_row(fields | {"id": number}, TRADE_COLUMNS), orders


def batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Hand on the items in lists of so many, the last one shorter."""
    walk = iter(items)
    while batch := list(islice(walk, size)):
        yield batch


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return moment_text(value)
    if name == "trading_mode" and value is not None:
        return value.upper()  # The column holds the name, not the text.
    return value
