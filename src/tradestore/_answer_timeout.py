"""Servers that do not answer: whoever waits for one too long loses the connection instead of waiting for ever.

The drivers for PostgreSQL have no such limit, and the network may keep a dead connection for hours. So a thread looks
after those who wait, and hangs up for them. The driver then reports a lost connection, as if the server had hung up.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import Any, Final

from sqlalchemy import Dialect, Engine, PoolProxiedConnection, event

__all__ = ["AnswerTimeout", "however_long", "limit_answers"]

logger = logging.getLogger(__name__)

_CALLS: Final = ("do_execute", "do_execute_no_params", "do_commit", "do_rollback", "do_ping")
"""What a dialect does with a cursor or a connection, and waits for."""

_SHORTEST_LOOK, _LONGEST_LOOK = 0.02, 5.0
_LOOKS: Final = 20


class _Patience(threading.local):
    """How many blocks of the present thread want to wait for ever."""

    blocks = 0


_patience = _Patience()


@contextmanager
def however_long() -> Iterator[None]:
    """Let the present thread wait for its answers within the block: changes of whole tables take their time."""
    _patience.blocks += 1
    try:
        yield
    finally:
        _patience.blocks -= 1


class AnswerTimeout:
    """Hangs up on a server that lets somebody wait too long."""

    def __init__(self, seconds: float) -> None:
        """Wait for nobody yet.

        Args:
            seconds: How long an answer may take.
        """
        self._seconds = seconds
        self._look = min(_LONGEST_LOOK, max(_SHORTEST_LOOK, seconds / _LOOKS))
        self.forget()

    def forget(self) -> None:
        """Begin anew, as in a process that was forked: those who waited are not here, and nobody looks after them."""
        # A thread waits for one answer at a time. Whoever takes its entry out decides about its connection.
        self._waiting: dict[int, tuple[float, Any]] = {}
        # Reentrant, as garbage may be collected anywhere, and then a forgotten session asks for its rollback.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def begin(self, target: Any) -> None:
        """Note that the present thread asks, by a cursor or a connection."""
        if _patience.blocks:
            return
        self._waiting[get_ident()] = time.monotonic() + self._seconds, target
        if self._thread is None:
            self._start()

    def end(self) -> None:
        """Note that the present thread has its answer, or an error."""
        if self._waiting.pop(get_ident(), None) is None:
            # Who hangs up now must be done before the connection goes on to anybody else.
            with self._lock:
                self._waiting.pop(get_ident(), None)

    def limited(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, whose first argument is a cursor or a connection, with the limit."""

        def ask(target: Any, *args: Any, **kwargs: Any) -> Any:
            self.begin(target)
            try:
                return call(target, *args, **kwargs)
            finally:
                self.end()

        return ask

    def limited_each(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, which executes a statement with many sets of parameters, with the limit for each.

        psycopg 3 sends them all at once, so that the limit is for all of their answers.
        """

        def each(cursor: Any, parameters: Iterable[Any]) -> Iterator[Any]:
            for some in parameters:
                # Whoever takes the next ones has the answer to those before.
                self.begin(cursor)
                yield some

        def ask(cursor: Any, statement: str, parameters: Iterable[Any], *context: Any) -> Any:
            return call(cursor, statement, each(cursor, parameters), *context)

        return self.limited(ask)

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._watch, name="tradestore answer timeout", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                # An interpreter that ends starts no threads. What is asked for at its exit has no limit.
                self._thread = None

    def _watch(self) -> None:
        present = self._thread
        while True:
            time.sleep(self._look)
            now = time.monotonic()
            for asker, (deadline, _) in list(self._waiting.items()):
                if deadline < now:
                    self._hang_up(asker, now)
            if self._waiting:
                continue
            self._thread = None
            # Whoever began before the line above has relied on this thread; whoever begins after it starts another.
            with self._lock:
                if not self._waiting or self._thread is not None:
                    return
                self._thread = present

    def _hang_up(self, asker: int, now: float) -> None:
        with self._lock:
            entry = self._waiting.pop(asker, None)
            if entry is None:
                return
            deadline, target = entry
            if deadline >= now:
                # It has got its answer, and asks for the next one already.
                self._waiting.setdefault(asker, entry)
                return
            logger.warning("The server did not answer within %g s: the connection is given up.", self._seconds)
            with suppress(Exception):
                _shut(_driver_connection(target))


def limit_answers(engine: Engine, seconds: float) -> AnswerTimeout:
    """Let whatever an engine asks its server be answered in time, or lose the connection.

    Args:
        engine: Whose pool has opened no connection yet.
        seconds: How long an answer may take.
    """
    timeout = AnswerTimeout(seconds)
    dialect: Dialect = engine.dialect
    for name in _CALLS:
        setattr(dialect, name, timeout.limited(getattr(dialect, name)))
    dialect.do_executemany = timeout.limited_each(dialect.do_executemany)  # type: ignore[method-assign]
    event.listen(engine, "connect", lambda connection, _record: timeout.begin(connection), insert=True)
    return timeout


def _driver_connection(target: Any) -> Any:
    if isinstance(target, PoolProxiedConnection):
        return target.driver_connection
    return getattr(target, "connection", target)


def _shut(connection: Any) -> None:
    own: Any = getattr(connection, "_sock", connection)
    # By a copy of the handle: what the driver, or TLS, keeps beside it is left to the thread that uses it.
    with socket.fromfd(own.fileno(), socket.AF_INET, socket.SOCK_STREAM) as copy:
        copy.shutdown(socket.SHUT_RDWR)
