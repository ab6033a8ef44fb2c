"""The files of a store can be read by their owner alone, whatever the umask; those that are there stay as they are."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import create_engine

from tests.builders import store, trade_with_entry
from tradestore import Trade, init_db, migrations
from tradestore._sqlite_files import create_private
from tradestore.exceptions import DatabaseUnreachable
from tradestore.operations import transfer

PRIVATE = 0o600


@pytest.fixture(autouse=True)
def _open_handed() -> Iterator[None]:
    """Let files be made for everybody, unless whoever makes them says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of each file in a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


@pytest.mark.parametrize(
    "form",
    [
        "sqlite:///{}/store.sqlite",
        "sqlite+pysqlite:///{}/store.sqlite",
        "sqlite:///file:{}/store.sqlite?uri=true",
        "sqlite:///file://{}/store.sqlite?uri=true",
        "sqlite:///file:{}/st%256fre.sqlite?mode=rwc&uri=true",
        "sqlite:///store.sqlite",
        "sqlite:///./store.sqlite",
        "sqlite:///file:store.sqlite?uri=true",
    ],
)
def test_new_store_is_private_with_its_logs(tmp_path, monkeypatch, form: str) -> None:
    """The log, and its index, hold trades as well."""
    monkeypatch.chdir(tmp_path)
    with closing(init_db(form.format(tmp_path))):
        store(trade_with_entry())
        # Releases of SQLAlchemy before 2.1 leave a %25 to SQLite, which reads it once.
        found = {name.replace("%6f", "o"): mode for name, mode in modes(tmp_path).items()}
        Trade.session.remove()
    assert found == {"store.sqlite": PRIVATE, "store.sqlite-wal": PRIVATE, "store.sqlite-shm": PRIVATE}


def test_link_leads_to_a_private_file(tmp_path) -> None:
    """A link to a file that is not there yet is followed, as SQLite does."""
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "real.sqlite")
    init_db(f"sqlite:///{tmp_path / 'link.sqlite'}").close()
    assert modes(tmp_path)["real.sqlite"] == PRIVATE


def test_file_that_is_there_keeps_its_mode(tmp_path) -> None:
    """Somebody may have given it to a group on purpose."""
    file = tmp_path / "store.sqlite"
    file.touch(0o640)
    with closing(init_db(f"sqlite:///{file}")):
        store(trade_with_entry())
        found = modes(tmp_path)
        Trade.session.remove()
    assert found == {"store.sqlite": 0o640, "store.sqlite-wal": 0o640, "store.sqlite-shm": 0o640}


def test_backup_of_an_upgrade_is_private(tmp_path) -> None:
    file = tmp_path / "store.sqlite"
    file.touch(0o644)
    with closing(init_db(f"sqlite:///{file}")) as opened:
        store(trade_with_entry())
        Trade.session.remove()
        migrations.downgrade(opened.engine, "0001")
    found = modes(tmp_path)
    assert found.pop("store.sqlite") == 0o644
    assert len(found) == 1
    assert set(found.values()) == {PRIVATE}


def test_target_of_a_transfer_is_private(tmp_path) -> None:
    init_db(f"sqlite:///{tmp_path / 'source.sqlite'}").close()
    transfer(f"sqlite:///{tmp_path / 'source.sqlite'}", f"sqlite:///{tmp_path / 'target.sqlite'}")
    assert modes(tmp_path)["target.sqlite"] == PRIVATE


def test_missing_folder_is_said_as_before(tmp_path) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"unable to open database file.*check that the folder exists"):
        init_db(f"sqlite:///{tmp_path / 'missing' / 'store.sqlite'}")
    assert not modes(tmp_path)


def test_place_where_no_file_can_be_made_is_said_by_sqlite(tmp_path) -> None:
    """A name with a file where a folder should be can be made by nobody, not even by an administrator."""
    (tmp_path / "file").touch(0o600)
    with pytest.raises(DatabaseUnreachable, match="unable to open database file"):
        init_db(f"sqlite:///{tmp_path / 'file' / 'store.sqlite'}")


@pytest.mark.parametrize("options", ["mode=ro&uri=true", "mode=rw&uri=true"])
def test_url_that_makes_no_file_makes_none(tmp_path, options: str) -> None:
    with pytest.raises(DatabaseUnreachable):
        init_db(f"sqlite:///file:{tmp_path / 'store.sqlite'}?{options}")
    assert not modes(tmp_path)


def test_engines_of_others_are_left_alone(tmp_path) -> None:
    """What a program does by SQLAlchemy itself is its own business."""
    engine = create_engine(f"sqlite:///{tmp_path / 'other.sqlite'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (id INTEGER)")
    engine.dispose()
    assert modes(tmp_path) == {"other.sqlite": 0o666 & ~0o022}


def test_threads_that_make_the_same_file_at_once(tmp_path) -> None:
    """One of them makes it, and none harms it."""
    file = tmp_path / "new.sqlite"
    start = Barrier(8)

    def make() -> None:
        start.wait()
        create_private(file)

    threads = [Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert modes(tmp_path) == {"new.sqlite": PRIVATE}


def test_processes_that_make_the_same_store_at_once(tmp_path) -> None:
    """Both come to a whole store, which is private."""
    file = tmp_path / "store.sqlite"
    script = f"import os; os.umask(0); input(); import tradestore; tradestore.init_db('sqlite:///{file}').close()"
    children = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", script], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
    ends = [(child.communicate(timeout=60)[1], child.returncode) for child in children]
    assert ends == [(b"", 0), (b"", 0)]
    assert modes(tmp_path)["store.sqlite"] == PRIVATE
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
