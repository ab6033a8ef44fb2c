"""Statements that took too long: one line of the log for each, with where it came from and how it was gone about.

Nothing is watched unless somebody asked for it, so that whoever did not pays nothing.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, Final

import sqlalchemy
from sqlalchemy import Connection, Engine, QueuePool, event

from tradestore._counters import counters_of

__all__ = ["watch_slow_statements"]

logger = logging.getLogger("tradestore.slow")

_LONGEST_TEXT: Final = 2000
_EXPLAINABLE: Final = re.compile(r"\s*(?:SELECT|WITH|UPDATE|DELETE)\b", re.IGNORECASE)
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_LIBRARIES: Final = tuple(str(Path(module).parent) for module in (sqlalchemy.__file__, __file__))
"""Where code lies that nobody wants to be told of."""

_NO_PLAN: Final = "none"
_LOCK_MILLISECONDS: Final = 200


class _Present(threading.local):
    """What the present thread is doing."""

    since = 0.0
    is_explaining = False


def watch_slow_statements(engine: Engine, seconds: float) -> None:
    """Log each statement that takes longer than it may until its first row is there, its wait for locks included.

    The text is logged as the driver got it; its parameters are not, as they may be private, and texts in it neither.

    Args:
        engine: Whose statements nobody listens to yet, so that all waiting is seen.
        seconds: How long a statement may take.
    """
    present, explaining = _Present(), threading.Lock()

    def begin(*_: Any) -> None:
        present.since = time.monotonic()

    def end(connection: Connection, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        taken = time.monotonic() - present.since
        if taken < seconds or present.is_explaining:
            return
        present.is_explaining = True
        try:
            some = parameters[0] if many and parameters else parameters
            plan = _plan(connection, statement, some, explaining)
            _tell(taken, statement, cursor.rowcount, plan)
        finally:
            present.is_explaining = False
        counters_of(engine).note_slow_statement()

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", end)


def _tell(taken: float, statement: str, rows: int, plan: str) -> None:
    text = " ".join(_LITERAL.sub("'…'", statement).split())
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}…"
    told = rows if rows >= 0 else "?"
    logger.warning("%.3f s, rows: %s, at %s: %s | plan: %s", taken, told, _caller(), text, plan)


def _caller() -> str:
    """Return the file, the line and the function that asked, outside of this library and of SQLAlchemy."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - a traceback would read the source of every step
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    return "?" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def _plan(connection: Connection, statement: str, parameters: Any, explaining: threading.Lock) -> str:
    """Return how the engine goes about a statement; nothing is executed, and no failure leaves here."""
    if not _EXPLAINABLE.match(statement):
        return _NO_PLAN
    # Whoever has a connection and waits for another one might wait for somebody who does the same.
    if not explaining.acquire(blocking=False):
        return _NO_PLAN
    try:
        steps = _READERS[connection.dialect.name](connection, statement, parameters)
    except Exception as e:  # noqa: BLE001 - the statement itself was done, and is not to fail for this
        return f"{_NO_PLAN} ({type(e).__name__})"
    finally:
        explaining.release()
    return "; ".join(steps) or _NO_PLAN


def _sqlite(connection: Connection, statement: str, parameters: Any) -> list[str]:
    # Past SQLAlchemy: a second connection to memory there is none, and this one's transaction must stay as it is.
    driver_connection: Any = connection.connection.driver_connection
    with closing(driver_connection.cursor()) as cursor:
        return [str(row[3]) for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters or ())]


def _on_another_connection(ask: Callable[[Connection, str, Any], list[str]]) -> Callable[..., list[str]]:
    """Ask where a failure ends nobody's transaction, and where no wait for a lock is long."""

    def explain(connection: Connection, statement: str, parameters: Any) -> list[str]:
        pool = connection.engine.pool
        if isinstance(pool, QueuePool) and pool.checkedout() >= pool.size() + pool._max_overflow:  # noqa: SLF001 - no public name
            return []
        with connection.engine.connect() as other:
            # Its settings end with it.
            other.detach()
            return ask(other, statement, parameters)

    return explain


@_on_another_connection
def _postgresql(connection: Connection, statement: str, parameters: Any) -> list[str]:
    for name in ("lock_timeout", "statement_timeout"):
        connection.exec_driver_sql(f"SET {name} = {_LOCK_MILLISECONDS}")
    # As text, its conditions would show the parameters.
    (answer,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    return [*_postgresql_steps(answer["Plan"])]


def _postgresql_steps(node: dict[str, Any]) -> Iterator[str]:
    words = [node["Node Type"]]
    if "Relation Name" in node:
        words.append(f"on {node['Relation Name']}")
    if "Index Name" in node:
        words.append(f"by {node['Index Name']}")
    yield f"{' '.join(words)} ({node['Plan Rows']} rows)"
    for child in node.get("Plans", ()):
        yield from _postgresql_steps(child)


@_on_another_connection
def _mariadb(connection: Connection, statement: str, parameters: Any) -> list[str]:
    connection.exec_driver_sql("SET lock_wait_timeout = 1")
    answer: Sequence[Any] = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings().all()
    return [
        f"{row['type']} on {row['table']} by {row['key'] or 'no index'} ({row['rows']} rows)"
        for row in answer
        if row["table"]
    ]


_READERS: Final[dict[str, Callable[[Connection, str, Any], list[str]]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mariadb,
    "mariadb": _mariadb,
}
