"""What a unit of work that is repeated has read already: an iterator comes to its second attempt used up."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tradestore.exceptions import DependencyException

__all__ = ["Attempts", "reading"]

_T = TypeVar("_T")


class Attempts:
    """The attempts at one unit of work."""

    def __init__(self) -> None:
        """Begin before the first one."""
        self._used: list[Iterator[Any]] = []
        self._present: list[Iterator[Any]] = []

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Make the next attempt within the block."""
        self._used += self._present
        self._present = []
        token = _running.set((*_running.get(), self))
        try:
            yield
        finally:
            _running.reset(token)

    def note(self, records: Iterator[Any]) -> None:
        """Remember an iterator that is about to be read.

        Raises:
            DependencyException: If an earlier attempt has read from it.
        """
        # As long as they are kept here, no other object can be taken for them.
        if any(used is records for used in self._used):
            msg = (
                f"An earlier attempt of Database.run() has read from this {type(records).__name__} already, so that it "
                "would give the rest or nothing. Nothing was stored: make it within the function that is run."
            )
            raise DependencyException(msg)
        self._present.append(records)


_running: ContextVar[tuple[Attempts, ...]] = ContextVar("tradestore attempts", default=())


def reading(records: Iterable[_T]) -> Iterator[_T]:
    """Begin to read records; an iterator, which can be read only once, is remembered by the attempts under way.

    Raises:
        DependencyException: If it is an iterator that an earlier attempt has read from.
    """
    iterator = iter(records)
    if iterator is records:
        for attempts in _running.get():
            attempts.note(iterator)
    return iterator
