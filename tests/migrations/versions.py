"""Old databases of versions that no recorded one is of: each a recorded one with what the documented history says.

The history tells for each day since 2017 which columns were added, renamed or dropped. A version is written as the
nearest recorded database and the statements that make the one into the other, with values where columns are new.
"""

from dataclasses import dataclass
from typing import Final

import pytest

from tests.capabilities import BACKENDS, Backend
from tests.migrations.legacy import LegacyCase, case_named, load_script, run_id

__all__ = [
    "BEFORE_CURRENCIES",
    "BEFORE_RENAMED_EXITS",
    "DAYS_BETWEEN",
    "LOCK_SIDES",
    "RELEASES",
    "Version",
    "add_columns",
    "drop_columns",
    "on_versions",
    "rename_columns",
]


@dataclass(frozen=True)
class Version:
    """An old database.

    Attributes:
        name: The version, and what is new in it.
        nearest: Number of the recorded database that it is made from.
        changes: The statements that make it.
    """

    name: str
    nearest: str
    changes: tuple[str, ...]

    @property
    def case(self) -> LegacyCase:
        """The recorded database."""
        return case_named(self.nearest)

    @property
    def id(self) -> str:
        """How tests call it."""
        return self.name.replace(" ", "_")

    def load(self, url: str) -> None:
        """Make the database at the URL, which must be empty, that old one."""
        self.case.load(url)
        load_script(url, ";\n".join([*self.changes, ""]))


def on_versions(*versions: Version) -> pytest.MarkDecorator:
    """Run a test with each of some versions, on one engine each: the same driver runs the recorded ones on others."""
    runs = [(_engine_of(version), version) for version in versions]
    return pytest.mark.parametrize(("backend", "version"), runs, indirect=["backend"], ids=run_id)


def _engine_of(version: Version) -> Backend:
    return next(backend for backend in BACKENDS if version.case.runs_on(backend))


def add_columns(table: str, **columns: str) -> tuple[str, ...]:
    """Return the statements that add columns, each declared by its type and the value that its rows get."""
    statements = []
    for name, declared in columns.items():
        type_, _, value = declared.partition(" = ")
        statements.append(f"ALTER TABLE {table} ADD COLUMN {name} {type_}")
        statements += [f"UPDATE {table} SET {name} = {value}"] if value else []
    return tuple(statements)


def drop_columns(table: str, *columns: str) -> tuple[str, ...]:
    """Return the statements that drop columns."""
    return tuple(f"ALTER TABLE {table} DROP COLUMN {name}" for name in columns)


def rename_columns(table: str, **columns: str) -> tuple[str, ...]:
    """Return the statements that rename columns, from old to new names."""
    return tuple(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}" for old, new in columns.items())


_OPEN_ORDERS: Final = "CASE WHEN is_open THEN 'dry_run_buy_' || id END"
_STOPS: Final = "CASE WHEN id % 3 = 0 THEN 'stop ' || id WHEN id % 4 = 0 THEN 'dry_run_stop' || id END"

_STOP_LOSS: Final = add_columns(
    "trades",
    stop_loss="FLOAT = CASE WHEN id % 5 THEN open_rate * 0.9 END",
    initial_stop_loss="FLOAT = open_rate * 0.85",
    max_rate="FLOAT = CASE WHEN id % 4 THEN open_rate * 1.25 END",
)
_STOPLOSS_ORDERS: Final = (
    *add_columns("trades", stoploss_order_id=f"VARCHAR = {_STOPS}"),
    "CREATE INDEX ix_trades_stoploss_order_id ON trades (stoploss_order_id)",
)
_STOPLOSS_UPDATES: Final = (*_STOPLOSS_ORDERS, *add_columns("trades", stoploss_last_update="DATETIME = open_date"))
_MIN_RATE: Final = (*_STOPLOSS_UPDATES, *add_columns("trades", min_rate="FLOAT = open_rate * 0.75"))
_STOP_LOSS_PCT: Final = (
    *_MIN_RATE,
    *add_columns(
        "trades",
        stop_loss_pct="FLOAT = CASE WHEN id % 2 THEN -0.1 WHEN id % 3 THEN -0.05 END",
        initial_stop_loss_pct="FLOAT = CASE WHEN id % 7 THEN -0.1 END",
    ),
)
_LOCKS: Final = (
    (
        "CREATE TABLE pairlocks (id INTEGER NOT NULL PRIMARY KEY, pair VARCHAR NOT NULL, reason VARCHAR, lock_time "
        "DATETIME NOT NULL, lock_end_time DATETIME NOT NULL, active BOOLEAN NOT NULL, CHECK (active IN (0, 1)))"
    ),
    "CREATE INDEX ix_pairlocks_pair ON pairlocks (pair)",
    "CREATE INDEX ix_pairlocks_lock_end_time ON pairlocks (lock_end_time)",
    "CREATE INDEX ix_pairlocks_active ON pairlocks (active)",
    (
        "INSERT INTO pairlocks VALUES (2, 'ETH/BTC', 'Cool''down', '2020-10-30 10:00:00.000000', "
        "'2020-10-30 12:00:00.000000', 1), (5, '*', NULL, '2020-10-30 10:00:00.000001', "
        "'2020-10-31 00:00:00.000000', 0)"
    ),
)
_AVERAGE: Final = add_columns("orders", average="FLOAT = CASE WHEN id % 3 THEN price * 1.01 END")
BEFORE_RENAMED_EXITS: Final = (
    *rename_columns("trades", exit_reason="sell_reason", exit_order_status="sell_order_status"),
    (
        "UPDATE trades SET sell_reason = CASE id % 6 WHEN 0 THEN 'sell_signal' WHEN 1 THEN 'custom_sell' "
        "WHEN 2 THEN 'force_sell' WHEN 3 THEN 'emergency_sell' WHEN 4 THEN 'Sell_Signal' ELSE sell_reason END"
    ),
)
BEFORE_CURRENCIES: Final = drop_columns("trades", "base_currency", "stake_currency")
_FEAT_SHORT: Final = (
    *BEFORE_RENAMED_EXITS,
    *BEFORE_CURRENCIES,
    *rename_columns("trades", liquidation_price="isolated_liq"),
    *add_columns("orders", leverage="FLOAT = 1.0"),
)
LOCK_SIDES: Final = add_columns(
    "pairlocks", side="VARCHAR(25) NOT NULL DEFAULT '*' = CASE WHEN id % 2 = 1 THEN 'long' ELSE '*' END"
)
_FT_AMOUNTS: Final = (
    *add_columns(
        "orders",
        ft_amount="FLOAT NOT NULL DEFAULT 0 = coalesce(amount, 0.5)",
        ft_price="FLOAT NOT NULL DEFAULT 0 = coalesce(price, average, 0.25)",
    ),
)
_FUNDING_FEE: Final = add_columns("orders", funding_fee="FLOAT = CASE WHEN id % 2 THEN 0.125 END")
_TRAILING: Final = add_columns("trades", is_stop_loss_trailing="BOOLEAN NOT NULL DEFAULT false = (id % 2 = 1)")
_RUNNING_FEE: Final = (
    *add_columns("orders", ft_cancel_reason="VARCHAR(255) = CASE WHEN id % 2 = 0 THEN 'cancelled: \"why\"' END"),
    *add_columns("trades", funding_fee_running="FLOAT = CASE WHEN id % 2 = 0 THEN 0.5 END"),
)
_PRECISION_OF_PRICES: Final = add_columns(
    "trades", precision_mode_price="INTEGER = CASE WHEN id % 3 = 0 THEN 4 ELSE 2 END"
)
_BOUNDED_STRINGS: Final = (
    'ALTER TABLE "KeyValueStore" RENAME TO kv',
    'DROP INDEX "ix_KeyValueStore_key"',
    (
        'CREATE TABLE "KeyValueStore" (id INTEGER NOT NULL PRIMARY KEY, key VARCHAR(25) NOT NULL, value_type '
        "VARCHAR(20) NOT NULL, string_value VARCHAR(255), datetime_value DATETIME, float_value FLOAT, "
        "int_value INTEGER)"
    ),
    'CREATE INDEX "ix_KeyValueStore_key" ON "KeyValueStore" (key)',
    'INSERT INTO "KeyValueStore" SELECT * FROM kv',
    "DROP TABLE kv",
)
_DOUBLE_VALUES: Final = (
    *add_columns('"KeyValueStore"', number="DOUBLE = float_value"),
    *drop_columns('"KeyValueStore"', "float_value"),
    *rename_columns('"KeyValueStore"', number="float_value"),
)

RELEASES: Final = (
    Version("2017-05-14 open_order_id", "001", add_columns("trades", open_order_id=f"VARCHAR = {_OPEN_ORDERS}")),
    Version("0.18.1 stoploss_last_update", "008", _STOPLOSS_UPDATES),
    Version("0.18.5 stop_loss_pct", "008", _STOP_LOSS_PCT),
    Version(
        "2020.3 close_profit_abs",
        "011",
        add_columns("trades", close_profit_abs="FLOAT = CASE WHEN id % 2 THEN close_profit * stake_amount END"),
    ),
    Version("2020.6 timeframe", "013", rename_columns("trades", ticker_interval="timeframe")),
    Version("2020.10 pairlocks", "016", _LOCKS),
    Version("2021.5 average", "018", _AVERAGE),
    Version("feat-short isolated_liq", "023", _FEAT_SHORT),
    Version("2022.5 side of locks", "023", LOCK_SIDES),
    Version("2022.9 funding_fee", "026", _FUNDING_FEE),
    Version("2023.1 ft_amount", "028", _FT_AMOUNTS),
    Version("2023.5 string_value", "031", _BOUNDED_STRINGS),
    Version("2023.10 funding_fee_running", "033", _RUNNING_FEE),
    Version("2024.8 precision_mode_price", "036", _PRECISION_OF_PRICES),
    Version("2026.9 double values", "041", _DOUBLE_VALUES),
)
"""Of files, as releases made them."""

DAYS_BETWEEN: Final = (
    Version("0.17.1 stop_loss", "006", _STOP_LOSS),
    Version("0.17.1 without indexes", "008", ("DROP INDEX ix_trades_pair", "DROP INDEX ix_trades_is_open")),
    Version("0.18.0 stoploss_order_id", "008", _STOPLOSS_ORDERS),
    Version("2019-03-28 min_rate", "008", _MIN_RATE),
    Version("2020-05-14 fee costs alone", "013", drop_columns("trades", "sell_order_status")),
    Version("2021-06 enter_tag alone", "021", rename_columns("trades", buy_tag="enter_tag")),
    Version(
        "feat-short liquidation_price",
        "023",
        (*BEFORE_RENAMED_EXITS, *BEFORE_CURRENCIES, *add_columns("orders", leverage="FLOAT = 2.0")),
    ),
    Version("2022-03-31 leverage", "023", (*BEFORE_RENAMED_EXITS, *BEFORE_CURRENCIES)),
    Version("2022-04-03 exit_reason", "023", BEFORE_CURRENCIES),
    Version("2022-07-31 realized_profit", "025", add_columns("trades", realized_profit="FLOAT = close_profit_abs")),
    Version("2023-08-29 is_stop_loss_trailing", "031", _TRAILING),
)
"""Of files, as who followed the development had them."""
