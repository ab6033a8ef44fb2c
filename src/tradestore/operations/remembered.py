"""What bots and strategies remember, as an operator looks at it and changes it: values of the bot, and of a trade."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from tradestore._clock import as_utc
from tradestore.exceptions import InvalidValue
from tradestore.key_value_store import KeyValueStore, KeyValueStoreModel, ValueTypes
from tradestore.operations.opening import Place, open_to_change, open_to_read
from tradestore.operations.trades import stored_trade

__all__ = [
    "CustomValue",
    "delete_custom_value",
    "delete_value",
    "list_custom_values",
    "list_values",
    "set_custom_value",
    "set_value",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomValue:
    """A value that was remembered for a trade.

    Attributes:
        key: Its name; keys are told apart without regard to case.
        type: Of the value, as Python calls it.
        value: What JSON can hold.
        set_at: When it was set last (UTC).
    """

    key: str
    type: str
    value: Any
    set_at: datetime


def list_values(place: Place) -> Mapping[str, ValueTypes | None]:
    """Return all values of the bot, by key; nothing is changed.

    Args:
        place: A database URL, or the database that is open.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place):
        keys = KeyValueStoreModel.session.scalars(select(KeyValueStoreModel.key).order_by(KeyValueStoreModel.key))
        return {key: KeyValueStore.get_value(key) for key in keys.all()}


def set_value(place: Place, key: str, value: ValueTypes) -> None:
    """Store a value of the bot, in place of what the key had before.

    Args:
        place: A database URL, or the database that is open.
        key: 1 to 50 characters.
        value: A datetime without zone is UTC.

    Raises:
        InvalidValue: If the value doesn't fit, or the key is empty or too long.
        OperationalException: As :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_change(place):
        KeyValueStore.store_value(key, value)


def delete_value(place: Place, key: str) -> None:
    """Forget a value of the bot; a missing one is fine.

    Args:
        place: A database URL, or the database that is open.
        key: Which one.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_change(place):
        KeyValueStore.delete_value(key)


def list_custom_values(place: Place, trade_id: int, key: str | None = None) -> tuple[CustomValue, ...]:
    """Return what was remembered for a trade, in the order in which it was first set; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Of which one.
        key: Only this one, without regard to case.

    Raises:
        InvalidValue: If there is no such trade, or nothing under the key.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place) as store:
        entries = stored_trade(store.url, trade_id).get_all_custom_data()
        found = [each for each in entries if key is None or each.cd_key.casefold() == key.casefold()]
        if key is not None and not found:
            msg = f"Nothing was remembered under {key!r} for trade {trade_id} in {store.url}."
            raise InvalidValue(msg)
        return tuple(
            CustomValue(
                key=each.cd_key, type=each.cd_type, value=each.value, set_at=as_utc(each.updated_at or each.created_at)
            )
            for each in found
        )


def set_custom_value(place: Place, trade_id: int, key: str, value: Any) -> None:
    """Remember a value for a trade, in place of what the key had before.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Of which one.
        key: 1 to 255 characters.
        value: bool, int, float, str, or what JSON can hold.

    Raises:
        InvalidValue: If there is no such trade, or the key is empty or too long.
        OperationalException: As :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_change(place) as store:
        stored_trade(store.url, trade_id).set_custom_data(key, value)


def delete_custom_value(place: Place, trade_id: int, key: str | None) -> None:
    """Forget one value of a trade, or all of them.

    Args:
        place: A database URL, or the database that is open.
        trade_id: Of which one.
        key: Without regard to case; None for all.

    Raises:
        InvalidValue: If there is no such trade.
        OperationalException: As :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_change(place) as store:
        stored_trade(store.url, trade_id).delete_custom_data(key)
