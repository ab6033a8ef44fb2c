"""``tradestore backup``, ``backups``, ``backup-verify`` and ``restore``."""

import os
from pathlib import Path
from typing import Annotated, Any, Final

from rich.console import Console
from typer import Argument, Option

from tradestore.cli._answers import answer, bar_of, confirmed
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes, database_option
from tradestore.cli._formats import size, table_of
from tradestore.cli._passwords import StoreKeyFile, store_key
from tradestore.exceptions import BackupError
from tradestore.operations.backup import (
    Backup,
    Compression,
    Format,
    Kind,
    Progress,
    back_up,
    existing,
    list_backups,
    read_manifest,
    restore,
    verify_backup,
)

__all__ = ["backup", "backup_verify", "backups", "restore_backup"]

_KEY: Final = "TRADESTORE_BACKUP_KEY"

KeyFile = Annotated[
    Path | None,
    Option(
        "--key-file",
        metavar="FILE",
        help=f"A file whose first line is the passphrase; without it, the variable {_KEY} has it.",
    ),
]
BackupFile = Annotated[
    Path, Argument(metavar="FILE", help="The backup, its manifest beside it; or a folder for its newest one.")
]


def backup(
    db_url: DatabaseUrl,
    to: Annotated[Path, Option("--to", metavar="DIR", help="The folder that backups are kept in.")] = Path("backups"),
    keep: Annotated[
        int | None, Option("--keep", metavar="N", min=1, help="Remove all but the N newest of this database.")
    ] = None,
    compression: Annotated[Compression, Option("--compression", help="xz takes less room and more time.")] = "gzip",
    encrypt: Annotated[bool, Option("--encrypt", help=f"Encrypt it with the passphrase in {_KEY}.")] = False,
    key_file: KeyFile = None,
    form: Annotated[
        Format, Option("--format", help="portable: a file of SQLite from any engine, for any engine.")
    ] = "native",
    as_json: AsJson = False,
) -> None:
    """Back a database up while the bot runs, and prove the backup.

    Example: tradestore backup --db-url sqlite:///tradesv3.sqlite --to backups --keep 14
    """
    key = _passphrase(key_file) if encrypt or key_file is not None else None
    with bar_of("Backing up") as bar:
        made = back_up(db_url, to, keep=keep, compression=compression, key=key, format=form, progress=_shown(bar))

    def show(console: Console) -> None:
        console.print(f"{made.path}: {made.manifest.content.rows} rows, {size(made.manifest.size)}")
        console.print(f"It was {made.manifest.verified.how}.")
        if made.manifest.left_out:
            console.print(f"It has no views and triggers: {', '.join(made.manifest.left_out)}.")
        if made.manifest.verified.findings:
            console.print(f"The doctor has {made.manifest.verified.findings} findings: see `tradestore doctor`.")

    answer("backup", made, show, as_json=as_json)


def backups(
    folder: Annotated[Path, Argument(metavar="DIR", help="The folder that backups are kept in.")],
    as_json: AsJson = False,
) -> None:
    """List the backups of a folder, the newest first.

    Example: tradestore backups backups
    """
    found = list_backups(folder)

    def show(console: Console) -> None:
        if not found:
            console.print(f"There are no backups in {folder}.")
            return
        columns = ["backup", "made", "rows", "size", "restored"]
        numbers = ["rows", "size"]
        console.print(table_of(columns, map(_row, found), numbers=numbers, unbroken=["made", "restored"]))

    answer("backups", found, show, as_json=as_json)


def backup_verify(
    file: BackupFile,
    db_url: Annotated[
        str | None,
        database_option(
            "A server on which a dump can be tried, in a database of its own that is dropped again; or an encrypted "
            "store, whose backup has the same key."
        ),
    ] = None,
    key_file: KeyFile = None,
    store_key_file: StoreKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Prove a backup once more: restore it into scratch and compare every row.

    Example: tradestore backup-verify backups
    """
    file = existing(file)
    keys = _keys_of(file, key_file, store_key_file, db_url)
    with bar_of("Verifying") as bar:
        found = verify_backup(file, **keys, server=db_url, progress=_shown(bar))
    answer("backup-verify", found, lambda console: console.print(f"{file}: {found.how}."), as_json=as_json)


def restore_backup(
    file: BackupFile,
    db_url: DatabaseUrl,
    force: Annotated[bool, Option("--force", help="Replace what is there.")] = False,
    trade: Annotated[
        list[int] | None,
        Option("--trade", metavar="ID", help="Put only this trade into the store that is there; may be given again."),
    ] = None,
    key_file: KeyFile = None,
    store_key_file: StoreKeyFile = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back, or some of its trades.

    Example: tradestore restore backups --db-url sqlite:///restored.sqlite
    """
    file = existing(file)
    manifest = read_manifest(file)
    if force or trade:
        confirmed(_plan(file, manifest.made_at, trade), yes=yes)
    keys = _keys_of(file, key_file, store_key_file, db_url)
    with bar_of("Restoring") as bar:
        done = restore(file, db_url, force=force, trades=trade or None, **keys, progress=_shown(bar))

    def show(console: Console) -> None:
        console.print(f"{done.target}: {sum(done.rows.values())} rows restored from {file}.")
        if done.kept is not None:
            console.print(f"What was there is kept as {done.kept}.")
        if done.left_out:
            console.print(f"Make these again yourself, they were not restored: {', '.join(done.left_out)}.")

    answer("restore", done, show, as_json=as_json)


def _plan(file: Path, moment: Any, trades: list[int] | None) -> list[str]:
    read = f"Restore {file} of {moment:%Y-%m-%d %H:%M:%S} UTC into scratch, and compare every row"
    if trades:
        return [read, f"Put the trades {', '.join(map(str, trades))} into the store, with orders and custom data"]
    return [read, "Replace all that the target has; a file is kept beside as .before-restore, a server's tables go"]


def _row(each: Backup) -> tuple[Any, ...]:
    known = each.manifest
    return each.path.name, known.made_at, known.content.rows, size(known.size), known.verified.restored


def _keys_of(
    file: Path, key_file: Path | None, store_key_file: Path | None, db_url: str | None
) -> dict[str, str | None]:
    known = read_manifest(file)
    return {
        "key": None if known.encryption is None else _passphrase(key_file),
        "store_key": store_key(store_key_file, db_url) if known.kind is Kind.SQLCIPHER else None,
    }


def _passphrase(key_file: Path | None) -> str:
    """Return the passphrase, which is never an argument: others can read those."""
    if key_file is None:
        found = os.environ.get(_KEY, "")
        where = f"the variable {_KEY} is not set, or empty"
    else:
        try:
            found = key_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as e:
            msg = f"The key file {key_file} cannot be read ({getattr(e, 'strerror', None) or 'it is no text'})."
            raise BackupError(msg) from e
        where = f"the first line of {key_file} is empty"
    if not found:
        msg = f"There is no passphrase: {where}. Set {_KEY}, or name a file by --key-file."
        raise BackupError(msg)
    return found


def _shown(bar: Any) -> Progress:
    return lambda _what, done, total: bar(done, total)
