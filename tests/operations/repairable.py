"""A small store without a defect, and each defect that can be repaired, planted past what would refuse it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, create_engine

from tests.builders import CLOSED, OPENED, order, store, trade
from tradestore import CustomDataWrapper, KeyValueStore, OrderIntent, PairLock, Trade
from tradestore._engine import check_url

__all__ = ["DEFECTS", "Defect", "furnish", "plant", "unchecked"]

_HOUR: Final = timedelta(hours=1)
_UNCHECKED: Final = {
    "mysql": "SET FOREIGN_KEY_CHECKS = 0",
    "mariadb": "SET FOREIGN_KEY_CHECKS = 0",
}


@dataclass(frozen=True)
class Defect:
    """One defect.

    Attributes:
        code: Of the finding.
        statements: That plant it; or a function that does.
        needs: Capabilities of engines on which it can be there.
        name: Tells it from others of the same code.
    """

    code: str
    statements: tuple[str, ...]
    needs: tuple[str, ...] = ()
    name: str = ""


def furnish() -> None:
    """Store trades, as a bot does it, and what else there is.

    Trade 1 bought 10 at 20 and sold them at 22. Trade 2 bought 10 at 20 and 5 at 26, so 15 at 22, and sold 5 at 24.
    Trade 3, a short, sold 4 at 50 and bought them back at 45.
    """
    _play(trade(), [("buy", 10.0, 20.0), ("sell", 10.0, 22.0)])
    _play(trade(pair="LTC/USDT", base_currency="LTC"), [("buy", 10.0, 20.0), ("buy", 5.0, 26.0), ("sell", 5.0, 24.0)])
    _play(
        trade(
            pair="ETH/USDT:USDT",
            base_currency="ETH",
            is_short=True,
            trading_mode="futures",
            amount=4.0,
            open_rate=50.0,
            stake_amount=200.0,
        ),
        [("sell", 4.0, 50.0), ("buy", 4.0, 45.0)],
    )
    for number, pair in enumerate(("ADA/USDT", "LTC/USDT")):
        ends = CLOSED + timedelta(days=9_000 + number)
        store(PairLock(pair=pair, lock_time=OPENED, lock_end_time=ends, reason="cooling", active=True))
    CustomDataWrapper.set_custom_data(2, "steps", 3)
    CustomDataWrapper.set_custom_data(1, "note", "gut gefüllt")
    KeyValueStore.store_value("ticks", 7)
    placed = {"state": "placed", "pair": "LTC/USDT", "side": "buy", "amount": 10.0, "created_at": OPENED}
    store(OrderIntent(client_order_id="ts1", ft_trade_id=2, order_id="2-1", **placed))
    Trade.session.remove()


def _play(record: Trade, fills: list[tuple[str, float, float]]) -> None:
    Trade.session.add(record)
    Trade.session.flush()
    for number, (side, amount, price) in enumerate(fills, start=1):
        placed = OPENED + (number - 1) * _HOUR
        record.orders.append(
            order(
                ft_order_side=side,
                ft_pair=record.pair,
                symbol=record.pair,
                order_id=f"{record.id}-{number}",
                amount=amount,
                price=price,
                order_date=placed,
                order_filled_date=placed + timedelta(minutes=1),
                ft_trade_id=record.id,
            )
        )
        record.update_trade(record.orders[-1])
    Trade.commit()


@contextmanager
def unchecked(url: str) -> Iterator[Connection]:
    """Return a connection of a program that knows nothing of the library, where it may, has no references checked."""
    engine = create_engine(check_url(url))
    try:
        with engine.begin() as connection:
            if statement := _UNCHECKED.get(engine.dialect.name):
                connection.exec_driver_sql(statement)
            yield connection
    finally:
        engine.dispose()


def plant(url: str, defect: Defect) -> None:
    """Put a defect into the store of :func:`furnish`."""
    with unchecked(url) as connection:
        for statement in defect.statements:
            infinity = "9e999" if connection.dialect.name == "sqlite" else "'Infinity'"
            quote = connection.dialect.identifier_preparer.quote
            store_name = quote("KeyValueStore")
            connection.exec_driver_sql(statement.replace("{infinity}", infinity).replace("{settings}", store_name))


def _order(order_id: str, trade_id: int, pair: str, **values: Any) -> str:
    fields: Mapping[str, Any] = {
        "ft_trade_id": trade_id,
        "ft_order_side": "buy",
        "ft_pair": pair,
        "ft_is_open": True,
        "ft_amount": 5.0,
        "ft_price": 20.0,
        "order_id": order_id,
        "status": "open",
        "symbol": pair,
        "order_type": "limit",
        "side": "buy",
        "price": 20.0,
        "amount": 5.0,
        "filled": 0.0,
        "order_date": "2026-03-01 12:30:00",
    } | values
    names, shown = ", ".join(fields), ", ".join(_literal(value) for value in fields.values())
    return f"INSERT INTO orders ({names}) VALUES ({shown})"


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else "NULL" if value is None else str(value).upper()


def _trade(number: int, values: str) -> tuple[str, ...]:
    return (f"UPDATE trades SET {values} WHERE id = {number}",)


_LOCK: Final = (
    "INSERT INTO pairlocks (pair, side, reason, lock_time, lock_end_time, active) "
    "VALUES ('XRP/USDT', '*', 'why', '{}', '{}', TRUE)"
)
_CUSTOM: Final = (
    "INSERT INTO trade_custom_data (ft_trade_id, cd_key, cd_type, cd_value, created_at) "
    "VALUES ({}, '{}', '{}', '{}', '2026-03-01 12:00:00')"
)

DEFECTS: Final = (
    Defect("T01", _trade(2, "amount = 7.5")),
    Defect("T01", _trade(1, "amount = 3.25"), name="closed"),
    Defect("T02", _trade(2, "stake_amount = 1")),
    Defect("T03", _trade(2, "open_rate = 21")),
    Defect("T04", _trade(1, "realized_profit = 1")),
    Defect("T05", _trade(2, "max_stake_amount = 1")),
    Defect("T06", _trade(1, "funding_fees = 3")),
    Defect("T07", _trade(2, "open_trade_value = 3")),
    Defect("T08", _trade(2, "fee_open_cost = 3")),
    Defect("T09", _trade(3, "close_profit = 3")),
    Defect("T10", _trade(3, "close_profit_abs = 3")),
    Defect("T11", _trade(1, "is_open = TRUE, close_date = NULL, close_rate = NULL, close_profit = NULL")),
    Defect("T15", _trade(2, "close_date = '2026-03-01 14:01:00'")),
    Defect("T16", _trade(1, "close_date = NULL, close_rate = NULL")),
    Defect("T22", _trade(1, "min_rate = 30, max_rate = 10")),
    Defect("T23", _trade(3, "base_currency = 'BTC'")),
    Defect("O01", (_order("stray", 77, "ADA/USDT"),), needs=("one_writer",)),
    Defect(
        "O01",
        (
            "UPDATE orders SET ft_trade_id = 77 WHERE order_id = '2-1'",
            "UPDATE order_intents SET ft_trade_id = 2 WHERE id = 1",
        ),
        needs=("one_writer",),
        name="attached",
    ),
    Defect("O03", (_order("late", 1, "ADA/USDT"),)),
    Defect("O07", (_order("done", 2, "LTC/USDT", status="canceled"),)),
    Defect("O07", (_order("part", 2, "LTC/USDT", status="canceled", filled=2.0, average=20.0),), name="filled"),
    Defect("L01", tuple(_LOCK.format("2026-03-01 12:00:00", "2056-03-01 12:00:00") for _ in range(2))),
    Defect("L02", (_LOCK.format("2026-03-01 12:00:00", "2026-02-28 12:00:00"),)),
    Defect("L03", (_LOCK.format("2020-03-01 12:00:00", "2020-03-02 12:00:00"),)),
    Defect("L05", (_CUSTOM.format(2, "worth", "int", "12.5"),)),
    Defect("L05", (_CUSTOM.format(2, "list", "dict", "no json"),), name="text"),
    Defect("L06", (_CUSTOM.format(77, "worth", "int", "12"),), needs=("one_writer",)),
    Defect("L07", (_CUSTOM.format(2, "STEPS", "int", "4"),)),
    Defect("L09", ("UPDATE {settings} SET value_type = 'float'",)),
    Defect("L09", ("UPDATE {settings} SET value_type = 'bicycle'",), name="unknown"),
    Defect("N01", _trade(2, "max_rate = {infinity}"), needs=("keeps_infinity",)),
    Defect("N01", _trade(2, "realized_profit = {infinity}"), needs=("keeps_infinity",), name="total"),
    Defect("N10", _trade(2, "open_date = '2026-03-01 14:00:00'")),
    Defect("N10", _trade(1, "close_date = '2026-03-01 11:01:00'"), name="close"),
    Defect(
        "N11",
        (
            "UPDATE orders SET price = 20.299999237060547, average = 20.299999237060547 WHERE order_id = '2-1'",
            "UPDATE orders SET filled = 10.100000381469727, amount = 10.100000381469727 WHERE order_id = '2-1'",
        ),
    ),
    Defect("N13", _trade(2, "is_short = 'false'"), needs=("one_writer",)),
    Defect("N13", _trade(2, "strategy = X'5061746965'"), needs=("one_writer",), name="bytes"),
    Defect("N14", _trade(2, f"enter_tag = '{'x' * 300}'"), needs=("one_writer",)),
    Defect("S09", ("UPDATE order_intents SET ft_trade_id = 88, state = 'void'",), needs=("one_writer",)),
)
"""All of them, on the rows that :func:`furnish` makes."""
