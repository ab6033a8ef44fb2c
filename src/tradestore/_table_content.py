"""The content of a table as a number of rows and a hash, the same wherever and in whatever order the rows lie."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from types import NoneType
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table

from tradestore._clock import as_naive_utc
from tradestore._sqltypes import moment_text
from tradestore._stored_values import BATCH_ROWS, Kind, StoredTable

__all__ = ["RunningContent", "TableContent", "content_of", "row_texts"]

_NULL: Final = "-"
_HASH_BYTES: Final = 16
_HASHES: Final = 1 << (8 * _HASH_BYTES)
_NEGATIVE_ZERO: Final = "-0.0"


@dataclass(frozen=True, slots=True)
class TableContent:
    """What a table holds; equal ones hold the same rows.

    Attributes:
        rows: How many.
        digest: A hash of them, in hexadecimal digits, in which neither their order nor that of the columns counts.
    """

    rows: int
    digest: str


class RunningContent:
    """The content of the rows so far.

    Attributes:
        rows: How many.
    """

    def __init__(self, begun: TableContent | None = None) -> None:
        """Begin without rows, or with those that were counted before."""
        self.rows = 0 if begun is None else begun.rows
        self._sum = 0 if begun is None else int(begun.digest, 16)

    def add(self, texts: Iterable[str]) -> None:
        """Count further rows.

        Args:
            texts: Of the rows, as :func:`row_texts` gives them.
        """
        rows, total = 0, 0
        for text in texts:
            total += int.from_bytes(blake2b(text.encode(), digest_size=_HASH_BYTES).digest())
            rows += 1
        self.rows += rows
        # A sum has no order. Unlike an exclusive or, it counts equal rows.
        self._sum = (self._sum + total) % _HASHES

    @property
    def content(self) -> TableContent:
        """What was counted."""
        return TableContent(self.rows, f"{self._sum:0{2 * _HASH_BYTES}x}")


def content_of(
    connection: Connection, table: Table, *, columns: Collection[str] | None = None, batch_size: int = BATCH_ROWS
) -> TableContent:
    """Return what a table holds, reading each row once and few at a time.

    Values that mean the same are the same: a flag is 1 or 0, a number is what it reads as, with zero unsigned, a moment
    is in UTC with microseconds, an enum is its member's name, JSON has neither an order of keys nor blanks. What
    should not be in a column, as SQLite allows it, is taken as it is.

    Args:
        connection: Whatever it sees is counted; busy until the end.
        table: A model's, or one that was reflected.
        columns: Names of those that count; all if None.
        batch_size: How many rows are in memory at once.
    """
    stored, running = StoredTable(table, columns), RunningContent()
    with closing(stored.batches(connection, size=batch_size)) as batches:
        for values in batches:
            running.add(row_texts(stored.kinds, values))
    return running.content


def row_texts(kinds: Sequence[Kind], values: Sequence[Sequence[Any]]) -> list[str]:
    """Return a text for each row, which is the same for rows that hold the same.

    Args:
        kinds: What the values of each column are.
        values: Of each column, as :class:`StoredTable` reads them.
    """
    forms = [_forms(kind, of_column) for kind, of_column in zip(kinds, values, strict=True)]
    return list(map(",".join, zip(*forms, strict=True)))


def _forms(kind: Kind, values: Sequence[Any]) -> Sequence[str]:
    present = set(map(type, values))
    has_none = NoneType in present
    present.discard(NoneType)
    if not present:
        return [_NULL] * len(values)
    one = _json_form if kind is Kind.JSON else _FORMS.get(present.pop(), _form) if len(present) == 1 else _form
    forms = [_NULL if value is None else one(value) for value in values] if has_none else list(map(one, values))
    if one is float.__repr__ and _NEGATIVE_ZERO in forms:
        # SQLite keeps no sign of a zero.
        return [form.removeprefix("-") if form == _NEGATIVE_ZERO else form for form in forms]
    return forms


def _form(value: Any) -> str:
    known: Callable[[Any], str] | None = _FORMS.get(type(value))
    if known is not None:
        form = known(value)
        return "0.0" if form == _NEGATIVE_ZERO else form
    match value:
        case None:
            return _NULL
        case Enum():
            return ascii(value.name)
        case str():
            return ascii(str.__str__(value))
        case Mapping() | list() | tuple():
            return _json_text(value)
        case _:
            return ascii(str(value))


def _moment_form(moment: datetime) -> str:
    return ascii(moment_text(as_naive_utc(moment)))


def _exact_form(number: Decimal) -> str:
    # Not by normalize(), which would round to the digits that decimals are computed with.
    text = f"{number:f}" if number else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _clock_form(clock: time) -> str:
    return ascii(clock.isoformat("microseconds"))


def _json_form(text: Any) -> str:
    try:
        return _json_text(json.loads(text, parse_float=Decimal, parse_int=Decimal))
    except (ArithmeticError, RecursionError, TypeError, ValueError):
        return _form(text)


def _json_text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_json_leaf)


def _json_leaf(value: Any) -> str:
    return f"#{_exact_form(value)}" if isinstance(value, Decimal) else str(value)


# Texts in ASCII, quoted: no two rows of different values can be written alike, whatever their texts contain.
_FORMS: Final[dict[type, Callable[[Any], str]]] = {
    bool: int.__repr__,
    int: int.__repr__,
    float: float.__repr__,
    str: ascii,
    bytes: ascii,
    datetime: _moment_form,
    date: lambda day: ascii(day.isoformat()),
    time: _clock_form,
    Decimal: _exact_form,
    # As engines that have no such type keep it.
    UUID: lambda identifier: ascii(identifier.hex),
}
