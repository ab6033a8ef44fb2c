"""The tables of finished backtests: apart from the real trades, whose reports must never count simulated ones."""

from typing import Any, Final

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, String, Table

from tradestore._order_model import Order
from tradestore._sqltypes import Number, UtcDateTime
from tradestore.base import ModelBase
from tradestore.constants import NAME_LENGTH
from tradestore.trade_model import Trade

__all__ = ["BACKTEST_ORDERS", "BACKTEST_RUNS", "BACKTEST_TRADES"]


def _recorded(model: type[Trade | Order]) -> list[Column[Any]]:
    """Return the columns of a model for a record of what was: whatever may have been missing may be missing here.

    Those that somebody has added to the model are not among them: the tables are the revisions' alone.
    """
    return [Column(column.name, column.type) for column in model.__table__.columns if column.name in model._fields]


def _key(name: str, *reference: ForeignKey) -> Column[Any]:
    return Column(name, Integer, *reference, primary_key=True, autoincrement=False)


BACKTEST_RUNS: Final = Table(
    "backtest_runs",
    ModelBase.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(NAME_LENGTH), nullable=False, unique=True),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("strategy", String(NAME_LENGTH)),
    Column("timeframe", Integer),
    Column("trade_count", Integer, nullable=False),
    Column("total_profit", Number, nullable=False),
    # Whoever reads a run must never meet another one under its number.
    sqlite_autoincrement=True,
)

BACKTEST_TRADES: Final = Table(
    "backtest_trades",
    ModelBase.metadata,
    _key("run_id", ForeignKey("backtest_runs.id")),
    _key("number"),
    *_recorded(Trade),
)

BACKTEST_ORDERS: Final = Table(
    "backtest_orders",
    ModelBase.metadata,
    _key("run_id"),
    _key("trade_number"),
    _key("number"),
    *_recorded(Order),
    ForeignKeyConstraint(["run_id", "trade_number"], ["backtest_trades.run_id", "backtest_trades.number"]),
)
