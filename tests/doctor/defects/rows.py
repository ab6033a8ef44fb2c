"""Rows of other tables to plant defects with."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.doctor.planting import OPENED, Bed
from tradestore import PairLock, WalletHistory
from tradestore._intent_model import OrderIntent
from tradestore.custom_data import _CustomData

__all__ = ["NOW", "balance", "data", "intent", "lock"]

NOW: Final = datetime.now(UTC)


def lock(bed: Bed, **fields: Any) -> int:
    """Store a lock that is in force."""
    plain = {"pair": "LOCK/USDT", "lock_time": OPENED, "lock_end_time": NOW + timedelta(days=1), "reason": "test"}
    return bed.add(PairLock(**plain | fields))


def data(**fields: Any) -> _CustomData:
    """Return custom data of no trade."""
    return _CustomData(**{"cd_key": "level", "cd_type": "int", "cd_value": "1", "created_at": OPENED} | fields)


def intent(**fields: Any) -> OrderIntent:
    """Return an intent of an order that was to be sent."""
    plain = {"state": "open", "pair": "INT/USDT", "side": "buy", "amount": 1.0, "price": 2.0, "created_at": OPENED}
    return OrderIntent(**plain | fields)


def balance(bed: Bed, currency: str, **fields: Any) -> int:
    """Store a balance of the wallet."""
    plain = {"timestamp": OPENED, "currency": currency, "quote_currency": "USDT", "balance": 5.0}
    return bed.add(WalletHistory(**plain | fields))
