"""A database as it is at one moment: as the bytes that will be kept, and as the content that they must have."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine

from tradestore._clock import utc_now
from tradestore._sqlite_files import is_encrypted
from tradestore.exceptions import BackupError
from tradestore.operations._endpoints import family, snapshot
from tradestore.operations.backup import _mariadb, _postgresql
from tradestore.operations.backup._left_out import left_out_of
from tradestore.operations.backup._manifest import Kind
from tradestore.operations.backup._packing import file_chunks
from tradestore.operations.backup._progress import Progress
from tradestore.operations.backup._sqlite_files import copy_snapshot, database_url
from tradestore.operations.content import StoreContent, content_hash
from tradestore.operations.transfer import TransferProgress, transfer

__all__ = ["Captured", "Format", "captured"]

Format = Literal["native", "portable"]


@dataclass(frozen=True, slots=True)
class Captured:
    """A moment of a database.

    Attributes:
        kind: What the bytes are.
        moment: Which it was, or one right before it (UTC).
        chunks: The bytes, to be taken once.
        content: Returns what they must hold; to be called when they are taken.
        left_out: Views and triggers that they lack.
    """

    kind: Kind
    moment: datetime
    chunks: Iterator[bytes]
    content: Callable[[], StoreContent]
    left_out: tuple[str, ...] = ()


@contextmanager
def captured(engine: Engine, scratch: Path, wanted: Format, progress: Progress) -> Iterator[Captured]:
    """Hold a moment of a database still for the block.

    Args:
        engine: Of the database.
        scratch: A folder for files that hold rows or passwords.
        wanted: Whether the engine's own form is, or the one that every engine can be filled from.
        progress: To be told.
    """
    moment = utc_now()
    if family(engine) == "sqlite":
        yield _of_sqlite(engine, scratch, moment, progress)
    elif wanted == "portable":
        yield _portable(engine, scratch, moment, progress)
    elif family(engine) == "postgresql":
        with snapshot(engine) as reading, _postgresql.dumped(reading, scratch) as chunks:
            yield Captured(Kind.POSTGRESQL, moment, chunks, _content_of(reading))
    else:
        with _mariadb.dumped(engine, scratch) as (reading, chunks):
            yield Captured(Kind.MARIADB, moment, chunks, _content_of(reading), left_out_of(reading))


def _of_sqlite(engine: Engine, scratch: Path, moment: datetime, progress: Progress) -> Captured:
    path = scratch / "copy.sqlite"
    with snapshot(engine) as reading:
        copy_snapshot(reading, path, progress)
        progress("reading the source", 0, None)
        content = content_hash(reading)
    kind = Kind.SQLCIPHER if is_encrypted(engine.url) else Kind.SQLITE
    return Captured(kind, moment, file_chunks(path), lambda: content)


def _portable(engine: Engine, scratch: Path, moment: datetime, progress: Progress) -> Captured:
    path = scratch / "copy.sqlite"

    def tell(step: TransferProgress) -> None:
        progress("copying", step.rows, step.total)

    report = transfer(engine, database_url(path), progress=tell)
    content = content_hash(database_url(path))
    # Of tables that are no models, columns may have got other types; the transfer has compared their values.
    told = {table.name: (table.rows, table.digest) for table in report.tables}
    if {name: table.rows for name, table in content.tables.items()} != {name: rows for name, (rows, _) in told.items()}:
        msg = "The portable copy has other rows than the transfer has counted. Nothing was kept: try again."
        raise BackupError(msg)
    with engine.connect() as connection:
        left_out = left_out_of(connection)
    return Captured(Kind.SQLITE, moment, file_chunks(path), lambda: content, left_out)


def _content_of(reading: Connection) -> Callable[[], StoreContent]:
    return lambda: content_hash(reading)
