"""Optimizing: statistics are there, room is given back when that is worth it, and a bot that runs is left in peace."""

import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.builders import closed_trade, store
from tests.operations.old_trades import fill, reports
from tradestore import KeyValueStore, ModelBase, Trade, init_db
from tradestore.exceptions import DatabaseFull
from tradestore.operations.optimize import OptimizeReport, optimize
from tradestore.testing import opened_store

pytestmark = pytest.mark.needs("first_driver")
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as the module has it


def _done(report: OptimizeReport) -> dict[str, bool]:
    return {step.what: step.done for step in report.steps}


@pytest.fixture
def holey(tmp_path: Path) -> str:
    """Return the URL of a file, most of which was deleted again."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with opened_store(url):
        fill()
        for number in range(150):
            KeyValueStore.store_value("filling", number)
        Trade.session.execute(text("CREATE TABLE filling (content BLOB)"))
        Trade.session.execute(text("INSERT INTO filling VALUES (zeroblob(3000000))"))
        Trade.session.execute(text("DELETE FROM filling"))
        Trade.commit()
    return url


def _size(url: str) -> int:
    return Path(url.removeprefix("sqlite:///")).stat().st_size


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("options", [{}, {"vacuum": True, "reindex": True}, {"vacuum": False}])
def test_content_stays(database, options) -> None:
    """All steps are done for every table of ours, and no report notices."""
    fill()
    before = reports()
    steps: list[tuple[int, int | None]] = []
    report = optimize(database, progress=lambda *step: steps.append(step), **options)
    assert steps == [(number + 1, len(report.steps)) for number in range(len(report.steps))]
    analyzed = [step.what.split()[-1] for step in report.steps if "ANALYZE" in step.what]
    assert sorted(analyzed) == sorted(ModelBase.metadata.tables)
    assert all(step.done for step in report.steps if "ANALYZE" in step.what or options.get("vacuum"))
    assert reports() == before
    assert report.bytes_before > 0
    assert report.bytes_after > 0


@pytest.mark.needs("persistent")
def test_planner_knows_the_tables_afterwards(database, backend) -> None:
    """The engine's own statistics have the rows of the trades."""
    for _ in range(30):
        store(closed_trade(profit=1.0, ratio=0.01))
    Trade.session.remove()
    optimize(database)
    questions = {
        "sqlite": "SELECT max(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = 'trades'",
        "postgresql": "SELECT CAST(reltuples AS INTEGER) FROM pg_class WHERE oid = 'trades'::regclass",
        "mysql": "SELECT table_rows FROM information_schema.tables WHERE table_schema = database() "
        "AND table_name = 'trades'",
    }
    with database.engine.connect() as connection:
        assert connection.scalar(text(questions[connection.dialect.name])) == 30


def test_room_is_given_back(holey: str) -> None:
    """A file that nobody else uses, and that is mostly empty, becomes small."""
    before = _size(holey)
    report = optimize(holey)
    assert _done(report)["VACUUM"]
    assert report.bytes_before >= before
    assert report.bytes_after == _size(holey) < before - 2_900_000


def test_file_that_is_used_is_left(holey: str) -> None:
    """A bot would have to wait, so room is given back only if that is asked for."""
    database = init_db(holey)
    try:
        with closing(sqlite3.connect(holey.removeprefix("sqlite:///"))) as other:
            other.execute("SELECT count(*) FROM trades").fetchall()
            report = optimize(holey)
            (left,) = [step for step in report.steps if step.what == "VACUUM"]
            assert (left.done, "others have the file open" in left.reason) == (False, True)
            assert _done(optimize(holey, vacuum=True))["VACUUM"]
    finally:
        database.close()
    assert _size(holey) < 1_000_000


@pytest.mark.parametrize("vacuum", [None, True])
def test_memory_stays(vacuum) -> None:
    """Memory goes with its one connection, which so is not closed to see whether others have the file open."""
    with opened_store("sqlite://") as database:
        fill()
        Trade.session.execute(text("CREATE TABLE filling (content BLOB)"))
        Trade.session.execute(text("INSERT INTO filling VALUES (zeroblob(3000000))"))
        Trade.session.execute(text("DELETE FROM filling"))
        Trade.commit()
        before = reports()
        report = optimize(database, vacuum=vacuum)
        assert _done(report)["VACUUM"]
        assert report.bytes_after < report.bytes_before - 2_900_000
        assert reports() == before


def test_full_file_is_left(tmp_path: Path) -> None:
    """Where little is empty, nothing is written anew."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    init_db(url).close()
    report = optimize(url)
    assert not _done(report)["VACUUM"]
    assert "VACUUM" not in _done(optimize(url, vacuum=False))


def test_disk_without_room(holey: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is begun; whoever asked for it gets an error."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 1000))
    before = _size(holey)
    (left,) = [step for step in optimize(holey).steps if step.what == "VACUUM"]
    assert "the disk has 1000 bytes left" in left.reason
    with pytest.raises(DatabaseFull, match="make room"):
        optimize(holey, vacuum=True)
    assert _size(holey) >= before


def test_memory_can_be_optimized() -> None:
    """There is no file then."""
    with opened_store("sqlite://") as database:
        fill()
        before = reports()
        assert _done(optimize(database, vacuum=True))["VACUUM"]
        assert reports() == before
