"""The file that trades are archived in: a store of its own, which knows by an id of its own whose trades it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import Connection, Engine, func, insert, inspect, select

from tradestore._archive_model import Archive
from tradestore._clock import utc_now
from tradestore._disk import sync_path
from tradestore._engine import take_write_lock
from tradestore._performance import trades_table
from tradestore._sqlite_files import key_of, url_of
from tradestore.exceptions import ArchiveError
from tradestore.key_value_store import KeyValueStoreModel
from tradestore.migrations import current
from tradestore.models import open_engine, prepare_tables, present_tables
from tradestore.operations._private_files import private_file
from tradestore.operations.opening import file_of_url, refuse_unusable_file

__all__ = ["archive_number", "existing_archive", "new_or_existing_archive"]

_KEY: Final = "tradestore archive"


@contextmanager
def new_or_existing_archive(store: Engine, file: Path) -> Iterator[Engine]:
    """Open an archive; where there is none, one is made that only its owner may read.

    Args:
        store: Whose trades it is for.
        file: Where it is.

    Raises:
        ArchiveError: If the file is a database of another kind, or the store itself.
        DatabaseUnreachable: If it is no database, or cannot be made there.
        DatabaseReadOnly: If it may not be written to.
    """
    _refuse_same(store, file)
    if not file.exists():
        _make(file)
    with existing_archive(store, file) as engine:
        yield engine


@contextmanager
def existing_archive(store: Engine, file: Path) -> Iterator[Engine]:
    """Open an archive that is there; arguments and errors as for :func:`new_or_existing_archive`."""
    _refuse_same(store, file)
    # What was encrypted stays so.
    url = url_of(file.absolute(), key_of(store))
    engine = open_engine(url.render_as_string(hide_password=False))
    refuse_unusable_file(engine.url, is_reader=False)
    try:
        present = present_tables(engine)
        if present:
            _refuse_other(engine, file)
        prepare_tables(engine, present)
        _name(engine)
        yield engine
    finally:
        # The last connection that closes brings all that was written into the file itself.
        engine.dispose()


def archive_number(store: Engine, archive: Engine, file: Path, *, may_be_new: bool) -> int:
    """Return the id by which a store knows an archive.

    Args:
        store: That is open to be changed.
        archive: That is open.
        file: Where it is.
        may_be_new: Whether the store may get to know it now, if it has no trades yet.

    Raises:
        ArchiveError: If the archive has trades of another store.
    """
    with archive.connect() as there:
        uuid, has_trades = _uuid(there), _has_trades(there)
    with store.begin() as here:
        take_write_lock(here)
        known = here.scalar(select(Archive.id).where(Archive.uuid == uuid))
        if known is not None:
            return known
        if has_trades or not may_be_new:
            msg = f"{file} is not an archive of this store: give the file that its trades were moved to."
            raise ArchiveError(msg)
        here.execute(insert(Archive).values(uuid=uuid, file=file.name, created_at=utc_now()))
        return here.scalars(select(Archive.id).where(Archive.uuid == uuid)).one()


def _refuse_same(store: Engine, file: Path) -> None:
    own = file_of_url(store.url)
    if own is not None and file.exists() and own.exists() and own.samefile(file):
        msg = f"{file} is the store itself: give another file for the archive."
        raise ArchiveError(msg)


def _make(file: Path) -> None:
    try:
        # SQLite gives its other files the mode of this one.
        with private_file(file):
            pass
        sync_path(file.absolute().parent)
    except FileExistsError:
        # Somebody else archives there at the same moment.
        return
    except OSError as e:
        msg = f"The archive {file} cannot be made ({e.strerror}): give a file in a folder that may be written to."
        raise ArchiveError(msg) from e


def _refuse_other(engine: Engine, file: Path) -> None:
    """Refuse what is not ours, before anything is changed in it."""
    if current(engine) is not None:
        with engine.connect() as connection:
            if _uuid(connection) is not None or not _has_trades(connection):
                return
    msg = f"{file} is a database, but no archive: give a file that is not there yet, or an archive of this store."
    raise ArchiveError(msg)


def _name(engine: Engine) -> None:
    with engine.begin() as connection:
        take_write_lock(connection)
        if _uuid(connection) is None:
            row = {"key": _KEY, "value_type": "str", "string_value": str(uuid4())}
            connection.execute(insert(KeyValueStoreModel.__table__), row)  # type: ignore[arg-type]


def _uuid(connection: Connection) -> str | None:
    table: Any = KeyValueStoreModel.__table__
    if not inspect(connection).has_table(table.name):
        return None
    return connection.scalar(select(table.c.string_value).where(table.c.key == _KEY))


def _has_trades(connection: Connection) -> bool:
    trades = trades_table()
    if not inspect(connection).has_table(trades.name):
        return False
    return bool(connection.scalar(select(func.count()).select_from(select(trades.c.id).limit(1).subquery())))
