"""A backup proved: read from the disk again, restored into scratch, looked at, and compared row by row."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import Engine

from tradestore._engine import masked
from tradestore.exceptions import BackupError
from tradestore.models import open_engine
from tradestore.operations._endpoints import family
from tradestore.operations.backup import _mariadb, _postgresql
from tradestore.operations.backup._manifest import Kind, Manifest, Verification
from tradestore.operations.backup._packing import unpacked, write_private
from tradestore.operations.backup._progress import Progress
from tradestore.operations.backup._scratch import scratch_database
from tradestore.operations.backup._sqlite_files import fault_of, url_of
from tradestore.operations.content import StoreContent, content_hash

__all__ = ["SERVERS", "refuse_other_content", "restored", "verify"]

SERVERS = {Kind.POSTGRESQL: "postgresql", Kind.MARIADB: "mysql"}
"""Which server a dump needs."""


def verify(
    backup: Path, manifest: Manifest, key: str | None, scratch: Path, server: Engine | None, progress: Progress
) -> Verification:
    """Prove a backup.

    Args:
        backup: The file.
        manifest: Of it.
        key: Its passphrase.
        scratch: A folder for files that hold rows or passwords.
        server: On which a dump can be tried; None if there is none.
        progress: To be told.

    Returns:
        How it was proved.

    Raises:
        BackupError: If the file is not what was backed up, or restored it is not what the source was.
    """
    with restored(backup, manifest, key, scratch, server, progress) as engine:
        if engine is not None:
            progress("comparing", 0, None)
            refuse_other_content(backup, manifest.content, content_hash(engine))
            return Verification(True, "restored into scratch, and every row compared by content hash")
    _read_through(backup, manifest, key)
    reason = "no server was given" if server is None else f"the user may make no database on {masked(server.url)}"
    return Verification(
        False, f"read to its end, but not restored ({reason}); its content is that of the snapshot that was dumped"
    )


@contextmanager
def restored(
    backup: Path, manifest: Manifest, key: str | None, scratch: Path, server: Engine | None, progress: Progress
) -> Iterator[Engine | None]:
    """Restore a backup into scratch for the block.

    Args:
        backup: The file.
        manifest: Of it.
        key: Its passphrase.
        scratch: A folder for files that hold rows or passwords.
        server: On which a dump is restored; it gets a database for that.
        progress: To be told.

    Yields:
        The engine of what was restored; None if there is no server to do it on.

    Raises:
        BackupError: If that fails.
    """
    with ExitStack() as until_the_end:
        chunks = _told(unpacked(backup, manifest, key), progress)
        if manifest.kind is Kind.SQLITE:
            engine = open_engine(url_of(_written(chunks, scratch / "restored.sqlite")))
            until_the_end.callback(engine.dispose)
            yield engine
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


def _written(chunks: Iterator[bytes], path: Path) -> Path:
    write_private(path, chunks)
    if fault := fault_of(path):
        msg = f"SQLite finds what was restored damaged ({fault}): take another backup."
        raise BackupError(msg)
    return path


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
