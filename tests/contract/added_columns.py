"""A bot that adds columns to the library's classes: run in a process of its own, which ends with them."""

import warnings
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    Date,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    Numeric,
    String,
    TypeDecorator,
    Uuid,
    func,
    text,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import mapped_column
from sqlalchemy.types import UserDefinedType

from tests.builders import OPENED, ccxt_order, local_order, local_trade, order, trade
from tradestore import LocalTrade, Order, Store, Trade, backtest_runs, init_db, load_backtest, store_backtest
from tradestore.exceptions import InvalidValue

__all__ = ["GIVEN", "outcomes"]

GIVEN: dict[str, Any] = {
    "mood": "calm\t\\N",
    "level": "high",
    "notes": {"a": [1, "\\"]},
    "seen": OPENED.replace(tzinfo=None),
    "day": date(2026, 3, 1),
    "picture": b"\x00\xff\t\\",
    "exact": Decimal("1.25"),
    "state": "busy",
    "luck": 5,
}


class Marked(TypeDecorator[str]):
    """A text that the database holds with a mark in front, a missing one included."""

    impl = String(50)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        """Add the mark."""
        return f"mark:{value}"

    def process_result_value(self, value: str | None, dialect: Dialect) -> str:
        """Return it with its mark, to be seen by the test."""
        return str(value)


class Lowered(UserDefinedType[str]):
    """A type that wants a function of SQL around each value."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return its name in SQL."""
        return "VARCHAR(20)"

    def bind_expression(self, bindvalue: Any) -> Any:
        """Ask for the function."""
        return func.lower(bindvalue)


def outcomes(url: str) -> dict[str, Any]:
    """Store trades one by one and many at once, and return what the database holds of each way."""
    warnings.simplefilter("ignore", SAWarning)  # Not every engine has decimals.
    mapped: Any = Trade
    mapped.mood = mapped_column(Marked())
    mapped.level = mapped_column("level_column", String(20))
    mapped.notes = mapped_column(JSON, nullable=True)
    mapped.seen = mapped_column(DateTime, nullable=True)
    mapped.day = mapped_column(Date, nullable=True)
    mapped.picture = mapped_column(LargeBinary, nullable=True)
    mapped.exact = mapped_column(Numeric(20, 8), nullable=True)
    mapped.number = mapped_column(Uuid, nullable=True)
    mapped.state = mapped_column(String(20), server_default="new", nullable=False)
    mapped.luck = mapped_column(Integer, default=lambda: 7)
    ordered: Any = Order
    ordered.venue = mapped_column("venue_column", Marked())
    database = init_db(url)
    try:
        return _outcomes(database)
    finally:
        Trade.session.remove()
        database.close()


def _made(**fields: Any) -> Trade:
    placed: Any = order()
    placed.venue = "north"
    result = trade(orders=[placed])
    for name, value in fields.items():
        setattr(result, name, value)
    return result


def _outcomes(database: Store) -> dict[str, Any]:
    results: dict[str, Any] = {}
    Trade.session.add(_made(**GIVEN))
    Trade.session.add(_made())
    Trade.commit()
    results["single"] = _taken()
    Trade.bulk_add([_made(**GIVEN)])
    Trade.bulk_add([_made()])
    results["bulk"] = _taken()
    Trade.bulk_add([local_trade(orders=[local_order()])])
    results["plain"] = _taken()
    results["intents"] = _by_intents(database)
    results["mixed"] = _refusal(_made(**GIVEN), local_trade())
    results["bad value"] = _refusal(_made(**GIVEN | {"notes": {1, 2}}))
    results["long"] = _refusal(_made(level="x" * 21))
    mapped: Any = Trade
    mapped.dice = mapped_column(Integer, default=text("6"))
    results["default"] = _refusal(local_trade())
    ordered: Any = Order
    ordered.lowered = mapped_column(Lowered())
    results["type"] = _refusal(_made(**GIVEN, dice=1))
    store_backtest([_made(**GIVEN), local_trade()], run="run")
    results["backtest"] = [found.trade_count for found in backtest_runs()], len(list(load_backtest("run")))
    return results


def _by_intents(database: Store) -> list[Any]:
    """Let trades be made of what an intent remembers of them."""
    for fields in ({"notes": [1], "seen": GIVEN["seen"]}, {}):
        new = _made(**fields)
        new.orders.clear()
        with database.intent(new, "buy", 10.0, 20.0):
            pass
        (left,) = database.unresolved_intents()
        database.resolve(left, lambda name: ccxt_order(id=f"by intent {name}"))
    return [(row[2], row[3], row[7], row[8]) for row in _taken()]


def _taken() -> list[tuple[Any, ...]]:
    Trade.session.remove()
    mapped: Any = Trade
    rows: Sequence[Any] = [
        (
            *(getattr(found, name) for name in [*GIVEN, "number"]),
            [getattr(each, "venue", None) for each in found.orders],
        )
        for found in Trade.session.scalars(mapped.get_trades_query().order_by(Trade.id))
    ]
    for found in Trade.get_trades().all():
        found.delete()
    return list(rows)


def _refusal(*trades: LocalTrade) -> str:
    try:
        Trade.bulk_add(trades)
    except InvalidValue as error:
        return str(error)
    return "stored"
