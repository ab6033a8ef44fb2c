"""A store in a file that SQLCipher encrypts does what every other store does, and is of no use without its key."""

import logging
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlcipher3
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import IntegrityError

from tests.builders import store, trade, trade_with_entry
from tests.ciphers import quick_keys
from tests.servers import PASSWORD
from tradestore import Database, Store, Trade, init_db, migrations
from tradestore._sqlite_files import driver_of
from tradestore.exceptions import DatabaseBusy, DatabaseFull, DatabaseUnreachable, InvalidDatabaseUrl, MissingDriver
from tradestore.operations import transfer
from tradestore.operations.opening import open_to_read
from tradestore.testing import opened_store

WRONG = "Tr0ub4dor"
KEYS = [PASSWORD, 'it\'s "quoted" -- ; \\ %s %25 {x}', "ключ 鍵 🔑", " "]


def url_of(file: Path, key: str = PASSWORD) -> str:
    """Return the URL of an encrypted file."""
    return f"sqlite+pysqlcipher://:{quote(key, safe='')}@/{file}"


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def encrypted(file: Path) -> Iterator[Store]:
    """Return an open store that is encrypted."""
    with opened_store(url_of(file)) as opened:
        yield opened


def rows(file: Path, statement: str, key: str = PASSWORD) -> list[Any]:
    """Ask SQLCipher itself, past the library."""
    with closing(sqlcipher3.connect(str(file))) as connection:
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute('PRAGMA key = "' + key.replace('"', '""') + '"')
        return list(connection.execute(statement))


@pytest.mark.parametrize("key", KEYS)
def test_store_keeps_its_trades_under_any_key(file: Path, key: str) -> None:
    """What was committed is there when the store is opened again, and for SQLCipher's own shell."""
    with opened_store(url_of(file, key)):
        store(trade_with_entry(strategy="a strategy that nobody else must know"))
    with opened_store(url_of(file, key)):
        assert [each.strategy for each in Trade.get_trades()] == ["a strategy that nobody else must know"]
    assert rows(file, "SELECT count(*) FROM trades", key) == [(1,)]
    assert not file.read_bytes().startswith(b"SQLite format 3")
    assert b"nobody else" not in file.read_bytes()


def test_log_is_encrypted_and_private_as_well(encrypted: Store, file: Path) -> None:
    """What was committed a moment ago stands in the log."""
    store(trade_with_entry(strategy="a strategy that nobody else must know"))
    log = file.with_name("store.sqlite-wal")
    assert log.stat().st_size > 0
    assert b"nobody else" not in log.read_bytes()
    assert {path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {0o600}


def test_connections_are_told_what_every_store_is(encrypted: Store) -> None:
    """The same durability, references and log as in a file that is not encrypted."""
    with encrypted.engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
        assert found == ["wal", 1]
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA cipher_version").scalar()


def test_broken_reference_is_refused(encrypted: Store) -> None:
    with pytest.raises(IntegrityError), encrypted.engine.begin() as connection:
        connection.execute(text("INSERT INTO trade_custom_data (ft_trade_id, cd_key) VALUES (77, 'k')"))


def test_transaction_is_undone_as_a_whole(encrypted: Store) -> None:
    """Tables included."""

    def fail(session: Any) -> None:
        session.add(trade())
        session.flush()
        session.execute(text("CREATE TABLE t (id INTEGER)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        encrypted.run(fail)
    assert Trade.get_trades().all() == []
    assert not inspect(encrypted.engine).has_table("t")


def test_writer_that_waits_in_vain_is_told(file: Path) -> None:
    """The lock of another process is the same error as everywhere."""
    with opened_store(url_of(file), busy_timeout=0.05) as opened, closing(_locked(file)):
        with pytest.raises(DatabaseBusy, match="do it again"):
            opened.run(lambda session: session.add(trade()), attempts=2)
        Trade.session.rollback()


def test_threads_get_their_turn(encrypted: Store) -> None:
    """Every trade of a crowd of writers is stored once."""

    def write() -> None:
        for _ in range(5):
            encrypted.run(lambda session: session.add(trade()))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Trade.get_trades().all()) == 20


def test_full_disk_is_told(encrypted: Store) -> None:
    with encrypted.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit(driver_connection: Any, *_: object) -> None:
        driver_connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(encrypted.engine, "checkout", limit)
    with pytest.raises(DatabaseFull, match="make room"):
        encrypted.run(lambda session: session.add_all([trade(strategy="x" * 100) for _ in range(500)]))


def test_upgrade_backs_up_with_the_same_key(file: Path) -> None:
    """The backup is as private as the file, and equal to it."""
    with opened_store(url_of(file)) as opened:
        store(trade_with_entry())
        Trade.session.remove()
        migrations.downgrade(opened.engine, "0001")
    for backup in file.parent.glob("*.bak"):
        backup.unlink()
    before = rows(file, "SELECT * FROM trades")
    with opened_store(url_of(file)):
        assert len(Trade.get_trades().all()) == 1
    (backup,) = file.parent.glob("*.bak")
    assert backup.stat().st_mode & 0o777 == 0o600
    assert rows(backup, "SELECT * FROM trades") == before
    with pytest.raises(sqlcipher3.DatabaseError):
        rows(backup, "SELECT * FROM trades", "another key")


def test_wrong_key_is_a_line_that_helps(file: Path, capfd, caplog) -> None:
    """Nothing of either key is shown, nothing changes, and SQLCipher's own log stays quiet."""
    caplog.set_level(logging.DEBUG)
    init_db(url_of(file)).close()
    before = file.read_bytes()
    with pytest.raises(DatabaseUnreachable, match="key is another one, or the file is not encrypted") as caught:
        init_db(url_of(file, WRONG))
    assert "Tr0ub4dor" not in f"{caught.value} {caught.value.__cause__!r} {caplog.text}"
    assert capfd.readouterr() == ("", "")
    assert file.read_bytes() == before


def test_plain_file_opened_with_a_key_is_refused(file: Path) -> None:
    init_db(f"sqlite:///{file}").close()
    before = file.read_bytes()
    with pytest.raises(DatabaseUnreachable, match=r"not encrypted by SQLCipher.*use sqlite:///"):
        init_db(url_of(file))
    assert file.read_bytes() == before


def test_encrypted_file_opened_without_a_key_is_refused(file: Path) -> None:
    init_db(url_of(file)).close()
    before = file.read_bytes()
    with pytest.raises(DatabaseUnreachable, match=r"is encrypted.*sqlite\+pysqlcipher://"):
        init_db(f"sqlite:///{file}")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite+pysqlcipher:////{}", "has no key"),
        ("sqlite+pysqlcipher://:@/{}", "has no key"),
        ("sqlite+pysqlcipher://:Tr0ub4dor@/", "names no file|in memory"),
        ("sqlite+pysqlcipher://:Tr0ub4dor@/:memory:", "in memory is not encrypted"),
        ("sqlite+pysqlcipher://:a@Tr0ub4dor@/{}", "special characters"),
        ("sqlite+pysqlcipher://:a@Tr0ub4dor/{}", "special characters"),
    ],
)
def test_url_that_cannot_be_meant_is_refused(file: Path, url: str, message: str) -> None:
    with pytest.raises(InvalidDatabaseUrl, match=message) as caught:
        init_db(url.format(file))
    assert "Tr0ub4dor" not in str(caught.value)
    assert not list(file.parent.iterdir())


def test_missing_package_is_named(file: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    monkeypatch.setitem(sys.modules, "pysqlcipher3", None)
    with pytest.raises(MissingDriver, match=r"pip install 'tradestore\[sqlcipher\]'"):
        init_db(url_of(file))


def test_key_is_never_shown(encrypted: Store, caplog) -> None:
    """Not in a representation, a URL, the engine, a debug log, or how files are opened beside it."""
    caplog.set_level(logging.DEBUG)
    Trade.get_open_trade_count()
    engine = encrypted.engine
    shown = f"{encrypted!r} {encrypted.url} {engine!r} {engine.url} {driver_of(engine)!r} {caplog.text}"
    assert "s3cret" not in shown
    assert "***" in encrypted.url


def test_transfer_there_and_back(tmp_path: Path) -> None:
    """From a plain file to an encrypted one, and from there to another plain one, each compared by content."""
    plain, encrypted, back = tmp_path / "plain.sqlite", tmp_path / "encrypted.sqlite", tmp_path / "back.sqlite"
    with opened_store(f"sqlite:///{plain}"):
        store(trade_with_entry(), trade())
    there = transfer(f"sqlite:///{plain}", url_of(encrypted))
    here = transfer(url_of(encrypted), f"sqlite:///{back}")
    assert {each.name: each.rows for each in there.tables} == {each.name: each.rows for each in here.tables}
    with closing(sqlite3.connect(plain)) as first, closing(sqlite3.connect(back)) as last:
        assert first.execute("SELECT * FROM trades").fetchall() == last.execute("SELECT * FROM trades").fetchall()
    assert rows(encrypted, "SELECT count(*) FROM trades") == [(2,)]


def test_operators_open_it_to_read(file: Path) -> None:
    """The openers of all tools take the URL as it is."""
    with opened_store(url_of(file)):
        store(trade_with_entry())
    with open_to_read(url_of(file)) as reading:
        assert isinstance(reading, Database)
        assert Trade.get_open_trade_count() == 1
        Trade.session.remove()


def _locked(file: Path) -> Any:
    """Return a connection of somebody else that holds the write lock."""
    connection = sqlcipher3.connect(str(file), isolation_level=None)
    connection.execute('PRAGMA key = "' + PASSWORD + '"')
    connection.execute("BEGIN IMMEDIATE")
    return connection
