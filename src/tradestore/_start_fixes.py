"""What is put right at each start in what older versions, and other layers, have stored."""

from typing import Final

from sqlalchemy import Connection, Engine, TableClause, Update, and_, false, not_, or_, select, true, update
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.types import Boolean, Double, Integer, String

from tradestore._schema_lock import alone

__all__ = ["fix_old_dry_orders", "fix_wrong_max_stake_amount", "start_fixes"]

_TRADES: Final = sql_table(
    "trades",
    sql_column("id", Integer),
    sql_column("is_open", Boolean),
    sql_column("leverage", Double),
    sql_column("max_stake_amount", Double),
    sql_column("record_version", Integer),
)
_ORDERS: Final = sql_table(
    "orders",
    sql_column("ft_trade_id", Integer),
    sql_column("ft_order_side", String),
    sql_column("ft_is_open", Boolean),
    sql_column("order_id", String),
)
_STOP_LOSS: Final = "stoploss"
_WITHOUT_LEVERAGE: Final = 2
"""The version of a trade's row whose highest stake is without leverage."""


def fix_old_dry_orders(engine: Engine) -> None:
    """Close the orders that a dry run has left open: no exchange knows them, and the bot that did is gone.

    These are its stop losses, and the other orders of trades that are closed.

    Args:
        engine: Of the database.
    """
    _run(engine, _dry_orders(_TRADES, _ORDERS))


def fix_wrong_max_stake_amount(engine: Engine) -> None:
    """Take the leverage out of the highest stake of closed trades, which versions before March 2025 stored with it.

    A trade that this was done for has ``record_version`` 2, so that it is done once.

    Args:
        engine: Of the database.
    """
    _run(engine, _leveraged_stakes(_TRADES))


def start_fixes(connection: Connection, trades: TableClause, orders: TableClause) -> None:
    """Do all of this in the transaction of a connection, in tables that need not have their names yet."""
    for fix in (_dry_orders(trades, orders), _leveraged_stakes(trades)):
        if _is_needed(connection, fix):
            connection.execute(fix)


def _run(engine: Engine, fix: Update) -> None:
    with engine.connect() as connection:
        if not _is_needed(connection, fix):
            return
    with alone(engine) as connection:
        connection.execute(fix)


def _is_needed(connection: Connection, fix: Update) -> bool:
    """Look before writing: a start on which nothing is to be put right has no need to wait for other writers."""
    condition = true() if fix.whereclause is None else fix.whereclause
    return connection.execute(select(fix.table).where(condition).limit(1)).first() is not None


def _dry_orders(trades: TableClause, orders: TableClause) -> Update:
    open_trades = select(trades.c.id).where(trades.c.is_open.is_(true()))
    return (
        update(orders)
        .where(
            orders.c.ft_is_open.is_(true()),
            orders.c.order_id.like("dry%"),
            or_(orders.c.ft_order_side == _STOP_LOSS, orders.c.ft_trade_id.not_in(open_trades)),
        )
        .values(ft_is_open=false())
    )


def _leveraged_stakes(trades: TableClause) -> Update:
    return (
        update(trades)
        .where(
            and_(not_(trades.c.is_open), trades.c.record_version < _WITHOUT_LEVERAGE),
            and_(trades.c.leverage > 1.0, trades.c.max_stake_amount != 0.0),
        )
        .values(max_stake_amount=trades.c.max_stake_amount / trades.c.leverage, record_version=_WITHOUT_LEVERAGE)
    )
