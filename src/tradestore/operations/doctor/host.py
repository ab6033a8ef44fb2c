"""The file's place on this machine: its folder, its disk, who may read it, and its backups."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tradestore._clock import as_utc
from tradestore.operations.doctor._look import Look, NotApplicable, finding
from tradestore.operations.doctor.findings import Finding

__all__ = ["full_disk", "in_network_folder", "in_synchronised_folder", "old_backups", "readable_by_others"]

_NETWORK: Final = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|smb3|afs|ncpfs|9p|virtiofs|ceph|glusterfs|lustre|"
    r"fuse\.(?:sshfs|glusterfs|ceph|s3fs|rclone|gcsfuse|davfs2?|curlftpfs|goofys|smbnetfs)|davfs|vboxsf|vmhgfs|prl_fs|drvfs"
)
_SYNCHRONISED_NAMES: Final = re.compile(
    r"dropbox(?: \(.+\))?|onedrive(?: - .+)?|google ?drive|my drive|icloud ?drive|mobile documents|"
    r"com~apple~clouddocs|nextcloud|owncloud|mega(?:sync)?|pcloud ?drive|syncthing",
    re.IGNORECASE,
)
_SYNCHRONISED_MARKS: Final = (
    ".dropbox",
    ".dropbox.cache",
    ".stfolder",
    ".sync_journal.db",
    ".owncloudsync.log",
    ".nextcloudsync.log",
    ".tresorit",
)
_MEBI: Final = 1 << 20
_LITTLE_ROOM: Final = 256 * _MEBI
_OTHERS: Final = 0o077
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def in_network_folder(look: Look) -> Iterator[Finding]:
    """E07: locks do not hold there, and the shared memory of WAL mode does not work."""
    folder = look.required_file().resolve().parent
    mount, kind = _mount_of(folder, look.surroundings.mounts)
    if _NETWORK.fullmatch(kind):
        detail = f"{folder} is on {mount}, a file system of the kind {kind}."
        yield finding("E07", detail, facts={"kind": {"found": kind}})


def _mount_of(folder: Path, mounts: Path) -> tuple[str, str]:
    """Return the place and the kind of the file system that a folder is in."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        msg = f"this system does not list its file systems in {mounts}"
        raise NotApplicable(msg) from None
    found = ("/", "unknown")
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        place = _ESCAPED.sub(lambda code: chr(int(code.group(1), 8)), place)
        # The last of those with the same place lies over the others.
        if folder.is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, kind)
    return found


def in_synchronised_folder(look: Look) -> Iterator[Finding]:
    """E08: it is copied while it is written to, and put back by an older copy."""
    for folder in look.required_file().resolve().parents:
        marks = [name for name in _SYNCHRONISED_MARKS if (folder / name).exists()]
        if _SYNCHRONISED_NAMES.fullmatch(folder.name) or marks:
            why = f"it has {marks[0]}" if marks else "by its name"
            yield finding("E08", f"{folder} is kept the same on several machines ({why}).")
            return


def readable_by_others(look: Look) -> Iterator[Finding]:
    """E09: trades, balances and what strategies remember are nobody else's business."""
    file = look.required_file()
    open_ones = {
        each.name: {"found": f"{each.stat().st_mode & 0o777:03o}", "expected": "600"}
        for each in (file, file.with_name(f"{file.name}-wal"))
        if each.exists() and each.stat().st_mode & _OTHERS
    }
    if open_ones:
        told = ", ".join(f"{name} ({each['found']})" for name, each in open_ones.items())
        yield finding("E09", f"Other users of this machine may open {told}.", facts=open_ones)


def old_backups(look: Look) -> Iterator[Finding]:
    """E10: what was stored since the youngest would be lost with the disk."""
    if look.backups is None or look.max_backup_age is None:
        msg = "no folder of backups was given"
        raise NotApplicable(msg)
    if not look.backups.is_dir():
        yield finding("E10", f"There is no folder {look.backups}.")
        return
    files = [each for each in look.backups.iterdir() if each.is_file() and each.stat().st_size]
    if not files:
        yield finding("E10", f"There is no backup in {look.backups}.")
        return
    youngest = max(files, key=lambda each: each.stat().st_mtime)
    made = datetime.fromtimestamp(youngest.stat().st_mtime, tz=UTC)
    age = as_utc(look.now) - made
    if age > look.max_backup_age:
        detail = (
            f"The youngest backup, {youngest.name}, is {age.days} days old; {look.max_backup_age.days} are allowed."
        )
        yield finding("E10", detail, facts={"made": {"found": made}})


def full_disk(look: Look) -> Iterator[Finding]:
    """E13: the next commit may fail, and so may the backup before an upgrade."""
    file = look.required_file()
    free = look.surroundings.free_bytes(file.absolute().parent)
    needed = max(_LITTLE_ROOM, file.stat().st_size)
    if free < needed:
        detail = f"{free // _MEBI} MiB are free, and {needed // _MEBI} are needed for a backup before an upgrade."
        yield finding("E13", detail, facts={"free": {"found": free, "expected": needed}})
