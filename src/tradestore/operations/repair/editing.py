"""Which fields a person may edit, and how what was typed becomes a value."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from tradestore._sqltypes import storable
from tradestore._stored_values import Kind, kind_of
from tradestore.base import ModelBase
from tradestore.enums import TradingMode
from tradestore.exceptions import InvalidValue

__all__ = ["EDITABLE_ORDER_FIELDS", "EDITABLE_TRADE_FIELDS", "checked_fields"]

EDITABLE_TRADE_FIELDS: Final = frozenset(
    {
        *("exchange", "strategy", "enter_tag", "exit_reason", "timeframe", "trading_mode", "open_date", "close_date"),
        *("fee_open", "fee_open_cost", "fee_open_currency", "fee_close", "fee_close_cost", "fee_close_currency"),
        *("leverage", "interest_rate", "liquidation_price", "funding_fee_running", "is_stop_loss_trailing"),
        *("stop_loss", "stop_loss_pct", "initial_stop_loss", "initial_stop_loss_pct", "max_rate", "min_rate"),
        *("open_rate_requested", "close_rate_requested", "amount_requested", "close_rate"),
        *("amount_precision", "price_precision", "precision_mode", "precision_mode_price", "contract_size"),
        *("base_currency", "stake_currency"),
    }
)
"""The rest follows from the orders, or is changed in another way: close, reopen, rename."""

EDITABLE_ORDER_FIELDS: Final = frozenset(
    {
        *("ft_trade_id", "ft_order_side", "ft_is_open", "ft_amount", "ft_price", "ft_cancel_reason", "ft_order_tag"),
        *("ft_fee_base", "funding_fee", "order_id", "status", "order_type", "side", "price", "average", "amount"),
        *("filled", "remaining", "cost", "stop_price", "order_date", "order_filled_date", "order_update_date"),
    }
)

_FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_READERS: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.NUMBER: float,
    Kind.COUNT: int,
    Kind.FLAG: lambda text: _FLAGS[text.lower()],
    Kind.MOMENT: datetime.fromisoformat,
}


def checked_fields(table: str, editable: Collection[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as they are stored; what comes as text, as from a command line, is read as its column's type.

    Args:
        table: Whose fields.
        editable: Those that may be edited.
        fields: With their new values; the text ``none`` empties a field.

    Raises:
        InvalidValue: If there is no such field, it is not for editing, or cannot have the value.
    """
    if not fields:
        msg = f"No field was given: these may be edited: {', '.join(sorted(editable))}."
        raise InvalidValue(msg)
    values = {}
    for name, given in fields.items():
        if name not in editable:
            msg = (
                f"The field {name!r} of {table} is not for editing: it follows from the orders, or there is none. "
                f"These are: {', '.join(sorted(editable))}. Nothing was changed."
            )
            raise InvalidValue(msg)
        column = ModelBase.metadata.tables[table].c[name]
        value = _read(name, kind_of(column.type), given) if isinstance(given, str) else given
        if value is None and not column.nullable:
            msg = f"The field {name!r} of {table} cannot be empty. Nothing was changed."
            raise InvalidValue(msg)
        values[name] = None if value is None else _stored(f"{table}.{name}", column, value)
    return values


def _stored(owner: str, column: Any, value: Any) -> Any:
    stored = storable(owner, column.type, value)
    return TradingMode(stored).name if column.name == "trading_mode" else stored


def _read(name: str, kind: Kind, text: str) -> Any:
    if text.lower() in {"none", "null"}:
        return None
    if name == "trading_mode" and text.upper() in TradingMode.__members__:
        return TradingMode[text.upper()]
    try:
        return _READERS.get(kind, str)(text)
    except (KeyError, ValueError):
        msg = f"The field {name!r} cannot be {text!r}: a {kind.name.lower()} was expected. Nothing was changed."
        raise InvalidValue(msg) from None
