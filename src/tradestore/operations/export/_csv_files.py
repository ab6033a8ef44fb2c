"""CSV: a file for each table, in UTF-8 and as of RFC 4180, and beside each file what it is, as JSON."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from tradestore._exported_columns import EXPORTED_TABLES, ExportedColumn, ExportedTable
from tradestore.exceptions import InvalidExport
from tradestore.operations.export._cells import cells_of, values_of
from tradestore.operations.export._chunks import Chunk
from tradestore.operations.export._manifest import read_manifest
from tradestore.operations.export._snapshot_rows import Columns

__all__ = ["CSV", "CsvFile", "sidecar_of", "write_csv", "write_sidecar"]

CSV: Final = ".csv"
_ENCODING: Final = "utf-8"


def write_csv(stream: BinaryIO, table: ExportedTable, batches: Iterable[Columns]) -> None:
    """Write the rows of a table, after a line with the names of its columns."""
    text = io.TextIOWrapper(stream, encoding=_ENCODING, newline="")
    try:
        writer = csv.writer(text)
        writer.writerow(table.names)
        for columns in batches:
            cells = [cells_of(column.type, values) for column, values in zip(table.columns, columns, strict=True)]
            writer.writerows(zip(*cells, strict=True))
        text.flush()
    finally:
        text.detach()


def sidecar_of(file: Path) -> Path:
    """Return the file that tells what a CSV file is."""
    return file.with_name(file.name + ".json")


def write_sidecar(stream: BinaryIO, manifest: dict[str, Any]) -> None:
    """Write what a CSV file is."""
    stream.write(json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n")


class CsvFile:
    """A CSV file to be imported.

    Attributes:
        tables: The one that it has, and how many rows; None if nothing tells.
    """

    def __init__(self, file: Path) -> None:
        """Look at what it is.

        Raises:
            InvalidExport: If its name or its sidecar does not tell.
        """
        self._file = file
        sidecar = sidecar_of(file)
        if sidecar.is_file():
            told = read_manifest(sidecar.read_bytes(), sidecar.name)
            if len(told) != 1:
                msg = f"{sidecar.name} tells of {len(told)} tables, and a CSV file has one: export it again."
                raise InvalidExport(msg)
            self.tables: dict[ExportedTable, int | None] = dict(told)
        elif file.stem in EXPORTED_TABLES:
            self.tables = {EXPORTED_TABLES[file.stem]: None}
        else:
            msg = (
                f"{file.name} has no {sidecar.name} beside it that says what it is: bring it, or name the file after "
                f"its table, such as trades.csv."
            )
            raise InvalidExport(msg)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield all rows, some at a time.

        Raises:
            InvalidExport: If one cannot be read; the message says where it is.
        """
        (table,) = self.tables
        with self._file.open(encoding="utf-8-sig", newline="") as stream, _long_cells():
            try:
                reader = csv.reader(stream, strict=True)
                places = self._places(table, next(reader, []))
                lines, rows, end = [], [], reader.line_num
                for row in reader:
                    line, end = end + 1, reader.line_num
                    if not row:
                        continue
                    if len(row) != len(places):
                        raise self._refusal(line, f"{len(row)} cells were found, {len(places)} expected")
                    lines.append(line)
                    rows.append(row)
                    if len(rows) == size:
                        yield self._chunk(table, places, lines, rows)
                        lines, rows = [], []
                if rows:
                    yield self._chunk(table, places, lines, rows)
            except csv.Error as e:
                raise self._refusal(reader.line_num, str(e)) from None
            except UnicodeDecodeError:
                msg = f"{self._file.name} is no text in UTF-8. Nothing was imported: save it as such."
                raise InvalidExport(msg) from None

    def _places(self, table: ExportedTable, header: list[str]) -> list[int]:
        unknown, missing = set(header) - set(table.names), set(table.names) - set(header)
        if unknown or missing or len(header) != len(table.names):
            found = [f"unknown: {', '.join(sorted(unknown))}"] if unknown else []
            found += [f"missing: {', '.join(sorted(missing))}"] if missing else []
            raise self._refusal(1, f"the columns are not those of {table.name} ({'; '.join(found) or 'repeated'})")
        return [header.index(name) for name in table.names]

    def _chunk(self, table: ExportedTable, places: list[int], lines: list[int], rows: list[list[str]]) -> Chunk:
        columns = list(zip(*rows, strict=True))
        values = []
        for column, place in zip(table.columns, places, strict=True):
            try:
                values.append(values_of(column.type, columns[place]))
            except ValueError:
                raise self._first_unreadable(column, lines, columns[place]) from None
        return Chunk(table, self._file.name, lines, values)

    def _first_unreadable(self, column: ExportedColumn, lines: list[int], cells: Iterable[str]) -> InvalidExport:
        for line, cell in zip(lines, cells, strict=True):
            try:
                values_of(column.type, [cell])
            except ValueError as e:
                return self._refusal(line, f"{column.name} is {cell!r:.60}, but {e}")
        raise AssertionError

    def _refusal(self, line: int, reason: str) -> InvalidExport:
        return InvalidExport(f"{self._file.name}, line {line}: {reason}. Nothing was imported: correct the file.")


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let cells be as long as a text in the database may be."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
