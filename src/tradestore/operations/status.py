"""How a store is doing, in one object: what an operator wants to know first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, inspect, select, text, true

from tradestore._clock import as_utc, utc_now
from tradestore._intent_model import UNRESOLVED
from tradestore.base import ModelBase
from tradestore.database import Database, DatabaseStatus
from tradestore.limits import OpenTradeLimits, read_limits
from tradestore.migrations import HEAD, current
from tradestore.operations._row_counts import row_counts
from tradestore.operations.opening import Place, file_of_url, open_to_read
from tradestore.store import Store

__all__ = ["StoreStatus", "read_status"]

_SERVER_VERSION: Final = {
    "postgresql": "SHOW server_version",
    "mysql": "SELECT version()",
    "mariadb": "SELECT version()",
}
_SCHEMA_SIZE: Final = (
    "SELECT CAST(SUM(data_length + index_length) AS UNSIGNED) FROM information_schema.tables "
    "WHERE table_schema = database()"
)
_DATABASE_SIZE: Final = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "mysql": _SCHEMA_SIZE,
    "mariadb": _SCHEMA_SIZE,
}
_FILES: Final = ("", "-wal", "-journal")
"""How the names of the files end that an SQLite database is in."""

_DATED: Final = {
    "trades": ("open_date", "close_date"),
    "orders": ("order_date", "order_filled_date", "order_update_date"),
    "order_intents": ("created_at", "updated_at"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """The state of a store.

    Attributes:
        url: Of the database, without its password.
        engine: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``.
        engine_version: Of the server, or of the SQLite library.
        driver: The Python driver with its version.
        library_version: Of this library.
        revision: The version of the tables; None without a stamp.
        head: The version that this library works with.
        journal_mode: SQLite's, such as ``wal``; None for a server.
        size: On the disk, in bytes, SQLite's log included; None where that cannot be known.
        rows: How many rows each table has, by its name.
        open_trades: How many trades are open.
        closed_trades: How many are closed.
        newest_record: The newest date of a trade, an order or an intent (UTC), None without any: something was stored
            then. The databases do not tell when they were last committed to.
        file_written: When SQLite's file, or its log, was last written to (UTC); None for a server.
        pending_intents: Orders of which only the exchange can tell whether it has them.
        limits: Those on open trades; None without any.
        locks: How many pair locks hold now.
        pool: Connections and transactions of a database that was open before; None for a URL.
    """

    url: str
    engine: str
    engine_version: str
    driver: str
    library_version: str
    revision: str | None
    head: str
    journal_mode: str | None
    size: int | None
    rows: Mapping[str, int]
    open_trades: int
    closed_trades: int
    newest_record: datetime | None
    file_written: datetime | None
    pending_intents: int
    limits: OpenTradeLimits | None
    locks: int
    pool: DatabaseStatus | None


def read_status(place: Place) -> StoreStatus:
    """Return how a store is doing; nothing is changed.

    Args:
        place: A database URL, or the database that is open.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    pool = place.status() if isinstance(place, Database) else None
    with open_to_read(place) as store:
        limits = read_limits()
        with store.engine.connect() as connection:
            return _status(store, connection, limits, pool)


def _status(
    store: Store, connection: Connection, limits: OpenTradeLimits | None, pool: DatabaseStatus | None
) -> StoreStatus:
    engine = store.engine
    tables = ModelBase.metadata.tables
    trades, locks, intents = tables["trades"], tables["pairlocks"], tables["order_intents"]
    rows = row_counts(connection, inspect(connection).get_table_names())
    open_trades = _count(connection, trades.c.is_open == true())
    files = _files(engine)
    return StoreStatus(
        url=store.url,
        engine=engine.dialect.name,
        engine_version=_engine_version(connection),
        driver=_driver(engine),
        library_version=version("tradestore"),
        revision=current(engine),
        head=HEAD,
        journal_mode=_journal_mode(connection),
        size=_size(connection, files),
        rows=rows,
        open_trades=open_trades,
        closed_trades=rows["trades"] - open_trades,
        newest_record=_newest_record(connection),
        file_written=max((datetime.fromtimestamp(each.stat().st_mtime, UTC) for each in files), default=None),
        pending_intents=_count(connection, intents.c.state.in_(UNRESOLVED)),
        limits=limits,
        locks=_count(connection, locks.c.active == true(), locks.c.lock_end_time > utc_now()),
        pool=pool,
    )


def _count(connection: Connection, *conditions: Any) -> int:
    return connection.scalar(select(func.count()).where(*conditions)) or 0


def _engine_version(connection: Connection) -> str:
    engine = connection.engine
    if engine.dialect.name == "sqlite":
        driver: Any = engine.dialect.dbapi
        return str(driver.sqlite_version)
    return str(connection.scalar(text(_SERVER_VERSION[engine.dialect.name])))


def _driver(engine: Engine) -> str:
    module: Any = engine.dialect.dbapi
    # SQLite's own driver comes with Python, and has no version of its own any more.
    number = None if engine.dialect.name == "sqlite" else getattr(module, "__version__", None)
    return engine.dialect.driver if number is None else f"{engine.dialect.driver} {number.split()[0]}"


def _journal_mode(connection: Connection) -> str | None:
    if connection.dialect.name != "sqlite":
        return None
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())


def _files(engine: Engine) -> list[Path]:
    file = file_of_url(engine.url)
    named = [] if file is None else [file.with_name(file.name + ending) for ending in _FILES]
    return [each for each in named if each.exists()]


def _size(connection: Connection, files: list[Path]) -> int | None:
    if files:
        return sum(each.stat().st_size for each in files)
    asked = _DATABASE_SIZE.get(connection.dialect.name)
    found = None if asked is None else connection.scalar(text(asked))
    return None if found is None else int(found)


def _newest_record(connection: Connection) -> datetime | None:
    found = [
        connection.scalar(select(func.max(ModelBase.metadata.tables[name].c[each])))
        for name, columns in _DATED.items()
        for each in columns
    ]
    return max((as_utc(each) for each in found if each is not None), default=None)
