"""Settings and marks of the bot, one row per key."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, cast

from sqlalchemy import String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from tradestore._clock import as_utc, utc_now
from tradestore._sqltypes import BigCount, storable
from tradestore._store_session import write
from tradestore._upsert import upsert
from tradestore.base import ModelBase
from tradestore.constants import KEY_LENGTH
from tradestore.exceptions import InvalidValue
from tradestore.trade_model import Trade

__all__ = [
    "KeyStoreKeys",
    "KeyValueStore",
    "KeyValueStoreModel",
    "ValueTypes",
    "ValueTypesEnum",
    "set_startup_time",
]

ValueTypes = str | datetime | float | int | bool


class ValueTypesEnum(StrEnum):
    """The types of values, as the table names them."""

    STRING = "str"
    DATETIME = "datetime"
    FLOAT = "float"
    INT = "int"
    BOOL = "bool"


KeyStoreKeys = Literal["bot_start_time", "startup_time", "binance_migration", "wallet_history_migration"]
"""Keys that the bot itself uses; any other key up to 50 characters works as well."""

_TYPE_LENGTH: Final = 20
_COLUMNS: Final = {
    ValueTypesEnum.STRING: "string_value",
    ValueTypesEnum.DATETIME: "datetime_value",
    ValueTypesEnum.FLOAT: "float_value",
    ValueTypesEnum.INT: "int_value",
    ValueTypesEnum.BOOL: "int_value",
}


class _KeyValueStoreModel(ModelBase):
    """One key with its value, in the column of its type."""

    __tablename__ = "KeyValueStore"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH), index=True, unique=True)
    value_type: Mapped[str] = mapped_column(String(_TYPE_LENGTH))
    string_value: Mapped[str | None]
    datetime_value: Mapped[datetime | None]
    float_value: Mapped[float | None]
    int_value: Mapped[int | None] = mapped_column(BigCount)

    @staticmethod
    def set(key: str, value: ValueTypes) -> None:
        """Store a value, see :meth:`KeyValueStore.store_value`."""
        KeyValueStore.store_value(key, value)

    @staticmethod
    def get(key: str, default: Any = None) -> Any:
        """Return the value of a key, the default for a missing one."""
        row = _find(key)
        return default if row is None else _read(row)

    @staticmethod
    def delete(key: str) -> None:
        """Forget a key; a missing one is fine."""
        KeyValueStore.delete_value(key)


KeyValueStoreModel = _KeyValueStoreModel

_TABLE = ModelBase.metadata.tables["KeyValueStore"]


class KeyValueStore:
    """Values of type str, datetime, float, int or bool, one per key, shared by all that use the database."""

    @staticmethod
    def store_value(key: str, value: ValueTypes) -> None:
        """Store a value, in place of what the key had before, whatever its type was.

        Args:
            key: 1 to 50 characters.
            value: A datetime without zone is UTC.

        Raises:
            InvalidValue: If the value has another type or doesn't fit, or the key is empty or too long.
        """
        session = _KeyValueStoreModel.session()
        values = {"key": key} | _columns_for(key, value)
        write(session, upsert(session.get_bind().dialect.name, _TABLE, ["key"], values))

    @staticmethod
    def get_value(key: str) -> ValueTypes | None:
        """Return the value of a key, None for a missing one. Datetimes carry UTC."""
        row = _find(key)
        return None if row is None else _read(row)

    @staticmethod
    def delete_value(key: str) -> None:
        """Forget a key; a missing one is fine."""
        write(_KeyValueStoreModel.session(), delete(_KeyValueStoreModel).where(_KeyValueStoreModel.key == key))

    @staticmethod
    def get_string_value(key: str) -> str | None:
        """Return the text of a key, None if it is missing or has another type."""
        return cast("str | None", _value_of_type(key, ValueTypesEnum.STRING))

    @staticmethod
    def get_datetime_value(key: str) -> datetime | None:
        """Return the moment of a key in UTC, None if it is missing or has another type."""
        return cast("datetime | None", _value_of_type(key, ValueTypesEnum.DATETIME))

    @staticmethod
    def get_float_value(key: str) -> float | None:
        """Return the number of a key, None if it is missing or has another type."""
        return cast("float | None", _value_of_type(key, ValueTypesEnum.FLOAT))

    @staticmethod
    def get_int_value(key: str) -> int | None:
        """Return the whole number of a key, None if it is missing or has another type."""
        return cast("int | None", _value_of_type(key, ValueTypesEnum.INT))


def set_startup_time() -> None:
    """Note when the bot started: ``startup_time`` each time, ``bot_start_time`` once.

    The first start of an older database is that of its first trade.
    """
    if KeyValueStore.get_value("bot_start_time") is None:
        first: datetime | None = Trade.session.scalar(select(func.min(Trade.open_date)))
        KeyValueStore.store_value("bot_start_time", utc_now() if first is None else as_utc(first))
    KeyValueStore.store_value("startup_time", utc_now())


def _columns_for(key: str, value: ValueTypes) -> dict[str, Any]:
    if not key:
        msg = "A key has at least one character."
        raise InvalidValue(msg)
    storable("KeyValueStore.key", String(KEY_LENGTH), key)
    value_type = _type_of(value)
    if value_type is None:
        names = ", ".join(ValueTypesEnum)
        msg = f"A {type(value).__name__} cannot be stored under {key!r}: use one of {names}."
        raise InvalidValue(msg)
    name = _COLUMNS[value_type]
    stored = storable(f"KeyValueStore.{name} of {key!r}", _TABLE.c[name].type, value)
    empty: dict[str, Any] = dict.fromkeys(_COLUMNS.values())
    return empty | {"value_type": value_type.value, name: stored}


def _type_of(value: object) -> ValueTypesEnum | None:
    # bool comes first: every bool is an int as well.
    for kind, value_type in (
        (bool, ValueTypesEnum.BOOL),
        (str, ValueTypesEnum.STRING),
        (datetime, ValueTypesEnum.DATETIME),
        (float, ValueTypesEnum.FLOAT),
        (int, ValueTypesEnum.INT),
    ):
        if isinstance(value, kind):
            return value_type
    return None


def _find(key: str) -> _KeyValueStoreModel | None:
    return _KeyValueStoreModel.session.scalars(
        select(_KeyValueStoreModel).where(_KeyValueStoreModel.key == key).order_by(_KeyValueStoreModel.id)
    ).first()


def _read(row: _KeyValueStoreModel) -> ValueTypes | None:
    match row.value_type:
        case ValueTypesEnum.STRING:
            return row.string_value
        case ValueTypesEnum.DATETIME:
            return None if row.datetime_value is None else as_utc(row.datetime_value)
        case ValueTypesEnum.FLOAT:
            return row.float_value
        case ValueTypesEnum.INT:
            return row.int_value
        case ValueTypesEnum.BOOL:
            return None if row.int_value is None else bool(row.int_value)
        case _:
            msg = f"The key {row.key!r} holds a value of the unknown type {row.value_type!r}: store it anew."
            raise InvalidValue(msg)


def _value_of_type(key: str, value_type: ValueTypesEnum) -> ValueTypes | None:
    row = _find(key)
    return _read(row) if row is not None and row.value_type == value_type else None
