"""Which rows of an export are in the database already."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, select, tuple_

from tradestore._exported_columns import ExportedTable
from tradestore.exceptions import ImportConflict
from tradestore.operations._transfer_plan import Cargo, unique_keys
from tradestore.operations.export._chunks import Chunk
from tradestore.operations.export._selection import stored_table

__all__ = ["PresentRows"]

_MOST_KEYS: Final = 1000
"""In one question: engines limit the values that a statement has."""

_SHOWN: Final = 60

_Key = Sequence[Column[Any]]


class PresentRows:
    """The rows that a table had before the first of an export came."""

    def __init__(self, connection: Connection, table: ExportedTable, cargo: Cargo, *, by_id: bool) -> None:
        """Look whether there are any.

        Args:
            connection: To the database.
            table: Which.
            cargo: The same, as it is stored.
            by_id: Whether rows of the export keep their ids.
        """
        own = stored_table(table)
        self._connection = connection
        self._table = table
        self._id = own.c.id if by_id else None
        self._unique = unique_keys(cargo)
        self._known_by = [own.c[name] for name in table.known_by]
        self._has_rows = connection.execute(select(1).select_from(own).limit(1)).first() is not None

    def find(self, chunk: Chunk, *, skips: bool) -> dict[int, Any]:
        """Return the places of rows that are there.

        Args:
            chunk: Rows of an export.
            skips: Whether they will be passed over.

        Raises:
            ImportConflict: If they will not, or another row has the id of one.
        """
        found: dict[int, Any] = {}
        if not self._has_rows:
            return found
        for key in [*self._unique, self._known_by] if skips and self._known_by else self._unique:
            told = [*zip(*(chunk.column(column.name) for column in key), strict=True)]
            # In a unique key, no two missing values are the same one.
            wanted = {values for values in told if key is self._known_by or None not in values}
            present = set(map(tuple, self._asked(key, key, wanted)))
            found |= {row: key for row, values in enumerate(told) if values in present}
        if self._id is not None:
            self._find_ids(chunk, self._id, found, skips=skips)
        if found and not skips:
            row, key = next(iter(found.items()))
            named = ", ".join(f"{column.name} {chunk.column(column.name)[row]!s:.{_SHOWN}}" for column in key)
            msg = (
                f"{chunk.place}, line {chunk.lines[row]}: a row of {self._table.name} with {named} is in the database "
                "already. Nothing was imported: have rows skipped that are there, or import into an empty database."
            )
            raise ImportConflict(msg)
        return found

    def _find_ids(self, chunk: Chunk, own: Column[Any], found: dict[int, Any], *, skips: bool) -> None:
        """Find rows by their ids, and refuse those whose id another row has."""
        telling = [*dict.fromkeys(column for key in (*self._unique, self._known_by) for column in key)]
        ids = {(row_id,) for row_id in chunk.column("id")}
        stored = {row[0]: tuple(row[1:]) for row in self._asked([own, *telling], [own], ids)}
        told = zip(*(chunk.column(column.name) for column in telling), strict=True)
        for row, (row_id, values) in enumerate(zip(chunk.column("id"), told, strict=True)):
            if row_id in stored and row not in found:
                if not skips or stored[row_id] != values:
                    self._refuse_id(chunk, row, skips=skips)
                found[row] = [own]

    def _asked(self, wanted: _Key, key: _Key, values: set[tuple[Any, ...]]) -> Iterator[Any]:
        """Yield columns of the rows that have one of the given values in a key, or miss what one misses."""
        by_missing: dict[tuple[bool, ...], list[tuple[Any, ...]]] = {}
        for each in sorted(values, key=repr):
            by_missing.setdefault(tuple(value is None for value in each), []).append(each)
        for missing, alike in by_missing.items():
            absent = [column.is_(None) for column, is_missing in zip(key, missing, strict=True) if is_missing]
            given = [column for column, is_missing in zip(key, missing, strict=True) if not is_missing]
            for start in range(0, len(alike), _MOST_KEYS):
                some = [
                    tuple(value for value in each if value is not None) for each in alike[start : start + _MOST_KEYS]
                ]
                yield from self._connection.execute(select(*wanted).where(*absent, *_one_of(given, some)))

    def _refuse_id(self, chunk: Chunk, row: int, *, skips: bool) -> None:
        is_another = "another row" if skips else "a row"
        advice = "ask for new ids" if skips else "ask for new ids, or have rows skipped that are there"
        msg = (
            f"{chunk.place}, line {chunk.lines[row]}: {is_another} of {self._table.name} with id "
            f"{chunk.column('id')[row]} is in the database already. Nothing was imported: {advice}."
        )
        raise ImportConflict(msg)


def _one_of(columns: _Key, values: Sequence[tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    match len(columns):
        case 0:
            return []
        case 1:
            return [columns[0].in_([value for (value,) in values])]
    return [tuple_(*columns).in_(values)]
