"""Revision 0004: pairs of 50 characters, and whatever somebody has built around the tables stays."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from tests.builders import CLOSED, OPENED, local_trade, order, store, trade, trade_with_entry
from tests.migrations.states import opened, state_of
from tradestore import Database, PairLocks, Trade, init_db, load_backtest, migrations, store_backtest
from tradestore._sqlite_tables import retyped
from tradestore.exceptions import InvalidValue, MigrationError

BEFORE, HERE = "0003_backtest_runs", "0004_wider_pairs"
LONGEST = "BTC-SQUARED/USDT:USDT-20261231-1000000.5-C".ljust(50, "X")


def test_longest_pair_is_kept_everywhere(database: Database) -> None:
    """50 characters are kept as they are, 51 are refused, on every engine and in every table."""
    assert len(LONGEST) == 50
    store(trade_with_entry(pair=LONGEST))
    PairLocks.lock_pair(LONGEST, CLOSED, now=OPENED)
    store_backtest([local_trade(pair=LONGEST)], run="run")
    Trade.session.remove()
    assert [each.pair for each in load_backtest("run")] == [LONGEST]
    found = Trade.get_trades().one()
    assert (found.pair, found.orders[0].ft_pair, found.orders[0].symbol) == (LONGEST,) * 3
    assert PairLocks.is_pair_locked(LONGEST, now=OPENED + timedelta(minutes=1))
    Trade.session.remove()


def test_longer_pair_is_refused(database: Database) -> None:
    """One more is too many, and the message says how many there may be."""
    longer = LONGEST + "X"
    for record in (trade(pair=longer), _with_order(ft_pair=longer), _with_order(symbol=longer)):
        with pytest.raises(InvalidValue, match="50"):
            store(record)
        Trade.session.remove()
    with pytest.raises(InvalidValue, match="50"):
        PairLocks.lock_pair(longer, CLOSED, now=OPENED)
    assert Trade.get_trades().all() == []
    Trade.session.remove()


def _with_order(**fields: Any) -> Trade:
    record = trade()
    record.orders.append(order(**fields))
    return record


@pytest.mark.needs("persistent")
def test_downgrade_that_would_cut_pairs_is_refused(database: Database, store_url: str) -> None:
    """The message says which rows are in the way; without them it works, and the rest stays."""
    store(trade_with_entry(pair=LONGEST), trade_with_entry(pair="x" * 25))
    PairLocks.lock_pair("y" * 26, CLOSED, now=OPENED)
    Trade.session.remove()
    before = state_of(store_url)
    expected = (
        r"longer ones: 1 in trades\.pair \(id 1\); 1 in orders\.ft_pair \(id 1\); 1 in orders\.symbol \(id 1\); "
        r"1 in pairlocks\.pair \(id 1\)\. Nothing was changed"
    )
    for revision in (BEFORE, "0001_initial", "base"):
        with pytest.raises(MigrationError, match=expected):
            migrations.downgrade(database.engine, revision)
    assert state_of(store_url) == before
    Trade.session.execute(text("DELETE FROM orders WHERE id = 1"))
    Trade.session.execute(text("DELETE FROM trades WHERE id = 1"))
    Trade.session.execute(text("DELETE FROM pairlocks"))
    Trade.session.commit()
    Trade.session.remove()
    migrations.downgrade(database.engine, BEFORE)
    assert migrations.current(database.engine) == BEFORE
    columns = inspect(database.engine).get_columns("trades")
    assert [str(column["type"])[:11] for column in columns if column["name"] == "pair"] == ["VARCHAR(25)"]
    init_db(store_url).close()
    assert state_of(store_url).rows["trades"] == [row for row in before.rows["trades"] if row["id"] == 2]


def test_indexes_of_mine_survive(database: Database) -> None:
    """An index that somebody made over a widened column is there before and after."""
    with database.engine.begin() as connection:
        connection.execute(text("CREATE INDEX mine ON trades (pair, strategy)"))
    migrations.downgrade(database.engine, BEFORE)
    migrations.upgrade(database.engine)
    indexes = {index["name"]: index["column_names"] for index in inspect(database.engine).get_indexes("trades")}
    assert indexes["mine"] == ["pair", "strategy"]


def test_tables_with_everything_survive_being_replaced(tmp_path) -> None:
    """Views, triggers, special indexes and columns of somebody else's, and references in both directions."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    database = init_db(url)
    store(trade_with_entry())
    Trade.session.remove()
    migrations.downgrade(database.engine, BEFORE)
    made = (
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, trade INTEGER REFERENCES trades (id) ON DELETE CASCADE)",
        "INSERT INTO notes VALUES (1, 1)",
        "ALTER TABLE trades ADD COLUMN mine TEXT COLLATE NOCASE DEFAULT 'it''s, (mine)' CHECK (mine <> 'pair (25)')",
        "ALTER TABLE trades ADD COLUMN twice GENERATED ALWAYS AS (amount * 2) VIRTUAL",
        "CREATE VIEW mine AS SELECT t.pair, o.symbol FROM trades t JOIN orders o ON o.ft_trade_id = t.id",
        "CREATE TABLE log (what TEXT)",
        "CREATE TRIGGER on_trades AFTER UPDATE OF pair ON trades BEGIN INSERT INTO log SELECT pair FROM mine; END",
        "CREATE TRIGGER on_notes AFTER INSERT ON notes BEGIN INSERT INTO log SELECT pair FROM trades; END",
        "CREATE INDEX mine_part ON trades (lower(pair)) WHERE is_open",
    )
    with database.engine.begin() as connection:
        for statement in made:
            connection.exec_driver_sql(statement)
        schema = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
        before = {(kind, name): sql for kind, name, sql in connection.exec_driver_sql(schema)}
    migrations.upgrade(database.engine, HERE)
    with database.engine.connect() as connection:
        after = {(kind, name): sql for kind, name, sql in connection.exec_driver_sql(schema)}
    changed = {name for kind, name in before if before[kind, name] != after[kind, name]}
    assert before.keys() == after.keys()
    tables = {"trades", "orders", "pairlocks", "trade_custom_data", "backtest_trades", "backtest_orders"}
    assert changed == tables
    for name in tables:
        assert (
            after["table", name].replace("VARCHAR(50)", "VARCHAR(25)").split("(", 1)[1]
            == (before["table", name].replace("VARCHAR(50)", "VARCHAR(25)").split("(", 1)[1])
        )
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE trades SET pair = 'B/C'")
        connection.exec_driver_sql("INSERT INTO notes VALUES (2, 1)")
        assert connection.exec_driver_sql("SELECT * FROM log").all() == [("B/C",), ("B/C",)]
        assert connection.exec_driver_sql("SELECT twice, mine FROM trades").all() == [(20.0, "it's, (mine)")]
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("SELECT * FROM notes").all() == [(1, 1), (2, 1)]
    with pytest.raises(IntegrityError), database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE orders SET ft_trade_id = 7")
    database.close()
    init_db("sqlite://").close()


@pytest.mark.needs("networked")
def test_views_of_mine(database: Database, store_url: str) -> None:
    """They are there afterwards, also where a view holds the columns fast that it reads, and views of views."""
    migrations.downgrade(database.engine, BEFORE)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE VIEW mine AS SELECT pair FROM trades"))
        connection.execute(text("CREATE VIEW yours AS SELECT pair FROM mine"))
    init_db(store_url).close()
    with opened(store_url) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT mine.pair FROM mine JOIN yours ON yours.pair = mine.pair")).all() == []


@pytest.mark.needs("views_hold_columns")
def test_view_over_what_a_downgrade_takes_away(database: Database, store_url: str) -> None:
    """The message names it, and nothing has changed."""
    with database.engine.begin() as connection:
        connection.execute(text("CREATE VIEW mine AS SELECT name FROM backtest_runs"))
    before = state_of(store_url)
    with pytest.raises(MigrationError, match=r"view mine needs what is not there.*backtest_runs.*drop it before"):
        migrations.downgrade(database.engine, "0002_query_indexes")
    assert state_of(store_url) == before


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CREATE TABLE t (pair VARCHAR(25), b INT)", 'CREATE TABLE "n" (pair VARCHAR(50), b INT)'),
        ("CREATE TABLE t(b,pair)", 'CREATE TABLE "n" (b,pair VARCHAR(50))'),
        (
            "CREATE TABLE \"t (\" (\n'pair' character varying ( 25 ) not null, -- pair (25),\n b CHECK (b <> 'pair'))",
            "CREATE TABLE \"n\" (\n'pair' VARCHAR(50) not null, -- pair (25),\n b CHECK (b <> 'pair'))",
        ),
        (
            "CREATE TABLE t (a INT, [PAIR] VARCHAR(25) CHECK (pair > ''), UNIQUE (pair, a))",
            "CREATE TABLE \"n\" (a INT, [PAIR] VARCHAR(50) CHECK (pair > ''), UNIQUE (pair, a))",
        ),
        (
            "CREATE TABLE t (a /* pair VARCHAR(25), */ INT, `pair` TEXT(25)) WITHOUT ROWID, STRICT",
            'CREATE TABLE "n" (a /* pair VARCHAR(25), */ INT, `pair` VARCHAR(50)) WITHOUT ROWID, STRICT',
        ),
    ],
)
def test_statement_of_a_table_is_changed_in_one_place(statement: str, expected: str) -> None:
    """Only the type of that column and the table's name are others, whatever else looks like them."""
    assert retyped(statement, "n", {"pair": "VARCHAR(50)"}) == expected


def test_orders_are_found_by_their_long_pair(database: Database) -> None:
    """Two orders of the same id are told apart by the last character of their pairs."""
    store(
        _with_order(ft_pair=LONGEST, order_id="same"),
        _with_order(ft_pair=LONGEST[:-1] + "Y", order_id="same"),
    )
    Trade.session.remove()
    pairs = [each.ft_pair[-1] for record in Trade.get_trades() for each in record.orders]
    assert pairs == ["X", "Y"]
    Trade.session.remove()
