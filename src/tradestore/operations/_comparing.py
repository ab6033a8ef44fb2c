"""Two databases compared row by row, by their keys: what the one lacks, and where they contradict each other."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, tuple_, type_coerce
from sqlalchemy.types import NullType

from tradestore._stored_values import Kind, StoredTable, kind_of
from tradestore._table_content import row_texts
from tradestore.operations._target_rows import driver_values
from tradestore.operations._transfer_plan import Cargo, unique_keys

__all__ = ["MOST_KEYS", "Comparison", "compare", "missing_rows"]

MOST_KEYS: Final = 500
"""How many may be asked for at once: each is a parameter or two of a statement."""
_NAMED: Final = 10


@dataclass(slots=True)
class Comparison:
    """What was found when a table of a source was held beside that of a target.

    Attributes:
        missing: Rows that the target lacks.
        identical: Rows that it has as they are.
        contradictions: Rows that it has otherwise, or whose unique key another row of it has.
        keys: Of the first of these.
    """

    missing: int = 0
    identical: int = 0
    contradictions: int = 0
    keys: list[str] = field(default_factory=list)

    def contradict(self, keys: Sequence[str]) -> None:
        """Note rows that contradict the target's."""
        self.contradictions += len(keys)
        self.keys += keys[: max(0, _NAMED - len(self.keys))]


def compare(source: Connection, target: Connection, cargo: Cargo, size: int) -> Comparison:
    """Hold the rows of a source beside those of a target.

    Args:
        source: Its snapshot.
        target: A connection to the target.
        cargo: A table with a primary key.
        size: How many rows at a time.
    """
    found = Comparison()
    uniques = unique_keys(cargo)
    with closing(_batches(source, target, cargo, size)) as batches:
        for batch in batches:
            found.missing += sum(batch.is_missing)
            found.identical += sum(batch.is_identical)
            found.contradict([*compress(batch.keys, batch.differs)])
            for columns in uniques:
                found.contradict(_taken(target, cargo, columns, batch))
    return found


def missing_rows(source: Connection, target: Connection, cargo: Cargo, size: int) -> Generator[Sequence[Sequence[Any]]]:
    """Yield the rows that a target lacks, some at a time; as with :class:`StoredTable`, to be closed."""
    for batch in _batches(source, target, cargo, size):
        if any(batch.is_missing):
            yield [[*compress(of_column, batch.is_missing)] for of_column in batch.values]


@dataclass(frozen=True, slots=True)
class _Batch:
    values: Sequence[Sequence[Any]]
    keys: Sequence[str]
    is_missing: Sequence[bool]
    is_identical: Sequence[bool]

    @property
    def differs(self) -> Sequence[bool]:
        return [not (missing or same) for missing, same in zip(self.is_missing, self.is_identical, strict=True)]


def _batches(source: Connection, target: Connection, cargo: Cargo, size: int) -> Generator[_Batch]:
    stored = cargo.stored
    with closing(stored.batches(source, size=size, order=cargo.key)) as batches:
        for values in batches:
            keys, texts = _key_texts(cargo, values), row_texts(stored.kinds, values)
            present: dict[str, str] = {}
            where = _among(cargo.key, [_of(stored, column, values) for column in cargo.key], target)
            for theirs in stored.batches(target, size=MOST_KEYS, where=where):
                present.update(zip(_key_texts(cargo, theirs), row_texts(stored.kinds, theirs), strict=True))
            yield _Batch(
                values=values,
                keys=keys,
                is_missing=[key not in present for key in keys],
                is_identical=[present.get(key) == text for key, text in zip(keys, texts, strict=True)],
            )


def _taken(target: Connection, cargo: Cargo, columns: Sequence[Column[Any]], batch: _Batch) -> list[str]:
    """Return the keys of missing rows whose unique key another row of the target has."""
    stored = cargo.stored
    values = [_of(stored, column, batch.values) for column in columns]
    asks = [
        missing and None not in row for missing, row in zip(batch.is_missing, zip(*values, strict=True), strict=True)
    ]
    if not any(asks):
        return []
    chosen = [[*compress(of_column, asks)] for of_column in values]
    theirs = StoredTable(cargo.table, {column.name for column in columns})
    kinds = [kind_of(column.type) for column in columns]
    present = {
        text
        for found in theirs.batches(target, size=MOST_KEYS, where=_among(columns, chosen, target))
        for text in row_texts(kinds, [_of(theirs, column, found) for column in columns])
    }
    own = row_texts(kinds, chosen)
    return [key for key, text in zip(compress(batch.keys, asks), own, strict=True) if text in present]


def _among(columns: Sequence[Column[Any]], values: Sequence[Sequence[Any]], target: Connection) -> ColumnElement[bool]:
    """Return the condition that columns have one of the given combinations of values."""
    dialect = target.dialect.name
    kinds = [kind_of(column.type) for column in columns]
    places = [
        column if kind is Kind.OWN else type_coerce(column, NullType())
        for kind, column in zip(kinds, columns, strict=True)
    ]
    given = [driver_values(kind, of_column, dialect) for kind, of_column in zip(kinds, values, strict=True)]
    if len(places) == 1:
        return places[0].in_(given[0])
    return tuple_(*places).in_([*zip(*given, strict=True)])


def _key_texts(cargo: Cargo, values: Sequence[Sequence[Any]]) -> list[str]:
    kinds = [kind_of(column.type) for column in cargo.key]
    return row_texts(kinds, [_of(cargo.stored, column, values) for column in cargo.key])


def _of(stored: StoredTable, column: Column[Any], values: Sequence[Sequence[Any]]) -> Sequence[Any]:
    return values[[each.name for each in stored.columns].index(column.name)]
