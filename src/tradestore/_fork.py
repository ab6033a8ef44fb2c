"""Processes that are forked: the child gets connections of its own, and never disturbs those of its parent.

A connection that both processes have is one connection to the server. Whatever the child sent over it, a ROLLBACK or
only a good-bye, would reach the parent's transaction. So the child leaves it alone: it is kept where nothing ends it.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, ref

from sqlalchemy import Engine, StaticPool, event
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.pool import ConnectionPoolEntry

from tradestore.exceptions import DatabaseNotReady

__all__ = ["in_every_child", "leave_to_parent", "survive_forks"]

_PROXY: Final = "tradestore proxy"

_inherited: Final[list[Any]] = []
"""What belongs to the parent of this process."""

_held_files: set[Path] = set()
"""SQLite files that a connection of the parent was writing to."""


def leave_to_parent(thing: object) -> None:
    """Keep something of the parent's for as long as this process lives, so that nothing finalizes it."""
    _inherited.append(thing)


def in_every_child(work: Callable[[], object]) -> None:
    """Call a function in each process that is forked from this one, before it goes on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=work)


class _Engine:
    """What a child has to know of an engine."""

    def __init__(self, resets: Sequence[Callable[[], None]]) -> None:
        self.resets = resets
        self.records: WeakSet[ConnectionPoolEntry] = WeakSet()

    def note_connection(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self.records.add(record)

    @staticmethod
    def note_use(_connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
        record.info[_PROXY] = ref(proxy)


_engines: Final[WeakKeyDictionary[Engine, _Engine]] = WeakKeyDictionary()


def survive_forks(engine: Engine, *resets: Callable[[], None]) -> None:
    """Give an engine fresh connections in each process that is forked from this one.

    Args:
        engine: Whose pool has opened no connection yet.
        *resets: What else begins anew there.
    """
    known = _engines[engine] = _Engine(resets)
    event.listen(engine, "connect", known.note_connection)
    if isinstance(engine.pool, StaticPool):
        return
    event.listen(engine, "checkout", known.note_use)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", lambda *_: _refuse_held_file(engine))


class _ParentsConnectionError(DatabaseNotReady, DontWrapMixin):
    """Says so without a statement around it."""


class _Abandoned:
    """Stands where a connection of the parent was: it can be given up, which does nothing, and nothing else."""

    def rollback(self) -> None:
        """Leave the transaction to the parent."""

    def close(self) -> None:
        """Leave the connection to the parent."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        msg = (
            "This session, or connection, belongs to the process that this one was forked from: use Trade.session, "
            "which has a new one here, and read anew what is needed."
        )
        raise _ParentsConnectionError(msg)


def _renew() -> None:
    for engine, known in list(_engines.items()):
        for reset in known.resets:
            reset()
        if isinstance(engine.pool, StaticPool):
            # The memory is a copy, and belongs to this process. What nobody will commit is given up.
            for record in known.records:
                if record.dbapi_connection is not None:
                    record.dbapi_connection.rollback()
        else:
            leave_to_parent(engine.pool)
            engine.dispose(close=False)
            for record in list(known.records):
                _abandon(engine, record)
            known.records.clear()


def _abandon(engine: Engine, record: Any) -> None:
    connection = record.dbapi_connection
    if connection is None:
        return
    leave_to_parent(connection)
    proxy = record.info.get(_PROXY, lambda: None)()
    abandoned = _Abandoned()
    record.dbapi_connection = abandoned
    if proxy is not None:
        proxy.dbapi_connection = abandoned
    if engine.dialect.name == "sqlite":
        _part_from_file(engine, connection)


def _part_from_file(engine: Engine, connection: Any) -> None:
    """Close a connection to a file, whose locks the parent holds and this process only believes to hold.

    While one is open, SQLite takes no locks for further connections of this process. Closing takes nothing from the
    parent, whose own locks keep the log from being taken into the file. But giving up a transaction that writes would
    change the memory that both share, so the file cannot be used here then.
    """
    if connection.in_transaction:
        _held_files.add(_file_of(engine))
        return
    with suppress(connection.Error):
        connection.close()


def _refuse_held_file(engine: Engine) -> None:
    if _held_files and _file_of(engine) in _held_files:
        msg = (
            "This process was forked in the middle of a transaction that had written to the SQLite file "
            f"{engine.url.database}, so the file cannot be used here: commit or roll back before forking."
        )
        raise DatabaseNotReady(msg)


def _file_of(engine: Engine) -> Path:
    return Path(str(engine.url.database)).resolve()


in_every_child(_renew)
