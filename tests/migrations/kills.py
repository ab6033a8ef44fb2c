"""Killing a process at a statement of its choice, so that a test can do so at every one.

The work runs in a child, with engines of its own, that is killed by SIGKILL right before or right after its Nth step:
a statement, a COMMIT, or a change of a file's name. On SQLite the driver's own calls are counted, those of a backup's
connections included; on servers the calls of SQLAlchemy.

The parent must have no database open: a child would hang up its connections, and SQLite's locks go by process.
"""

import gc
import os
import select
import signal
import sqlite3
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NamedTuple, NoReturn

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from tradestore._engine import is_read
from tradestore._session import bound_engine

__all__ = ["Point", "finishes", "points_of", "spread", "steps_of"]

Work = Callable[[str], object]
Side = Literal["before", "after"]

TIMEOUT = 60.0
FILE_STEPS: tuple[tuple[Any, str], ...] = (
    (os, "fsync"),
    *((Path, name) for name in ("hardlink_to", "rename", "replace", "unlink")),
)


class Point(NamedTuple):
    """Where to kill.

    Attributes:
        number: Of the step, from 1.
        side: Right before or right after it.
        step: What it does, for messages.
    """

    number: int
    side: Side
    step: str


def finishes(work: Work, url: str, point: Point | None = None) -> bool:
    """Run work in a child that is killed at a point; return whether it came to its end before.

    Args:
        work: Is given the URL; it opens what it needs.
        url: Of a database.
        point: Where to kill; None for nowhere.

    Raises:
        AssertionError: If the work failed, or hangs.
    """
    return _run(work, url, point)[0]


def steps_of(work: Work, url: str) -> list[str]:
    """Run work in a child to its end, and return its steps."""
    finished, steps = _run(work, url, None)
    assert finished
    return steps


def points_of(work: Work, url: str) -> list[Point]:
    """Run work to its end; return every point at which killing it can make a difference.

    These are both sides of each step that changes something, and of questions in a row the first: before each other
    one everything is as before that.
    """
    points, asked = [], False
    for number, step in enumerate(steps_of(work, url), start=1):
        asks = step != "COMMIT" and (is_read(step) or step.startswith(("SHOW ", "DESCRIBE ")))
        if not (asks and asked):
            points.append(Point(number, "before", step))
        if not asks:
            points.append(Point(number, "after", step))
        asked = asks
    return points


def spread(points: Sequence[Point], most: int | None) -> list[Point]:
    """Return so many of the points, the first and the last among them, in equal steps; all of them for None."""
    if most is None or len(points) <= most:
        return list(points)
    return [points[round(number * (len(points) - 1) / (most - 1))] for number in range(most)]


def _run(work: Work, url: str, point: Point | None) -> tuple[bool, list[str]]:
    assert bound_engine() is None, "close the database before"
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The other threads of a test run hold no lock that a database needs.
        child = os.fork()
    if child == 0:
        os.close(reader)
        _work_and_exit(work, url, point, writer)
    os.close(writer)
    told = _read(reader, child)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGKILL:
        return False, []
    assert status == 0, f"the work failed:\n{told}"
    return True, told.split("\0")[:-1]


def _read(reader: int, child: int) -> str:
    """Return what the child has to tell, which ends with its life."""
    deadline = time.monotonic() + TIMEOUT
    parts: list[bytes] = []
    with open(reader, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise AssertionError("the work hangs")
            part = pipe.read(65536)
            if not part:
                return b"".join(parts).decode()
            parts.append(part)


def _work_and_exit(work: Work, url: str, point: Point | None, writer: int) -> NoReturn:
    status = 1
    try:
        # What the parent left behind must not be finalized here.
        gc.freeze()
        gc.disable()
        steps: list[str] = []
        _count(steps, point, in_process=url.startswith("sqlite"))
        work(url)
        told = "".join(f"{step}\0" for step in steps)
        status = 0
    except BaseException:  # noqa: BLE001 - the parent tells it
        told = traceback.format_exc()
    with open(writer, "wb") as pipe:
        pipe.write(told.encode())
    sys.stdout.flush()
    os._exit(status)


def _count(steps: list[str], point: Point | None, *, in_process: bool) -> None:
    """Make every step of this process count, and one of them deadly."""

    def pass_by(side: Side) -> None:
        if point is not None and (point.number, point.side) == (len(steps), side):
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call: Callable[..., Any], name: str | None = None) -> Callable[..., Any]:
        @wraps(call)
        def step(target: Any, *args: Any, **kwargs: Any) -> Any:
            steps.append(name or str(args[0]))
            pass_by("before")
            try:
                return call(target, *args, **kwargs)
            finally:
                pass_by("after")

        return step

    for owner, name in FILE_STEPS:
        setattr(owner, name, counted(getattr(owner, name), f"file: {name}"))
    if in_process:
        _count_in_driver(counted)
        return

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        steps.append(statement)
        pass_by("before")

    event.listen(Engine, "before_cursor_execute", note)
    for end in ("after_cursor_execute", "handle_error"):
        event.listen(Engine, end, lambda *_: pass_by("after"))
    DefaultDialect.do_commit = counted(DefaultDialect.do_commit, "COMMIT")  # type: ignore[method-assign]


def _count_in_driver(counted: Callable[..., Callable[..., Any]]) -> None:
    class Cursor(sqlite3.Cursor):
        execute = counted(sqlite3.Cursor.execute)
        executemany = counted(sqlite3.Cursor.executemany)

    class Connection(sqlite3.Connection):
        commit = counted(sqlite3.Connection.commit, "COMMIT")
        backup = counted(sqlite3.Connection.backup, "file: backup")

        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

    connect = sqlite3.connect

    @wraps(connect)
    def connect_counted(*args: Any, **kwargs: Any) -> Any:
        return connect(*args, **{"factory": Connection} | kwargs)

    sqlite3.connect = sqlite3.dbapi2.connect = connect_counted
