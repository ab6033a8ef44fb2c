"""Which rows of an export are in the database already."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, select, tuple_

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
        keys = [*self._unique, self._known_by] if skips and self._known_by else self._unique
        for key in keys:
            present = self._present(key, [chunk.column(column.name) for column in key])
            for row, values in enumerate(zip(*(chunk.column(column.name) for column in key), strict=True)):
                if values in present:
                    found[row] = key
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
        stored = {row[0]: tuple(row[1:]) for row in self._asked([own, *telling], [own], [chunk.column("id")])}
        told = zip(*(chunk.column(column.name) for column in telling), strict=True)
        for row, (row_id, values) in enumerate(zip(chunk.column("id"), told, strict=True)):
            if row_id in stored and row not in found:
                if not skips or stored[row_id] != values:
                    self._refuse_id(chunk, row, skips=skips)
                found[row] = [own]

    def _present(self, key: _Key, columns: Sequence[Sequence[Any]]) -> set[tuple[Any, ...]]:
        return set(map(tuple, self._asked(key, key, columns)))

    def _asked(self, wanted: _Key, key: _Key, columns: Sequence[Sequence[Any]]) -> Iterator[Any]:
        """Yield columns of the rows that have one of the given keys."""
        # No two missing values are the same one.
        keys = sorted({values for values in zip(*columns, strict=True) if None not in values}, key=repr)
        for start in range(0, len(keys), _MOST_KEYS):
            some = keys[start : start + _MOST_KEYS]
            of_key = tuple_(*key).in_(some) if len(key) > 1 else key[0].in_([values[0] for values in some])
            yield from self._connection.execute(select(*wanted).where(of_key))

    def _refuse_id(self, chunk: Chunk, row: int, *, skips: bool) -> None:
        is_another = "another row" if skips else "a row"
        advice = "ask for new ids" if skips else "ask for new ids, or have rows skipped that are there"
        msg = (
            f"{chunk.place}, line {chunk.lines[row]}: {is_another} of {self._table.name} with id "
            f"{chunk.column('id')[row]} is in the database already. Nothing was imported: {advice}."
        )
        raise ImportConflict(msg)
