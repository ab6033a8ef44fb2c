"""Programs beside the test: each starts fresh, tells what it did over a pipe, and may be killed at any moment.

They come from a process that has nothing but the imports, so that starting one takes milliseconds, and nothing of the
test's own connections and locks comes along.
"""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Child", "Tell", "all_told", "child", "guarded"]

Tell = Callable[[Any], None]

PATIENCE = 1_800.0
_GROUND = multiprocessing.get_context("forkserver")
_GROUND.set_forkserver_preload(["tests.faults.ground"])
_FAILED = "the whole work failed"


class Child:
    """A program that runs one function, which is given a way to tell things and then its arguments."""

    def __init__(self, work: Callable[..., object], *args: object) -> None:
        """Start it."""
        self._ear, mouth = _GROUND.Pipe(duplex=False)
        self._process = _GROUND.Process(target=_work, args=(work, mouth, args), daemon=True)
        self._process.start()
        mouth.close()

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process.pid is not None
        return self._process.pid

    def hear(self, seconds: float = PATIENCE) -> Iterator[Any]:
        """Yield what it tells until it ends, or for a time.

        Raises:
            AssertionError: If its work failed.
        """
        deadline = time.monotonic() + seconds
        while self._ear.poll(max(0.0, deadline - time.monotonic())):
            try:
                told = self._ear.recv()
            except EOFError:
                return
            if isinstance(told, tuple) and told[:1] == (_FAILED,):
                raise AssertionError(f"the work failed:\n{told[1]}")
            yield told

    def hear_one(self) -> Any:
        """Return the next thing that it tells."""
        for told in self.hear():
            return told
        raise AssertionError("it ended without a word, or hangs")

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.join()

    def end(self) -> None:
        """Wait for its end; one that hangs is killed."""
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self.kill()
            raise AssertionError("it hangs")

    def close(self) -> None:
        """Leave nothing of it."""
        self.kill()
        self._process.close()
        self._ear.close()


@contextmanager
def child(work: Callable[..., object], *args: object) -> Iterator[Child]:
    """Let a child run during the block."""
    started = Child(work, *args)
    try:
        yield started
    finally:
        started.close()


def all_told(children: list[Child]) -> list[Any]:
    """Return the one thing that each of the children tells, when all have ended."""
    try:
        told = [one.hear_one() for one in children]
        for one in children:
            one.end()
        return told
    finally:
        for one in children:
            one.close()


def guarded(tell: Tell, work: Callable[[], object]) -> None:
    """Do a work, in a thread of a child perhaps; let the test know how it failed."""
    try:
        work()
    except BaseException:  # noqa: BLE001 - the test tells it
        tell((_FAILED, traceback.format_exc()))


def _work(work: Callable[..., object], mouth: Connection, args: tuple[object, ...]) -> None:
    guarded(mouth.send, lambda: work(mouth.send, *args))
    mouth.close()
