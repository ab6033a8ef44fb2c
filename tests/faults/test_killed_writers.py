"""Writers and servers that are killed at random moments: what was acknowledged is there, and all of it is whole."""

import random
import sqlite3
import time
from contextlib import closing

import pytest

from tests.faults.children import Child, child
from tests.faults.diary import Diary, state_at
from tests.faults.writer import write_for_ever
from tradestore import init_db

THREADS = 2


def _hear(writer: Child, diary: Diary, seconds: float) -> None:
    for told in writer.hear(seconds):
        diary.note(told)


def _hear_steps(writer: Child, diary: Diary, steps: int, seconds: float = 60) -> None:
    """Listen until so many further steps are acknowledged."""
    wanted = diary.steps + steps
    for told in writer.hear(seconds):
        diary.note(told)
        if diary.steps >= wanted:
            return
    raise AssertionError(f"the writer stopped {wanted - diary.steps} steps too early")


def _check_file(path: str) -> None:
    """The next writer writes at once, without waiting for anybody, and the file is sound."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute('UPDATE "KeyValueStore" SET id = id')
        connection.execute("ROLLBACK")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.needs("persistent", "in_process")
@pytest.mark.parametrize("kills", [20, pytest.param(300, marks=pytest.mark.thorough)], ids=["small", "full"])
def test_killed_writer_loses_nothing(backend, store_url, tmp_path, note, kills) -> None:
    """A writer is killed by SIGKILL again and again; each time all acknowledged steps are there, none by half."""
    init_db(store_url).close()
    diary, rng, under_way = Diary(), random.Random(kills), 0
    for run in range(kills):
        with child(write_for_ever, store_url, THREADS, run) as writer:
            _hear_steps(writer, diary, 1)
            _hear(writer, diary, rng.uniform(0, 0.15))
            writer.kill()
            _hear(writer, diary, 0)
        under_way += bool(diary.tried)
        _check_file(str(tmp_path / "store.sqlite"))
        diary.check(state_at(store_url))
    assert diary.errors == {}
    note(
        "faults",
        f"kills: writer killed {kills} times, {under_way} times within a step; "
        f"{diary.steps} acknowledged steps, 0 lost, 0 torn",
    )


@pytest.mark.needs("networked")
@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.thorough)], ids=["small", "full"])
def test_killed_server_loses_nothing(backend, server, store_url, note, kills) -> None:
    """The server is killed again and again under a writer that lives on, finds it back by itself, and lost nothing."""
    init_db(store_url).close()
    diary, rng = Diary(), random.Random(kills)
    slowest = 0.0
    with child(write_for_ever, store_url, THREADS, 0) as writer:
        for _ in range(kills):
            _hear_steps(writer, diary, 10)
            _hear(writer, diary, rng.uniform(0, 0.3))
            server.kill()
            _hear(writer, diary, rng.uniform(0, 0.2))
            server.start()
            answered = time.monotonic()
            _hear_steps(writer, diary, 1)
            slowest = max(slowest, time.monotonic() - answered)
        _hear_steps(writer, diary, 10)
        writer.kill()
        _hear(writer, diary, 0)
    server.disconnect()  # What the writer had open ends before we look.
    diary.check(state_at(store_url))
    errors = ", ".join(f"{number} {name}" for name, number in sorted(diary.errors.items())) or "none"
    note(
        "faults",
        f"kills: server killed {kills} times; {diary.steps} acknowledged steps, 0 lost, 0 torn; errors that the "
        f"writer saw: {errors}, {diary.found} of them stored; it went on within {slowest:.1f} s of the restart",
    )
