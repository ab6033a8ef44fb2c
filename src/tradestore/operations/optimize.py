"""What keeps a database quick and small: statistics for its planner, room that was freed given back, indexes anew."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, StaticPool, inspect, text

from tradestore._answer_timeout import however_long
from tradestore._engine import masked
from tradestore.base import ModelBase
from tradestore.exceptions import DatabaseFull
from tradestore.operations.opening import Place, file_of_url, open_to_change

__all__ = ["OptimizeReport", "OptimizeStep", "optimize"]

Progress = Callable[[int, int | None], None]
"""Called with how many steps are done, and with how many there are."""

_WORTHWHILE: Final = 0.2
"""The share of a file, or of a table, that has to be empty."""
_LEAST: Final = 1_000_000
"""Bytes that have to be empty."""
_ROOM: Final = 2
"""How many times its own size a file needs beside itself to be written anew."""
_SAMPLE: Final = 1000
"""Rows of each index that SQLite looks at, so that no writer waits for long."""


@dataclass(frozen=True, slots=True)
class OptimizeStep:
    """One thing that was done, or left.

    Attributes:
        what: The engine's word for it, with the table.
        done: Whether it was done.
        reason: Why not, or what came of it; empty where there is nothing to say.
    """

    what: str
    done: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeReport:
    """What was done.

    Attributes:
        database: Its URL, without the password.
        steps: In order.
        bytes_before: How large the database was; on a server the tables of the library.
        bytes_after: How large it is now.
    """

    database: str
    steps: tuple[OptimizeStep, ...]
    bytes_before: int
    bytes_after: int


_Step = tuple[str, Callable[[], str | None]]
"""What is done, and the function that does it; it returns why it did not."""


def optimize(
    place: Place, *, vacuum: bool | None = None, reindex: bool = False, progress: Progress | None = None
) -> OptimizeReport:
    """Let the planner know what is in the tables, and give back room where that is worth it.

    Only the library's tables are touched, and those of models on ``ModelBase``. A bot may work meanwhile. On SQLite
    ``VACUUM`` keeps writers waiting until the whole file is written anew; so it is left out while others have the file
    open, unless it is asked for.

    Args:
        place: A database URL, or the database that is open, outside of any transaction.
        vacuum: Whether room is given back; if None, where a fifth is empty, and nobody else has the file open.
        reindex: Whether indexes are made anew.
        progress: Called after each step.

    Raises:
        DatabaseFull: If SQLite is to give back room, and the disk has none to do it.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others kept it locked.
    """
    with open_to_change(place) as store, however_long():
        kind = _KINDS[store.engine.dialect.name](store.engine, vacuum, reindex)
        before, plan, done = kind.size(), kind.steps(), []
        for what, do in plan:
            reason = do()
            done.append(OptimizeStep(what, done=reason is None, reason=reason or ""))
            if progress is not None:
                progress(len(done), len(plan))
        return OptimizeReport(
            database=masked(store.engine.url), steps=tuple(done), bytes_before=before, bytes_after=kind.size()
        )


class _Database:
    """What all kinds have in common."""

    def __init__(self, engine: Engine, vacuum: bool | None, reindex: bool) -> None:
        self.engine, self.vacuum, self.reindex = engine, vacuum, reindex
        present = set(inspect(engine).get_table_names())
        self.tables = sorted(present & ModelBase.metadata.tables.keys())

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """Return a connection whose statements are no part of a transaction."""
        with self.engine.connect() as connection:
            yield connection if isinstance(self.engine.pool, StaticPool) else _autocommitting(connection)

    def size(self) -> int:
        """Return how many bytes there are."""
        raise NotImplementedError

    def steps(self) -> Sequence[_Step]:
        """Return what is to be done, in order."""
        raise NotImplementedError

    def each(self, words: str) -> list[_Step]:
        """Return a step for each table."""
        quote = self.engine.dialect.identifier_preparer.quote
        return [(f"{words} {name}", self.statement(f"{words} {quote(name)}")) for name in self.tables]

    def statement(self, sql: str) -> Callable[[], str | None]:
        """Return what executes a statement."""

        def do() -> None:
            with self.asking() as connection:
                connection.exec_driver_sql(sql).close()

        return do


class _SQLite(_Database):
    def size(self) -> int:
        with self.asking() as connection:
            pages, page = (_pragma(connection, name) for name in ("page_count", "page_size"))
        log = self._beside("-wal")
        return pages * page + (log.stat().st_size if log is not None and log.exists() else 0)

    def steps(self) -> Sequence[_Step]:
        reindexing = self.each("REINDEX") if self.reindex else []
        return [
            *reindexing,
            *([] if self.vacuum is False else [("VACUUM", self._vacuum)]),
            *self.each("ANALYZE"),
            ("PRAGMA optimize", self.statement("PRAGMA optimize")),
            ("PRAGMA wal_checkpoint(TRUNCATE)", self._checkpoint),
        ]

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        with super().asking() as connection:
            connection.exec_driver_sql(f"PRAGMA analysis_limit = {_SAMPLE}")
            yield connection

    def _vacuum(self) -> str | None:
        with self.asking() as connection:
            names = ("freelist_count", "page_count", "page_size")
            free, pages, page = (_pragma(connection, name) for name in names)
        if self.vacuum is None:
            if free * page < _LEAST or free < pages * _WORTHWHILE:
                return f"only {free * page} of {pages * page} bytes are empty"
            if self._is_in_use():
                return "others have the file open, and would have to wait: ask for it when no bot runs"
        file = file_of_url(self.engine.url)
        room = None if file is None else shutil.disk_usage(file.absolute().parent).free
        if room is not None and room < _ROOM * pages * page:
            reason = f"the disk has {room} bytes left, needed are {_ROOM * pages * page}"
            if self.vacuum:
                msg = f"{file} cannot be made smaller: {reason}. Nothing was changed: make room."
                raise DatabaseFull(msg)
            return reason
        return self.statement("VACUUM")()

    def _is_in_use(self) -> bool:
        """Tell whether others have the file open: who closes it as the last one removes what lies beside it."""
        index = self._beside("-shm")
        if index is None:
            # Memory goes with its connection.
            return False
        self.engine.dispose()
        return index.exists()

    def _checkpoint(self) -> str | None:
        with self.asking() as connection:
            is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        return "others read the file, so that its log stays" if is_busy else None

    def _beside(self, suffix: str) -> Path | None:
        file = file_of_url(self.engine.url)
        return None if file is None else file.with_name(file.name + suffix)


class _PostgreSQL(_Database):
    def size(self) -> int:
        query = text(
            "SELECT coalesce(sum(pg_total_relation_size(quote_ident(name)::regclass)), 0) FROM unnest(:names) name"
        )
        with self.asking() as connection:
            return int(connection.scalar(query, {"names": self.tables}) or 0)

    def steps(self) -> Sequence[_Step]:
        words = "ANALYZE" if self.vacuum is False else "VACUUM (ANALYZE)"
        return [*(self.each("REINDEX TABLE CONCURRENTLY") if self.reindex else []), *self.each(words)]


class _MariaDB(_Database):
    def size(self) -> int:
        return sum(used + empty for used, empty in self._sizes().values())

    def steps(self) -> Sequence[_Step]:
        rebuilding = [(f"OPTIMIZE TABLE {name}", self._rebuilding(name)) for name in self.tables]
        return [*([] if self.vacuum is False and not self.reindex else rebuilding), *self.each("ANALYZE TABLE")]

    def _rebuilding(self, name: str) -> Callable[[], str | None]:
        rebuild = self.statement(f"OPTIMIZE TABLE {self.engine.dialect.identifier_preparer.quote(name)}")

        def do() -> str | None:
            used, empty = self._sizes()[name]
            is_wanted = self.vacuum or self.reindex or (empty >= _LEAST and empty >= used * _WORTHWHILE)
            return rebuild() if is_wanted else f"only {empty} bytes are empty"

        return do

    def _sizes(self) -> dict[str, tuple[int, int]]:
        query = text(
            "SELECT table_name, coalesce(data_length + index_length, 0), coalesce(data_free, 0) "
            "FROM information_schema.tables WHERE table_schema = database()"
        )
        with self.asking() as connection:
            found = {name: (int(used), int(empty)) for name, used, empty in connection.execute(query)}
        return {name: found[name] for name in self.tables}


_KINDS: Final[dict[str, type[_Database]]] = {
    "sqlite": _SQLite,
    "postgresql": _PostgreSQL,
    "mysql": _MariaDB,
    "mariadb": _MariaDB,
}


def _autocommitting(connection: Connection) -> Connection:
    return connection.execution_options(isolation_level="AUTOCOMMIT")


def _pragma(connection: Connection, name: str) -> int:
    value: Any = connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
    return int(value)
