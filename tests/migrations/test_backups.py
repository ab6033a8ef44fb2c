"""The copy of an SQLite file before anything changes in it: complete, compared, or the change does not begin."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.builders import store, trade_with_entry
from tests.migrations.states import opened
from tradestore import Trade, _sqlite_backup, init_db, migrations
from tradestore._schema_lock import alone
from tradestore._sqlite_backup import back_up_file
from tradestore._sqlite_files import SqliteDriver
from tradestore.exceptions import MigrationError

FIRST = "0001_initial"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a store at the first revision, with a text in it that is none."""
    path = tmp_path / "bot" / "store.sqlite"
    path.parent.mkdir()
    database = init_db(f"sqlite:///{path}")
    store(trade_with_entry(enter_tag="kept"))
    Trade.session.remove()
    migrations.downgrade(database.engine, FIRST)
    database.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE trades SET strategy = CAST(x'ff00fe' AS TEXT)")
    for backup in path.parent.glob("*.bak"):
        backup.unlink()
    return path


def files(file: Path) -> list[str]:
    """Return what stands beside a store and begins with its name."""
    return sorted(path.name.removeprefix(file.name) for path in file.parent.iterdir())


def content(file: Path) -> list[str]:
    """Return all that is in a file, as the sqlite3 shell would dump it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
        return list(connection.iterdump())


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_backup_is_equal_and_private(file: Path, journal) -> None:
    """Every byte of every row is in it, and nobody but its owner may read it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
    file.chmod(0o640)
    before = content(file)
    with opened(f"sqlite:///{file}") as engine, alone(engine, reshaping=True) as connection:
        backup = back_up_file(connection, "label")
        connection.execute(text("DELETE FROM orders"))
    assert backup == file.with_name("store.sqlite.label.bak")
    assert content(backup) == before != content(file)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert files(file) == ["", ".label.bak"]


def test_backup_takes_a_free_name_or_one_that_is_equal(file: Path) -> None:
    """A bot that starts again and again makes no new copy of the same, and never writes over an old one."""
    with opened(f"sqlite:///{file}") as engine:
        first = back_up_file(engine, "label")
        assert back_up_file(engine, "label") == first == file.with_name("store.sqlite.label.bak")
        with engine.begin() as connection:
            connection.execute(text("UPDATE trades SET amount = 11"))
        second = back_up_file(engine, "label")
        assert back_up_file(engine, "label") == second == file.with_name("store.sqlite.label.bak1")
        with engine.begin() as connection:
            connection.execute(text("CREATE INDEX mine ON trades (amount)"))
        assert back_up_file(engine, "label") == file.with_name("store.sqlite.label.bak2")
    assert content(file.with_name("store.sqlite.label.bak1")) != content(file.with_name("store.sqlite.label.bak2"))


def test_what_a_killed_try_left_is_removed(file: Path) -> None:
    """A part of a copy is no backup."""
    file.with_name(f"store.sqlite.{FIRST}.part").write_bytes(b"SQLite format 3\0 and no more")
    init_db(f"sqlite:///{file}").close()
    assert files(file) == ["", f".{FIRST}.bak"]


@pytest.mark.parametrize("form", ["sqlite:///file:{}?uri=true", "sqlite:///file:{}?mode=rw&uri=true"])
def test_url_in_its_uri_form(file: Path, form: str) -> None:
    """The file is found whatever the form of the URL."""
    before = content(file)
    init_db(form.format(file)).close()
    assert content(file.with_name(f"store.sqlite.{FIRST}.bak")) == before


def test_nothing_to_copy(tmp_path: Path) -> None:
    """In memory, and before the first table, there is nothing that could be lost."""
    assert back_up_file(create_engine("sqlite://"), "label") is None
    engine = create_engine(f"sqlite:///{tmp_path / 'new.sqlite'}")
    assert back_up_file(engine, "label") is None
    engine.dispose()
    init_db(f"sqlite:///{tmp_path / 'new.sqlite'}").close()
    assert [path.name for path in tmp_path.iterdir()] == ["new.sqlite"]


@contextmanager
def _small_disk() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (49152, limits[1]))  # Enough to open the file, not to copy it.
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_no_room_for_the_backup(file: Path) -> None:
    """The message says what to do, and nothing is changed or left behind."""
    before = content(file)
    with _small_disk(), pytest.raises(MigrationError, match=r"No backup of .*store.sqlite.*Nothing was.*make room"):
        init_db(f"sqlite:///{file}")
    assert files(file) == [""]
    assert content(file) == before
    init_db(f"sqlite:///{file}").close()
    assert files(file) == ["", f".{FIRST}.bak"]


def test_no_right_to_write_the_backup(file: Path) -> None:
    """The same where the folder refuses it."""
    obstacle = file.with_name(f"store.sqlite.{FIRST}.part")
    obstacle.mkdir()
    before = content(file)
    with pytest.raises(MigrationError, match=r"No backup of .*Nothing was changed.*right to create files"):
        init_db(f"sqlite:///{file}")
    assert content(file) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE trades SET amount = 11", "the table 'trades' has other rows"),
        ("DELETE FROM orders", "the table 'orders' has other rows"),
        ("DROP INDEX ix_trades_pair", "it has other tables"),
        (None, "damaged|cannot be read"),
    ],
)
def test_backup_that_is_not_equal(file: Path, monkeypatch, damage: str | None, message: str) -> None:
    """A copy that is not good is removed, and the upgrade doesn't begin."""
    write = _sqlite_backup.write_copy

    def write_badly(driver: SqliteDriver, source: sqlite3.Connection, part: Path) -> None:
        write(driver, source, part)
        if damage is None:
            with part.open("r+b") as copy:
                copy.seek(4096)
                copy.write(b"\xff" * (part.stat().st_size - 4096))
            return
        with closing(sqlite3.connect(part)) as connection, connection:
            connection.execute(damage)

    before = content(file)
    monkeypatch.setattr(_sqlite_backup, "write_copy", write_badly)
    with pytest.raises(MigrationError, match=rf"backup of .* is not good: .*({message}).*Nothing was changed"):
        init_db(f"sqlite:///{file}")
    assert content(file) == before
    assert [name for name in files(file) if FIRST in name] == []


def test_values_that_break_a_rule_are_no_damage(file: Path) -> None:
    """Some old bots have left NULL where none should be; the copy has it, too."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE mine (a INTEGER PRIMARY KEY, b TEXT)")
        connection.execute("INSERT INTO mine VALUES (1, NULL)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'b TEXT', 'b TEXT NOT NULL') WHERE name = 'mine'"
        )
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("NULL value in mine.b",)]
    with opened(f"sqlite:///{file}") as engine:
        backup = back_up_file(engine, "label")
    assert backup is not None
    assert content(backup) == content(file)
