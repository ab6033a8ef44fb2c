"""Backups of encrypted stores: under the store's key at every moment, and restored by it only."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlcipher3
from sqlalchemy import text

from tests.ciphers import quick_keys
from tests.encrypted import SECRET, readable_files, write_encrypted_store
from tests.operations.furniture import plain_engine
from tradestore import init_db
from tradestore.exceptions import BackupError, DatabaseBusy, TargetNotEmpty
from tradestore.operations.backup import Backup, Kind, back_up, restore, verify_backup
from tradestore.operations.content import StoreContent, content_hash
from tradestore.operations.encryption import url_with_key

KEY = "the \"key\" 'of' %25 this ключ"
OTHER = "an 0ther"


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture(autouse=True)
def _temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let scratch lie where the test looks, too."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))


@pytest.fixture
def secret_url(tmp_path: Path) -> str:
    url = url_with_key(tmp_path / "secret.sqlite", KEY)
    write_encrypted_store(url)
    return url


@pytest.fixture
def before(secret_url: str) -> StoreContent:
    return content_hash(secret_url)


@pytest.fixture
def made(secret_url: str, before: StoreContent, tmp_path: Path) -> Backup:
    return back_up(secret_url, tmp_path / "backups", compression="none")


def test_backup_is_readable_at_no_moment(secret_url: str, before: StoreContent, tmp_path: Path) -> None:
    """Nor is what it is proved by, nor what is restored from it."""
    steps: set[str] = set()

    def look(what: str, _done: int, _total: int | None) -> None:
        steps.add(what)
        assert readable_files(tmp_path) == [], what

    made = back_up(secret_url, tmp_path / "backups", compression="none", progress=look)
    assert steps >= {"copying", "reading the source", "packing", "restoring into scratch", "comparing"}
    assert made.manifest.kind is Kind.SQLCIPHER
    assert made.manifest.content == before
    assert made.manifest.verified.restored
    assert made.manifest.verified.findings == 0
    assert verify_backup(made.path, store_key=KEY, progress=look).restored
    target = url_with_key(tmp_path / "restored.sqlite", KEY)
    restore(made.path, target, progress=look)
    restore(made.path, target, force=True, progress=look)
    assert content_hash(target) == before
    assert readable_files(tmp_path) == []


def test_looking_finds_what_is_readable(tmp_path: Path) -> None:
    """Else the tests here would prove nothing."""
    write_encrypted_store(f"sqlite:///{tmp_path / 'plain.sqlite'}")
    (tmp_path / "note.txt").write_text(f"they say {SECRET}!")
    assert readable_files(tmp_path) == ["note.txt", "plain.sqlite"]


def test_copy_opens_by_the_key_alone(made: Backup) -> None:
    """In SQLCipher's own hands, as well."""
    connection: Any
    with closing(sqlcipher3.connect(f"file:{made.path}?mode=ro", uri=True)) as connection:
        connection.execute('PRAGMA key = "' + KEY.replace('"', '""') + '"')
        assert connection.execute("SELECT enter_tag FROM trades").fetchone() == (SECRET,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_key_that_is_missing_or_wrong_is_told(made: Backup, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="SQLCipher encrypts: give the key"):
        verify_backup(made.path)
    with pytest.raises(BackupError, match="the store had another key") as caught:
        verify_backup(made.path, store_key=OTHER)
    assert OTHER not in str(caught.value)
    target = tmp_path / "target.sqlite"
    for url in (f"sqlite:///{target}", url_with_key(target, OTHER)):
        with pytest.raises(BackupError):
            restore(made.path, url)
        assert not target.exists()


def test_url_of_the_store_has_the_key(made: Backup, secret_url: str) -> None:
    assert verify_backup(made.path, server=secret_url).restored


def test_passphrase_goes_around_the_key(secret_url: str, before: StoreContent, tmp_path: Path) -> None:
    made = back_up(secret_url, tmp_path / "backups", key="passphrase")
    target = url_with_key(tmp_path / "restored.sqlite", KEY)
    restore(made.path, target, key="passphrase")
    assert content_hash(target) == before


def test_other_key_or_none_is_written_anew(made: Backup, before: StoreContent, tmp_path: Path) -> None:
    """Whoever gives both keys may have the store in another form."""
    for url in (f"sqlite:///{tmp_path / 'plain.sqlite'}", url_with_key(tmp_path / "other.sqlite", OTHER)):
        restore(made.path, url, store_key=KEY)
        assert content_hash(url) == before
        init_db(url).close()
    assert readable_files(tmp_path) == ["plain.sqlite"]


def test_plain_backup_goes_into_an_encrypted_store(tmp_path: Path) -> None:
    plain = f"sqlite:///{tmp_path / 'plain.sqlite'}"
    write_encrypted_store(plain)
    made = back_up(plain, tmp_path / "backups")
    target = url_with_key(tmp_path / "secret.sqlite", KEY)
    restore(made.path, target)
    assert content_hash(target) == made.manifest.content
    assert readable_files(tmp_path) == ["plain.sqlite"]


@pytest.mark.needs("networked", "first_driver")
def test_server_gets_the_rows(made: Backup, before: StoreContent, store_url: str) -> None:
    with pytest.raises(BackupError, match="give the key"):
        restore(made.path, store_url)
    restore(made.path, store_url, store_key=KEY)
    assert content_hash(store_url) == before


def test_trade_comes_back_into_an_encrypted_store(made: Backup, secret_url: str, before: StoreContent) -> None:
    with plain_engine(secret_url) as engine, engine.begin() as connection:
        connection.execute(text("DELETE FROM orders"))
        connection.execute(text("DELETE FROM trades"))
    assert restore(made.path, secret_url, trades=[1]).rows["trades"] == 1
    assert content_hash(secret_url).tables["trades"] == before.tables["trades"]


def test_encrypted_file_in_use_is_not_replaced(made: Backup, secret_url: str, before: StoreContent) -> None:
    with pytest.raises(TargetNotEmpty):
        restore(made.path, secret_url)
    database = init_db(secret_url)
    with database.engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM trades"))
        with pytest.raises(DatabaseBusy, match="is in use"):
            restore(made.path, secret_url, force=True)
    database.close()
    assert content_hash(secret_url) == before
    assert not list(made.path.parent.parent.glob("*before-restore*"))
