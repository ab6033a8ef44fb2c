"""A database of ours can be opened by the mirrored layer again: the schema shows it, and its statements run."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from tests.capabilities import BACKENDS, Backend
from tests.migrations.adopted import Adoptions, opened
from tests.migrations.legacy import case_named, plain_connection, runs_of
from tests.migrations.mirrored_tables import FOREIGN_KEYS, TABLES, MirroredColumn
from tests.servers import Server
from tradestore import KeyValueStore, ModelBase, PairLocks, Trade, WalletHistory

MODES = ("SPOT", "MARGIN", "FUTURES")
MOMENT = datetime(2026, 10, 1, 12, 30)  # noqa: DTZ001 - UTC without a zone, as the mirrored layer writes it

# Tables whose names begin like this are counted, or taken for backups, by the mirrored layer.
COUNTED = ("trades", "orders", "pairlocks", "KeyValueStore")

ADOPTED = ("028", "103", "203", "208", "301", "303")


def _made(number: str, backend: Backend) -> Any:
    return pytest.param(backend, number, id=f"{backend.id}-{number}")


every_making = pytest.mark.parametrize(
    ("backend", "made"),
    [_made("new", backend) for backend in BACKENDS if backend.persistent]
    + [_made(case.number, backend) for backend, case in runs_of(*ADOPTED)],
    indirect=["backend"],
)


@pytest.fixture
def url(backend: Backend, made: str, adoptions: Adoptions, server_or_none: Server | None) -> str:
    """Return a database that the library has just made, or an old one that it has opened."""
    if made == "new":
        return adoptions.fresh(backend, server_or_none)
    return adoptions.of(case_named(made), backend, server_or_none).url


def _type(column: MirroredColumn) -> TypeEngine[Any]:
    """Return the type that the mirrored layer sends values of a column as."""
    plain: dict[str, TypeEngine[Any]] = {
        "INTEGER": Integer(),
        "FLOAT": Float(),
        "BOOLEAN": Boolean(),
        "DATETIME": DateTime(),
        "TEXT": Text(),
        "TRADING_MODE": Enum(*MODES, name="tradingmode"),
    }
    return plain.get(column.kind) or String(column.length)


def _as_mirrored() -> MetaData:
    """Return the tables as the mirrored layer knows them: it sends these columns, and asks for these alone."""
    metadata = MetaData()
    for name, columns in TABLES.items():
        referred = {key[0][0]: ForeignKey(f"{key[1]}.{key[2][0]}") for key in FOREIGN_KEYS.get(name, {}).values()}
        Table(
            name,
            metadata,
            *(
                Column(
                    key,
                    _type(column),
                    *([referred[key]] if key in referred else []),
                    primary_key=key == "id",
                    nullable=not column.required,
                )
                for key, column in columns.items()
            ),
        )
    return metadata


MIRRORED = _as_mirrored().tables


def _values(table: str, **given: Any) -> dict[str, Any]:
    """Return a value for every column but the id, as the mirrored layer sends them: None where it has none."""
    samples = {"INTEGER": 2, "FLOAT": 1.5, "BOOLEAN": True, "DATETIME": MOMENT, "TEXT": "[1]", "TRADING_MODE": "SPOT"}
    values: dict[str, Any] = {}
    for name, column in TABLES[table].items():
        sample = samples.get(column.kind, "x" * column.length)
        values[name] = sample if column.required else None
    del values["id"]
    return values | given


@every_making
def test_columns_are_there(url: str) -> None:
    """Each column has its name and nullability, and holds at least what the mirrored layer puts there."""
    with plain_connection(url) as connection:
        inspector = inspect(connection)
        for table, columns in TABLES.items():
            found = {column["name"]: column for column in inspector.get_columns(table)}
            for name, column in columns.items():
                assert (table, name, found[name]["nullable"]) == (table, name, not column.required)
                assert _holds(found[name]["type"], column), f"{table}.{name} is {found[name]['type']!r}"


def _holds(found: TypeEngine[Any], wanted: MirroredColumn) -> bool:
    match wanted.kind:
        case "TRADING_MODE":
            names = list(found.enums) if isinstance(found, Enum) else []
            return names == list(MODES) if names else isinstance(found, String) and (found.length or 7) >= 7
        case "VARCHAR":
            longest = found.length if isinstance(found, String) else 0
            return longest is None or longest >= wanted.length
        case "FLOAT":
            return isinstance(found, Float) or (isinstance(found, Numeric) and not isinstance(found, Integer))
        case "BOOLEAN":
            return isinstance(found, Boolean | Integer)
        case "TEXT":
            return isinstance(found, String) and (found.length or 2**16) >= 2**16
        case kind:
            return isinstance(found, {"INTEGER": Integer, "DATETIME": DateTime}[kind])


@every_making
def test_what_we_add_asks_nothing_of_the_mirrored_layer(url: str) -> None:
    """A column of ours may be left out of an INSERT, and a table of ours has a name that it does not count."""
    with plain_connection(url) as connection:
        inspector = inspect(connection)
        for table, columns in TABLES.items():
            for column in inspector.get_columns(table):
                may_be_left_out = column["nullable"] or column["default"] is not None
                assert column["name"] in columns or may_be_left_out, f"{table}.{column['name']}"
    ours = ModelBase.metadata.tables.keys() - TABLES.keys()
    assert ours
    assert [name for name in ours if name.startswith(COUNTED)] == []


@every_making
def test_mirrored_layer_finds_nothing_to_migrate(url: str) -> None:
    """What makes it rewrite tables, or divide amounts once more, is not there."""
    trades = MIRRORED["trades"]
    with plain_connection(url) as connection:
        inspector = inspect(connection)
        assert "record_version" in {column["name"] for column in inspector.get_columns("trades")}
        assert "side" in {column["name"] for column in inspector.get_columns("pairlocks")}
        (key,) = (column["type"] for column in inspector.get_columns("KeyValueStore") if column["name"] == "key")
        assert isinstance(key, String)
        assert (key.length or 50) >= 50
        divided = (
            select(func.count())
            .select_from(trades)
            .where(
                trades.c.record_version < 2, trades.c.leverage > 1, ~trades.c.is_open, trades.c.max_stake_amount != 0
            )
        )
        assert connection.scalar(divided) == 0


def _write(connection: Connection, table: str, **given: Any) -> int:
    """Send an INSERT with exactly the mirrored layer's columns, and return the new id."""
    key = connection.execute(insert(MIRRORED[table]).values(**_values(table, **given))).inserted_primary_key
    assert key is not None
    return int(key[0])


@every_making
def test_mirrored_layer_writes_and_we_read(url: str) -> None:
    """Its INSERT and UPDATE run on all six tables, and what they stored is a trade, an order, a lock… of ours."""
    pair = "DOOR/USDT"
    with plain_connection(url) as connection:
        trade = _write(connection, "trades", pair=pair, trading_mode="FUTURES", record_version=2, leverage=3.0)
        order = _write(
            connection, "orders", ft_trade_id=trade, ft_pair=pair, order_id="d1", status="closed", filled=1.5
        )
        _write(connection, "orders", ft_trade_id=trade, ft_pair=pair, order_id="d2", ft_is_open=False)
        _write(connection, "pairlocks", pair=pair, side="*", lock_time=MOMENT, lock_end_time=MOMENT.replace(year=2027))
        _write(connection, "KeyValueStore", key="door_one", value_type="str", string_value="a")
        _write(connection, "KeyValueStore", key="door_two", value_type="int", int_value=7)
        _write(connection, "trade_custom_data", ft_trade_id=trade, cd_key="k", cd_type="list")
        _write(connection, "trade_custom_data", ft_trade_id=trade, cd_key="l", cd_type="str", cd_value="text")
        _write(connection, "wallet_history", currency="DOOR", quote_currency="USDT", bot_managed=False)
        orders = MIRRORED["orders"]
        connection.execute(update(orders).where(orders.c.id == order).values(cost=3.0, ft_is_open=False))
    with opened(url):
        found = Trade.session.get_one(Trade, trade)
        assert (found.pair, found.trading_mode, found.leverage, found.open_date) == (pair, "futures", 3.0, MOMENT)
        assert [(o.order_id, o.cost, o.ft_is_open) for o in found.orders] == [("d1", 3.0, False), ("d2", None, False)]
        assert (found.get_custom_data("k"), found.get_custom_data("l")) == ([1], "text")
        assert [lock.pair for lock in PairLocks.get_pair_locks(pair, MOMENT)] == [pair]
        assert (KeyValueStore.get_value("door_one"), KeyValueStore.get_value("door_two")) == ("a", 7)
        (balance,) = WalletHistory.session.scalars(select(WalletHistory).where(WalletHistory.currency == "DOOR"))
        assert (balance.balance, balance.bot_managed) == (1.5, False)


@every_making
def test_mirrored_layer_reads_and_deletes_what_we_wrote(url: str) -> None:
    """It asks for its own columns and finds our rows, and removes them in the order that references ask for."""
    with opened(url):
        KeyValueStore.store_value("from_us", 2.5)
    store, trades, orders = (MIRRORED[name] for name in ("KeyValueStore", "trades", "orders"))
    with plain_connection(url) as connection:
        row = connection.execute(select(store).where(store.c.key == "from_us")).one()
        assert (row.value_type, row.float_value, row.string_value) == ("float", 2.5, None)
        connection.execute(store.delete().where(store.c.key == "from_us"))
        trade = _write(connection, "trades", pair="GONE/USDT")
        _write(connection, "orders", ft_trade_id=trade, ft_pair="GONE/USDT", order_id="g1")
        assert connection.execute(orders.delete().where(orders.c.ft_trade_id == trade)).rowcount == 1
        assert connection.execute(trades.delete().where(trades.c.id == trade)).rowcount == 1
    with opened(url):
        assert KeyValueStore.get_value("from_us") is None
