"""JSON Lines: an object for each trade with its orders and custom data, and one for each other row.

The first line is the manifest. Every other object has its table's name under ``table``.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import count
from types import NoneType
from typing import Any, BinaryIO, Final

from tradestore._exported_columns import EXPORTED_TABLES, ColumnType, ExportedColumn, ExportedTable
from tradestore.exceptions import InvalidExport
from tradestore.operations.export._cells import moment_cell, number_cell, read_moment, read_number
from tradestore.operations.export._chunks import Chunk
from tradestore.operations.export._manifest import read_manifest
from tradestore.operations.export._snapshot_rows import Columns, SnapshotRows

__all__ = ["JSONL", "JsonLines", "write_jsonl"]

JSONL: Final = ".jsonl"
_TABLE: Final = "table"
_TRADES: Final = EXPORTED_TABLES["trades"]
_PARTS: Final = (EXPORTED_TABLES["orders"], EXPORTED_TABLES["custom_data"])
_LONGEST_LINE: Final = 1 << 28
"""Bytes: more than any trade has; what has no line ends is no such file, and must not fill the memory."""


def write_jsonl(stream: BinaryIO, rows: SnapshotRows, manifest: dict[str, Any]) -> None:
    """Write all tables."""
    _write(stream, [manifest])
    parts: Sequence[ExportedTable] = ()
    if _TRADES in rows.tables:
        parts = [part for part in _PARTS if part in rows.tables]
        for trades, belongings in rows.trade_pages(parts):
            _write(stream, _trade_objects(trades, belongings))
    for table in rows.tables:
        if table is not _TRADES:
            with closing(rows.stray_batches(table) if table in parts else rows.batches(table)) as batches:
                for columns in batches:
                    _write(stream, ({_TABLE: table.name} | row for row in _objects(table, columns)))


def _write(stream: BinaryIO, objects: Iterable[dict[str, Any]]) -> None:
    stream.writelines(json.dumps(each, ensure_ascii=False, allow_nan=False).encode() + b"\n" for each in objects)


def _trade_objects(trades: Columns, belongings: dict[str, Columns]) -> Iterator[dict[str, Any]]:
    of_trades: dict[str, defaultdict[int, list[Any]]] = {}
    for name, columns in belongings.items():
        found = of_trades[name] = defaultdict(list)
        for row in _objects(EXPORTED_TABLES[name], columns):
            found[row["ft_trade_id"]].append(row)
    for trade in _objects(_TRADES, trades):
        yield {_TABLE: _TRADES.name} | trade | {name: found[trade["id"]] for name, found in of_trades.items()}


def _objects(table: ExportedTable, columns: Columns) -> Iterator[dict[str, Any]]:
    forms = [_formed(column.type, values) for column, values in zip(table.columns, columns, strict=True)]
    return (dict(zip(table.names, row, strict=True)) for row in zip(*forms, strict=True))


def _formed(column_type: ColumnType, values: Sequence[Any]) -> Sequence[Any]:
    match column_type:
        case ColumnType.MOMENT:
            return [None if value is None else moment_cell(value) for value in values]
        case ColumnType.NUMBER:
            # JSON has no word for a number that is not finite.
            return [number_cell(value) if value is not None and value - value != 0 else value for value in values]
    return values


class JsonLines:
    """A JSON Lines file to be imported.

    Attributes:
        tables: That it has, and how many rows of each.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        """Read the first line.

        Args:
            stream: The file, at its beginning.
            name: Its name.

        Raises:
            InvalidExport: If that is no manifest.
        """
        self._stream = stream
        self._name = name
        first = stream.readline(_LONGEST_LINE)
        self.tables: dict[ExportedTable, int | None] = dict(read_manifest(first, f"The first line of {name}"))

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield all rows, some at a time.

        Raises:
            InvalidExport: If one cannot be read; the message says where it is.
        """
        waiting: list[tuple[int, dict[str, Any]]] = []
        for number, found in self._found():
            if waiting and (found[_TABLE] != waiting[0][1][_TABLE] or len(waiting) == size):
                yield from self._of(waiting)
                waiting = []
            waiting.append((number, found))
        if waiting:
            yield from self._of(waiting)

    def _found(self) -> Generator[tuple[int, dict[str, Any]]]:
        for number in count(2):
            line = self._stream.readline(_LONGEST_LINE)
            if not line:
                return
            try:
                found = json.loads(line, parse_constant=_refuse_constant)
            except (RecursionError, ValueError):
                raise self._refusal(number, "it is no JSON, or was cut short") from None
            if not isinstance(found, dict) or EXPORTED_TABLES.get(str(found.get(_TABLE))) not in self.tables:
                raise self._refusal(number, f"it has no {_TABLE!r} that the first line tells of")
            yield number, found

    def _of(self, found: list[tuple[int, dict[str, Any]]]) -> Iterator[Chunk]:
        """Yield rows of one table, and then what belongs to them."""
        table = EXPORTED_TABLES[found[0][1][_TABLE]]
        nested: dict[str, list[tuple[int, Any]]] = {}
        for number, row in found:
            del row[_TABLE]
            for part in _PARTS if table is _TRADES else ():
                nested.setdefault(part.name, []).extend((number, each) for each in self._belongings(number, row, part))
        yield self._chunk(table, found)
        for name, rows in nested.items():
            if rows:
                yield self._chunk(EXPORTED_TABLES[name], rows)

    def _belongings(self, number: int, trade: dict[str, Any], part: ExportedTable) -> list[Any]:
        rows = trade.pop(part.name, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._refusal(number, f"{part.name} is no list of objects")
        if any(row.get("ft_trade_id") != trade.get("id") for row in rows):
            raise self._refusal(number, f"one of the {part.name} belongs to another trade by its ft_trade_id")
        return rows

    def _chunk(self, table: ExportedTable, found: Sequence[tuple[int, dict[str, Any]]]) -> Chunk:
        expected = set(table.names)
        for number, row in found:
            if row.keys() != expected:
                wrong = ", ".join(sorted(row.keys() ^ expected))
                raise self._refusal(number, f"the fields are not those of {table.name} (unknown or missing: {wrong})")
        lines = [number for number, _ in found]
        columns = [self._values(column, lines, [row[column.name] for _, row in found]) for column in table.columns]
        return Chunk(table, self._name, lines, columns)

    def _values(self, column: ExportedColumn, lines: Sequence[int], values: Sequence[Any]) -> Sequence[Any]:
        if _are_ready(column.type, values):
            return values
        read = _READERS[column.type]
        try:
            return [None if value is None else read(value) for value in values]
        except (OverflowError, ValueError):
            raise self._first_unreadable(column.name, read, lines, values) from None

    def _first_unreadable(
        self, name: str, read: Callable[[Any], Any], lines: Sequence[int], values: Sequence[Any]
    ) -> InvalidExport:
        for line, value in zip(lines, values, strict=True):
            try:
                None if value is None else read(value)
            except (OverflowError, ValueError) as e:
                return self._refusal(line, f"{name} is {value!r:.60}, but {e}")
        raise AssertionError

    def _refusal(self, line: int, reason: str) -> InvalidExport:
        return InvalidExport(f"{self._name}, line {line}: {reason}. Nothing was imported: correct the file.")


def _are_ready(column_type: ColumnType, values: Sequence[Any]) -> bool:
    """Tell whether all values are what the column has as JSON gives them: most are, and looked at together."""
    if not set(map(type, values)) <= {NoneType, _READY.get(column_type)}:
        return False
    return column_type is not ColumnType.NUMBER or all(value is None or value - value == 0 for value in values)


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _reader(kind: type, what: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            msg = f"{what} was expected"
            raise ValueError(msg)
        return value

    return read


def _read_number(value: Any) -> float:
    if type(value) is float and value - value == 0:
        return value
    if type(value) is str:
        return read_number(value)
    if type(value) not in {int, float}:
        msg = "a number was expected"
        raise ValueError(msg)
    return read_number(repr(float(value)))


def _read_moment(value: Any) -> datetime:
    return read_moment(value if type(value) is str else "")


_READY: Final = {ColumnType.COUNT: int, ColumnType.NUMBER: float, ColumnType.TEXT: str, ColumnType.FLAG: bool}
_READERS: Final[dict[ColumnType, Callable[[Any], Any]]] = {
    ColumnType.COUNT: _reader(int, "a whole number"),
    ColumnType.NUMBER: _read_number,
    ColumnType.TEXT: _reader(str, "a text"),
    ColumnType.FLAG: _reader(bool, "true or false"),
    ColumnType.MOMENT: _read_moment,
}
