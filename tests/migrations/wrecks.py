"""Databases that an upgrade of the mirrored layer has wrecked: made from old ones, traded on, and looked into."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, select, text

from tests.capabilities import BACKENDS, Backend
from tests.migrations.legacy import LegacyCase, Rows, case_named, run_id
from tests.migrations.mirrored_layer import KEY_VALUES, METADATA, Start, start
from tests.migrations.mirrored_tables import TABLES
from tradestore._engine import check_url

__all__ = [
    "BASES",
    "NEWS",
    "Bot",
    "Wreck",
    "counts",
    "differing_tables",
    "hidden",
    "on_every_engine",
    "on_one_engine",
    "snapshot",
    "strange_engine",
]

BASES: Final = ("trades", "orders", "pairlocks", KEY_VALUES)
"""The tables that the layer makes backups of."""

NEWS: Final = datetime.fromisoformat("2026-10-01T08:30:00")
"""When the bots that went on trading were started again: after all that is in the old databases."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Wreck:
    """An old database, and where each start of the layer on it was killed.

    Attributes:
        number: Of the old database.
        starts: What each start came to: a number of statements, the beginning of its last one, or None for its own end.
    """

    number: str
    starts: tuple[int | str | None, ...]

    def __str__(self) -> str:
        """Return it as it stands in the names of tests."""
        return "-".join([self.number, *("end" if upto is None else str(upto) for upto in self.starts)])

    @property
    def case(self) -> LegacyCase:
        """The old database."""
        return case_named(self.number)

    def make(self, url: str) -> list[Start]:
        """Make the wreck in an empty database, and return what the starts came to."""
        self.case.load(url)
        return self.wreck(url)

    def wreck(self, url: str) -> list[Start]:
        """Make the wreck of a database that holds the old one already, and return what the starts came to."""
        engine = strange_engine(url)
        return [start(engine, upto=upto) for upto in self.starts]


def on_every_engine(*wrecks: Wreck) -> pytest.MarkDecorator:
    """Run a test with each of some wrecks, on each engine that it can be made in."""
    return _with((backend, wreck) for wreck in wrecks for backend in _engines_of(wreck))


def on_one_engine(*wrecks: Wreck) -> pytest.MarkDecorator:
    """Run a test with each of some wrecks, on one engine each, for the sake of time: another driver does the same."""
    return _with((_engines_of(wreck)[0], wreck) for wreck in wrecks)


def _engines_of(wreck: Wreck) -> list[Backend]:
    return [backend for backend in BACKENDS if wreck.case.runs_on(backend)]


def _with(runs: Iterable[tuple[Backend, Wreck]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("backend", "wreck"), list(runs), indirect=["backend"], ids=run_id)


def strange_engine(url: str) -> Engine:
    """Return an engine that knows nothing of the library and keeps no connection, as of another program."""
    engine = create_engine(check_url(url), poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _wait_for_no_disk)
    return engine


def _wait_for_no_disk(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def counts(engine: Engine) -> dict[str, int]:
    """Return the number of rows of each table."""
    with engine.connect() as connection:
        return {name: len(_rows(connection, name)) for name in inspect(connection).get_table_names()}


def hidden(engine: Engine) -> dict[str, int]:
    """Return how many rows a bot doesn't see: those of the newest backup of a table that is empty, or not there."""
    present = counts(engine)
    found = {}
    for base in BASES:
        backups = [name for name in present if name.startswith(f"{base}_bak") and present[name]]
        if backups and not present.get(base):
            newest = max(backups, key=lambda name: int(name.rpartition("_bak")[2] or -1))
            found[newest] = present[newest]
    return found


def snapshot(engine: Engine) -> dict[str, Row]:
    """Return all that is in a database, to compare it later: tables with their columns, indexes, keys and rows."""
    with engine.connect() as connection:
        inspector = inspect(connection)
        return {
            name: {
                "columns": [
                    (column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)
                ],
                "indexes": sorted((str(index["name"]), index["column_names"]) for index in inspector.get_indexes(name)),
                "keys": sorted(
                    (key["constrained_columns"], key["referred_table"]) for key in inspector.get_foreign_keys(name)
                ),
                "rows": sorted(map(repr, _rows(connection, name))),
            }
            for name in inspector.get_table_names()
        }


def differing_tables(one: Mapping[str, Row], other: Mapping[str, Row]) -> list[str]:
    """Return the tables in which two snapshots differ, or that only one of them has."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _rows(connection: Connection, name: str) -> list[Any]:
    quoted = connection.dialect.identifier_preparer.quote(name)
    return list(connection.execute(text(f"SELECT * FROM {quoted}")))


@dataclass
class Bot:
    """A bot that was started on a wreck, saw what the wreck shows, and went on.

    Attributes:
        engine: Of the wreck.
        pairs: What it traded: first a trade that it closed again, then others that stay open. None where the wreck has
            left an orders table without the newest columns: the layer can store no order there, and so no trade.
        stored: The rows that it added to each table, with the ids that they got there.
    """

    engine: Engine
    pairs: Sequence[str] = ("NEW/BTC", "NEWER/BTC")
    stored: dict[str, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Trade, and remember what was written."""
        with self.engine.begin() as connection:
            self._note_the_start(connection)
            for number, pair in enumerate(self.pairs):
                self._trade(connection, pair, NEWS + timedelta(hours=1 + number), is_open=number > 0)
            times = {"lock_time": NEWS, "lock_end_time": NEWS + timedelta(days=1)}
            self._add(connection, "pairlocks", pair="*", side="*", reason="lost after the wreck", active=True, **times)

    def _note_the_start(self, connection: Connection) -> None:
        """Note when it was first started, unless that is noted, and when it was started last."""
        table = METADATA.tables[KEY_VALUES]
        value: Row = {"value_type": "datetime", "datetime_value": NEWS}
        known = set(connection.scalars(select(table.c.key)))
        for key in ("bot_start_time", "startup_time"):
            if key not in known:
                self._add(connection, KEY_VALUES, key=key, **value)
        connection.execute(table.update().where(table.c.key == "startup_time").values(**value))

    def _trade(self, connection: Connection, pair: str, moment: datetime, *, is_open: bool) -> None:
        number = self._add(
            connection,
            "trades",
            **_MARKET | {"pair": pair, "open_date": moment, "is_open": is_open},
            close_date=None if is_open else moment + timedelta(minutes=30),
            close_rate=None if is_open else 0.75,
        )
        for side in ("buy",) if is_open else ("buy", "sell"):
            order = _FILLED | {"ft_pair": pair, "symbol": pair, "ft_order_side": side, "side": side}
            self._add(connection, "orders", ft_trade_id=number, order_id=f"{side} {pair}", order_date=moment, **order)
        note = {"cd_key": f"why {pair}", "cd_type": "str", "cd_value": "a hunch", "created_at": moment}
        self._add(connection, "trade_custom_data", ft_trade_id=number, **note)

    def _add(self, connection: Connection, table: str, **values: Any) -> int:
        """Store a row with the id that the database gives it, and return that."""
        result = connection.execute(METADATA.tables[table].insert().values(**values))
        (number,) = result.inserted_primary_key or (0,)
        row = dict.fromkeys(TABLES[table]) | values | {"id": number}
        plain = {name: _plain(value) for name, value in row.items()}
        self.stored.setdefault(table, []).append(plain)
        return int(number)


def _plain(value: object) -> object:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


# All fractions are halves and quarters, which every engine keeps as they are.
_MARKET: Final[Row] = {
    "exchange": "binance",
    "stake_currency": "BTC",
    "fee_open": 0.25,
    "fee_close": 0.25,
    "open_rate": 0.5,
    "stake_amount": 5.0,
    "max_stake_amount": 5.0,
    "amount": 10.0,
    "open_trade_value": 6.25,
    "is_stop_loss_trailing": False,
    "trading_mode": "SPOT",
    "leverage": 1.0,
    "is_short": False,
    "interest_rate": 0.0,
    "record_version": 2,
}
_FILLED: Final[Row] = {
    "ft_is_open": False,
    "ft_amount": 10.0,
    "ft_price": 0.5,
    "status": "closed",
    "order_type": "limit",
    "price": 0.5,
    "amount": 10.0,
    "filled": 10.0,
    "remaining": 0.0,
}
