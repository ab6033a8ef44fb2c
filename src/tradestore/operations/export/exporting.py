"""A database written to files: as it is at one moment, and however large, a batch of rows at a time."""

from collections.abc import Callable, Collection
from contextlib import closing
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, get_args

from tradestore._answer_timeout import however_long
from tradestore._bulk import check_batch_size
from tradestore._clock import utc_now
from tradestore._engine import masked
from tradestore._errors import meaningful_errors
from tradestore._exported_columns import EXPORT_VERSION, ExportedTable
from tradestore._filters import TradeFilter
from tradestore._stored_values import BATCH_ROWS
from tradestore.exceptions import InvalidValue
from tradestore.operations._endpoints import snapshot
from tradestore.operations._private_files import private_file
from tradestore.operations.export._csv_files import CSV, sidecar_of, write_csv, write_sidecar
from tradestore.operations.export._jsonl_files import JSONL, write_jsonl
from tradestore.operations.export._manifest import manifest_of
from tradestore.operations.export._new_files import new_file, new_folder
from tradestore.operations.export._parquet_files import PARQUET, write_parquet
from tradestore.operations.export._reports import ExportedRows, ExportProgress, ExportReport
from tradestore.operations.export._selection import select_rows
from tradestore.operations.export._snapshot_rows import SnapshotRows
from tradestore.operations.opening import Place, open_to_read

__all__ = ["FileFormat", "export_trades"]

FileFormat = Literal["csv", "jsonl", "parquet"]

_SUFFIXES: Final[dict[str, FileFormat]] = {CSV: "csv", JSONL: "jsonl", PARQUET: "parquet"}


def export_trades(
    place: Place,
    target: str | PathLike[str] | BinaryIO,
    *,
    file_format: FileFormat | None = None,
    what: str | Collection[str] = "all",
    pair: str | None = None,
    is_open: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    trade_filter: TradeFilter = None,
    overwrite: bool = False,
    progress: Callable[[ExportProgress], None] | None = None,
    batch_size: int = BATCH_ROWS,
) -> ExportReport:
    """Write trades and all that is beside them to a file, or to a folder with a file for each table.

    All of it is as it was when the export began, whoever writes meanwhile. JSON Lines have one object for each trade,
    with its orders and custom data in it. CSV and Parquet have a file for each table: in a folder, or a single one if
    the target's name ends in ``.csv`` or ``.parquet`` and one table was asked for. Files are readable by their owner
    only, and appear when they are complete. Columns that somebody has added to the models stay behind.

    Args:
        place: A database URL, or the database that is open.
        target: The file or folder; or a binary stream, which gets JSON Lines, or one table as CSV.
        file_format: As the target's name ends by default, and ``csv`` for a name without such an end.
        what: ``all``, or names of tables, such as ``trades``, ``orders`` and ``locks``. With any of the
            following filters, ``all`` means the trades that they choose, with their orders and custom data.
        pair: Only trades in it.
        is_open: Only trades that are open, or that are closed.
        since: Only trades that were opened then or later (UTC).
        until: Only trades that were opened before (UTC).
        trade_filter: SQL expressions on the columns, all of which must hold.
        overwrite: Whether a file, or the folder of an earlier export, may be replaced.
        progress: Called after each batch.
        batch_size: How many rows are in memory at once.

    Returns:
        What was written.

    Raises:
        InvalidValue: If there is no such table or format, if several tables do not go into one file, or if SQLite has
            a value of another type in a column, which is named.
        ExportError: If the target is there, or cannot be written.
        MissingPackage: If the format needs one that is not installed.
        OperationalException, DatabaseBusy: As :func:`tradestore.operations.opening.open_to_read` raises them.
    """
    check_batch_size(batch_size)
    chosen = _format_of(target, file_format)
    selection = select_rows(what, pair=pair, is_open=is_open, since=since, until=until, trade_filter=trade_filter)
    with however_long(), open_to_read(place) as store, meaningful_errors(), snapshot(store.engine) as connection:
        rows = SnapshotRows(connection, selection, batch_size, progress)
        _Writing(rows, chosen, utc_now()).write(target, overwrite=overwrite)
        return ExportReport(
            source=masked(store.engine.url),
            target=str(target) if isinstance(target, str | PathLike) else None,
            file_format=chosen,
            version=EXPORT_VERSION,
            tables=tuple(map(ExportedRows, rows.counts, rows.counts.values())),
        )


class _Writing:
    """One export under way."""

    def __init__(self, rows: SnapshotRows, file_format: FileFormat, begun: datetime) -> None:
        self._rows = rows
        self._format = file_format
        self._begun = begun

    def write(self, target: str | PathLike[str] | BinaryIO, *, overwrite: bool) -> None:
        """Write all tables to a file, a folder or a stream."""
        if not isinstance(target, str | PathLike):
            self._to_stream(target)
            return
        path = Path(target)
        if self._format == "jsonl":
            with new_file(path, overwrite=overwrite) as stream:
                self._to_stream(stream)
        elif path.suffix in _SUFFIXES:
            self._to_file(path, overwrite=overwrite)
        else:
            with new_folder(path, overwrite=overwrite, suffixes=(CSV, PARQUET, sidecar_of(Path(CSV)).name)) as folder:
                for table in self._rows.tables:
                    self._into_folder(folder / f"{table.name}.{self._format}", table)

    def _to_stream(self, stream: BinaryIO) -> None:
        if self._format == "jsonl":
            write_jsonl(stream, self._rows, self._manifest(*self._rows.tables))
        elif self._format == "csv":
            self._write_table(stream, self._sole_table())
        else:
            msg = "A Parquet file cannot be written to a stream: give the name of a file or folder, or take JSON Lines."
            raise InvalidValue(msg)

    def _to_file(self, path: Path, *, overwrite: bool) -> None:
        table = self._sole_table()
        with new_file(path, overwrite=overwrite) as stream:
            self._write_table(stream, table)
            if self._format == "csv":
                # It comes first: a file that has its name is complete.
                with new_file(sidecar_of(path), overwrite=overwrite) as sidecar:
                    write_sidecar(sidecar, self._manifest(table))

    def _into_folder(self, path: Path, table: ExportedTable) -> None:
        with private_file(path) as stream:
            self._write_table(stream, table)
        if self._format == "csv":
            with private_file(sidecar_of(path)) as sidecar:
                write_sidecar(sidecar, self._manifest(table))

    def _write_table(self, stream: BinaryIO, table: ExportedTable) -> None:
        with closing(self._rows.batches(table)) as batches:
            if self._format == "csv":
                write_csv(stream, table, batches)
            else:
                write_parquet(stream, table, batches, self._manifest(table))

    def _sole_table(self) -> ExportedTable:
        if len(self._rows.tables) != 1:
            msg = (
                f"{len(self._rows.tables)} tables do not fit into one {self._format} file. Nothing was written: choose "
                "one table, give the name of a folder, or take JSON Lines."
            )
            raise InvalidValue(msg)
        return self._rows.tables[0]

    def _manifest(self, *tables: ExportedTable) -> dict[str, Any]:
        return manifest_of({table.name: self._rows.counts[table.name] for table in tables}, self._begun)


def _format_of(target: str | PathLike[str] | BinaryIO, given: FileFormat | None) -> FileFormat:
    if given is not None and given not in get_args(FileFormat):
        msg = f"There is no format {given!r}: choose csv, jsonl or parquet."
        raise InvalidValue(msg)
    if not isinstance(target, str | PathLike):
        return given or "jsonl"
    by_name = _SUFFIXES.get(Path(target).suffix)
    if given is not None and by_name not in {None, given}:
        msg = f"{Path(target).name} would be taken for {by_name}, not for {given}: give another name or format."
        raise InvalidValue(msg)
    return given or by_name or "csv"
