"""Old databases with odd content: it is put right by a rule, or the database is refused and left as it was."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, DateTime, Float, Integer, MetaData, String, Table, make_url, text

from tests.builders import store, trade_with_entry
from tests.migrations.adopted import opened
from tests.migrations.legacy import LegacyCase, Rows, contents, load_script, plain_connection, run_id, runs_of
from tradestore import KeyValueStore, Order, PairLocks, Trade, init_db
from tradestore.enums import TradingMode
from tradestore.exceptions import MigrationError

MOMENT = datetime(2026, 10, 1, 12, tzinfo=UTC)


def on(*numbers: str) -> pytest.MarkDecorator:
    """Run a test on the named old databases, each on its engines."""
    return pytest.mark.parametrize(("backend", "case"), runs_of(*numbers), ids=run_id, indirect=["backend"])


def adopt(url: str) -> dict[str, Rows]:
    """Open an old database, and return what it holds then."""
    with opened(url):
        pass
    return contents(url)


def by_id(rows: Rows) -> dict[int, dict[str, Any]]:
    """Return rows by their ids."""
    return {row["id"]: row for row in rows}


def backups(tables: dict[str, Rows], name: str) -> list[Rows]:
    """Return what the backups of a table hold."""
    return [rows for table, rows in tables.items() if table.startswith(f"{name}_bak")]


def change(url: str, statement: str, **values: Any) -> None:
    """Run a statement in an old database that is not opened yet, without the library."""
    with plain_connection(url) as connection:
        connection.execute(text(statement), values)


@on("028")
def test_order_of_a_trade_that_is_not_there(old_url: str) -> None:
    """Where references were never enforced, an order may belong to a trade that was deleted: it is kept."""
    change(
        old_url,
        "INSERT INTO orders (id, ft_trade_id, ft_order_side, ft_pair, ft_is_open, order_id) "
        "VALUES (900, 9999, 'buy', 'LOST/BTC', 0, 'orphan')",
    )
    before = contents(old_url)
    after = adopt(old_url)
    assert by_id(after["orders"])[900]["ft_trade_id"] == 9999
    assert len(after["orders"]) == len(before["orders"])
    with opened(old_url):
        assert len(Trade.get_trades().all()) == len(before["trades"])


@on("203", "301")
def test_null_where_it_no_longer_may_be(old_url: str) -> None:
    """A missing rate or amount becomes the one that was asked for, else 0; an order without a trade is set aside."""
    change(old_url, "UPDATE trades SET open_rate = NULL, open_rate_requested = 0.5 WHERE id = 1")
    change(old_url, "UPDATE trades SET open_rate = NULL, open_rate_requested = NULL WHERE id = 2")
    change(old_url, "UPDATE trades SET amount = NULL, amount_requested = 7 WHERE id = 3")
    change(old_url, "UPDATE orders SET ft_trade_id = NULL WHERE id = 4")
    before = contents(old_url)
    after = adopt(old_url)
    trades = by_id(after["trades"])
    assert (trades[1]["open_rate"], trades[2]["open_rate"], trades[3]["amount"]) == (0.5, 0.0, 7.0)
    assert len(trades) == len(before["trades"])
    assert by_id(after["orders"]).keys() == by_id(before["orders"]).keys() - {4}
    saved = [by_id(rows).get(4, {}).get("order_id") for rows in backups(after, "orders")]
    assert by_id(before["orders"])[4]["order_id"] in saved


@on("201")
def test_tag_that_is_too_long(old_url: str) -> None:
    """It is cut as a new one would be; the backup has all of it."""
    long_reason = "because " * 40
    change(old_url, "UPDATE trades SET sell_reason = :reason WHERE id = 1", reason=long_reason)
    after = adopt(old_url)
    assert by_id(after["trades"])[1]["exit_reason"] == long_reason[:255]
    assert long_reason in [by_id(rows)[1]["sell_reason"] for rows in backups(after, "trades")]


@on("201")
def test_name_that_is_too_long(old_url: str) -> None:
    """A name may not be cut: the database is refused, the message tells where it is, and nothing was changed."""
    change(old_url, "UPDATE trades SET strategy = :name WHERE id = 7", name="S" * 150)
    before = contents(old_url)
    with pytest.raises(MigrationError, match=r"(?=.*\btrades\b)(?=.*\bstrategy\b)(?=.*\b7\b)"):
        init_db(old_url)
    assert contents(old_url) == before


@on("031", "205", "303")
def test_two_values_of_one_key(old_url: str) -> None:
    """One of them stays, whole; the backup has both."""
    first = contents(old_url)["KeyValueStore"][0]
    columns = {**first, "id": 500, "value_type": "str", "string_value": "second", "int_value": None}
    with plain_connection(old_url) as connection:
        store = Table("KeyValueStore", MetaData(), *(Column(name) for name in columns))
        connection.execute(store.insert().values(columns))
    both = [row for row in contents(old_url)["KeyValueStore"] if row["key"] == first["key"]]
    assert len(both) == 2
    after = adopt(old_url)
    (left,) = (row for row in after["KeyValueStore"] if row["key"] == first["key"])
    assert {name: left[name] for name in first} in both
    assert any(all(row in rows for row in both) for rows in backups(after, "KeyValueStore"))
    with opened(old_url):
        KeyValueStore.store_value(first["key"], "third")
        assert KeyValueStore.get_value(first["key"]) == "third"


@on("205", "206")
def test_counters_that_fell_behind(old_url: str) -> None:
    """Where an earlier upgrade let a table count from 1 again, new rows get ids that are free."""
    counted = ("trades", "orders", "pairlocks", "trade_custom_data", "KeyValueStore")
    load_script(old_url, "".join(f"""SELECT setval('"{name}_id_seq"', 1, false);""" for name in counted))
    before = contents(old_url)
    with opened(old_url):
        trade = trade_with_entry(pair="NEWCOIN/USDT", open_date=MOMENT)
        store(trade)
        trade.set_custom_data("mood", "calm")
        PairLocks.lock_pair("NEWCOIN/USDT", MOMENT + timedelta(days=1), now=MOMENT)
        KeyValueStore.store_value("newest_key", 1)
    after = contents(old_url)
    for name in counted:
        (fresh,) = by_id(after[name]).keys() - by_id(before[name]).keys()
        assert fresh > max(by_id(before[name]))


@pytest.mark.needs("persistent")
def test_trades_without_required_columns(store_url: str) -> None:
    """A table that was never one of trades is refused by the columns that it lacks, and left as it was."""
    metadata = MetaData()
    foreign = Table(
        "trades",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("pair", String(25)),
        Column("is_open", Boolean),
        Column("open_rate", Float),
        Column("sold_at", DateTime),
    )
    with plain_connection(store_url) as connection:
        metadata.create_all(connection)
        moment = datetime(2020, 1, 1)  # noqa: DTZ001 - a column without zones
        connection.execute(foreign.insert().values(pair="ETH/BTC", is_open=True, open_rate=0.5, sold_at=moment))
    before = contents(store_url)
    with pytest.raises(MigrationError) as error:
        init_db(store_url)
    missing = ("exchange", "amount", "stake_amount", "open_date")
    assert [name for name in missing if name not in str(error.value)] == []
    assert contents(store_url) == before


@on("028", "203", "301")
def test_order_that_only_its_trade_knows(old_url: str) -> None:
    """An order that a trade names, but that has no row, gets one: what waits on the exchange is not forgotten."""
    before = contents(old_url)
    free = [row for row in before["trades"] if not row["open_order_id"] and not row["stoploss_order_id"]]
    entering = next(row for row in free if row["close_rate_requested"] is None)
    leaving = next(row for row in free if row["close_rate_requested"] is not None)
    dry = next(row for row in free if row["is_open"] and row["id"] not in {entering["id"], leaving["id"]})
    change(old_url, "UPDATE trades SET open_order_id = 'lost-1' WHERE id = :id", id=entering["id"])
    change(
        old_url,
        "UPDATE trades SET open_order_id = 'lost-2', stoploss_order_id = 'lost-3' WHERE id = :id",
        id=leaving["id"],
    )
    change(old_url, "UPDATE trades SET stoploss_order_id = 'dry_run_lost' WHERE id = :id", id=dry["id"])
    after = adopt(old_url)
    known = by_id(before["orders"])
    made = [row for row in after["orders"] if row["id"] not in known]
    told = ("ft_trade_id", "ft_pair", "order_id", "ft_order_side", "ft_is_open", "ft_amount", "ft_price", "status")
    wanted = [
        (entering["id"], entering["pair"], "lost-1", "buy", True, 0.0, 0.0, None),
        (leaving["id"], leaving["pair"], "lost-2", "sell", True, 0.0, 0.0, None),
        (leaving["id"], leaving["pair"], "lost-3", "stoploss", True, 0.0, 0.0, None),
        (dry["id"], dry["pair"], "dry_run_lost", "stoploss", False, 0.0, 0.0, None),
    ]
    assert sorted((tuple(row[name] for name in told) for row in made), key=lambda row: row[2]) == sorted(
        wanted, key=lambda row: row[2]
    )
    assert min(row["id"] for row in made) > max(known)
    assert known.keys() < by_id(after["orders"]).keys()
    with opened(old_url):
        waiting = {order.order_id for order in Order.get_open_orders()}
    assert {"lost-1", "lost-2", "lost-3"} <= waiting


@on("028", "203", "301")
def test_order_of_a_trade_that_has_a_row_gets_no_second_one(case: LegacyCase, old_url: str) -> None:
    """The files name orders that have rows: they stay as many as they were."""
    before = contents(old_url)
    named = [row["open_order_id"] for row in before["trades"] if row["open_order_id"]]
    assert named
    after = adopt(old_url)
    assert len(after["orders"]) == len(case.expected_rows["orders"]) == len(before["orders"])


@on("028", "203")
def test_trade_without_a_trading_mode(old_url: str) -> None:
    """It stays without one, and counts as spot."""
    change(old_url, "UPDATE trades SET trading_mode = NULL WHERE id = 1")
    assert by_id(adopt(old_url)["trades"])[1]["trading_mode"] is None
    with opened(old_url):
        trade = Trade.session.get_one(Trade, 1)
        unset = trade.calc_profit(1.0)
        trade.trading_mode = TradingMode.SPOT
        assert trade.calc_profit(1.0) == unset
        Trade.rollback()


@on("028")
def test_text_that_is_no_utf8(old_url: str) -> None:
    """Bytes that no driver can read as text are kept as they are, or the file is refused as it is."""
    load_script(old_url, "UPDATE trades SET enter_tag = CAST(x'ff6170e4' AS TEXT) WHERE id = 1;")
    before = _raw(old_url)
    try:
        init_db(old_url).close()
    except MigrationError as error:
        assert _raw(old_url) == before
        assert "enter_tag" in str(error)  # noqa: PT017 - either end is right
    after = _raw(old_url)
    homes = [rows for name, rows in after.items() if name == "trades" or name.startswith("trades_bak")]
    assert any(len(rows) == len(before["trades"]) and any(b"\xffap\xe4" in row for row in rows) for rows in homes)
    assert len(after["trades"]) == len(before["trades"])


def _raw(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of a file's tables with its texts as bytes."""
    connection = sqlite3.connect(str(make_url(url).database))
    connection.text_factory = bytes
    names = [row[0].decode() for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    tables = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
    connection.close()
    return tables


@on("015", "028")
def test_whole_numbers_where_fractions_are_usual(old_url: str) -> None:
    """An amount or rate without decimals is as good as another, in what is computed from it too."""
    change(
        old_url, "UPDATE trades SET amount = 3, open_rate = 2, fee_open = 0, close_rate = 4, fee_close = 0 WHERE id = 1"
    )
    after = by_id(adopt(old_url)["trades"])[1]
    assert [(after[name], type(after[name])) for name in ("amount", "open_rate", "close_rate")] == [
        (3.0, float),
        (2.0, float),
        (4.0, float),
    ]
    with opened(old_url):
        trade = Trade.session.get_one(Trade, 1)
        assert trade.calc_close_trade_value(4.0) == 12.0


@on("015")
def test_computed_values(old_url: str) -> None:
    """The open value and the profit of a trade are computed from what it holds, where the old table lacks them."""
    change(
        old_url,
        "UPDATE trades SET amount = 3, open_rate = 2, fee_open = 0.5, close_rate = 4, fee_close = 0.25 WHERE id = 1",
    )
    trades = by_id(contents(old_url)["trades"])
    assert "open_trade_value" not in trades[1]
    after = by_id(adopt(old_url)["trades"])[1]
    assert after["open_trade_value"] == 9.0  # 3 * 2 * 1.5
    assert after["close_profit_abs"] == trades[1]["close_profit_abs"]
