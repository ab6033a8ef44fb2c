"""Archiving and putting back that is killed at every step: run as a program, so that a kill meets nobody else.

Each child is killed one step later than the one before, and goes on with what that one has left, or begins anew. After
each kill it is looked whether every trade is somewhere, and whether the reports are what they were.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from sqlalchemy import Engine, event

from tests.operations.old_trades import BEFORE, fill, reports, rows_of_trades
from tradestore.operations import archive as archiving
from tradestore.testing import opened_store

_WRITES = {"INSERT", "COPY", "UPDATE", "DELETE", "CREATE", "COMMIT"}
_ALL = list(range(1, 14))


def _die_at(step: int) -> None:
    """Let this process be killed before its so many-th statement that writes, or its commit, on either side."""
    left = [step]

    def pass_by(*details: object) -> None:
        statement = details[2] if len(details) > 2 else "COMMIT"
        if str(statement).split(maxsplit=1)[0].upper() in _WRITES:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", pass_by)
    event.listen(Engine, "commit", pass_by)


def _in_child(work: Callable[[], None], step: int) -> bool:
    """Do it in a process that is killed at a step; return whether it was."""
    child = os.fork()
    if child == 0:
        _die_at(step)
        work()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        assert os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def _check(url: str, file: Path, expected: object) -> None:
    with opened_store(url):
        found = rows_of_trades()
        assert reports() == expected
    if file.exists() and file.stat().st_size:
        with opened_store(f"sqlite:///{file}"):
            found += rows_of_trades()
    assert sorted(set(found)) == _ALL, found


def main(url: str, file: Path, *, begins_anew: bool) -> None:
    """Kill until both ways have come to their ends at every step; print how many were killed."""
    archiving._PORTION = 4  # type: ignore[misc]
    with opened_store(url):
        fill()
        expected = reports()
    kills = 0
    ways: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: archiving.archive(url, BEFORE, file), lambda: archiving.unarchive(url, file)),
        (lambda: archiving.unarchive(url, file), lambda: archiving.archive(url, BEFORE, file)),
    ]
    for way, back in ways:
        # Each third step is enough where the next child goes on elsewhere anyway.
        for step in count(1, 1 if begins_anew else 3):
            was_killed = _in_child(lambda way=way: way(), step)  # type: ignore[misc]
            _check(url, file, expected)
            if not was_killed:
                break
            kills += 1
            if begins_anew:
                # The next call ends what this one began; then all is as it was before.
                way()
                _check(url, file, expected)
                back()
    with opened_store(url):
        assert rows_of_trades() == _ALL
    print(kills)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), begins_anew=sys.argv[3] == "anew")
