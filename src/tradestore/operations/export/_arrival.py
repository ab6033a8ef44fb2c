"""Rows of an export on their way into the tables: looked at, given their ids, and stored."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, Enum, Table, select
from sqlalchemy.exc import DBAPIError, StatementError

from tradestore._bulk import insert_new_rows, insert_rows
from tradestore._errors import meaning_of
from tradestore._exported_columns import EXPORTED_TABLES, ExportedTable
from tradestore._sequences import continue_ids
from tradestore._stored_values import StoredTable
from tradestore.exceptions import ImportConflict, InvalidExport
from tradestore.operations._target_limits import TargetLimits
from tradestore.operations._target_rows import driver_values
from tradestore.operations._transfer_plan import Cargo
from tradestore.operations.export._chunks import Chunk
from tradestore.operations.export._present_rows import PresentRows
from tradestore.operations.export._row_numbers import RowNumbers
from tradestore.operations.export._selection import stored_table

__all__ = ["Arrival"]

_ID: Final = "id"
_UNDONE: Final = "Nothing was imported"


class Arrival:
    """What the rows of one import go through.

    Attributes:
        added: How many rows of each table were stored.
        skipped: How many were passed over.
    """

    def __init__(self, connection: Connection, numbers: RowNumbers, *, new_ids: bool, skips: bool) -> None:
        """Begin.

        Args:
            connection: To the database, within a transaction.
            numbers: What became of the rows before.
            new_ids: Whether the database counts rows anew; else they keep their ids.
            skips: Whether rows that are there already are passed over; else they are refused.
        """
        self._connection = connection
        self._numbers = numbers
        self._new_ids = new_ids
        self._skips = skips
        self._doors: dict[str, _Door] = {}
        self.added: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()

    def take(self, chunk: Chunk) -> None:
        """Store rows.

        Raises:
            InvalidExport: If one has a value that cannot be stored, or refers to a row that is not there.
            ImportConflict: If one is there already.
        """
        table = chunk.table
        door = self._door(table)
        kept = self._referring(chunk)
        if door.counts_ids:
            self._refuse_repeated(chunk)
        present = door.present.find(kept, skips=self._skips) if len(kept) else {}
        arriving = kept.only([row for row in range(len(kept)) if row not in present])
        new = door.store(arriving)
        if door.counts_ids:
            stored = dict(zip(arriving.column(_ID), new, strict=True))
            passed_over = (row_id for row_id in chunk.column(_ID) if row_id not in stored)
            self._numbers.add(table.name, [*stored.items(), *((row_id, None) for row_id in passed_over)])
        self.added[table.name] += len(arriving)
        self.skipped[table.name] += len(chunk) - len(arriving)

    def finish(self) -> None:
        """Let the next ids of all tables follow those that came."""
        for name, door in self._doors.items():
            if door.counts_ids and not self._new_ids:
                continue_ids(self._connection, stored_table(EXPORTED_TABLES[name]))

    def _door(self, table: ExportedTable) -> "_Door":
        if table.name not in self._doors:
            self._doors[table.name] = _Door(self._connection, table, new_ids=self._new_ids)
        return self._doors[table.name]

    def _referring(self, chunk: Chunk) -> Chunk:
        """Return the rows with references to rows of the database, without those that belong to what was there."""
        for name, parent in chunk.table.references.items():
            own = chunk.column(name)
            wanted = {each for each in own if each is not None}
            known: dict[int | None, int | None] = {None: None}
            known.update(self._numbers.known(parent, wanted).items())
            known |= {row_id: row_id for row_id in self._there(parent, wanted - known.keys())}
            for line, row_id in zip(chunk.lines, own, strict=True):
                if row_id not in known:
                    reason = f"{name} is {row_id}, but no such row is in {parent}"
                    raise _refusal(chunk, line, reason)
            rows = [row for row, row_id in enumerate(own) if row_id is None or known[row_id] is not None]
            chunk = chunk.with_column(name, [known[row_id] for row_id in own]).only(rows)
        return chunk

    def _there(self, parent: str, ids: set[int]) -> Sequence[int]:
        """Return which rows that the export does not bring are in the database, where ids mean the same."""
        if self._new_ids or not ids:
            return []
        own = stored_table(EXPORTED_TABLES[parent]).c.id
        return self._connection.scalars(select(own).where(own.in_(ids))).all()

    def _refuse_repeated(self, chunk: Chunk) -> None:
        ids = chunk.column(_ID)
        before = set(self._numbers.known(chunk.table.name, [each for each in ids if each is not None]))
        for line, row_id in zip(chunk.lines, ids, strict=True):
            if row_id is None:
                raise _refusal(chunk, line, "it has no id")
            if row_id in before:
                raise _refusal(chunk, line, f"another row of {chunk.table.name} has the same id {row_id}")
            before.add(row_id)


class _Door:
    """The way into one table."""

    def __init__(self, connection: Connection, table: ExportedTable, *, new_ids: bool) -> None:
        self._connection = connection
        self._exported = table
        self._table: Table = stored_table(table)
        self.counts_ids = table.key == (_ID,)
        self._is_counting = self.counts_ids and new_ids
        names = [name for name in table.names if name != _ID] if self._is_counting else table.names
        self._cargo = Cargo(StoredTable(self._table, names), [*self._table.primary_key.columns], is_model=True)
        self._limits = TargetLimits(self._cargo, connection.dialect)

    @cached_property
    def present(self) -> PresentRows:
        """What was there before."""
        return PresentRows(
            self._connection, self._exported, self._cargo, by_id=self.counts_ids and not self._is_counting
        )

    def store(self, chunk: Chunk) -> Sequence[int]:
        """Store rows, and return their ids."""
        if not len(chunk):
            return []
        values = [chunk.column(column.name) for column in self._cargo.stored.columns]
        self._refuse_unfit(chunk, values)
        name = self._connection.dialect.name
        columns = {
            column.key: driver_values(kind, of_column, name, is_copied=name == "postgresql")
            for kind, column, of_column in zip(
                self._cargo.stored.kinds, self._cargo.stored.columns, values, strict=True
            )
        }
        try:
            if self._is_counting:
                return insert_new_rows(self._connection, self._table, columns)
            insert_rows(self._connection, self._table, columns)
        except StatementError as e:
            if isinstance(e, DBAPIError) and meaning_of(e) is not None:
                raise
            msg = (
                f"{chunk.place}, lines {chunk.lines[0]} to {chunk.lines[-1]}: {name} does not take a row "
                f"({str(e.orig).strip()}). {_UNDONE}: a row may be there twice, or be in the database already."
            )
            raise ImportConflict(msg) from e
        return chunk.column(_ID) if self.counts_ids else []

    def _refuse_unfit(self, chunk: Chunk, values: Sequence[Sequence[Any]]) -> None:
        found = self._limits.find(values)
        if found is not None:
            raise _refusal(chunk, chunk.lines[found.row], f"{found.column.name} is {found.shown}, but {found.reason}")
        for column, of_column in zip(self._cargo.stored.columns, values, strict=True):
            if isinstance(column.type, Enum):
                for line, value in zip(chunk.lines, of_column, strict=True):
                    if value is not None and value not in column.type.enums:
                        choices = ", ".join(column.type.enums)
                        raise _refusal(chunk, line, f"{column.name} is {value!r:.60}, but it is one of {choices}")


def _refusal(chunk: Chunk, line: int, reason: str) -> InvalidExport:
    return InvalidExport(f"{chunk.place}, line {line}: {reason}. {_UNDONE}: correct the file.")
