"""Files are encrypted, decrypted and given other keys with every row, or stay as they are."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3
from sqlalchemy import text

from tests.builders import store, trade_with_entry
from tests.ciphers import QUICKLY, quick_keys
from tests.servers import PASSWORD
from tradestore import Trade, init_db
from tradestore._sqlite_backup import fault_of
from tradestore.exceptions import (
    DatabaseBusy,
    DatabaseUnreachable,
    EncryptionError,
    InvalidDatabaseUrl,
    InvalidValue,
    MissingPackage,
)
from tradestore.operations import encryption
from tradestore.operations.encryption import decrypt, encrypt, rekey, url_with_key
from tradestore.testing import opened_store

NEW = "s3cret \"new\" 'key' %25 ключ"
WRONG = "s3cret, but another one"
DEADLINE = 60.0


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Return a plain file with a trade, a view, a trigger and a table of somebody else, and no log beside it."""
    file = tmp_path / "plain.sqlite"
    with opened_store(f"sqlite:///{file}") as opened:
        store(trade_with_entry())
        with opened.engine.begin() as connection:
            for statement in (
                "CREATE TABLE mine (id INTEGER PRIMARY KEY AUTOINCREMENT, note, content BLOB)",
                "INSERT INTO mine (note, content) VALUES ('é', x'00ff')",
                "CREATE VIEW mine_too AS SELECT note FROM mine",
                "CREATE TRIGGER mine_as_well AFTER DELETE ON mine BEGIN SELECT 1; END",
                "PRAGMA user_version = 7",
                "ANALYZE",
            ):
                connection.execute(text(statement))
    return file


@pytest.fixture
def secret(plain: Path, tmp_path: Path) -> Path:
    """Return the same, encrypted."""
    file = tmp_path / "secret.sqlite"
    encrypt(f"sqlite:///{plain}", file, PASSWORD)
    return file


def dump(file: Path, key: str | None = None) -> list[str]:
    """Return all that is in a file, in SQL, as the shell of SQLCipher would."""
    connection: Any
    with closing(sqlite3.connect(file) if key is None else sqlcipher3.connect(str(file))) as connection:
        if key is not None:
            connection.execute("PRAGMA cipher_log_level = NONE")
            connection.execute('PRAGMA key = "' + key.replace('"', '""') + '"')
        parts = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'")
        found = [repr(row) for row in parts.fetchall()]
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            if not name.startswith("sqlite_stat"):
                found += [f"{name}: {row!r}" for row in connection.execute(f'SELECT * FROM "{name}"').fetchall()]
        return sorted([*found, repr(connection.execute("PRAGMA user_version").fetchone())])


def works(folder: Path) -> list[Callable[[str], object]]:
    """Return what is done to an encrypted file, each to be called with its URL."""
    return [partial(rekey, new_key=NEW), partial(decrypt, target=folder / "x.sqlite")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_encrypted_copy_has_everything(plain: Path, tmp_path: Path) -> None:
    """Rows, views, triggers, sequences and the version; the plain file is as it was."""
    before, content = plain.read_bytes(), dump(plain)
    done = encrypt(f"sqlite:///{plain}", tmp_path / "secret.sqlite", PASSWORD)
    assert dump(tmp_path / "secret.sqlite", PASSWORD) == content
    assert plain.read_bytes() == before
    assert names(tmp_path) == ["plain.sqlite", "secret.sqlite"]
    assert (tmp_path / "secret.sqlite").stat().st_mode & 0o777 == 0o600
    assert "s3cret" not in repr(done)
    assert done.rows == sum(not line.startswith(("(", "sqlite_")) for line in content)


def test_bot_goes_on_with_the_encrypted_copy(secret: Path) -> None:
    with opened_store(url_with_key(secret, PASSWORD)):
        assert Trade.get_open_trade_count() == 1
        store(trade_with_entry())
        assert Trade.get_open_trade_count() == 2


def test_decrypted_copy_is_what_was_encrypted(plain: Path, secret: Path, tmp_path: Path) -> None:
    """And nobody but its owner may read it."""
    decrypt(url_with_key(secret, PASSWORD), tmp_path / "back.sqlite")
    assert dump(tmp_path / "back.sqlite") == dump(plain)
    assert (tmp_path / "back.sqlite").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["back.sqlite", "plain.sqlite", "secret.sqlite"]


def test_other_key_opens_the_same_rows(secret: Path, tmp_path: Path) -> None:
    """The old one opens nothing any more, and no copy under it is left."""
    with opened_store(url_with_key(secret, PASSWORD)):
        store(trade_with_entry())
    before = dump(secret, PASSWORD)
    done = rekey(url_with_key(secret, PASSWORD), NEW)
    assert dump(secret, NEW) == before
    with pytest.raises(sqlcipher3.DatabaseError):
        dump(secret, PASSWORD)
    assert names(tmp_path) == ["plain.sqlite", "secret.sqlite"]
    assert "s3cret" not in repr(done)
    with opened_store(url_with_key(secret, NEW)):
        assert Trade.get_open_trade_count() == 2


def test_file_that_others_have_open_keeps_its_key(secret: Path, tmp_path: Path) -> None:
    with opened_store(url_with_key(secret, PASSWORD)):
        Trade.get_open_trade_count()
        with pytest.raises(DatabaseBusy, match=r"stop them, then start again. Nothing was changed"):
            rekey(url_with_key(secret, PASSWORD), NEW)
        store(trade_with_entry())
    assert names(tmp_path) == ["plain.sqlite", "secret.sqlite"]
    with opened_store(url_with_key(secret, PASSWORD)):
        assert Trade.get_open_trade_count() == 2


def test_row_that_changed_under_the_new_key_leaves_the_copy(secret: Path, tmp_path: Path, monkeypatch) -> None:
    """Should SQLCipher ever write something else, all of it is still there, and the message says where."""
    before = dump(secret, PASSWORD)
    compared = fault_of
    answers = iter([None, "the table 'trades' has other rows"])

    def answer(*arguments: Any) -> str | None:
        assert compared(*arguments) is None
        return next(answers)

    monkeypatch.setattr(encryption, "fault_of", answer)
    with pytest.raises(EncryptionError, match=r"has other rows. All of it is in .*rekey.bak, under the old key"):
        rekey(url_with_key(secret, PASSWORD), NEW)
    assert dump(tmp_path / "secret.sqlite.rekey.bak", PASSWORD) == before


def test_nobody_is_told_that_the_key_is_the_old_one_when_it_is_not(secret: Path, tmp_path: Path, monkeypatch) -> None:
    """A disk that fails after the new key was given leaves the new key."""
    before, compared = dump(secret, PASSWORD), iter([fault_of])

    def fail(*arguments: Any) -> str | None:
        for compare in compared:
            return compare(*arguments)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(encryption, "fault_of", fail)
    with pytest.raises(EncryptionError, match=r"has its new key, but could not be compared.*rekey.bak") as raised:
        rekey(url_with_key(secret, PASSWORD), NEW)
    assert "Nothing was changed" not in str(raised.value)
    assert dump(secret, NEW) == dump(tmp_path / "secret.sqlite.rekey.bak", PASSWORD) == before


@pytest.mark.parametrize("taken", ["secret.sqlite", "secret.sqlite.part"])
def test_nothing_is_written_over(plain: Path, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    with pytest.raises(EncryptionError, match=f"There is .*{taken} already"):
        encrypt(f"sqlite:///{plain}", tmp_path / "secret.sqlite", PASSWORD)
    assert (tmp_path / taken).read_text() == "mine"
    assert names(tmp_path) == sorted(["plain.sqlite", taken])


@pytest.mark.parametrize("key", ["", "a\0b"])
def test_no_key_is_refused(plain: Path, secret: Path, tmp_path: Path, key: str) -> None:
    with pytest.raises(InvalidValue, match="at least one character"):
        encrypt(f"sqlite:///{plain}", tmp_path / "more.sqlite", key)
    with pytest.raises(InvalidValue, match="at least one character"):
        rekey(url_with_key(secret, PASSWORD), key)
    assert names(tmp_path) == ["plain.sqlite", "secret.sqlite"]


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://bot:s3cret@localhost/db", "sqlite:///{plain}"])
def test_what_has_no_key_gets_none(plain: Path, tmp_path: Path, url: str) -> None:
    for work in works(tmp_path):
        with pytest.raises(EncryptionError, match=r"sqlite\+pysqlcipher"):
            work(url.format(plain=plain))
    assert names(tmp_path) == ["plain.sqlite"]


def test_wrong_key_changes_nothing(secret: Path, tmp_path: Path) -> None:
    before = secret.read_bytes()
    for work in works(tmp_path):
        with pytest.raises(DatabaseUnreachable, match="the key is another one"):
            work(url_with_key(secret, WRONG))
    assert secret.read_bytes() == before
    assert names(tmp_path) == ["plain.sqlite", "secret.sqlite"]


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    for work in works(tmp_path):
        with pytest.raises(DatabaseUnreachable, match="There is no database"):
            work(url_with_key(tmp_path / "missing.sqlite", PASSWORD))
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(EncryptionError, match="has no tables"):
        encrypt(f"sqlite:///{tmp_path / 'empty.sqlite'}", tmp_path / "x.sqlite", PASSWORD)
    assert names(tmp_path) == ["empty.sqlite"]


def test_missing_package_is_named(plain: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    with pytest.raises((MissingPackage, InvalidDatabaseUrl), match=r"tradestore\[sqlcipher\]"):
        encrypt(f"sqlite:///{plain}", tmp_path / "secret.sqlite", PASSWORD)


def test_disk_that_is_full_leaves_nothing_behind(plain: Path, tmp_path: Path, monkeypatch) -> None:
    """The copy that was begun is removed."""

    def write(connection: Any, part: Path, key: str) -> None:
        part.write_bytes(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(encryption, "_write", write)
    with pytest.raises(EncryptionError, match=r"No space left on device.*make room"):
        encrypt(f"sqlite:///{plain}", tmp_path / "secret.sqlite", PASSWORD)
    assert names(tmp_path) == ["plain.sqlite"]


def _journal_has(share: float) -> Callable[[Path, int], bool]:
    """Return what tells whether so much of the old pages was put aside."""

    def reached(file: Path, size: int) -> bool:
        journal = file.with_name(f"{file.name}-journal")
        try:
            return journal.stat().st_size > share * size
        except FileNotFoundError:
            return False

    return reached


def _page_changed(percent: int) -> Callable[[Path, int], bool]:
    """Return what tells whether the file itself was written anew at so many percent of its length."""
    before: list[bytes] = []

    def reached(file: Path, size: int) -> bool:
        with file.open("rb") as content:
            content.seek(size * percent // 100)
            found = content.read(64)
        before.append(found)
        return found != before[0]

    return reached


@pytest.mark.parametrize(
    "reached",
    [_journal_has(0.01), _journal_has(0.9), _page_changed(3), _page_changed(50)],
    ids=["journal-begun", "journal-nearly-full", "file-begun", "file-half-way"],
)
def test_kill_in_the_middle_leaves_one_key_and_all_rows(secret: Path, reached: Callable[[Path, int], bool]) -> None:
    """Whoever opens the file next finds it whole under the old key, or under the new one."""
    with closing(sqlcipher3.connect(str(secret))) as connection:
        connection.execute('PRAGMA key = "' + PASSWORD + '"')
        connection.executemany("INSERT INTO mine (note) VALUES (?)", [("x" * 3000,)] * 500)
        connection.commit()
    before, size = dump(secret, PASSWORD), secret.stat().st_size
    reached(secret, size)
    script = (
        f"import sys, sqlcipher3; sqlcipher3.connect(':memory:').execute({QUICKLY!r}); "
        "from tradestore.operations.encryption import rekey; rekey(*sys.stdin.read().split('|'))"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, text=True)
    assert child.stdin is not None
    child.stdin.write(f"{url_with_key(secret, PASSWORD)}|{NEW}")
    child.stdin.close()
    deadline = time.monotonic() + DEADLINE
    while not reached(secret, size) and child.poll() is None and time.monotonic() < deadline:
        pass
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    opened_by = []
    for key in (PASSWORD, NEW):
        try:
            assert dump(secret, key) == before
        except sqlcipher3.DatabaseError:
            continue
        opened_by.append(key)
    assert len(opened_by) == 1
    assert child.returncode == -signal.SIGKILL
    backup = secret.with_name("secret.sqlite.rekey.bak")
    assert dump(backup, PASSWORD) == before
    init_db(url_with_key(secret, opened_by[0])).close()
