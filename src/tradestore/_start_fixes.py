"""Rows of older bots that are put right at every start: whoever may have written since, an old bot or a new one."""

import logging
from typing import Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Double,
    Engine,
    Integer,
    String,
    TableClause,
    Update,
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

__all__ = ["fix_old_dry_orders", "fix_wrong_max_stake_amount"]

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
    open_trades = select(_TRADES.c.id).where(_TRADES.c.is_open == true())
    is_old = and_(
        _ORDERS.c.ft_is_open == true(),
        _ORDERS.c.order_id.like("dry%"),
        or_(_ORDERS.c.ft_order_side == "stoploss", _ORDERS.c.ft_trade_id.not_in(open_trades)),
    )
    _fix(engine, _ORDERS, is_old, update(_ORDERS).values(ft_is_open=False), "open orders of old dry runs")


def fix_wrong_max_stake_amount(engine: Engine) -> None:
    """Take the leverage out of the largest stake of closed trades that older bots stored with it.

    Such trades have a ``record_version`` below 2; the corrected ones get 2, and so does every trade whose largest stake
    is computed anew.

    Args:
        engine: Of a database that is up to date. It is written to only where there is such a trade.
    """
    is_wrong = and_(
        _TRADES.c.record_version < RECORD_VERSION,
        _TRADES.c.leverage > 1,
        _TRADES.c.is_open != true(),
        _TRADES.c.max_stake_amount != 0,
    )
    change = update(_TRADES).values(
        max_stake_amount=_TRADES.c.max_stake_amount / _TRADES.c.leverage, record_version=RECORD_VERSION
    )
    _fix(engine, _TRADES, is_wrong, change, "largest stakes that held the leverage")


def _fix(engine: Engine, rows: TableClause, is_wrong: ColumnElement[bool], change: Update, what: str) -> None:
    with engine.connect() as connection:
        found = connection.scalar(select(literal(1)).select_from(rows).where(is_wrong).limit(1))
    if not found:
        return
    with engine.begin() as connection:
        take_write_lock(connection)
        # Asked again by the statement itself: another start may have been quicker.
        count = connection.execute(change.where(is_wrong)).rowcount
    logger.info("Corrected at the start: %s (%d).", what, count)
