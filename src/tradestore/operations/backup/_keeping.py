"""The backups of a folder: listed, verified again, and the oldest ones removed."""

from dataclasses import dataclass
from pathlib import Path

from tradestore._answer_timeout import however_long
from tradestore._errors import meaningful_errors
from tradestore._sqlite_files import key_of
from tradestore.exceptions import BackupError, DatabaseUnreachable
from tradestore.operations._endpoints import End, opened
from tradestore.operations.backup._disk import room_told
from tradestore.operations.backup._folder import scratch_folder
from tradestore.operations.backup._keys import Keys
from tradestore.operations.backup._manifest import Manifest, Verification, manifest_of, read_manifest
from tradestore.operations.backup._progress import Progress, in_silence
from tradestore.operations.backup._verifying import verify

__all__ = ["Backup", "existing", "list_backups", "remove_older", "verify_backup"]


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that is there.

    Attributes:
        path: Its file.
        manifest: What was written down beside it.
    """

    path: Path
    manifest: Manifest


def list_backups(folder: Path | str) -> list[Backup]:
    """Return the backups that a folder has, the newest first; files that are none are passed over.

    Raises:
        DatabaseUnreachable: If there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        msg = f"There is no folder {place}: correct the path."
        raise DatabaseUnreachable(msg)
    found = []
    for path in place.glob("*.json"):
        backup = path.with_suffix("")
        if not path.name.startswith(".") and backup.is_file():
            try:
                found.append(Backup(backup, read_manifest(backup)))
            except BackupError:
                continue
    return sorted(found, key=lambda backup: (backup.manifest.made_at, backup.path.name), reverse=True)


def verify_backup(
    path: Path | str,
    *,
    key: str | None = None,
    store_key: str | None = None,
    server: End | None = None,
    progress: Progress = in_silence,
) -> Verification:
    """Prove a backup once more: read it to its end, restore it into scratch, and compare every row.

    Args:
        path: The file, or a folder for its newest one.
        key: Its passphrase, if it is encrypted.
        store_key: That of the store, if SQLCipher encrypts it; without one, that of ``server``.
        server: On which a dump of a server is restored, into a database of its own that is dropped afterwards. Without
            one, or without the right to make a database there, a dump is only read to its end.
        progress: Is told how far it has come.

    Raises:
        BackupError: If it is not good, or the passphrase is not right.
        MissingPackage: If the package that decrypts is not installed.
        DatabaseFull: If there is no room for the scratch.
    """
    backup = existing(path)
    manifest = read_manifest(backup)
    with however_long(), meaningful_errors(), room_told(), scratch_folder() as scratch:
        if server is None:
            return verify(backup, manifest, Keys(key, store_key), scratch, None, progress)
        with opened(server) as engine:
            return verify(backup, manifest, Keys(key, store_key or key_of(engine)), scratch, engine, progress)


def existing(place: Path | str) -> Path:
    """Return a backup's name; that of a folder's newest one for a folder.

    Raises:
        BackupError: If there is no such file, or no backup in the folder.
    """
    backup = Path(place)
    if backup.is_dir() and (found := list_backups(backup)):
        return found[0].path
    if not backup.is_file():
        msg = f"There is no backup {backup}: correct the path, or look at `tradestore backups` of its folder."
        raise BackupError(msg)
    return backup


def remove_older(newest: Backup, keep: int) -> list[Path]:
    """Remove the oldest backups of a database.

    Args:
        newest: One of it, which has just been proved.
        keep: How many are left, that one included.

    Returns:
        Those that were removed.
    """
    of = (newest.manifest.source, newest.manifest.database)
    backups = [
        backup
        for backup in list_backups(newest.path.parent)
        if (backup.manifest.source, backup.manifest.database) == of and backup.path != newest.path
    ]
    removed = [backup.path for backup in backups[max(0, keep - 1) :]]
    for path in removed:
        # The manifest goes last: a file without one would be nobody's.
        path.unlink()
        manifest_of(path).unlink()
    return removed
