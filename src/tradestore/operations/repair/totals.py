"""What a trade's orders say about it, by the library's own math."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tradestore._plain_twin import plain_trade
from tradestore.enums import TradingMode
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade
from tradestore.operations.repair.row_text import Row

__all__ = ["TOTALS", "fields_of", "is_over", "last_exit_of", "settled", "twin_of"]

TOTALS: Final = (
    "amount",
    "stake_amount",
    "max_stake_amount",
    "open_rate",
    "open_trade_value",
    "fee_open_cost",
    "funding_fees",
    "realized_profit",
    "close_profit",
    "close_profit_abs",
    "record_version",
)
"""The columns of a trade that follow from its orders."""

_ENDING: Final = ("is_open", "close_date", "close_rate", "exit_order_status")
_UNFOLDED: Final = {"realized_profit": 0.0, "close_profit": None, "close_profit_abs": None}
"""What a trade has before its first exit."""


def twin_of(trade: Row, orders: Sequence[Row]) -> LocalTrade:
    """Return a trade in memory with the values of stored rows.

    Args:
        trade: Its row.
        orders: The rows of its orders, by id.

    Raises:
        ValueError: If a value is none that the math could use.
    """
    values = dict(trade)
    if (mode := trade.get("trading_mode")) is not None:
        try:
            values["trading_mode"] = TradingMode[mode]
        except KeyError:
            msg = f"its trading mode {mode!r} is unknown"
            raise ValueError(msg) from None
    for row in (trade, *orders):
        for name, value in row.items():
            expected = _KINDS.get(name)
            if expected is not None and value is not None and not isinstance(value, expected):
                msg = f"its {name} is {value!r}"
                raise ValueError(msg)
    return plain_trade(values, orders)


def fields_of(twin: LocalTrade, stored: Row, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the columns in which a trade in memory differs from its row.

    Args:
        twin: From :func:`twin_of`, after something was done to it.
        stored: Its row.
        names: Of the columns that count; all if None.
    """
    fields: dict[str, Any] = {}
    for name in stored if names is None else names:
        value = twin.__dict__.get(name, stored[name])
        value = value.name if isinstance(value, TradingMode) else value
        if repr(value) != repr(stored[name]):
            fields[name] = value
    return fields


def is_over(twin: LocalTrade) -> bool:
    """Tell whether the orders of a trade have sold all that they bought."""
    sides = {order.ft_order_side for order in _filled(twin)}
    return bool(sides - {twin.entry_side}) and _held(twin, twin.orders) <= 0


def settled(trade: Row, orders: Sequence[Row]) -> dict[str, Any]:
    """Return what a trade's row has to become for its orders: the totals, and its end if they have sold everything.

    A trade that is closed and still holds something stays closed: only a person knows where the rest went.

    Args:
        trade: Its row.
        orders: The rows of its orders, by id.

    Raises:
        ValueError: If a value is none that the math could use.
    """
    twin = twin_of(trade, orders)
    # The totals are what counts here; a stop loss that trailed must not be moved by them.
    twin.stop_loss_pct = None
    filled = _filled(twin)
    if not filled:
        return {}
    all_orders, was_open, is_finished = twin.orders, twin.is_open, is_over(twin)
    if was_open or last_exit_of(twin) is not None:
        # Else only the trade itself knows what it ended with.
        twin.__dict__.update(_UNFOLDED)
    twin.is_open = True
    if is_finished:
        # A closed trade keeps the position that its last exit has ended.
        twin.orders = _before_last_exit(twin, all_orders)
        twin.recalc_trade_from_orders()
        twin.orders = all_orders
    if was_open and is_finished:
        twin.close_date = None
        twin.close(filled[-1].safe_price or 0.0, show_msg=False)
        return fields_of(twin, trade, (*TOTALS, *_ENDING))
    twin.is_open = was_open
    twin.recalc_trade_from_orders()
    return fields_of(twin, trade, TOTALS)


def last_exit_of(twin: LocalTrade) -> LocalOrder | None:
    """Return the last order that took something out of the position, None without one."""
    exits = [order for order in _filled(twin) if order.ft_order_side != twin.entry_side]
    return exits[-1] if exits else None


def _filled(twin: LocalTrade) -> list[LocalOrder]:
    return [order for order in twin.orders if order.filled and not order.ft_is_open and order.safe_price is not None]


def _held(twin: LocalTrade, orders: Sequence[LocalOrder]) -> float:
    """Return what the orders have left of the position, in base currency."""
    probe = plain_trade({**twin.__dict__, "is_open": True, "amount": 0.0, "stop_loss_pct": None}, ())
    probe.orders = list(orders)
    probe.recalc_trade_from_orders()
    return probe.amount


def _before_last_exit(twin: LocalTrade, orders: Sequence[LocalOrder]) -> list[LocalOrder]:
    last = last_exit_of(twin)
    return [order for order in orders if order is not last]


_NUMBER: Final = (float, int)
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    name: _NUMBER
    for name in (
        *("fee_open", "fee_close", "open_rate", "amount", "stake_amount", "leverage", "interest_rate"),
        *("funding_fee_running", "amount_precision", "price_precision", "contract_size"),
        *("price", "average", "filled", "stop_price", "ft_price", "ft_amount", "funding_fee", "ft_fee_base"),
    )
}
