"""Whose session it is: one per web request where one is set, else per thread, and none beyond the life of either."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import Final
from weakref import WeakSet, WeakValueDictionary

from sqlalchemy import Engine
from sqlalchemy.orm import Session
from sqlalchemy.util import ScopedRegistry

from tradestore._fork import in_every_child, leave_to_parent

__all__ = ["REQUEST_ID_CTX_KEY", "RequestId", "SessionRegistry", "get_request_or_thread_id", "request_id_context"]

REQUEST_ID_CTX_KEY: Final = "request_id"

_TURNS: Final = 4
"""Requests that one context answers in turns."""


class _Scope:
    """A thread or a request. Its session ends with it."""

    def __init__(self) -> None:
        self.session: Session | None = None
        self._process = os.getpid()

    def leave_to_parent(self) -> None:
        """Begin anew in a child process, and leave the session to the parent."""
        leave_to_parent(self.session)
        self.session = None
        self._process = os.getpid()

    def __del__(self) -> None:
        # At interpreter shutdown the pool may be gone before the last scope is.
        with suppress(Exception):
            if self._process != os.getpid():
                # The threads of the parent end in its child before anything else is told of the fork.
                leave_to_parent(self.session)
            elif self.session is not None:
                self.session.close()


class RequestId:
    """The id of the web request that is being answered, to be used like a ``ContextVar``.

    It keeps the request's session: the context in which the id is set, and all that are copied from it, for tasks or
    for threads, share the session, and so does whoever sets the same id meanwhile. It ends with the last of these
    contexts, or when the id is reset in them. A context that is given one id after another, without a reset, keeps the
    last few.
    """

    # Whoever asks is told that it is the documented ContextVar: a real one could not keep the session.
    __class__ = property(lambda _: ContextVar)

    def __init__(self) -> None:
        """Begin without a request."""
        self.name = REQUEST_ID_CTX_KEY
        self._scopes: WeakValueDictionary[str, _Scope] = WeakValueDictionary()
        self._lock = threading.RLock()
        self._present: ContextVar[tuple[tuple[str | None, _Scope | None], ...]] = ContextVar(
            REQUEST_ID_CTX_KEY, default=()
        )
        in_every_child(self._begin_anew)

    def get(self, default: str | None = None) -> str | None:
        """Return the id, else the default."""
        present = self._present.get()
        return present[0][0] if present else default

    def set(self, value: str | None) -> Token[tuple[tuple[str | None, _Scope | None], ...]]:
        """Begin to answer a request, or to answer none; return what :meth:`reset` takes."""
        scope = self._scope(value) if value else None
        others = tuple(entry for entry in self._present.get() if entry[0] != value)
        return self._present.set(((value, scope), *others[: _TURNS - 1]))

    def reset(self, token: Token[tuple[tuple[str | None, _Scope | None], ...]]) -> None:
        """Go back to what was before the :meth:`set` that returned the token."""
        self._present.reset(token)

    @property
    def scope(self) -> _Scope | None:
        """The scope of the request, None without one."""
        present = self._present.get()
        return present[0][1] if present else None

    def _scope(self, request_id: str) -> _Scope:
        with self._lock:
            scope = self._scopes.get(request_id)
            if scope is None:
                scope = self._scopes[request_id] = _Scope()
            return scope

    def _begin_anew(self) -> None:
        self._lock = threading.RLock()


request_id_context: Final = RequestId()


def get_request_or_thread_id() -> str | None:
    """Return the id of the web request that is being answered, else of the thread."""
    return request_id_context.get() or str(threading.get_ident())


class SessionRegistry(ScopedRegistry[Session]):
    """One session per scope. After the engine was changed, every scope gets a new session at its next use."""

    def __init__(self, createfunc: Callable[[], Session]) -> None:
        """Begin without an engine.

        Args:
            createfunc: Makes a session on the engine that there is at the time.
        """
        super().__init__(createfunc, get_request_or_thread_id)
        self._threads = threading.local()
        self._used: WeakSet[_Scope] = WeakSet()
        self._lock = threading.RLock()
        self.engine: Engine | None = None
        in_every_child(self._begin_anew)

    def rebind(self, engine: Engine | None) -> None:
        """Leave behind every session that is bound to another engine."""
        self.clear()
        self.engine = engine

    def sessions_of(self, engine: Engine) -> int:
        """Return how many scopes have a session on an engine."""
        with self._lock:
            sessions = [scope.session for scope in self._used]
        return sum(session is not None and session.bind is engine for session in sessions)

    def __call__(self) -> Session:
        """Return the present scope's session; make one where it has none."""
        session = self._scope().session
        if session is None or session.bind is not self.engine:
            session = self._renewed()
        return session

    def has(self) -> bool:
        """Tell whether the present scope has a session."""
        return self._scope().session is not None

    def set(self, obj: Session) -> None:
        """Give the present scope a session."""
        scope = self._scope()
        scope.session = obj
        with self._lock:
            self._used.add(scope)

    def clear(self) -> None:
        """Take its session from the present scope; whoever calls this has closed it, or will."""
        self._scope().session = None

    def _scope(self) -> _Scope:
        scope = request_id_context.scope
        if scope is None:
            scope = getattr(self._threads, "scope", None)
            if scope is None:
                scope = self._threads.scope = _Scope()
        return scope

    def _renewed(self) -> Session:
        # The threads of one request must not get two: what is added to the one, the other would not commit.
        with self._lock:
            previous = self._scope().session
            if previous is not None and previous.bind is self.engine:
                return previous
            session = self.createfunc()
            self.set(session)
        if previous is not None:
            previous.close()
        return session

    def _begin_anew(self) -> None:
        for scope in list(self._used):
            scope.leave_to_parent()
        self._used, self._lock = WeakSet(), threading.RLock()
