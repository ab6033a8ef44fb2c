"""A backup made: taken while others write, proved, given its name, and only then the oldest ones removed."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

from sqlalchemy import Engine

from tradestore._answer_timeout import however_long
from tradestore._engine import masked
from tradestore._errors import meaningful_errors
from tradestore._sqlite_files import key_of
from tradestore.exceptions import InvalidValue, MigrationError, SchemaTooNew
from tradestore.migrations import SchemaState, current, scan
from tradestore.models import present_tables, refuse_half_a_copy
from tradestore.operations._endpoints import End, opened
from tradestore.operations.backup._capture import Format, captured
from tradestore.operations.backup._disk import room_told
from tradestore.operations.backup._folder import Workplace, free_name, keep_backup, workplace
from tradestore.operations.backup._keeping import Backup, remove_older
from tradestore.operations.backup._keys import Keys
from tradestore.operations.backup._manifest import Kind, Manifest, Sealing, Verification
from tradestore.operations.backup._packing import ENDINGS, Compression, pack
from tradestore.operations.backup._progress import Progress, in_silence
from tradestore.operations.backup._sealing import ALGORITHM, DERIVATION, Seal
from tradestore.operations.backup._verifying import verify
from tradestore.operations.opening import file_of_url, refuse_unusable_file
from tradestore.trade_model import Trade

__all__ = ["back_up"]

_ENDINGS: Final = {
    Kind.SQLITE: ".sqlite",
    Kind.SQLCIPHER: ".sqlcipher",
    Kind.POSTGRESQL: ".pgdump",
    Kind.MARIADB: ".sql",
}


def back_up(
    place: End,
    folder: Path | str,
    *,
    keep: int | None = None,
    compression: Compression = "gzip",
    key: str | None = None,
    format: Format = "native",  # noqa: A002 - what it is called everywhere
    progress: Progress = in_silence,
) -> Backup:
    """Back a database up while others write to it, and prove the backup before it gets its name.

    It is read from the disk again, restored into scratch, and every row compared with what the source had at the
    moment that was backed up. Beside it lies a manifest, ``<backup>.json``. Both are readable by their owner alone.
    What SQLCipher encrypts is never written down in any other form: the backup has the same key as its source.

    Args:
        place: A database URL, or a database that is open.
        folder: Where backups are kept; it is made if it is missing.
        keep: How many backups of this database are left in the folder, the new one included; older ones are removed
            once the new one is in place. None keeps all.
        compression: ``gzip``, ``xz``, which takes less room and more time, or ``none``.
        key: A passphrase to encrypt with; None for a file that everybody can read who gets hold of it.
        format: ``native`` is a file of SQLite, a dump of ``pg_dump`` or ``mariadb-dump``. ``portable`` is a file of
            SQLite from any engine, which restores to any engine, and needs no programs.
        progress: Is told how far it has come.

    Returns:
        The backup.

    Raises:
        BackupError: If it cannot be made, or was not equal to its source; nothing is left of it.
        DatabaseFull: If there is no room; nothing is left of it.
        DatabaseUnreachable: If there is no such file or server, or the file is no SQLite database.
        MigrationError: If it is empty, or no database of this library.
        SchemaTooNew: If a newer version wrote it.
        TransferError: If the portable form cannot hold it.
        MissingPackage: If the package that encrypts is not installed.
        DatabaseBusy: If another backup into the folder is under way, or others hold locks.
    """
    _refuse_unusable(keep, compression, format)
    seal = None if key is None else Seal.new(key)
    with however_long(), meaningful_errors(), room_told(), opened(place) as engine:
        _refuse_unready(engine)
        with workplace(Path(folder)) as work:
            part, manifest = _packed(engine, work, compression, seal, format, progress)
            verified = verify(part, manifest, Keys(key, key_of(engine)), work.scratch, engine, progress)
            manifest = replace(manifest, verified=verified)
            backup = Backup(keep_backup(part, manifest, work.folder), manifest)
            if keep is not None:
                remove_older(backup, keep)
    return backup


def _packed(
    engine: Engine,
    work: Workplace,
    compression: Compression,
    seal: Seal | None,
    wanted: Format,
    progress: Progress,
) -> tuple[Path, Manifest]:
    """Take a backup into the folder of parts, and return what is to be proved of it."""
    database = _database_of(engine)
    with captured(engine, work.scratch, wanted, progress) as found:
        ending = _ENDINGS[found.kind] + ENDINGS[compression] + (".enc" if seal else "")
        part = work.parts / free_name(work.folder, database, found.moment, ending)
        packed = pack(_told(found.chunks, progress), part, compression, seal)
        content = found.content()
    return part, Manifest(
        made_by=f"tradestore {version('tradestore')}",
        made_at=found.moment,
        source=_source_of(engine),
        database=database,
        engine=_engine_of(engine),
        revision=current(engine),
        kind=found.kind,
        compression=compression,
        encryption=None if seal is None else Sealing(ALGORITHM, DERIVATION, seal.salt.hex()),
        size=packed.size,
        sha256=packed.sha256,
        content=content,
        verified=Verification(False, "not yet"),
        left_out=found.left_out,
    )


def _refuse_unusable(keep: int | None, compression: str, wanted: str) -> None:
    if keep is not None and keep < 1:
        msg = f"keep is {keep}, expected was 1 or more: the new backup is one of those that are kept."
        raise InvalidValue(msg)
    for name, value, known in (("compression", compression, Compression), ("format", wanted, Format)):
        if value not in get_args(known):
            msg = f"{name} is {value!r}, expected was one of {', '.join(get_args(known))}."
            raise InvalidValue(msg)


def _refuse_unready(engine: Engine) -> None:
    """Refuse what is no store, or one whose content this version may not know how to read; an older one is welcome."""
    refuse_unusable_file(engine.url)
    present = present_tables(engine)
    refuse_half_a_copy(engine, present)
    found = scan(engine)
    if found.state is SchemaState.NEWER:
        msg = f"{masked(engine.url)} cannot be backed up: {found.blockers[0]}."
        raise SchemaTooNew(msg)
    if Trade.__tablename__ not in present:
        msg = f"{masked(engine.url)} has no tables of a bot: correct the URL, or start the bot once."
        raise MigrationError(msg)


def _source_of(engine: Engine) -> str:
    """Return a URL that means the same database in every folder: by it older backups of it are found, and removed."""
    file = file_of_url(engine.url)
    return masked(engine.url if file is None else engine.url.set(database=str(file.resolve())))


def _database_of(engine: Engine) -> str:
    name = engine.url.database
    if not name or name == ":memory:":
        return "memory"
    return Path(name).stem if engine.dialect.name == "sqlite" else name


def _engine_of(engine: Engine) -> str:
    dialect: Any = engine.dialect
    numbers = getattr(dialect, "server_version_info", None) or dialect.dbapi.sqlite_version_info
    return f"{engine.dialect.name} {'.'.join(str(number) for number in numbers)}"


def _told(chunks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    done = 0
    for chunk in chunks:
        done += len(chunk)
        progress("packing", done, None)
        yield chunk
