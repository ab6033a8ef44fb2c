"""Databases that a command must refuse: what an operator's mistakes and accidents leave behind; and good ones."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlcipher3

from tests.cli.stores import write_known_store
from tradestore.constants import TRANSFER_TABLE
from tradestore.migrations import downgrade
from tradestore.models import open_engine
from tradestore.operations.encryption import url_with_key

__all__ = [
    "BAD_DATABASES",
    "GOOD_DATABASES",
    "KEY",
    "NEW_KEY",
    "as_nobody",
    "connected",
    "give_away",
    "locked",
    "plain",
]

KEY, NEW_KEY = "Tr0ub4dor-key", "Tr0ub4dor-new-key"
"""Of encrypted files."""
NOBODY = 65534
"""A user without any rights of its own."""


def _missing(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)


def _folder(file: Path) -> None:
    file.mkdir()


def _empty(file: Path) -> None:
    file.touch()


def _text(file: Path) -> None:
    file.write_text("date,pair,profit\n" * 100)


def _of_another_program(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")


def _damaged(file: Path) -> None:
    with_journal(file)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 3])


def _newer(file: Path) -> None:
    with_journal(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")


def _older(file: Path) -> None:
    with_journal(file)
    engine = open_engine(f"sqlite:///{file}")
    downgrade(engine, "0003")
    engine.dispose()
    for backup in file.parent.glob("*.bak"):
        backup.unlink()


def _half_a_copy(file: Path) -> None:
    with_journal(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"CREATE TABLE {TRANSFER_TABLE} (id INTEGER PRIMARY KEY)")


def _encrypted(file: Path) -> None:
    write_known_store(url_with_key(file, KEY))
    with closing(connected(file)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)


def _defective(file: Path) -> None:
    with_journal(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE trades SET realized_profit = 1 WHERE id = 2")


BAD_DATABASES: dict[str, Callable[[Path], None]] = {
    "missing": _missing,
    "folder": _folder,
    "empty": _empty,
    "text": _text,
    "another program's": _of_another_program,
    "damaged": _damaged,
    "newer": _newer,
    "older": _older,
    "half a copy": _half_a_copy,
}
"""What makes each of them."""


def with_journal(file: Path) -> None:
    """Make a good store without a write-ahead log: whoever writes to it keeps readers out."""
    write_known_store(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)


GOOD_DATABASES: dict[str, Callable[[Path], None]] = {
    "good": with_journal,
    "encrypted": _encrypted,
    "defective": _defective,
}
"""What makes those that a command has something to do with."""


def connected(file: Path, key: str = KEY) -> Any:
    """Return a connection to a file of SQLite; to an encrypted one by its key."""
    if file.read_bytes().startswith(b"SQLite format 3"):
        return sqlite3.connect(file, isolation_level=None)
    connection = sqlcipher3.connect(file, isolation_level=None)
    connection.execute(f"PRAGMA key = '{key}'")
    return connection


def plain(file: Path) -> sqlite3.Connection:
    """Return a connection to a file of SQLite, or to a plain copy of an encrypted one, whichever key it has by now."""
    if file.read_bytes().startswith(b"SQLite format 3"):
        return sqlite3.connect(file)
    with tempfile.TemporaryDirectory() as folder:
        for key in (KEY, NEW_KEY):
            with closing(connected(file, key)) as connection, suppress(sqlcipher3.DatabaseError):
                connection.execute("ATTACH DATABASE ? AS plain KEY ''", (f"{folder}/{key}",))
                connection.execute("SELECT sqlcipher_export('plain')").fetchall()
                connection.execute("DETACH DATABASE plain")
                # Whoever has it open keeps it, whatever becomes of its name.
                return sqlite3.connect(f"{folder}/{key}")
    raise AssertionError(file)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep everybody out of a store."""
    with closing(connected(file)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


def give_away(folder: Path, *, but: str) -> None:
    """Give all that is in a folder, but for the files of a name, to the user without rights."""
    if os.geteuid() == 0:
        for each in folder.rglob("*"):
            if not each.name.startswith(but):
                os.chown(each, NOBODY, NOBODY)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user without rights in the block; whoever is none anyway stays what they are."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
