"""The folder that backups are kept in: one writer at a time, and nothing half-done under a backup's name."""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

from tradestore._disk import sync_path
from tradestore.exceptions import BackupError, DatabaseBusy
from tradestore.operations.backup._manifest import Manifest, manifest_of, written_form
from tradestore.operations.backup._packing import write_private

__all__ = ["Workplace", "free_name", "keep_backup", "part_folder", "scratch_folder", "workplace"]

_PARTS: Final = ".tradestore-backup.part"
_LOCK: Final = ".tradestore-backup.lock"
_ODD: Final = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a backup is made.

    Attributes:
        folder: Where backups are kept.
        parts: A folder in it for files that are not finished.
        scratch: A folder elsewhere for what must not lie beside encrypted backups: the rows as they are.
    """

    folder: Path
    parts: Path
    scratch: Path


@contextmanager
def workplace(folder: Path) -> Iterator[Workplace]:
    """Have a folder for oneself until the end of the block, without what killed runs have left in it.

    Raises:
        BackupError: If the folder cannot be made.
        DatabaseBusy: If another backup into it is under way.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as e:
        msg = f"The folder {folder} for backups cannot be made ({e.strerror}): give another one, or run as its owner."
        raise BackupError(msg) from e
    with _alone(folder):
        parts = folder / _PARTS
        _forget_unfinished(folder, parts)
        name = sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
        scratch = Path(tempfile.gettempdir()) / f"tradestore-backup-{name}"
        with _private_folder(parts), _private_folder(scratch):
            yield Workplace(folder, parts, scratch)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder for its owner alone, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="tradestore-") as name:
        yield Path(name)


@contextmanager
def part_folder(target: Path) -> Iterator[Path]:
    """Yield a folder beside a file, for what will take its place, until the end of the block.

    Raises:
        BackupError: If it cannot be made.
        DatabaseBusy: If another restore of the same file is under way.
    """
    parts = target.with_name(f".{target.name}.restore.part")
    try:
        parts.mkdir(mode=0o700, exist_ok=True)
    except OSError as e:
        msg = f"Nothing can be written beside {target} ({e.strerror}). Nothing was changed: run as its owner."
        raise BackupError(msg) from e
    with _alone(parts):
        for left in parts.iterdir():
            if left.name != _LOCK:
                left.unlink()
        try:
            yield parts
        finally:
            shutil.rmtree(parts)


@contextmanager
def _private_folder(path: Path) -> Iterator[None]:
    """Let an empty folder be there for its owner alone, until the end of the block."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.mkdir(mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(path)


def free_name(folder: Path, database: str, moment: datetime, ending: str) -> str:
    """Return a name that no backup has: the database's, the moment's in UTC, and what the file is."""
    stem = f"{_ODD.sub('_', database)}-{moment:%Y%m%dT%H%M%SZ}"
    names = (f"{stem}{f'-{number}' if number > 1 else ''}{ending}" for number in count(1))
    return next(name for name in names if not manifest_of(folder / name).exists() and not (folder / name).exists())


def keep_backup(part: Path, manifest: Manifest, folder: Path) -> Path:
    """Give a finished backup its name, with its manifest, so that both stay there after a power loss.

    The backup itself comes last: until then its manifest speaks of what is still in the folder of parts.
    """
    backup = folder / part.name
    written = manifest_of(part)
    write_private(written, [written_form(manifest).encode()])
    written.rename(manifest_of(backup))
    part.rename(backup)
    sync_path(folder)
    return backup


def _forget_unfinished(folder: Path, parts: Path) -> None:
    """Remove the manifests of backups that were killed right before they got their names."""
    for part in parts.iterdir() if parts.is_dir() else ():
        backup = folder / part.name
        if not backup.exists():
            manifest_of(backup).unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with closing(_lock(folder)):
        yield


def _lock(folder: Path) -> sqlite3.Connection:
    # A lock of SQLite's goes with the process that held it, however that ended, on every system.
    lock = None
    try:
        lock = sqlite3.connect(folder / _LOCK, timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        (folder / _LOCK).chmod(0o600)
    except (OSError, sqlite3.OperationalError) as e:
        if lock is not None:
            lock.close()
        if getattr(e, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            msg = f"Another backup or restore works in {folder}: wait for it to end."
            raise DatabaseBusy(msg) from e
        msg = f"Nothing can be written into {folder} ({e}): give another folder, or run as its owner."
        raise BackupError(msg) from e
    return lock
