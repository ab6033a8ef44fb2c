"""A long history of trades, written at once: enough for a planner to choose in earnest."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert

from tradestore import ModelBase, Order, PairLock, Trade, WalletHistory

__all__ = ["END", "START", "fill_history", "pair_of"]

START = datetime(2025, 1, 1, tzinfo=UTC)
"""When the first trade was opened; each later one an hour after that."""
END = START + timedelta(hours=5_010)
_PAIRS = 250
_PROFITS = (2.0, -1.0, 0.5, 3.0, -2.5)
_TAGS = ("dip", "news", None)
_REASONS = ("roi", "stop_loss", "exit_signal", None)


def fill_history(engine: Engine, *, closed: int = 5_000, waiting: int = 10) -> None:
    """Write trades with two orders each, closed ones and then open ones, and what else grows over the years."""
    tables = ModelBase.metadata.tables
    trades = [_trade(number, is_open=number > closed) for number in range(1, closed + waiting + 1)]
    contents: dict[str, list[dict[str, Any]]] = {
        "trades": trades,
        "orders": [placed for values in trades for placed in _orders(values)],
        "trade_custom_data": [*_remembered(closed)],
        "pairlocks": [_lock(number) for number in range(closed)],
        "KeyValueStore": [
            {"key": f"key {number}", "value_type": "int", "int_value": number} for number in range(2_000)
        ],
        "wallet_history": [_balance(number) for number in range(closed)],
        "archives": [{"id": 1, "uuid": "1", "file": "old.sqlite", "created_at": START}],
        "archived_profits": [_archived(number) for number in range(2_000)],
    }
    with engine.begin() as connection:
        for name, rows in contents.items():
            connection.execute(insert(tables[name]), rows)


def pair_of(number: int) -> str:
    """Return the pair of the trade with that id."""
    return f"C{number % _PAIRS}/USDT"


def _trade(number: int, *, is_open: bool) -> dict[str, Any]:
    opened = START + timedelta(hours=number)
    return {
        **Trade.column_defaults(),
        "id": number,
        "exchange": "binance",
        "pair": pair_of(number),
        "is_open": is_open,
        "open_rate": 20.0,
        "stake_amount": 200.0,
        "amount": 10.0,
        "open_date": opened,
        "close_date": None if is_open else opened + timedelta(minutes=40),
        "close_profit_abs": None if is_open else _PROFITS[number % len(_PROFITS)],
        "enter_tag": _TAGS[number % len(_TAGS)],
        "exit_reason": None if is_open else _REASONS[number % len(_REASONS)],
        "is_short": number % 7 == 0,
    }


def _orders(trade: dict[str, Any]) -> Iterator[dict[str, Any]]:
    entry, leave = ("sell", "buy") if trade["is_short"] else ("buy", "sell")
    for side, waits in ((entry, False), (leave, trade["is_open"])):
        yield {
            **Order.column_defaults(),
            "ft_trade_id": trade["id"],
            "ft_order_side": side,
            "ft_pair": trade["pair"],
            "ft_is_open": waits,
            "ft_amount": 10.0,
            "ft_price": 20.0,
            "order_id": f"{trade['id']}-{side}",
            "status": "open" if waits else "closed",
            "average": None if waits else 20.0,
            "filled": 0.0 if waits else 10.0,
            "cost": 0.0 if waits else 200.0,
            "order_date": trade["open_date"],
        }


def _remembered(trades: int) -> Iterator[dict[str, Any]]:
    value = {"cd_key": "level", "cd_type": "int", "cd_value": "1", "created_at": START}
    for number in range(1, trades + 1):
        yield {"ft_trade_id": number, "pair": None, **value}
        yield {"ft_trade_id": None, "pair": f"{number}/USDT", **value}


def _lock(number: int) -> dict[str, Any]:
    begun = START + timedelta(hours=number)
    return {
        **PairLock.column_defaults(),
        "pair": pair_of(number),
        "reason": "cooldown",
        "lock_time": begun,
        "lock_end_time": begun + timedelta(minutes=30),
    }


def _archived(number: int) -> dict[str, Any]:
    sums = dict.fromkeys(("close_profit", "close_profit_abs", "invested", "volume", "stake_amount"), 1.0)
    return {
        "archive_id": 1,
        "exchange": "binance",
        "pair": pair_of(number),
        "is_short": False,
        "enter_tag": _TAGS[number % len(_TAGS)],
        "closed_on": START - timedelta(days=number + 1),
        "trades": 1,
        "wins": 1,
        **sums,
    }


def _balance(number: int) -> dict[str, Any]:
    return {
        **WalletHistory.column_defaults(),
        "timestamp": START + timedelta(hours=number),
        "currency": "USDT",
        "quote_currency": "USDT",
        "balance": 1_000.0,
    }
