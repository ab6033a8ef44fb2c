"""Parquet: a file for each table, with typed columns; what it is stands in the file's own metadata."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from tradestore._exported_columns import ColumnType, ExportedTable
from tradestore._extras import load_extra
from tradestore.exceptions import InvalidExport
from tradestore.operations.export._chunks import Chunk
from tradestore.operations.export._manifest import MARK, read_manifest
from tradestore.operations.export._snapshot_rows import Columns

__all__ = ["PARQUET", "ParquetFile", "write_parquet"]

PARQUET: Final = ".parquet"
_EXTRA: Final = "parquet"


def write_parquet(stream: BinaryIO, table: ExportedTable, batches: Iterable[Columns], manifest: dict[str, Any]) -> None:
    """Write the rows of a table.

    Raises:
        MissingPackage: If pyarrow is not installed.
    """
    arrow, parquet = load_extra("pyarrow", _EXTRA), load_extra("pyarrow.parquet", _EXTRA)
    types = _types(arrow)
    schema = arrow.schema(
        [(column.name, types[column.type]) for column in table.columns], metadata={MARK: json.dumps(manifest)}
    )
    with parquet.ParquetWriter(stream, schema) as writer:
        for columns in batches:
            arrays = [
                arrow.array(values, type=_written(arrow, types[column.type]))
                for column, values in zip(table.columns, columns, strict=True)
            ]
            named = zip(table.names, arrays, strict=True)
            writer.write_table(arrow.table(dict(named)).cast(schema))


class ParquetFile:
    """A Parquet file to be imported.

    Attributes:
        tables: The one that it has, and how many rows.
    """

    def __init__(self, file: Path) -> None:
        """Look at what it is.

        Raises:
            InvalidExport: If that is no export.
            MissingPackage: If pyarrow is not installed.
        """
        self._arrow = load_extra("pyarrow", _EXTRA)
        self._file = file
        with self._opened() as parquet:
            schema = parquet.schema_arrow
            manifest = (schema.metadata or {}).get(MARK.encode(), b"")
            told = read_manifest(manifest, file.name)
            if len(told) != 1:
                raise self._refusal(f"it tells of {len(told)} tables, and a Parquet file has one")
            (table,) = told
            types = _types(self._arrow)
            found = {name: schema.field(name).type for name in schema.names}
            if found != {column.name: types[column.type] for column in table.columns}:
                raise self._refusal(f"its columns or their types are not those of {table.name}")
        self.tables: dict[ExportedTable, int | None] = dict(told)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Yield all rows, some at a time.

        Raises:
            InvalidExport: If they cannot be read.
        """
        ((table, _),) = self.tables.items()
        types = _types(self._arrow)
        done = 0
        with self._opened() as parquet:
            try:
                for batch in parquet.iter_batches(size, columns=list(table.names)):
                    columns = [
                        batch.column(column.name).cast(_written(self._arrow, types[column.type])).to_pylist()
                        for column in table.columns
                    ]
                    yield Chunk(table, self._file.name, range(done + 1, done + 1 + batch.num_rows), columns)
                    done += batch.num_rows
            except (OSError, self._arrow.ArrowException) as e:
                if not isinstance(e, self._arrow.ArrowException) and type(e) is not OSError:
                    raise
                raise self._refusal(f"it cannot be read ({e})") from None

    def _opened(self) -> Any:
        try:
            return load_extra("pyarrow.parquet", _EXTRA).ParquetFile(self._file)
        except (self._arrow.ArrowException, OSError) as e:
            raise self._refusal(f"it is no Parquet file, or only a part of one ({e})") from None

    def _refusal(self, reason: str) -> InvalidExport:
        return InvalidExport(f"{self._file.name}: {reason}. Nothing was imported: export it again.")


def _types(arrow: Any) -> dict[ColumnType, Any]:
    return {
        ColumnType.COUNT: arrow.int64(),
        ColumnType.NUMBER: arrow.float64(),
        ColumnType.TEXT: arrow.string(),
        ColumnType.FLAG: arrow.bool_(),
        ColumnType.MOMENT: arrow.timestamp("us", tz="UTC"),
    }


def _written(arrow: Any, arrow_type: Any) -> Any:
    """Return the type between a column and Python, where moments have no zone."""
    return arrow.timestamp("us") if arrow.types.is_timestamp(arrow_type) else arrow_type
