"""A disk without room: one typed error at every door, nothing stored by half, and work again once there is room."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.faults.children import Tell, child
from tests.faults.doors import Doors
from tests.faults.small_disks import SMALL, files_limited, filled, mounted, small_database
from tradestore import Database, Trade, init_db
from tradestore.exceptions import DatabaseFull

CALLS = 300
Full = Callable[[Database], AbstractContextManager[object]]


def _fill(url: str, full: Full) -> dict[str, str]:
    """Go through all doors while the disk is full, and once more afterwards; return the errors by door."""
    database = init_db(url, pool_size=1, max_overflow=0)
    try:
        doors = Doors(database)
        with full(database):
            errors = doors.errors(calls=CALLS)
            doors.read()
            doors.check()
        assert set(doors.errors().values()) == {None}
        doors.check()
        if database.engine.dialect.name == "sqlite":
            assert Trade.session.scalar(text("PRAGMA integrity_check")) == "ok"
        return {name: error.__name__ if error else "stored" for name, error in errors.items()}
    finally:
        Trade.session.remove()
        database.close()


def _check(errors: dict[str, str]) -> None:
    assert errors == dict.fromkeys(errors, DatabaseFull.__name__)


def _file(database: Database) -> Path:
    return Path(database.engine.url.database or "")


@contextmanager
def _limited_pages(database: Database) -> Iterator[None]:
    """Let the file have only a few pages more, as each connection says."""
    most = Trade.session.scalar(text("PRAGMA page_count")) + 20
    Trade.session.remove()

    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {most}")

    event.listen(database.engine, "checkout", limit)
    yield
    most = 1_000_000


def _limited_files(database: Database) -> AbstractContextManager[object]:
    largest = max(file.stat().st_size for file in _file(database).parent.iterdir())
    return files_limited(largest + 200_000)


def _filled(database: Database) -> AbstractContextManager[object]:
    return filled(_file(database).parent)


LIMITS: dict[str, Full] = {"pages": _limited_pages, "file size": _limited_files, "disk": _filled}


def _fill_and_tell(tell: Tell, url: str, limit: str) -> None:
    tell(_fill(url, LIMITS[limit]))


@pytest.mark.needs("persistent", "in_process")
@pytest.mark.parametrize("limit", ["pages", "file size"])
def test_full_file(backend, store_url, note, limit) -> None:
    """A file that may not grow takes nothing by half, says so at every door, and works again when it may grow."""
    with child(_fill_and_tell, store_url, limit) as writer:  # The limit is the process's.
        _check(writer.hear_one())
    note("faults", f"disk full: limit of {limit}: every door raised DatabaseFull, 0 torn, works again")


@pytest.mark.needs("persistent", "in_process")
def test_full_disk(backend, tmp_path, note) -> None:
    """The same on a real file system without room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, 2 << 20):
        _check(_fill(f"sqlite:///{disk / 'store.sqlite'}", _filled))
    note("faults", "disk full: file system of 2 MB: every door raised DatabaseFull, 0 torn, works again")


@pytest.mark.needs("networked")
def test_full_disk_of_server(backend, server, note) -> None:
    """A server whose disk is full stores nothing by half, says so at every door, and works again when there is room."""
    server.start()
    with small_database(server) as place:
        url = server.url(backend.scheme, SMALL)
        _check(_fill(url, lambda _database: filled(place)))
    note("faults", "disk full: the server's file system of 24 MB: every door raised DatabaseFull, 0 torn, works again")
