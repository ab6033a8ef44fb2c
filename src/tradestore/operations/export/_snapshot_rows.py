"""The rows of an export, read from one snapshot, a batch at a time, each of the type that its column promises."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, not_, select

from tradestore._exported_columns import EXPORTED_TABLES, ColumnType, ExportedTable
from tradestore._stored_values import StoredTable
from tradestore.exceptions import InvalidValue
from tradestore.operations.export._reports import ExportProgress
from tradestore.operations.export._selection import Selection, stored_table

__all__ = ["Columns", "SnapshotRows"]

Columns = Sequence[Sequence[Any]]
"""Values of some rows, one sequence for each column, in the order of the export."""

_TYPES: Final = {
    ColumnType.COUNT: int,
    ColumnType.NUMBER: float,
    ColumnType.TEXT: str,
    ColumnType.FLAG: bool,
    ColumnType.MOMENT: datetime,
}
_SHOWN: Final = 60


class SnapshotRows:
    """All rows that are exported, as they were at one moment.

    Attributes:
        tables: In the order in which they are written.
        counts: How many rows each has.
    """

    def __init__(
        self,
        connection: Connection,
        selection: Selection,
        batch_size: int,
        progress: Callable[[ExportProgress], None] | None,
    ) -> None:
        """Count the rows.

        Args:
            connection: The snapshot.
            selection: What is exported.
            batch_size: How many rows are in memory at once.
            progress: To be told.
        """
        self._connection = connection
        self._selection = selection
        self._batch_size = batch_size
        self._progress = progress
        self._done = 0
        self.tables = selection.tables
        self.counts = {table.name: self._count(table) for table in selection.tables}

    def batches(self, table: ExportedTable) -> Generator[Columns]:
        """Yield all rows of a table by its key."""
        yield from self._read(table, self._selection.rows_of(table))

    def stray_batches(self, table: ExportedTable) -> Generator[Columns]:
        """Yield the rows of a table that belong to no trade, or to one that is not there."""
        if self._selection.conditions:
            return
        own = stored_table(table).c.ft_trade_id
        trades = stored_table(EXPORTED_TABLES["trades"])
        yield from self._read(table, own.is_(None) | not_(own.in_(select(trades.c.id))))

    def trade_pages(self, parts: Sequence[ExportedTable]) -> Iterator[tuple[Columns, dict[str, Columns]]]:
        """Yield trades by id, with the rows of other tables that belong to them.

        Pages instead of one long answer: MariaDB gives no second answer while the first one is being read.

        Args:
            parts: The other tables.
        """
        table = EXPORTED_TABLES["trades"]
        own = stored_table(table).c.id
        query = select(own).where(*self._selection.conditions).order_by(own).limit(self._batch_size)
        last = None
        while ids := self._connection.scalars(query if last is None else query.where(own > last)).all():
            last = ids[-1]
            trades = self._page(table, own.between(ids[0], last))
            belongings = {
                part.name: self._page(part, stored_table(part).c.ft_trade_id.between(ids[0], last)) for part in parts
            }
            yield trades, belongings

    def _page(self, table: ExportedTable, of_page: ColumnElement[bool]) -> Columns:
        chosen = self._selection.rows_of(table)
        return _together(table, self._read(table, of_page if chosen is None else and_(chosen, of_page)))

    def _read(self, table: ExportedTable, where: ColumnElement[bool] | None) -> Generator[Columns]:
        stored = StoredTable(stored_table(table), table.names)
        places = [[column.name for column in stored.columns].index(name) for name in table.names]
        order = [stored_table(table).c[name] for name in table.key]
        with closing(
            stored.batches(self._connection, size=self._batch_size, where=where, order=order, streamed=True)
        ) as batches:
            for values in batches:
                columns = [values[place] for place in places]
                _refuse_unfit(table, columns)
                yield columns
                self._done += len(columns[0])
                if self._progress is not None:
                    self._progress(ExportProgress(table.name, self._done, sum(self.counts.values())))

    def _count(self, table: ExportedTable) -> int:
        query = select(func.count()).select_from(stored_table(table))
        chosen = self._selection.rows_of(table)
        return self._connection.scalar(query if chosen is None else query.where(chosen)) or 0


def _together(table: ExportedTable, batches: Iterator[Columns]) -> Columns:
    found = list(batches)
    if not found:
        return [()] * len(table.columns)
    return found[0] if len(found) == 1 else [list(chain.from_iterable(parts)) for parts in zip(*found, strict=True)]


def _refuse_unfit(table: ExportedTable, columns: Columns) -> None:
    """Refuse what SQLite keeps in a column of another type: nobody could read it back as what it was."""
    for column, values in zip(table.columns, columns, strict=True):
        expected = _TYPES[column.type]
        present = set(map(type, values)) - {NoneType, expected}
        if not present and (expected is not str or _are_proper(values)):
            continue
        row, value = next(
            (row, value)
            for row, value in enumerate(values)
            if value is not None and (type(value) is not expected or (expected is str and not _are_proper([value])))
        )
        keys = [columns[table.names.index(name)][row] for name in table.key]
        msg = (
            f"{table.stored_as}.{column.name} of the row with {', '.join(table.key)} {', '.join(map(str, keys))} is "
            f"{value!r:.{_SHOWN}}, which is no {column.type}. Nothing was exported: correct it in the database first."
        )
        raise InvalidValue(msg)


def _are_proper(texts: Sequence[Any]) -> bool:
    together = "".join(text for text in texts if text is not None)
    if together.isascii():
        return True
    try:
        together.encode()
    except UnicodeEncodeError:
        return False
    return True
