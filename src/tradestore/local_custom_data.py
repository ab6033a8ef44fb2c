"""What strategies remember about a trade or a pair: how values become text, and entries that live in memory."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from tradestore._clock import utc_now
from tradestore._record import PlainRecord
from tradestore.constants import CUSTOM_DATA_KEY_LENGTH
from tradestore.exceptions import InvalidValue

__all__ = [
    "PLAIN_TYPES",
    "CustomDataBook",
    "LocalCustomData",
    "check_key",
    "decode_value",
    "encode_or_warn",
    "encode_value",
]

logger = logging.getLogger(__name__)

PLAIN_TYPES: Final = ("bool", "float", "int", "str")
"""Types whose values are kept as their own text; all others are kept as JSON."""

_TYPE_NAME_LENGTH = 25


class LocalCustomData(PlainRecord):
    """One remembered value: of a trade, or of a pair where it has no trade."""

    id: int | None = None
    ft_trade_id: int | None = None
    pair: str | None = None
    cd_key: str
    cd_type: str
    cd_value: str
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def value(self) -> Any:
        """The value, of the type it was given with (a tuple comes back as a list)."""
        return decode_value(self.cd_type, self.cd_value)

    @value.setter
    def value(self, value: Any) -> None:
        self.cd_type, self.cd_value = encode_value(value)

    def __repr__(self) -> str:
        """Return the entry in one line."""
        return (
            f"CustomData(id={self.id}, key={self.cd_key}, type={self.cd_type}, value={self.cd_value}, "
            f"trade_id={self.ft_trade_id}, created={self.created_at}, updated={self.updated_at})"
        )


class CustomDataBook:
    """Entries in memory, found by trade or pair and by key without a search.

    Keys are told apart without regard to case.
    """

    def __init__(self) -> None:
        """Start without entries."""
        self._entries: dict[tuple[int | None, str | None], dict[str, LocalCustomData]] = {}

    def __iter__(self) -> Iterator[LocalCustomData]:
        """Walk over all entries, those of one trade together."""
        return (entry for entries in self._entries.values() for entry in entries.values())

    def select(self, trade_id: int | None, key: str | None = None, pair: str | None = None) -> list[LocalCustomData]:
        """Return the entries of a trade or pair, or the one with a key, in the order in which they were first set."""
        entries = self._entries.get((trade_id, pair), {})
        if key is None:
            return list(entries.values())
        return [entries[key.casefold()]] if key.casefold() in entries else []

    def store(self, trade_id: int | None, key: str, value: Any, pair: str | None = None) -> None:
        """Remember a value, in place of what the key had before; one that JSON cannot hold is logged and left out.

        Raises:
            InvalidValue: If the key is empty or too long.
        """
        check_key(key)
        encoded = encode_or_warn(key, value, trade_id, pair)
        if encoded is None:
            return
        cd_type, cd_value = encoded
        entries = self._entries.setdefault((trade_id, pair), {})
        entry = entries.get(key.casefold())
        if entry is not None:
            entry.cd_type, entry.cd_value, entry.updated_at = cd_type, cd_value, utc_now()
            return
        entries[key.casefold()] = LocalCustomData(
            ft_trade_id=trade_id,
            pair=pair,
            cd_key=key,
            cd_type=cd_type,
            cd_value=cd_value,
            created_at=utc_now(),
        )

    def delete(self, trade_id: int | None, key: str | None = None, pair: str | None = None) -> None:
        """Forget one key of a trade or pair, or all of them."""
        if key is None:
            self._entries.pop((trade_id, pair), None)
        else:
            self._entries.get((trade_id, pair), {}).pop(key.casefold(), None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


def check_key(key: str) -> None:
    """Refuse a key that no database could hold.

    Raises:
        InvalidValue: If the key is empty or longer than 255 characters.
    """
    if not key or len(key) > CUSTOM_DATA_KEY_LENGTH:
        msg = f"A custom data key has 1 to {CUSTOM_DATA_KEY_LENGTH} characters, but {key[:40]!r} has {len(key)}."
        raise InvalidValue(msg)


def encode_value(value: Any) -> tuple[str, str]:
    """Return the type's name and the text of a value.

    Raises:
        TypeError: If neither its own text nor JSON can hold the value.
    """
    name = type(value).__name__
    try:
        if type(value) in {bool, float, int, str}:
            return name, str(value)
        return name[:_TYPE_NAME_LENGTH], json.dumps(value)
    except (ValueError, RecursionError) as e:
        msg = f"text cannot hold this {name}: {e}"
        raise TypeError(msg) from e


def encode_or_warn(key: str, value: Any, trade_id: int | None, pair: str | None) -> tuple[str, str] | None:
    """Return what :func:`encode_value` does; None, and a warning in the log, for a value that it cannot encode.

    Args:
        key: What the value was to be kept under.
        value: Anything.
        trade_id: Whose value it is, None for values without a trade.
        pair: Whose value it is, None for those of a trade.
    """
    try:
        return encode_value(value)
    except TypeError as e:
        whose = f"trade {trade_id}" if pair is None else pair
        logger.warning("Custom data %r of %s was not stored: %s", key, whose, e)
        return None


def decode_value(cd_type: str, cd_value: str) -> Any:
    """Return the value that :func:`encode_value` turned into text."""
    match cd_type:
        case "bool":
            return cd_value.lower() == "true"
        case "int":
            return int(cd_value)
        case "float":
            return float(cd_value)
        case "str":
            return cd_value
        case _:
            return json.loads(cd_value)
