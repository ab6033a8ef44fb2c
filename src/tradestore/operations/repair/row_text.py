"""Rows as JSON that gives every value back exactly: floats to the last bit, moments to the microsecond."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

__all__ = ["Row", "row_of", "text_of"]

Row = Mapping[str, Any]
"""A row by the names of its columns, with the values as :mod:`tradestore._stored_values` reads them."""

_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "number": float,
    "moment": datetime.fromisoformat,
    "day": date.fromisoformat,
    "clock": time.fromisoformat,
    "exact": Decimal,
    "bytes": bytes.fromhex,
    "text": lambda hexadecimal: bytes.fromhex(hexadecimal).decode("utf-8", "surrogateescape"),
}


def text_of(row: Row) -> str:
    """Return a row as JSON; equal rows give equal texts.

    Raises:
        TypeError: If a value is of a type that no column of the library has.
    """
    values = {name: _marked(row[name]) for name in sorted(row)}
    return json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def row_of(text: str) -> dict[str, Any]:
    """Return the row that :func:`text_of` wrote down."""
    return {name: _read(value) for name, value in json.loads(text).items()}


def _marked(value: Any) -> Any:
    """Return what JSON can hold as it is, and anything else under the name of what it is."""
    result: Any
    match value:
        case float() if not math.isfinite(value):
            result = {"number": repr(value)}
        case str() if not _is_proper(value):
            result = {"text": value.encode("utf-8", "surrogateescape").hex()}
        case None | bool() | int() | float() | str():
            result = value
        case datetime():
            result = {"moment": value.isoformat(" ")}
        case date():
            result = {"day": value.isoformat()}
        case time():
            result = {"clock": value.isoformat()}
        case Decimal():
            result = {"exact": str(value)}
        case bytes():
            result = {"bytes": value.hex()}
        case _:
            msg = f"A {type(value).__name__} cannot be kept in the log of repairs: {value!r}"
            raise TypeError(msg)
    return result


def _read(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, text),) = value.items()
    return _READERS[kind](text)


def _is_proper(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
