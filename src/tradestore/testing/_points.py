"""The places where a store can fail: each statement and each COMMIT, as an engine passes them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, event

from tradestore import _engine
from tradestore._copy import copy_data

__all__ = ["Watcher", "watch"]

_EXECUTES: Final = ("do_execute", "do_executemany", "do_execute_no_params")


class Watcher(Protocol):
    """Somebody who is told of every statement and COMMIT, and may raise, sleep or count.

    Each method gets the driver's connection.
    """

    def statement(self, connection: Any, text: str) -> None:
        """A statement is about to be executed."""

    def before_commit(self, connection: Any) -> None:
        """A COMMIT is about to be sent."""

    def after_commit(self, connection: Any) -> None:
        """A COMMIT has taken effect, and nobody knows yet."""


@contextmanager
def watch(engine: Engine, watcher: Watcher) -> Iterator[None]:
    """Tell a watcher of all that an engine executes during the block, in every thread."""
    with _lock:
        if engine not in _points:
            _points[engine] = _Points(engine)
        points = _points[engine]
        points.watchers = (*points.watchers, watcher)
    try:
        yield
    finally:
        with _lock:
            points.watchers = tuple(other for other in points.watchers if other is not watcher)


class _Points:
    """What stays with an engine: without a watcher it passes everything on."""

    def __init__(self, engine: Engine) -> None:
        self.watchers: tuple[Watcher, ...] = ()
        self.is_sqlite = engine.dialect.name == "sqlite"
        dialect: Any = engine.dialect
        dialect.do_commit = partial(self._commit, dialect.do_commit)
        for name in _EXECUTES:
            event.listen(engine, name, self._execute)
        if event.contains(engine, "do_execute", copy_data):
            # It ends the round of the listeners where it has something to do.
            event.remove(engine, "do_execute", copy_data)
            event.listen(engine, "do_execute", copy_data)

    def statement(self, connection: Any, text: str) -> None:
        for watcher in self.watchers:
            watcher.statement(connection, text)

    def _execute(self, cursor: Any, statement: str, *_: Any) -> None:
        self.statement(cursor.connection, statement)

    def _commit(self, commit: Callable[[Any], None], connection: Any) -> None:
        driver_connection = connection.driver_connection
        for watcher in self.watchers:
            watcher.before_commit(driver_connection)
        commit(connection)
        for watcher in self.watchers:
            watcher.after_commit(driver_connection)


_lock: Final = threading.Lock()
_points: Final[WeakKeyDictionary[Engine, _Points]] = WeakKeyDictionary()


def _begin_watched(begin: Callable[..., None], connection: Any, *others: Any) -> None:
    """Pass the one statement that goes past SQLAlchemy: it begins every transaction that writes to SQLite."""
    # Whose it is, the driver's connection doesn't say; there is one open store in a process.
    for points in list(_points.values()):
        if points.is_sqlite:
            points.statement(connection, "BEGIN IMMEDIATE")
    begin(connection, *others)


_engine._begin_as_writer = partial(_begin_watched, _engine._begin_as_writer)  # noqa: SLF001 - there is no event for it
