"""Rows of older bots that are put right at every start: whoever may have written since, an old bot or a new one."""

import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Engine,
    Integer,
    String,
    TableClause,
    and_,
    column,
    literal,
    or_,
    select,
    table,
    true,
    update,
)

from tradestore._engine import take_write_lock
from tradestore.constants import RECORD_VERSION

__all__ = ["correct_rows", "fix_old_dry_orders", "fix_wrong_max_stake_amount"]

logger = logging.getLogger(__name__)

_TRADES: Final = table(
    "trades",
    column("id", Integer),
    column("is_open", Boolean),
    column("leverage", Double),
    column("max_stake_amount", Double),
    column("record_version", Integer),
)
_ORDERS: Final = table(
    "orders",
    column("ft_trade_id", Integer),
    column("ft_is_open", Boolean),
    column("ft_order_side", String),
    column("order_id", String),
)


def fix_old_dry_orders(engine: Engine) -> None:
    """Close orders of dry runs that nobody will ever fill: stops, and orders of trades that are not open.

    Args:
        engine: Of a database that is up to date. It is written to only where there is such an order.
    """
    _fix(engine, _old_dry_orders(_TRADES, _ORDERS))


def fix_wrong_max_stake_amount(engine: Engine) -> None:
    """Take the leverage out of the largest stake of closed trades that older bots stored with it.

    Such trades have a ``record_version`` below 2; the corrected ones get 2, and so does every trade whose largest stake
    is computed anew.

    Args:
        engine: Of a database that is up to date. It is written to only where there is such a trade.
    """
    _fix(engine, _wrong_stakes(_TRADES))


def correct_rows(connection: Connection, trades: TableClause, orders: TableClause) -> None:
    """Do both in the transaction of a connection, with tables that may have other names.

    Args:
        connection: To the database.
        trades: The table of trades.
        orders: The table of their orders.
    """
    for fix in (_old_dry_orders(trades, orders), _wrong_stakes(trades)):
        if _is_needed(connection, fix):
            _correct(connection, fix)


class _Fix(NamedTuple):
    what: str
    rows: TableClause
    is_wrong: ColumnElement[bool]
    values: Mapping[str, Any]


def _old_dry_orders(trades: TableClause, orders: TableClause) -> _Fix:
    open_trades = select(trades.c.id).where(trades.c.is_open == true())
    is_old = and_(
        orders.c.ft_is_open == true(),
        orders.c.order_id.like("dry%"),
        or_(orders.c.ft_order_side == "stoploss", orders.c.ft_trade_id.not_in(open_trades)),
    )
    return _Fix("open orders of old dry runs", orders, is_old, {"ft_is_open": False})


def _wrong_stakes(trades: TableClause) -> _Fix:
    is_wrong = and_(
        trades.c.record_version < RECORD_VERSION,
        trades.c.leverage > 1,
        trades.c.is_open != true(),
        trades.c.max_stake_amount != 0,
    )
    values = {"max_stake_amount": trades.c.max_stake_amount / trades.c.leverage, "record_version": RECORD_VERSION}
    return _Fix("largest stakes that held the leverage", trades, is_wrong, values)


def _fix(engine: Engine, fix: _Fix) -> None:
    with engine.connect() as connection:
        if not _is_needed(connection, fix):
            return
    with engine.begin() as connection:
        take_write_lock(connection)
        _correct(connection, fix)


def _is_needed(connection: Connection, fix: _Fix) -> bool:
    found = select(literal(1)).select_from(fix.rows).where(fix.is_wrong).limit(1)
    return connection.scalar(found) is not None


def _correct(connection: Connection, fix: _Fix) -> None:
    # Asked again by the statement itself: another start may have been quicker.
    count = connection.execute(update(fix.rows).where(fix.is_wrong).values(fix.values)).rowcount
    logger.info("Corrected at the start: %s (%d).", fix.what, count)
