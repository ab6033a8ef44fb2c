"""A transfer that is cut short, at whatever moment: the next call ends what it began."""

import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.operations.furniture import FILLS, LINES, TABLES, furnish, rows_of, tell
from tradestore import ModelBase, init_db
from tradestore.exceptions import DatabaseBusy, TransferError
from tradestore.operations import TransferProgress, _endpoints, transfer

MODELS = [ModelBase.metadata.tables[name] for name in TABLES]
ALL = [*MODELS, FILLS, LINES]
CHECKOUT = Path(__file__).parents[2]
NewUrl = Callable[[], str]


class _CutShortError(Exception):
    pass


def _cut_short(source: str, target: str, *, after: int) -> None:
    """Transfer a number of rows, some more at most."""

    def stop(step: TransferProgress) -> None:
        if step.rows >= after:
            raise _CutShortError

    with pytest.raises(_CutShortError):
        transfer(source, target, batch_size=3, progress=stop)


def _killed(source: str, target: str, way: str = "copy") -> int:
    """Transfer with a kill at every step, and return how many kills that took."""
    command = [sys.executable, "-W", "error", "-m", "tests.operations.killing", source, target, way]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.needs("persistent")
def test_killed_again_and_again(source_url: str, store_url: str, note_kills) -> None:
    """SIGKILL before every statement and every commit in turn: nothing is lost, nothing comes twice."""
    kills = _killed(source_url, store_url)
    assert kills >= 15
    note_kills("transfer into it", kills)
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)
    assert transfer(source_url, store_url).copied == 0
    init_db(store_url).close()


def test_merge_that_is_killed_again_and_again(source_url: str, new_file: NewUrl) -> None:
    """A merge needs no notes: what it has added is there."""
    target = new_file()
    init_db(target).close()
    lock = "INSERT INTO pairlocks VALUES (400, 'A/B', '*', NULL, '2026-01-01', '2026-01-02', 1)"
    tell(target, lock)
    assert _killed(source_url, target, "merge") > 8
    tell(source_url, lock)
    assert transfer(source_url, target).copied == 0


@pytest.mark.needs("persistent")
def test_goes_on_where_it_stopped(source_url: str, store_url: str) -> None:
    """What is there is not written again, and is told as done."""
    _cut_short(source_url, store_url, after=12)
    told: list[TransferProgress] = []
    report = transfer(source_url, store_url, progress=told.append, batch_size=5)
    assert 0 < report.copied <= report.rows - 12
    assert told[-1].rows == report.rows
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)


@pytest.mark.needs("persistent")
def test_half_a_copy_is_no_store(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """A bot doesn't go to work on it, and neither a copy of it nor a merge is made."""
    _cut_short(source_url, store_url, after=12)
    with pytest.raises(TransferError, match=r"only a part of what a transfer was copying.*run the same transfer again"):
        init_db(store_url)
    with pytest.raises(TransferError, match=r"unfinished copy itself"):
        transfer(store_url, new_file())
    with pytest.raises(TransferError, match=r"was cut short.*again to its end, then merge"):
        transfer(source_url, store_url, merge=True)
    transfer(source_url, store_url)
    init_db(store_url).close()


@pytest.mark.needs("persistent")
def test_source_that_has_changed_meanwhile(source_url: str, store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A bot has gone on: the copy begins anew, and is one of what there is now."""
    _cut_short(source_url, store_url, after=12)
    tell(source_url, "UPDATE trades SET stop_loss = 4.25", "DELETE FROM orders WHERE ft_trade_id = 9")
    report = transfer(source_url, store_url)
    assert "begins anew" in caplog.text
    assert report.copied == report.rows
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)


@pytest.mark.needs("persistent")
def test_source_that_has_grown_meanwhile(source_url: str, store_url: str) -> None:
    """What was copied is still the same, so that it goes on with the rest, new tables included."""
    _cut_short(source_url, store_url, after=12)
    tell(source_url, "CREATE TABLE news (id INTEGER PRIMARY KEY)", "INSERT INTO news VALUES (5)")
    report = transfer(source_url, store_url)
    assert report.copied < report.rows
    assert report.table("news").copied == 1


@pytest.mark.needs("persistent")
def test_target_that_somebody_else_has_changed(source_url: str, store_url: str) -> None:
    """Rows that are not the copy's own are never deleted, and never taken for it."""
    _cut_short(source_url, store_url, after=12)
    tell(store_url, "UPDATE trades SET stop_loss = 4.25 WHERE id = 3")
    with pytest.raises(TransferError, match=r"not that of the source: trades \(8 rows at the source, 8 at the target"):
        transfer(source_url, store_url)
    tell(source_url, "UPDATE trades SET stop_loss = 5.25 WHERE id = 6")
    before = rows_of(store_url, MODELS)
    with pytest.raises(TransferError, match=r"has a part of what a transfer.*not what.*Nothing was changed"):
        transfer(source_url, store_url)
    assert rows_of(store_url, MODELS) == before


@pytest.mark.needs("persistent")
def test_half_a_copy_of_another_source(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """It is not replaced by a copy of this one."""
    _cut_short(source_url, store_url, after=12)
    other = new_file()
    furnish(other, trades=2)
    with pytest.raises(TransferError, match=r"a part of what a transfer from .*source\.sqlite copied"):
        transfer(other, store_url)
    transfer(source_url, store_url)
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)


@pytest.mark.needs("persistent")
def test_second_one_within_the_first(source_url: str, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One comes to its end, the other is told that it is not alone."""
    monkeypatch.setattr(_endpoints, "PATIENCE", 0.1)
    found: list[str] = []

    def begin_another(_step: TransferProgress) -> None:
        if not found:
            found.append("begun")
            found.append(_try((source_url, store_url)))

    try:
        transfer(source_url, store_url, batch_size=3, progress=begin_another)
    except DatabaseBusy as busy:
        found.append(str(busy)[:16])
    else:
        found.append("done")
    assert sorted(found[1:]) in (["busy", "done"], ["Another transfer", "done"])
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)
    assert transfer(source_url, store_url).copied == 0


@pytest.mark.needs("persistent")
def test_processes_that_transfer_at_once(source_url: str, store_url: str) -> None:
    """Of several into one target at least one comes to its end, and the others make no mess of it."""
    with get_context("spawn").Pool(2) as pool:
        found = pool.map(_try, [(source_url, store_url)] * 4, chunksize=1)
    assert "done" in found
    assert set(found) <= {"done", "busy"}
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)
    init_db(store_url).close()


def _try(urls: tuple[str, str]) -> str:
    try:
        transfer(*urls, batch_size=3)
    except DatabaseBusy:
        return "busy"
    return "done"
