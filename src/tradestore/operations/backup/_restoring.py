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
from tradestore._sqlite_files import driver_of, key_of
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import BackupError, TargetNotEmpty
from tradestore.migrations import HEAD, current
from tradestore.models import prepare_tables, present_tables
from tradestore.operations._endpoints import End, family, opened
from tradestore.operations.backup import _mariadb, _postgresql
from tradestore.operations.backup._disk import room_told
from tradestore.operations.backup._folder import part_folder, scratch_folder
from tradestore.operations.backup._keeping import existing
from tradestore.operations.backup._keys import Keys
from tradestore.operations.backup._left_out import left_out_of, make_views_again
from tradestore.operations.backup._manifest import Kind, Manifest, read_manifest
from tradestore.operations.backup._packing import unpacked
from tradestore.operations.backup._progress import Progress, in_silence
from tradestore.operations.backup._selected_trades import copy_trades
from tradestore.operations.backup._server_targets import beside, take_over
from tradestore.operations.backup._sqlite_files import database_url, put_in_place
from tradestore.operations.backup._verifying import FILES, SERVERS, refuse_other_content, restored, verify
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
        left_out: Views and triggers that the source of the backup had and the target has not got, such as
            ``view winners``. The library's own views are made again.
    """

    backup: Path
    target: str
    rows: Mapping[str, int]
    kept: Path | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Errand:
    """What is to be restored, and how."""

    backup: Path
    manifest: Manifest
    keys: Keys
    force: bool
    progress: Progress

    @contextmanager
    def proved(self, scratch: Path, server: Engine | None) -> Iterator[Engine]:
        """Yield the engine of what was restored into scratch, when it is what the source was."""
        with restored(self.backup, self.manifest, self.keys, scratch, server, self.progress) as engine:
            if engine is None:
                raise BackupError(_no_place(self.backup, self.manifest))
            self.progress("comparing", 0, None)
            refuse_other_content(self.backup, self.manifest.content, content_hash(engine))
            yield engine

    def report(self, target: Engine, left_out: Collection[str], kept: Path | None = None) -> RestoreReport:
        """Return what was done, when the whole backup was restored; the library's own views are made again."""
        rows = {name: table.rows for name, table in self.manifest.content.tables.items()}
        missing = make_views_again(target, left_out)
        return RestoreReport(backup=self.backup, target=masked(target.url), rows=rows, kept=kept, left_out=missing)

    def transfer(self, source: Engine, target: End) -> tuple[str, ...]:
        """Copy what was restored into scratch, brought up to date there, and return what cannot go along."""
        # It is a copy: what the backup was made of may have been older.
        _bring_up_to_date(source)

        def tell(step: TransferProgress) -> None:
            self.progress("copying", step.rows, step.total)

        transfer(source, target, progress=tell)
        with source.connect() as connection:
            return (*self.manifest.left_out, *left_out_of(connection))


def restore(
    backup: Path | str,
    target: End,
    *,
    force: bool = False,
    trades: Collection[int] | None = None,
    key: str | None = None,
    store_key: str | None = None,
    progress: Progress = in_silence,
) -> RestoreReport:
    """Bring a backup back: the whole of it, or some of its trades into a store that goes on.

    It is restored into scratch and compared with its manifest first. Then it takes its place at once: whoever looks,
    or whatever kills this, finds what was there before or all that was restored. A file of SQLite that is replaced is
    kept beside as ``<file>.before-restore``; tables of a server that are replaced are gone.

    A file of SQLite, which a portable backup of a server is as well, is restored to any engine; a dump of a server to
    a server of its kind. What SQLCipher encrypts is encrypted in scratch, too.

    Args:
        backup: Its file, with its manifest beside it; or a folder for its newest one.
        target: A database URL. With ``trades`` also a database that is open.
        force: Replace what is there. Else a target that has a file, or rows, is refused.
        trades: Ids of the trades to be put into the target, with their orders and custom data, instead of all; they
            keep their ids.
        key: The backup's passphrase, if it is encrypted.
        store_key: That of the store that was backed up, if SQLCipher encrypted it; without one, that of the target.
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
    with however_long(), meaningful_errors(), room_told(), opened(target) as engine:
        keys = Keys(key, store_key or key_of(engine))
        errand = _Errand(path, read_manifest(path), keys, force, progress)
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
    # Of a link, what it leads to is replaced: that is what bots have open.
    path = path.resolve()
    if path.exists() and not errand.force:
        raise TargetNotEmpty(_taken(f"{path} is there already", "the file is kept beside as .before-restore"))
    if errand.manifest.kind not in FILES:
        raise BackupError(_no_place(errand.backup, errand.manifest))
    driver = driver_of(target)
    target.dispose()
    with part_folder(path) as parts:
        part, left_out = _part(errand, parts, key_of(target))
        if path.exists():
            _like(part, path)
        kept = put_in_place(driver, part, path)
    return errand.report(target, left_out, kept)


def _part(errand: _Errand, parts: Path, target_key: str | None) -> tuple[Path, tuple[str, ...]]:
    """Return the file that will take the target's place, and what of its source it has not got."""
    if target_key == (errand.keys.store if errand.manifest.kind is Kind.SQLCIPHER else None):
        with errand.proved(parts, None) as source:
            return Path(str(source.url.database)), errand.manifest.left_out
    # What is under another key, or under none, is written anew.
    part = parts / "transferred.sqlite"
    with scratch_folder() as scratch, errand.proved(scratch, None) as source:
        return part, errand.transfer(source, database_url(part, target_key))


def _to_server(errand: _Errand, target: Engine) -> RestoreReport:
    present = present_tables(target)
    if errand.manifest.kind in SERVERS and family(target) != SERVERS[errand.manifest.kind]:
        raise BackupError(_no_place(errand.backup, errand.manifest))
    # What a restore that was killed has left behind is gone on with.
    rows = 0 if TRANSFER_TABLE in present else _refuse_rows(errand, target)
    left_out = errand.manifest.left_out
    with scratch_folder() as scratch:
        match errand.manifest.kind:
            case Kind.SQLITE | Kind.SQLCIPHER:
                with errand.proved(scratch, None) as source:
                    left_out = _transferred(errand, source, target, is_empty=not rows)
            case Kind.POSTGRESQL:
                verify(errand.backup, errand.manifest, errand.keys, scratch, target, errand.progress)
                chunks = unpacked(errand.backup, errand.manifest, errand.keys.passphrase)
                _postgresql.load(target, chunks, scratch, replacing=bool(present))
            case Kind.MARIADB:
                with beside(target) as place:
                    _mariadb.load(place, unpacked(errand.backup, errand.manifest, errand.keys.passphrase), scratch)
                    refuse_other_content(errand.backup, errand.manifest.content, content_hash(place))
                    take_over(target, place)
    return errand.report(target, left_out)


def _transferred(errand: _Errand, source: Engine, target: Engine, *, is_empty: bool) -> tuple[str, ...]:
    if is_empty:
        # The transfer says itself, by its journal, that it has not come to its end.
        return errand.transfer(source, target)
    with beside(target) as place:
        left_out = errand.transfer(source, place)
        take_over(target, place)
    return left_out


def _bring_up_to_date(source: Engine) -> None:
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
