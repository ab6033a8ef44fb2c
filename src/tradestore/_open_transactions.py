"""Which transactions of an engine are open, since when, and whether they have written, and so hold locks."""

import re
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event

__all__ = ["OpenTransaction", "note_transactions", "open_transactions"]

_NO_CHANGE: Final = re.compile(r"\s*(?:SAVEPOINT|RELEASE|SET|SHOW)\b", re.IGNORECASE)


class OpenTransaction:
    """One that has not ended.

    Attributes:
        since: When it began, in seconds of the clock that is never set.
        has_written: Whether a statement has changed something in it.
    """

    __slots__ = ("has_written", "since")

    def __init__(self) -> None:
        """Begin now."""
        self.since = time.monotonic()
        self.has_written = False


_Open = WeakKeyDictionary[Connection, OpenTransaction]
_open: Final[WeakKeyDictionary[Engine, _Open]] = WeakKeyDictionary()


def note_transactions(engine: Engine, is_read: Callable[[str], bool]) -> Callable[[], None]:
    """Keep book of the transactions of an engine.

    Args:
        engine: Which has none yet.
        is_read: Tells of a statement whether it changes nothing.

    Returns:
        What forgets them all, for a process that was forked.
    """
    present: _Open = WeakKeyDictionary()
    _open[engine] = present

    def note_begin(connection: Connection) -> None:
        present[connection] = OpenTransaction()

    def note_end(connection: Connection) -> None:
        present.pop(connection, None)

    def note_statement(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        transaction = present.get(connection)
        if transaction is not None and not transaction.has_written:
            transaction.has_written = not (is_read(statement) or _NO_CHANGE.match(statement))

    event.listen(engine, "begin", note_begin)
    event.listen(engine, "commit", note_end)
    event.listen(engine, "rollback", note_end)
    event.listen(engine, "before_cursor_execute", note_statement)
    return present.clear


def open_transactions(engine: Engine) -> list[OpenTransaction]:
    """Return the transactions of an engine that have not ended."""
    present = _open.get(engine, _Open())
    # The list of references is made in one step, which other threads cannot come into.
    found = (present.get(connection) for reference in present.keyrefs() if (connection := reference()) is not None)
    return [transaction for transaction in found if transaction is not None]
