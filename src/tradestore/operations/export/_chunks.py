"""Rows on their way from a file into the database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tradestore._exported_columns import ExportedTable

__all__ = ["Chunk", "Export"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table.

    Attributes:
        table: Which.
        place: The name of the file.
        lines: Where each row is in it; in a Parquet file, which row it is.
        columns: The values of each column, in the order of the export.
    """

    table: ExportedTable
    place: str
    lines: Sequence[int]
    columns: Sequence[Sequence[Any]]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.lines)

    def column(self, name: str) -> Sequence[Any]:
        """Return the values of a column."""
        return self.columns[self.table.names.index(name)]

    def only(self, rows: Sequence[int]) -> "Chunk":
        """Return some of the rows, by their places."""
        if len(rows) == len(self.lines):
            return self
        lines = [self.lines[row] for row in rows]
        return Chunk(self.table, self.place, lines, [[values[row] for row in rows] for values in self.columns])

    def with_column(self, name: str, values: Sequence[Any]) -> "Chunk":
        """Return the rows with other values in one column."""
        columns = list(self.columns)
        columns[self.table.names.index(name)] = values
        return Chunk(self.table, self.place, self.lines, columns)


class Export(Protocol):
    """What can be imported."""

    @property
    def tables(self) -> Mapping[ExportedTable, int | None]:
        """What it has, and how many rows of each; None if nothing tells."""

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield all rows, some at a time; those of a table after those that they refer to."""
