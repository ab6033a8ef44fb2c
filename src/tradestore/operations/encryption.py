"""Encrypting a store's file by SQLCipher, giving it another key, and writing its content to a plain file again.

None of them changes a file before a copy was compared with it, row by row. No key is ever part of a message.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Engine

from tradestore._engine import check_url, masked, take_write_lock
from tradestore._errors import meaningful_errors
from tradestore._extras import load_extra
from tradestore._row_digest import sqlite_columns_of
from tradestore._sqlite_backup import back_up_file, fault_of, file_of, keep
from tradestore._sqlite_files import SqliteDriver, create_private, driver_of, is_encrypted, quoted, url_of
from tradestore.exceptions import DatabaseBusy, EncryptionError, InvalidValue
from tradestore.models import open_engine, present_tables
from tradestore.operations.opening import file_of_url, refuse_unusable_file

__all__ = ["Encryption", "decrypt", "encrypt", "rekey", "url_with_key"]

_PATIENCE: Final = 5.0
"""Seconds to wait for another writer, where the URL does not say it."""
_LABEL: Final = "rekey"
_SETTLED: Final = "mode=ro&immutable=1"
"""A file that nobody else has open."""
_BUSY: Final = frozenset({5, 6})
"""SQLite's codes for locks of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """What was encrypted, decrypted or given another key.

    Attributes:
        source: URL of what was read, without its key.
        target: URL of what was written, likewise; the same for another key.
        tables: How many tables were compared.
        rows: How many rows were compared.
    """

    source: str
    target: str
    tables: int
    rows: int


def url_with_key(file: Path, key: str) -> str:
    """Return the URL of an encrypted file.

    Args:
        file: Its path.
        key: Any text but the empty one; it is escaped here.
    """
    return url_of(file, key).render_as_string(hide_password=False)


def encrypt(db_url: str, target: Path, key: str) -> Encryption:
    """Write an encrypted copy of a plain file. The plain one stays as it is: remove it when bots use the copy.

    Bots have to be stopped: what they write afterwards is in the plain file alone.

    Args:
        db_url: Of a plain SQLite file.
        target: The file to make; nothing may be there.
        key: Any text but the empty one.

    Raises:
        EncryptionError: If the source is no plain SQLite file, something is at the target, or the copy is not equal.
        InvalidValue: If there is no key.
        MissingPackage: If SQLCipher is not installed.
        OperationalException: If the source cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    _refuse_no_key(key)
    load_extra("sqlcipher3", "sqlcipher")
    source, written = check_url(db_url), url_of(target, key)
    _refuse_other_kind(source, encrypted=False)
    return _export(source, written, cipher=written)


def decrypt(db_url: str, target: Path) -> Encryption:
    """Write a plain copy of an encrypted file, for its owner alone to read. The encrypted one stays as it is.

    Args:
        db_url: Of a file that SQLCipher encrypts, with its key.
        target: The file to make; nothing may be there.

    Raises:
        EncryptionError: If the source is no encrypted file, something is at the target, or the copy is not equal.
        OperationalException: If the source cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    source = check_url(db_url)
    _refuse_other_kind(source, encrypted=True)
    return _export(source, url_of(target, None), cipher=source)


def rekey(db_url: str, new_key: str) -> Encryption:
    """Give an encrypted file another key, all of it or nothing.

    SQLCipher does it in one transaction, whose journal is under the old key: one that is cut short is undone by whoever
    opens the file next, with the old key. The file stays the same one, so that a program which still has it open is
    refused and cannot write into a file that nobody sees. Nobody else may use it meanwhile. A compared copy under the
    old key is made first, and removed when all rows were read and compared under the new one.

    Args:
        db_url: Of the file, with its present key.
        new_key: Any text but the empty one.

    Raises:
        EncryptionError: If it is no encrypted file, or its rows are not what they were; the message names the copy.
        InvalidValue: If there is no new key.
        MigrationError: If no copy could be made.
        OperationalException: If the file cannot be opened, or may not be written to.
        DatabaseBusy: If others have it open.
    """
    _refuse_no_key(new_key)
    url = check_url(db_url)
    _refuse_other_kind(url, encrypted=True)
    refuse_unusable_file(url, is_reader=False)
    with _engine_of(url) as engine:
        file, backup = _backed_up(engine)
        old, new = driver_of(engine), driver_of(engine, url.set(password=new_key))
    with _told(old, url), closing(old.open(file, "mode=rw")) as connection:
        try:
            _take_alone(connection, file)
            _refuse_writers(fault_of(old, backup, connection), file)
        except BaseException:
            backup.unlink()
            raise
        connection.execute(f"PRAGMA rekey = {quoted(new_key)}")
    try:
        with closing(old.open(backup, _SETTLED)) as before:
            fault, (tables, rows) = fault_of(new, file, before), _size(before)
    except (old.error, OSError) as e:
        msg = f"{file} has its new key, but could not be compared ({e}). All of it is in {backup}, under the old key."
        raise EncryptionError(msg) from e
    if fault:
        msg = f"{file} is not what it was: {fault}. All of it is in {backup}, under the old key."
        raise EncryptionError(msg)
    # Where somebody uses it already, his opening does the same.
    with suppress(new.error), closing(new.open(file, "mode=rw")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    backup.unlink()
    return Encryption(source=masked(url), target=masked(url), tables=tables, rows=rows)


def _export(source: URL, target: URL, *, cipher: URL) -> Encryption:
    """Write one file's content to another one by SQLCipher, which can do both kinds.

    It reads a copy: Python's own SQLite may have the source open in this process, and two libraries on one file would
    give up each other's locks.
    """
    refuse_unusable_file(source)
    file = Path(target.database or "")
    part = file.with_name(f"{file.name}.part")
    for taken in (file, part):
        if taken.exists():
            msg = f"There is {taken} already: give another name, or move it away. Nothing was changed."
            raise EncryptionError(msg)
    with _engine_of(source) as engine:
        _, staged = _backed_up(engine)
    with _engine_of(cipher) as engine:
        reader, writer = (driver_of(engine, cipher.set(password=url.password or "")) for url in (source, target))
    try:
        with _told(reader, target), closing(reader.open(staged, _SETTLED)) as connection:
            _write(connection, part, target.password or "")
            if fault := fault_of(writer, part, connection):
                msg = f"The copy of {masked(source)} is not good: {fault}. It was removed, and nothing was changed."
                raise EncryptionError(msg)
            tables, rows = _size(connection)
            keep(part, file)
    finally:
        part.unlink(missing_ok=True)
        staged.unlink()
    return Encryption(source=masked(source), target=masked(target), tables=tables, rows=rows)


def _backed_up(engine: Engine) -> tuple[Path, Path]:
    """Return the file of an engine, and a compared copy of it under the same key."""
    if not present_tables(engine):
        msg = f"{masked(engine.url)} has no tables: no bot has used it yet, or the URL means another file."
        raise EncryptionError(msg)
    with meaningful_errors(), engine.connect() as connection, connection.begin():
        take_write_lock(connection)
        file, backup = file_of(connection), back_up_file(connection, _LABEL)
    if file is None or backup is None:
        msg = f"{masked(engine.url)} is no file."
        raise EncryptionError(msg)
    return file, backup


def _take_alone(connection: Any, file: Path) -> None:
    """Put the log into the file, and keep everybody else out until the connection is closed."""
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    if connection.execute("PRAGMA journal_mode = DELETE").fetchone() != ("delete",):
        msg = f"Others have {file} open: stop them, then start again. Nothing was changed."
        raise DatabaseBusy(msg)
    # So that the end of the journal survives a power cut, too.
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


def _refuse_writers(difference: str | None, file: Path) -> None:
    if difference is not None:
        msg = f"Others have written to {file} just now: stop them, then start again. Nothing was changed."
        raise DatabaseBusy(msg)


def _write(connection: Any, part: Path, key: str) -> None:
    create_private(part)
    connection.execute("ATTACH DATABASE ? AS copy KEY ?", (f"{part.absolute().as_uri()}?mode=rw", key))
    connection.execute("BEGIN")
    connection.execute("SELECT sqlcipher_export('copy')").fetchall()
    for name in ("user_version", "application_id"):
        value = int(connection.execute(f"PRAGMA main.{name}").fetchone()[0])
        connection.execute(f"PRAGMA copy.{name} = {value}")
    connection.execute("COMMIT")
    connection.execute("DETACH DATABASE copy")


def _size(connection: Any) -> tuple[int, int]:
    """Return how many tables and rows there are, SQLite's own ones not counted."""
    names = [name for name in sqlite_columns_of(connection) if not name.startswith("sqlite_")]
    counts = [connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0] for name in names]  # noqa: S608
    return len(names), sum(counts)


@contextmanager
def _engine_of(url: URL) -> Iterator[Engine]:
    if "busy_timeout" not in url.query:
        url = url.update_query_dict({"busy_timeout": str(_PATIENCE)})
    engine = open_engine(url.render_as_string(hide_password=False))
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _told(driver: SqliteDriver, url: URL) -> Iterator[None]:
    """Turn the driver's errors, and those of the disk, into the library's own."""
    try:
        yield
    except (driver.error, OSError) as e:
        if getattr(e, "sqlite_errorcode", None) in _BUSY:
            msg = f"Others have {masked(url)} open ({e}): stop them, then start again. Nothing was changed."
            raise DatabaseBusy(msg) from e
        msg = f"{masked(url)} could not be written ({e}). Nothing was changed: make room on the disk, then start again."
        raise EncryptionError(msg) from e


def _refuse_no_key(key: str) -> None:
    if not key or "\0" in key:
        msg = "A key has to be a text of at least one character, without the character NUL."
        raise InvalidValue(msg)


def _refuse_other_kind(url: URL, *, encrypted: bool) -> None:
    if file_of_url(url) is None or is_encrypted(url) is not encrypted:
        form = "a file that SQLCipher encrypts, sqlite+pysqlcipher://:KEY@/FILE" if encrypted else "sqlite:///FILE"
        msg = f"{masked(url)} cannot be the source of this: give the URL of {form}."
        raise EncryptionError(msg)
