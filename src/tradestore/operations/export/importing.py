"""An export read back into a database: all of it, or nothing."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Final, Literal

from tradestore._answer_timeout import however_long
from tradestore._bulk import check_batch_size
from tradestore._engine import masked
from tradestore._exported_columns import EXPORT_VERSION, EXPORTED_TABLES, ExportedTable
from tradestore._openings import note_opening
from tradestore._store_session import note_writing
from tradestore._stored_values import BATCH_ROWS
from tradestore._units_of_work import unit_of_work
from tradestore.exceptions import InvalidExport, InvalidValue
from tradestore.operations.export._arrival import Arrival
from tradestore.operations.export._chunks import Chunk, Export
from tradestore.operations.export._csv_files import CSV, CsvFile
from tradestore.operations.export._jsonl_files import JSONL, JsonLines
from tradestore.operations.export._parquet_files import PARQUET, ParquetFile
from tradestore.operations.export._reports import ImportedRows, ImportProgress, ImportReport
from tradestore.operations.export._row_numbers import RowNumbers
from tradestore.operations.opening import Place, open_to_change
from tradestore.trade_model import Trade

__all__ = ["OnConflict", "import_trades"]

OnConflict = Literal["refuse", "skip"]

_KINDS: Final[dict[str, Callable[[Path], Export]]] = {CSV: CsvFile, PARQUET: ParquetFile}


def import_trades(
    source: str | PathLike[str] | BinaryIO,
    place: Place,
    *,
    new_ids: bool = False,
    on_conflict: OnConflict = "refuse",
    progress: Callable[[ImportProgress], None] | None = None,
    batch_size: int = BATCH_ROWS,
) -> ImportReport:
    """Read what ``export_trades`` has written into a database, all in one transaction.

    Rows keep their ids, unless new ones are asked for: then the database counts them anew, and all that refers to them
    follows. The next ids are above all that are there afterwards. Columns that somebody has added to the models get
    their defaults. Limits on open trades hold.

    Args:
        source: A file or a folder of an export, or a binary stream of JSON Lines.
        place: A database URL, or the database that is open; the session must not hold work that is not committed.
        new_ids: Whether rows get new ids.
        on_conflict: ``refuse``, or ``skip`` what is in the database already: a trade of the same exchange, pair, side
            and opening date, with all that belongs to it; an order with the same id of the exchange; a lock of the same
            pair, side and times; and whatever has the same key. Nothing of what is there is changed.
        progress: Called after each batch.
        batch_size: How many rows are in memory at once.

    Returns:
        What was stored.

    Raises:
        InvalidExport: If the source is no export, of another version, cut short, or has a row that cannot be stored;
            the message names file and line.
        ImportConflict: If a row, or another one with its id, is in the database already.
        InvalidValue: If an argument cannot be what it is.
        TradeLimitReached: If more trades would be open than the limits of the database admit.
        MissingPackage: If the format needs one that is not installed.
        DependencyException: If the session holds changes that were not committed.
        OperationalException: As :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: If others keep it locked; nothing was stored.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    check_batch_size(batch_size)
    if on_conflict not in {"refuse", "skip"}:
        msg = f"on_conflict is refuse or skip, but was {on_conflict!r}."
        raise InvalidValue(msg)
    with however_long(), _opened(source) as exports, open_to_change(place) as store, RowNumbers() as numbers:
        session = Trade.session()
        with unit_of_work(session):
            note_opening(session)
            arrival = Arrival(session.connection(), numbers, new_ids=new_ids, skips=on_conflict == "skip")
            note_writing(session)
            _take_all(exports, arrival, batch_size, progress)
            arrival.finish()
        tables = [table.name for export in exports for table in export.tables]
        return ImportReport(
            source=str(source) if isinstance(source, str | PathLike) else None,
            target=masked(store.engine.url),
            version=EXPORT_VERSION,
            tables=tuple(ImportedRows(name, arrival.added[name], arrival.skipped[name]) for name in tables),
        )


def _take_all(
    exports: list[Export], arrival: Arrival, batch_size: int, progress: Callable[[ImportProgress], None] | None
) -> None:
    told = {table: rows for export in exports for table, rows in export.tables.items()}
    counts = [rows for rows in told.values() if rows is not None]
    total = sum(counts) if len(counts) == len(told) else None
    done = 0
    # An error would keep the file open for as long as it lives.
    with closing(_chunks(exports, batch_size)) as chunks:
        for chunk in chunks:
            arrival.take(chunk)
            done += len(chunk)
            if progress is not None:
                progress(ImportProgress(chunk.table.name, done, total))
    for table, rows in told.items():
        _refuse_a_part(table, rows, arrival.added[table.name] + arrival.skipped[table.name])


def _chunks(exports: list[Export], batch_size: int) -> Generator[Chunk]:
    for export in exports:
        yield from export.chunks(batch_size)


def _refuse_a_part(table: ExportedTable, told: int | None, found: int) -> None:
    if told is not None and found != told:
        msg = (
            f"The export tells of {told} rows of {table.name}, but {found} were found. Nothing was imported: if it was "
            "cut short, copy it again; if rows were taken out or added, correct the number as well."
        )
        raise InvalidExport(msg)


@contextmanager
def _opened(source: str | PathLike[str] | BinaryIO) -> Iterator[list[Export]]:
    """Return the files of an export, parents before what refers to them."""
    if not isinstance(source, str | PathLike):
        yield [JsonLines(source, "standard input" if getattr(source, "name", None) == "<stdin>" else "The stream")]
        return
    path = Path(source)
    with ExitStack() as stack:
        if not path.exists():
            msg = f"There is no file {path}: correct the path."
            raise InvalidExport(msg)
        if path.is_dir():
            yield _of_folder(path)
        elif path.suffix == JSONL:
            yield [JsonLines(stack.enter_context(path.open("rb")), path.name)]
        elif path.suffix in _KINDS:
            yield [_KINDS[path.suffix](path)]
        else:
            msg = f"{path.name} is no export by its name, which ends in {JSONL}, {CSV} or {PARQUET}: rename it."
            raise InvalidExport(msg)


def _of_folder(folder: Path) -> list[Export]:
    exports = []
    for name in EXPORTED_TABLES:
        found = [folder / f"{name}{suffix}" for suffix in _KINDS if (folder / f"{name}{suffix}").is_file()]
        if len(found) > 1:
            msg = f"{folder} has {found[0].name} and {found[1].name}: take one of them away."
            raise InvalidExport(msg)
        exports += [_KINDS[file.suffix](file) for file in found]
    if not exports:
        msg = f"{folder} has no file of an export, such as trades.csv: give another folder."
        raise InvalidExport(msg)
    return exports
