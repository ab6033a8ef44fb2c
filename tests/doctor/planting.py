"""A store to plant defects into: clean trades with orders, and ways past the library to break them."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from tests.builders import CLOSED, OPENED, order, store, trade, trade_with_entry
from tradestore import Database, Order, Trade
from tradestore._engine import check_url
from tradestore._session import bind
from tradestore.operations.doctor import Diagnosis, EngineFacts, Surroundings, diagnose, read_engine_facts
from tradestore.testing import KnownTrade, make_known_dca, make_known_futures_short, make_known_spot_long

__all__ = ["CLEAN_SETTINGS", "Bed", "calm_surroundings"]

CLEAN_SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "innodb_flush_log_at_trx_commit": "1",
    "innodb_doublewrite": "ON",
    "log_bin": "OFF",
    "time_zone": "SYSTEM",
    "system_time_zone": "UTC",
}
NOWHERE = 999_999
"""The id of a trade that is not there."""


def facts_of(**changed: Any) -> Callable[[Connection], EngineFacts]:
    """Return what asks the engine which it is, and takes it for a flawless one but for what is given."""
    version = changed.pop("version", (99, 0, 0))

    def ask(connection: Connection) -> EngineFacts:
        return replace(read_engine_facts(connection), version=version, settings={**CLEAN_SETTINGS, **changed})

    return ask


def calm_surroundings(folder: Path, **changed: Any) -> Surroundings:
    """Return surroundings in which nothing is wrong: a local disk with room, and an engine without known bugs."""
    mounts = folder / "mounts"
    if not mounts.exists():
        mounts.write_text("/dev/sda1 / ext4 rw,relatime 0 0\n")
    plain: dict[str, Any] = {"mounts": mounts, "free_bytes": lambda _: 1 << 40, "engine_facts": facts_of()}
    return Surroundings(**plain | changed)


@dataclass
class Bed:
    """Where defects are planted.

    Attributes:
        url: Of the store.
        database: That is open for planting.
        folder: For what lies around it.
        arguments: What the doctor is called with, besides the place.
        is_open_itself: Whether the doctor looks through the open database in place of the URL.
    """

    url: str
    database: Database
    folder: Path
    arguments: dict[str, Any] = field(default_factory=dict)
    is_open_itself: bool = False
    held: list[sqlite3.Connection] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def engine(self) -> str:
        """``sqlite``, ``postgresql`` or ``mysql``."""
        name = make_url(self.url).get_backend_name()
        return "mysql" if name == "mariadb" else name

    @property
    def file(self) -> Path:
        """Of an SQLite store."""
        return Path(str(make_url(self.url).database))

    def look(self, **more: Any) -> Diagnosis:
        """Let the doctor look as an operator does; afterwards the models have their database again."""
        Trade.session.remove()
        try:
            return diagnose(self.database if self.is_open_itself else self.url, **self.arguments | more)
        finally:
            bind(self.database.engine)

    def surround(self, **changed: Any) -> None:
        """Change the surroundings in which the doctor looks."""
        self.arguments["surroundings"] = replace(self.arguments["surroundings"], **changed)

    @contextmanager
    def raw(self) -> Iterator[Connection]:
        """Open a transaction in which, but on PostgreSQL, nobody checks references; it is committed."""
        engine = create_engine(check_url(self.url), poolclass=NullPool)
        with engine.connect() as connection:
            unchecked = {
                "sqlite": "PRAGMA foreign_keys = OFF",
                "postgresql": "SELECT 1",
                "mysql": "SET SESSION foreign_key_checks = 0, sql_mode = ''",
            }
            connection.exec_driver_sql(unchecked[self.engine])
            yield connection
            connection.commit()
        engine.dispose()

    def run(self, statement: str, **values: Any) -> None:
        """Run one statement past the library."""
        with self.raw() as connection:
            connection.execute(text(statement), values)

    def misdirect(self, table: str, row: int) -> None:
        """Let a row belong to a trade that is not there."""
        if self.engine != "postgresql":
            self.change(table, row, ft_trade_id=NOWHERE)
            return
        name = f"{table}_ft_trade_id_fkey"
        last = "ON DELETE SET NULL NOT VALID" if table == "order_intents" else "NOT VALID"
        self.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        self.change(table, row, ft_trade_id=NOWHERE)
        self.run(f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (ft_trade_id) REFERENCES trades (id) {last}")

    def change(self, table: str, row: int, **values: Any) -> None:
        """Change columns of one row past the library."""
        assigned = ", ".join(f"{name} = :{name}" for name in values)
        self.run(f"UPDATE {table} SET {assigned} WHERE id = :row_id", row_id=row, **values)

    def rename(self, found: Trade, suffix: str = "") -> Trade:
        """Give a trade a pair of its own."""
        base = f"C{next(self._numbers)}"
        found.pair, found.base_currency = f"{base}/USDT{suffix}", base
        for each in found.orders:
            each.ft_pair = each.symbol = found.pair
        return found

    def add(self, *records: Any) -> int:
        """Store records, and return the id of the first."""
        store(*records)
        first: int = records[0].id
        Trade.session.remove()
        return first

    def known(self, make: Callable[[], KnownTrade]) -> Trade:
        """Return one of the known trades with a pair of its own."""
        found = make().trade
        assert isinstance(found, Trade)
        return self.rename(found)

    def add_open(self) -> int:
        """Store an open trade: two entries and a partial exit."""
        return self.add(self.known(make_known_dca))

    def add_closed(self) -> int:
        """Store a closed trade: 10 bought at 20, sold at 22."""
        return self.add(self.known(make_known_spot_long))

    def add_futures(self) -> int:
        """Store a closed short trade with funding."""
        return self.add(self.known(make_known_futures_short))

    def add_computed(self, **fields: Any) -> int:
        """Store an open trade with one entry whose totals are computed from it."""
        found = self.rename(trade_with_entry(**fields))
        found.recalc_trade_from_orders()
        return self.add(found)

    def add_bare(self, **fields: Any) -> int:
        """Store a trade without orders."""
        return self.add(self.rename(trade(**fields)))

    def add_order(self, to: int, **fields: Any) -> int:
        """Store one more order of a trade, by default one that was canceled without a fill."""
        pair = Trade.session.get_one(Trade, to).pair
        plain = {"filled": 0.0, "remaining": 10.0, "average": None, "cost": 0.0, "status": "canceled"}
        found = order(
            **{"ft_trade_id": to, "ft_pair": pair, "symbol": pair, "order_filled_date": None, **plain, **fields}
        )
        return self.add(found)

    def order_of(self, owner: int, number: int = 0) -> int:
        """Return the id of a trade's order; -1 is the last."""
        ids = sorted(each.id for each in Trade.session.get_one(Trade, owner).orders)
        Trade.session.remove()
        return ids[number]

    def change_schema(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Change an SQLite file's list of tables by hand."""
        connection = sqlite3.connect(self.file)
        connection.execute("PRAGMA writable_schema = ON")
        change(connection)
        connection.commit()
        connection.close()

    def sow(self) -> None:
        """Store clean trades."""
        self.close_file()
        self.add_closed()
        self.add_open()
        self.add_futures()
        Trade.session.remove()

    def tidy(self) -> None:
        """Close what a plant kept open."""
        for connection in self.held:
            connection.close()

    def close_file(self) -> None:
        """Let only the owner read the file."""
        if self.engine == "sqlite":
            self.file.chmod(0o600)


__all__ += ["CLOSED", "NOWHERE", "OPENED", "Order", "facts_of"]
