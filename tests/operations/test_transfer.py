"""A database copied from any engine to any engine has the same rows, and is ready to be used."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, inspect, select, text

from tests.builders import store, trade_with_entry
from tests.operations.furniture import (
    FILLS,
    LINES,
    MOMENT,
    OWN,
    TABLES,
    furnish,
    plain_engine,
    rows_of,
    signals_model,
    tell,
)
from tradestore import ModelBase, Order, PairLock, Trade, init_db, load_backtest, migrations
from tradestore.operations import TransferProgress, transfer

MODELS = [ModelBase.metadata.tables[name] for name in TABLES]
ALL = [*MODELS, FILLS, LINES]
NewUrl = Callable[[], str]


@pytest.mark.needs("persistent")
def test_there_and_back(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """Every row of every table arrives as it was, on the engine and in a file again."""
    expected = rows_of(source_url, ALL)
    there = transfer(source_url, store_url)
    assert rows_of(store_url, ALL) == expected
    back_url = new_file()
    back = transfer(store_url, back_url)
    assert rows_of(back_url, ALL) == expected
    assert rows_of(source_url, ALL) == expected
    assert {table.name: table.rows for table in there.tables} == {name: len(rows) for name, rows in expected.items()}
    # Tables that are no models may have got other types, so that their digests are another matter.
    assert [table for table in back.tables if table.name in TABLES] == [
        table for table in there.tables if table.name in TABLES
    ]
    assert there.copied == there.rows == sum(map(len, expected.values()))


@pytest.mark.needs("persistent")
def test_between_databases_of_one_engine(store_url: str, other_url: str) -> None:
    """Both ends may be of the same kind; columns keep their own types then."""
    furnish(store_url)
    transfer(store_url, other_url)
    assert rows_of(other_url, ALL) == rows_of(store_url, ALL)
    assert _types(store_url) == _types(other_url)


@pytest.mark.needs("persistent")
def test_again_after_the_end(source_url: str, store_url: str) -> None:
    """A second call finds all there, says the same, and writes nothing."""
    first = transfer(source_url, store_url)
    told: list[TransferProgress] = []
    second = transfer(source_url, store_url, progress=told.append)
    assert second.copied == 0
    assert told == []
    assert [(table.name, table.rows, table.digest) for table in second.tables] == [
        (table.name, table.rows, table.digest) for table in first.tables
    ]


@pytest.mark.needs("persistent")
def test_target_is_a_store_like_any_other(source_url: str, store_url: str) -> None:
    """It opens, has nothing of the transfer left in it, and new rows get ids of their own."""
    transfer(source_url, store_url)
    database = init_db(store_url)
    assert migrations.current(database.engine) == migrations.HEAD
    with database.engine.begin() as connection:
        OWN.drop_all(connection, tables=[FILLS, LINES])
    assert migrations.check(database.engine, ModelBase.metadata) == []
    before = {name: set(Trade.session.scalars(select(table.c.id))) for name, table in _numbered().items()}
    store(trade_with_entry(), _lock())
    assert Trade.session.scalar(select(Trade.id).where(Trade.pair == "ADA/USDT")) not in before["trades"]
    assert Trade.session.scalar(select(Order.id).where(Order.ft_pair == "ADA/USDT")) not in before["orders"]
    assert Trade.session.scalar(select(PairLock.id).where(PairLock.pair == "NEW/USDT")) not in before["pairlocks"]
    assert len([*load_backtest("run")]) == 2
    Trade.session.remove()
    database.close()


@pytest.mark.needs("persistent", "networked")
def test_ids_that_the_source_used_up_are_not_used_again(store_url: str, other_url: str) -> None:
    """The next id is not below the source's, also where the rows in between are gone."""
    database = init_db(store_url)
    store(trade_with_entry(), trade_with_entry(pair="GONE/USDT"))
    Trade.get_trades(Trade.pair == "GONE/USDT").one().delete()
    Trade.session.remove()
    database.close()
    transfer(store_url, other_url)
    target = init_db(other_url)
    store(trade_with_entry(pair="NEW/USDT"))
    assert Trade.session.scalar(select(Trade.id).where(Trade.pair == "NEW/USDT")) == 3
    Trade.session.remove()
    target.close()


@pytest.mark.needs("persistent")
def test_tables_of_the_users_own(store_url: str, new_file: NewUrl) -> None:
    """Models of the user's own and plain tables keep their keys, references and indexes."""
    source = new_file()
    with signals_model() as signals:
        furnish(source)
        transfer(source, store_url)
        assert rows_of(store_url, [signals]) == rows_of(source, [signals])
    with plain_engine(store_url) as engine:
        found = inspect(engine)
        assert found.get_pk_constraint("fills")["constrained_columns"] == ["venue", "number"]
        assert [key["referred_table"] for key in found.get_foreign_keys("fills")] == ["trades"]
        assert ["trade_id"] in [index["column_names"] for index in found.get_indexes("fills")]
        assert found.get_pk_constraint("log_lines")["constrained_columns"] == []
        (price,) = (column for column in found.get_columns("fills") if column["name"] == "price")
        assert "1.5" in str(price["default"])


@pytest.mark.needs("persistent")
def test_model_that_is_not_imported(store_url: str, new_file: NewUrl) -> None:
    """The table of a model which this process does not know travels like any other."""
    source = new_file()
    with signals_model() as signals:
        furnish(source)
    transfer(source, store_url)
    assert rows_of(store_url, [signals]) == rows_of(source, [signals])


@pytest.mark.needs("persistent")
def test_columns_that_somebody_added(source_url: str, store_url: str) -> None:
    """What the models know nothing of goes along with the rows."""
    tell(
        source_url,
        "ALTER TABLE trades ADD COLUMN broker VARCHAR(20)",
        "UPDATE trades SET broker = 'north' WHERE id = 6",
    )
    transfer(source_url, store_url)
    with plain_engine(store_url) as target, target.connect() as connection:
        found = connection.execute(text("SELECT id, broker FROM trades WHERE broker IS NOT NULL")).all()
    assert found == [(6, "north")]
    assert transfer(source_url, store_url).copied == 0


@pytest.mark.needs("persistent")
def test_rows_that_refer_to_others_of_their_table(source_url: str, store_url: str) -> None:
    """And columns of other kinds: bytes of a fixed length, a moment with a zone."""
    tell(
        source_url,
        "CREATE TABLE notes "
        "(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES notes (id), raw BINARY(3), price DECIMAL(9, 2))",
        "INSERT INTO notes VALUES (1, NULL, x'00ff41', 1.25), (2, 1, NULL, NULL), (3, 2, x'000000', 7)",
    )
    transfer(source_url, store_url)
    query = text("SELECT id, parent, raw, price FROM notes ORDER BY id")
    with plain_engine(store_url) as engine, engine.connect() as connection:
        found = [(row[0], row[1], row[2] and bytes(row[2]), row[3]) for row in connection.execute(query)]
    assert found == [(1, None, b"\x00\xff\x41", 1.25), (2, 1, None, None), (3, 2, b"\x00\x00\x00", 7)]


@pytest.mark.needs("networked")
def test_moments_with_a_zone(store_url: str, other_url: str) -> None:
    """They stay the same moment, also on an engine whose sessions are in another zone."""
    furnish(store_url, own=False)
    times = Table("times", MetaData(), Column("id", Integer, primary_key=True), Column("at", DateTime(timezone=True)))
    with plain_engine(store_url) as engine, plain_engine(other_url) as other:
        times.create(engine)
        with engine.begin() as connection:
            connection.execute(times.insert(), {"at": datetime(2026, 7, 1, 12, tzinfo=UTC)})
        transfer(store_url, other)
        with engine.connect() as ours, other.connect() as theirs:
            assert ours.execute(times.select()).all() == theirs.execute(times.select()).all()


def test_backups_and_the_stamp_stay_behind(source_url: str, new_file: NewUrl) -> None:
    """Tables that upgrades have left are not part of the data."""
    backups = ("trades_bak0", "orders_bak12", "KeyValueStore_bak1", "trades_bak", "wallet_history_bak3")
    tell(source_url, *(f"CREATE TABLE {name} AS SELECT * FROM pairlocks" for name in (*backups, "trades_bakery")))
    target = new_file()
    transfer(source_url, target)
    with plain_engine(target) as engine:
        names = set(inspect(engine).get_table_names())
    assert names == {*TABLES, "alembic_version", "fills", "log_lines", "trades_bakery"}


def test_open_databases(source_url: str, new_file: NewUrl) -> None:
    """Both ends may be given as engine or Database, and what is open stays open and bound."""
    database = init_db(source_url)
    with plain_engine(new_file()) as target:
        report = transfer(database, target)
    assert report.rows == report.copied > 0
    assert Trade.session.bind is database.engine
    assert len(Trade.get_trades().all()) == 8
    Trade.session.remove()
    database.close()


def test_from_memory_and_into_it(source_url: str, new_file: NewUrl) -> None:
    """A database in memory is given by the Database that is open."""
    memory = init_db("sqlite://")
    transfer(source_url, memory)
    file = new_file()
    transfer(memory, file)
    memory.close()
    assert rows_of(file, ALL) == rows_of(source_url, ALL)


@pytest.mark.needs("persistent")
def test_engine_that_is_not_prepared(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """Engines of somebody else's making do as well."""
    back_url = new_file()
    with plain_engine(source_url) as source, plain_engine(store_url) as there, plain_engine(back_url) as back:
        transfer(source, there)
        transfer(there, back)
    assert rows_of(back_url, ALL) == rows_of(source_url, ALL)


def test_progress(source_url: str, new_file: NewUrl) -> None:
    """It is told after each batch, and ends with all rows."""
    told: list[TransferProgress] = []
    report = transfer(source_url, new_file(), progress=told.append, batch_size=4)
    assert [step.rows for step in told] == sorted({step.rows for step in told})
    assert {step.total for step in told} == {report.rows}
    assert told[-1].rows == report.rows
    names = [step.table for step in told]
    assert names.index("trades") < names.index("orders")
    assert names.count("orders") == 4  # 15 of them.


def test_source_is_read_as_it_was_at_the_beginning(source_url: str, new_file: NewUrl) -> None:
    """What others write meanwhile is not half in the copy."""
    expected = rows_of(source_url, MODELS)

    def write(_step: TransferProgress) -> None:
        tell(source_url, "UPDATE orders SET cost = cost + 1", "DELETE FROM trade_custom_data")

    target = new_file()
    transfer(source_url, target, progress=write)
    assert rows_of(target, MODELS) == expected
    assert rows_of(source_url, MODELS) != expected


def _numbered() -> dict[str, Table]:
    return {name: ModelBase.metadata.tables[name] for name in ("trades", "orders", "pairlocks")}


def _lock() -> PairLock:
    return PairLock(pair="NEW/USDT", lock_time=MOMENT, lock_end_time=MOMENT)


def _types(url: str) -> dict[str, str]:
    with plain_engine(url) as engine:
        return {column["name"]: repr(column["type"]) for column in inspect(engine).get_columns("fills")}
