"""Opening a database for an operator: to read it and change nothing, or to change it only if it is ready for that.

``init_db`` is for bots: it makes what is missing and brings up to date what is old. An operator who looks at a file, or
mistypes its name, must not do either by that.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine, event

from tradestore._engine import check_url, is_memory, masked
from tradestore._errors import meaningful_errors
from tradestore._session import bind, bound_engine
from tradestore.base import ModelBase
from tradestore.database import Database
from tradestore.exceptions import DatabaseReadOnly, DatabaseUnreachable, MigrationError, SchemaTooNew
from tradestore.migrations import VERSION_TABLE, SchemaState, scan
from tradestore.models import open_engine, present_tables, refuse_half_a_copy
from tradestore.store import Store

__all__ = [
    "Place",
    "connected",
    "file_of_url",
    "has_tables_of_ours",
    "open_to_change",
    "open_to_read",
    "refuse_no_store",
    "refuse_unusable_file",
]

Place = str | Database
"""A database URL, or the database that is open."""

_PATIENCE: Final = 5.0
"""Seconds that an operator waits for another writer, unless the URL has a ``busy_timeout``."""

_READ_ONLY: Final = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
}


@contextmanager
def open_to_read(place: Place) -> Iterator[Store]:
    """Open a database so that nothing can change in it, and let all models use it until the end of the block.

    Args:
        place: A database URL; a database that is open is used as it is, and stays open. With a URL, all threads of
            the process use that database meanwhile, and then the one that was open before: where a bot trades, give
            its own.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be used.
        MissingDriver: If the driver that it asks for is not installed.
        DatabaseUnreachable: If there is no such file or server, or the file is no SQLite database.
        MigrationError: If its tables are not those of this version.
        SchemaTooNew: If a newer version wrote it.
        TransferError: If a transfer into it was cut short.
        DatabaseBusy: If others keep it locked.
    """
    with _opened(place, is_reader=True) as store:
        yield store


@contextmanager
def open_to_change(place: Place) -> Iterator[Store]:
    """Open a database that is up to date, and let all models use it until the end of the block.

    Args:
        place: As for :func:`open_to_read`.

    Raises:
        DatabaseReadOnly: If the file, or its folder, may not be written to.
        OperationalException: As :func:`open_to_read` raises it.
        DatabaseBusy: If others keep it locked.
    """
    with _opened(place, is_reader=False) as store:
        yield store


def file_of_url(url: URL) -> Path | None:
    """Return the file that a URL means, None for a server or for memory."""
    if url.get_backend_name() != "sqlite" or is_memory(url) or not url.database:
        return None
    return None if url.database.startswith("file:") else Path(url.database)


def refuse_unusable_file(url: URL, *, is_reader: bool = True) -> None:
    """Refuse a URL of SQLite that means no file, or one that may not be used.

    What is in it is left to SQLite: reading it by other means would give up the locks that SQLite holds on it in this
    process.

    Args:
        url: Of the database; a server's is never refused.
        is_reader: Whether the file has to be readable only.

    Raises:
        DatabaseUnreachable: If it is missing, a folder, or not readable.
        DatabaseReadOnly: If it is to be changed and may not be.
    """
    file = file_of_url(url)
    if file is None:
        return
    if file.is_dir():
        msg = f"{file} is a folder, not a database: give the file in it."
        raise DatabaseUnreachable(msg)
    if not file.is_file():
        # The driver would make a new one.
        msg = f"There is no database {file}: correct the path."
        raise DatabaseUnreachable(msg)
    if not os.access(file, os.R_OK):
        msg = f"{file} may not be read by this user: run as its owner, or have the right given."
        raise DatabaseUnreachable(msg)
    if not is_reader and not (os.access(file, os.W_OK) and os.access(file.absolute().parent, os.W_OK)):
        msg = f"{file} may not be written to by this user, or its folder may not: run as its owner."
        raise DatabaseReadOnly(msg)


@contextmanager
def connected(place: Place, *, is_reader: bool, may_be_missing: bool = False) -> Iterator[Engine]:
    """Return the engine of a database as it is, however old or new its tables are; no model uses it.

    Args:
        place: As for :func:`open_to_read`.
        is_reader: Whether nothing can change in it by this.
        may_be_missing: Whether a file that is not there yet will do.

    Raises:
        OperationalException: If it cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    if isinstance(place, Database):
        yield place.engine
        return
    has_own = "busy_timeout" in check_url(place).query
    engine = open_engine(place) if has_own else open_engine(place, busy_timeout=_PATIENCE)
    file = file_of_url(engine.url)
    if not may_be_missing or (file is not None and file.exists()):
        refuse_unusable_file(engine.url, is_reader=is_reader)
    if is_reader:
        event.listen(engine, "connect", _keep_from_writing(_READ_ONLY[engine.dialect.name]))
    try:
        if is_memory(engine.url):
            msg = f"{masked(engine.url)} is a new, empty database in memory: give the URL of a file or of a server."
            raise DatabaseUnreachable(msg)
        with meaningful_errors():
            yield engine
    finally:
        Store(engine).close()


def has_tables_of_ours(present: Iterable[str]) -> bool:
    """Tell whether tables are those of a store, be it ever so old."""
    return not {*ModelBase.metadata.tables, VERSION_TABLE}.isdisjoint(present)


def refuse_no_store(engine: Engine, present: Collection[str]) -> None:
    """Refuse a database that nobody has ever kept trades in.

    Args:
        engine: Of the database.
        present: The tables that it has.

    Raises:
        MigrationError: If it has none, or only those of another program.
    """
    if not present:
        msg = f"{masked(engine.url)} has no tables: no bot has used it yet, or the URL means another database."
        raise MigrationError(msg)
    if not has_tables_of_ours(present):
        msg = f"{masked(engine.url)} is of another program: none of its tables is a store's. Correct the URL."
        raise MigrationError(msg)


@contextmanager
def _opened(place: Place, *, is_reader: bool) -> Iterator[Store]:
    if isinstance(place, Database):
        yield place if isinstance(place, Store) else Store(place.engine)
        return
    with connected(place, is_reader=is_reader) as engine:
        _refuse_unready(engine)
        previous = bound_engine()
        bind(engine)
        try:
            yield Store(engine)
        finally:
            # Unless somebody has opened another one since.
            if bound_engine() is engine:
                bind(previous)


def _keep_from_writing(statement: str) -> Any:
    def tell(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(statement)
        finally:
            cursor.close()
        if "SESSION" in statement:
            # PostgreSQL would take the setting back with the transaction that it opened.
            connection.commit()

    return tell


def _refuse_unready(engine: Engine) -> None:
    """Refuse a database whose tables are not those of this version."""
    present = present_tables(engine)
    refuse_half_a_copy(engine, present)
    refuse_no_store(engine, present)
    found = scan(engine)
    match found.state:
        case SchemaState.CURRENT:
            return
        case SchemaState.NEWER:
            msg = f"{masked(engine.url)} cannot be used: {found.blockers[0]}."
            raise SchemaTooNew(msg)
        case state:
            msg = (
                f"{masked(engine.url)} is {state}: its tables are not those of this version. Nothing was changed: "
                "look at what would be done with `tradestore upgrade --plan`, and do it with `tradestore upgrade`."
            )
            raise MigrationError(msg)
