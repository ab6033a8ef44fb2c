"""What an import takes, in a process of its own, against one that imports the least."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.measuring import Case, Contest

__all__ = ["CASES"]


@contextmanager
def _contest(statement: str, least: str, _size: int) -> Iterator[Contest]:
    yield Contest(ours=lambda _: _run(statement), floor=lambda _: _run(least))


def _clock() -> float:
    """Return how long the processes that ended have kept a processor busy, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(statement: str) -> int:
    return subprocess.run([sys.executable, "-c", statement], check=True).returncode


CASES = tuple(
    Case(
        name=f"imports: {statement!r} against {least!r}",
        prepare=partial(_contest, statement, least),
        clock=_clock,
        turns=(5, 20),
        seconds=3.0,
    )
    for statement, least in (
        ("import tradestore", "pass"),
        ("from tradestore import LocalTrade", "pass"),
        ("import tradestore.models", "pass"),
        ("import tradestore.models", "import sqlalchemy.orm"),
    )
)
