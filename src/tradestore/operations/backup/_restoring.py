"""A backup brought back: proved in scratch first, then put in place at once, or some of its trades into a store."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from tradestore._answer_timeout import however_long
from tradestore._engine import is_memory, masked
from tradestore._errors import meaningful_errors
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import BackupError, TargetNotEmpty
from tradestore.migrations import HEAD, current
from tradestore.models import prepare_tables, present_tables
from tradestore.operations._endpoints import End, family, opened
from tradestore.operations.backup import _mariadb, _postgresql
from tradestore.operations.backup._disk import room_told
from tradestore.operations.backup._folder import part_folder, scratch_folder
from tradestore.operations.backup._keeping import existing
from tradestore.operations.backup._manifest import Kind, Manifest, read_manifest
from tradestore.operations.backup._packing import unpacked
from tradestore.operations.backup._progress import Progress, in_silence
from tradestore.operations.backup._selected_trades import copy_trades
from tradestore.operations.backup._server_targets import beside, take_over
from tradestore.operations.backup._sqlite_files import put_in_place
from tradestore.operations.backup._verifying import SERVERS, refuse_other_content, restored, verify
from tradestore.operations.content import content_hash
from tradestore.operations.opening import file_of_url, refuse_unusable_file
from tradestore.operations.transfer import TransferProgress, transfer

__all__ = ["RestoreReport", "restore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """What a restore has done.

    Attributes:
        backup: The file.
        target: Its database URL, without its password.
        rows: How many rows each table got.
        kept: Where the file that was replaced lies now, None if none was.
    """

    backup: Path
    target: str
    rows: Mapping[str, int]
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is to be restored, and how."""

    backup: Path
    manifest: Manifest
    key: str | None
    force: bool
    progress: Progress

    @contextmanager
    def proved(self, scratch: Path, server: Engine | None) -> Iterator[Engine]:
        """Yield the engine of what was restored into scratch, when it is what the source was."""
        with restored(self.backup, self.manifest, self.key, scratch, server, self.progress) as engine:
            if engine is None:
                raise BackupError(_no_place(self.backup, self.manifest))
            self.progress("comparing", 0, None)
            refuse_other_content(self.backup, self.manifest.content, content_hash(engine))
            yield engine

    def report(self, target: Engine, kept: Path | None = None) -> RestoreReport:
        """Return what was done, when the whole backup was restored."""
        rows = {name: table.rows for name, table in self.manifest.content.tables.items()}
        return RestoreReport(backup=self.backup, target=masked(target.url), rows=rows, kept=kept)


def restore(
    backup: Path | str,
    target: End,
    *,
    force: bool = False,
    trades: Collection[int] | None = None,
    key: str | None = None,
    progress: Progress = in_silence,
) -> RestoreReport:
    """Bring a backup back: the whole of it, or some of its trades into a store that goes on.

    It is restored into scratch and compared with its manifest first. Then it takes its place at once: whoever looks,
    or whatever kills this, finds what was there before or all that was restored. A file of SQLite that is replaced is
    kept beside as ``<file>.before-restore``; tables of a server that are replaced are gone.

    A file of SQLite, which a portable backup of a server is as well, is restored to any engine; a dump of a server to
    a server of its kind.

    Args:
        backup: Its file, with its manifest beside it; or a folder for its newest one.
        target: A database URL. With ``trades`` also a database that is open.
        force: Replace what is there. Else a target that has a file, or rows, is refused.
        trades: Ids of the trades to be put into the target, with their orders and custom data, instead of all; they
            keep their ids.
        key: The backup's passphrase, if it is encrypted.
        progress: Is told how far it has come.

    Returns:
        What was done.

    Raises:
        BackupError: If the backup is not good, the passphrase is not right, or it cannot be restored there.
        TargetNotEmpty: If there is something already.
        TransferConflict: If the target has one of the trades, or a row with the id of one of theirs.
        TransferError: If the target's engine does not take a row.
        DatabaseBusy: If the target is in use.
        DatabaseFull: If there is no room.
        DatabaseUnreachable: If nobody answers there.
        DatabaseReadOnly: If the store that trades are to be put into may not be written to.
        MissingPackage: If the package that decrypts is not installed.
    """
    path = existing(backup)
    errand = _Errand(path, read_manifest(path), key, force, progress)
    with however_long(), meaningful_errors(), room_told(), opened(target) as engine:
        if is_memory(engine.url) and trades is None:
            msg = "A database in memory cannot be replaced: give the URL of a file or of a server."
            raise BackupError(msg)
        if trades is not None:
            return _some_trades(errand, engine, trades)
        if family(engine) == "sqlite":
            return _to_file(errand, engine)
        return _to_server(errand, engine)


def _some_trades(errand: _Errand, target: Engine, trades: Collection[int]) -> RestoreReport:
    refuse_unusable_file(target.url, is_reader=False)
    with scratch_folder() as scratch, errand.proved(scratch, target) as source:
        _bring_up_to_date(source)
        rows = copy_trades(source, target, trades)
    return RestoreReport(backup=errand.backup, target=masked(target.url), rows=rows)


def _to_file(errand: _Errand, target: Engine) -> RestoreReport:
    path = file_of_url(target.url)
    if path is None or path.is_dir():
        msg = f"{masked(target.url)} names no file that could be restored: give one, such as sqlite:///tradesv3.sqlite."
        raise BackupError(msg)
    if path.exists() and not errand.force:
        raise TargetNotEmpty(_taken(f"{path} is there already", "the file is kept beside as .before-restore"))
    if errand.manifest.kind is not Kind.SQLITE:
        raise BackupError(_no_place(errand.backup, errand.manifest))
    target.dispose()
    with part_folder(path) as parts:
        with errand.proved(parts, None) as source:
            part = Path(str(source.url.database))
        if path.exists():
            _like(part, path)
        kept = put_in_place(part, path)
    return errand.report(target, kept)


def _to_server(errand: _Errand, target: Engine) -> RestoreReport:
    present = present_tables(target)
    if errand.manifest.kind in SERVERS and family(target) != SERVERS[errand.manifest.kind]:
        raise BackupError(_no_place(errand.backup, errand.manifest))
    # What a restore that was killed has left behind is gone on with.
    rows = 0 if TRANSFER_TABLE in present else _refuse_rows(errand, target)
    with scratch_folder() as scratch:
        match errand.manifest.kind:
            case Kind.SQLITE:
                with errand.proved(scratch, None) as source:
                    _bring_up_to_date(source)
                    _transfer(errand, source, target, is_empty=not rows)
            case Kind.POSTGRESQL:
                verify(errand.backup, errand.manifest, errand.key, scratch, target, errand.progress)
                chunks = unpacked(errand.backup, errand.manifest, errand.key)
                _postgresql.load(target, chunks, scratch, replacing=bool(present))
            case Kind.MARIADB:
                with beside(target) as place:
                    _mariadb.load(place, unpacked(errand.backup, errand.manifest, errand.key), scratch)
                    refuse_other_content(errand.backup, errand.manifest.content, content_hash(place))
                    take_over(target, place)
    return errand.report(target)


def _transfer(errand: _Errand, source: Engine, target: Engine, *, is_empty: bool) -> None:
    def tell(step: TransferProgress) -> None:
        errand.progress("copying", step.rows, step.total)

    if is_empty:
        # The transfer says itself, by its journal, that it has not come to its end.
        transfer(source, target, progress=tell)
        return
    with beside(target) as place:
        transfer(source, place, progress=tell)
        take_over(target, place)


def _bring_up_to_date(source: Engine) -> None:
    # It is a copy: what the backup was made of may have been older.
    if current(source) != HEAD:
        prepare_tables(source, present_tables(source))


def _refuse_rows(errand: _Errand, target: Engine) -> int:
    """Refuse a database with rows, unless they are to be replaced, and always one with tables of its own.

    Returns:
        How many rows are to be replaced.
    """
    found = content_hash(target)
    if found.rows and not errand.force:
        raise TargetNotEmpty(_taken(f"{masked(target.url)} has rows", "they are gone then: back it up before"))
    others = sorted(
        {name for name, table in found.tables.items() if table.rows} - errand.manifest.content.tables.keys()
    )
    if others:
        msg = (
            f"{masked(target.url)} has the tables {', '.join(others)}, which the backup lacks. Nothing was changed: "
            "drop or rename them, or restore into another database."
        )
        raise TargetNotEmpty(msg)
    return found.rows


def _like(part: Path, former: Path) -> None:
    """Let those use a file who could use the former one."""
    status = former.stat()
    part.chmod(status.st_mode & 0o777)
    with suppress(PermissionError):
        os.chown(part, status.st_uid, status.st_gid)


def _taken(what: str, then: str) -> str:
    return f"{what}. Nothing was changed: restore into another place, or replace it with --force ({then})."


def _no_place(backup: Path, manifest: Manifest) -> str:
    engine = {Kind.POSTGRESQL: "PostgreSQL", Kind.MARIADB: "MariaDB"}.get(manifest.kind, "SQLite")
    return (
        f"{backup.name} is a dump of {engine}, and is restored on such a server, by a user who may make databases "
        "there. Nothing was changed: restore it there and copy it on with `tradestore copy`, or take portable backups."
    )
