"""A backup proved: read from the disk again, restored into scratch, looked at, and compared row by row."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from tradestore._engine import masked
from tradestore._sqlite_files import driver_of
from tradestore.database import Database
from tradestore.exceptions import BackupError
from tradestore.migrations import HEAD, current
from tradestore.models import open_engine
from tradestore.operations._endpoints import family
from tradestore.operations.backup import _mariadb, _postgresql
from tradestore.operations.backup._keys import Keys
from tradestore.operations.backup._manifest import Kind, Manifest, Verification
from tradestore.operations.backup._packing import unpacked, write_private
from tradestore.operations.backup._progress import Progress
from tradestore.operations.backup._scratch import scratch_database
from tradestore.operations.backup._sqlite_files import database_url, fault_of
from tradestore.operations.content import StoreContent, content_hash
from tradestore.operations.doctor import Severity, diagnose

__all__ = ["FILES", "SERVERS", "refuse_other_content", "restored", "verify"]

SERVERS: Final = {Kind.POSTGRESQL: "postgresql", Kind.MARIADB: "mysql"}
"""Which server a dump needs."""

FILES: Final = {Kind.SQLITE, Kind.SQLCIPHER}
"""What needs none."""

_OF_ROWS: Final = ("T", "O", "L", "N")
"""What the doctor looks at: the place of a scratch copy tells nothing."""


def verify(
    backup: Path, manifest: Manifest, keys: Keys, scratch: Path, server: Engine | None, progress: Progress
) -> Verification:
    """Prove a backup.

    Args:
        backup: The file.
        manifest: Of it.
        keys: What opens it.
        scratch: A folder for files that hold rows or passwords.
        server: On which a dump can be tried; None if there is none.
        progress: To be told.

    Returns:
        How it was proved.

    Raises:
        BackupError: If the file is not what was backed up, or restored it is not what the source was.
    """
    with restored(backup, manifest, keys, scratch, server, progress) as engine:
        if engine is not None:
            progress("comparing", 0, None)
            refuse_other_content(backup, manifest.content, content_hash(engine))
            findings = _findings(engine)
            return Verification(True, "restored into scratch, and every row compared by content hash", findings)
    _read_through(backup, manifest, keys.passphrase)
    reason = "no server was given" if server is None else f"the user may make no database on {masked(server.url)}"
    return Verification(
        False, f"read to its end, but not restored ({reason}); its content is that of the snapshot that was dumped"
    )


@contextmanager
def restored(
    backup: Path, manifest: Manifest, keys: Keys, scratch: Path, server: Engine | None, progress: Progress
) -> Iterator[Engine | None]:
    """Restore a backup into scratch for the block.

    Args:
        backup: The file.
        manifest: Of it.
        keys: What opens it.
        scratch: A folder for files that hold rows or passwords.
        server: On which a dump is restored; it gets a database for that.
        progress: To be told.

    Yields:
        The engine of what was restored; None if there is no server to do it on.

    Raises:
        BackupError: If that fails.
    """
    with ExitStack() as until_the_end:
        chunks = _told(unpacked(backup, manifest, keys.passphrase), progress)
        if manifest.kind in FILES:
            yield until_the_end.enter_context(_opened_file(backup, manifest, keys, chunks, scratch))
            return
        if server is None or family(server) != SERVERS[manifest.kind]:
            yield None
            return
        found = until_the_end.enter_context(scratch_database(server))
        if found is not None and manifest.kind is Kind.POSTGRESQL:
            _postgresql.load(found, chunks, scratch, replacing=False)
        elif found is not None:
            _mariadb.load(found, chunks, scratch)
        yield found


def refuse_other_content(backup: Path, expected: StoreContent, found: StoreContent) -> None:
    """Refuse what is not what it should be.

    Raises:
        BackupError: If it is so, with the tables that differ.
    """
    if found == expected:
        return
    names = sorted(expected.tables.keys() | found.tables.keys())
    differing = [name for name in names if expected.tables.get(name) != found.tables.get(name)]
    msg = (
        f"Restored from {backup.name}, the tables {', '.join(differing)} are not what they were. Nothing was changed: "
        "take another backup, and look after the disk."
    )
    raise BackupError(msg)


def _findings(engine: Engine) -> int | None:
    """Return how many things the doctor would have somebody look at, None if he does not know such tables."""
    if current(engine) != HEAD:
        return None
    # As a database that is open: a URL would be taken for the one that all models use from now on.
    found = diagnose(Database(engine), only=_OF_ROWS)
    return len(found.failed) + sum(finding.severity is not Severity.INFO for finding in found.findings)


@contextmanager
def _opened_file(
    backup: Path, manifest: Manifest, keys: Keys, chunks: Iterator[bytes], scratch: Path
) -> Iterator[Engine]:
    if manifest.kind is Kind.SQLCIPHER and not keys.store:
        msg = (
            f"{backup.name} is of a store that SQLCipher encrypts: give the key that the store had "
            "(TRADESTORE_STORE_KEY, or a file by --store-key-file)."
        )
        raise BackupError(msg)
    path = scratch / "restored.sqlite"
    engine = open_engine(database_url(path, keys.store if manifest.kind is Kind.SQLCIPHER else None))
    try:
        write_private(path, chunks)
        if fault := fault_of(driver_of(engine), path):
            reason = ", or the store had another key" if manifest.kind is Kind.SQLCIPHER else ""
            msg = f"SQLite finds what was restored damaged ({fault}){reason}: take another backup."
            raise BackupError(msg)
        yield engine
    finally:
        engine.dispose()


def _read_through(backup: Path, manifest: Manifest, key: str | None) -> None:
    chunks = unpacked(backup, manifest, key)
    if manifest.kind is Kind.POSTGRESQL:
        _postgresql.read_through(chunks)
    elif not _mariadb.is_whole(chunks):
        msg = f"{backup} ends before its dump does: take another backup."
        raise BackupError(msg)


def _told(chunks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        done += len(chunk)
        progress("restoring into scratch", done, None)
        yield chunk
