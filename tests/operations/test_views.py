"""Read views: the same rows on every engine, whatever becomes of the tables below."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.builders import CLOSED, OPENED, closed_trade, order, store, trade
from tests.capabilities import Backend
from tests.operations.furniture import plain_engine, tell
from tradestore import ModelBase, PairLock, Store, Trade, init_db, migrations
from tradestore.exceptions import DatabaseUnreachable, MigrationError, OperationalException
from tradestore.operations import transfer
from tradestore.operations._view_columns import views_on
from tradestore.operations.views import create_views, drop_views, list_views

NAMES = ["v_trades_1", "v_open_trades_1", "v_orders_1", "v_closed_profit_1", "v_pairlocks_1"]
HOURS = timedelta(hours=1)


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    with plain_engine(url) as engine, engine.connect() as connection:
        yield connection


def _rows(url: str, query: str) -> list[dict[str, Any]]:
    """Return rows with flags, moments and days in one form: SQLite has numbers and texts for them."""
    with _reading(url) as connection:
        return [
            {name: _plain(name, value) for name, value in row._mapping.items()}
            for row in connection.execute(text(query))
        ]


def _plain(name: str, value: Any) -> Any:
    if name.startswith("is_"):
        return bool(value)
    if name.endswith(("_at", "_until")) and isinstance(value, str):
        return datetime.fromisoformat(value)
    return str(value) if name == "day" else value


@pytest.fixture
def viewed(database: Store, store_url: str) -> str:
    """Return the URL of a store with views over a win, two losses, an open short, and a lock."""
    micro = timedelta(microseconds=999_999)
    store(
        closed_trade(profit=50.0, ratio=0.25, close_date=CLOSED + micro, exit_reason="roi", trading_mode="spot"),
        closed_trade(profit=-10.0, ratio=-0.05),
        closed_trade(profit=-30.0, ratio=-0.15, close_date=CLOSED + 24 * HOURS),
        trade(
            pair="BTC/USDT",
            is_short=True,
            realized_profit=2.5,
            close_profit=0.01,
            close_profit_abs=2.5,
            orders=[
                order(ft_order_side="sell", filled=3.0),
                order(ft_order_side="buy"),
                order(ft_order_side="stoploss", ft_is_open=True, filled=None),
            ],
        ),
        PairLock(pair="ADA/USDT", side="long", reason="rest", lock_time=OPENED, lock_end_time=CLOSED),
    )
    Trade.session.remove()
    create_views(database)
    return store_url


@pytest.mark.needs("persistent", "first_driver")
def test_trades(viewed: str) -> None:
    first, *_, last = _rows(viewed, "SELECT * FROM v_trades_1 ORDER BY trade_id")
    assert {name: first[name] for name in ("side", "trading_mode", "is_open", "exit_reason", "pair")} == {
        "side": "long",
        "trading_mode": "spot",
        "is_open": False,
        "exit_reason": "roi",
        "pair": "ADA/USDT",
    }
    assert (first["profit_ratio"], first["profit_abs"], first["realized_profit_abs"]) == (0.25, 50.0, 50.0)
    assert first["opened_at"] == datetime(2026, 3, 1, 12)  # noqa: DTZ001 - as databases have it
    assert first["closed_at"] == datetime(2026, 3, 1, 17, 0, 0, 999_999)  # noqa: DTZ001 - as databases have it
    assert (first["opened_unix"], first["closed_unix"], first["duration_seconds"]) == (1772366400, 1772384400, 18000)
    assert (first["entry_fee_ratio"], first["exit_fee_cost"], first["leverage"]) == (0.0, None, 1.0)
    assert (last["side"], last["is_open"], last["trading_mode"], last["closed_unix"]) == ("short", True, None, None)
    # What an open trade has there is the profit of its last exit only.
    assert (last["profit_ratio"], last["profit_abs"], last["realized_profit_abs"]) == (None, None, 2.5)
    assert last["duration_seconds"] is None


@pytest.mark.needs("persistent", "first_driver")
def test_open_trades(viewed: str) -> None:
    (found,) = _rows(viewed, "SELECT * FROM v_open_trades_1")
    assert (found["trade_id"], found["side"], found["stake_amount"]) == (4, "short", 200.0)
    assert "profit_ratio" not in found


@pytest.mark.needs("persistent", "first_driver")
def test_orders(viewed: str) -> None:
    found = _rows(viewed, "SELECT * FROM v_orders_1 WHERE trade_id = 4 ORDER BY order_row_id")
    assert [(row["order_side"], row["purpose"], row["is_open"], row["filled"]) for row in found] == [
        ("sell", "entry", False, 3.0),
        ("buy", "exit", False, 10.0),
        ("stoploss", "exit", True, None),
    ]
    assert {row["trade_side"] for row in found} == {"short"}
    (entry,) = _rows(viewed, "SELECT * FROM v_orders_1 WHERE trade_id = 1")
    assert (entry["purpose"], entry["placed_at"]) == ("entry", datetime(2026, 3, 1, 12))  # noqa: DTZ001 - as above


@pytest.mark.needs("persistent", "first_driver")
def test_closed_profit(viewed: str) -> None:
    found = _rows(viewed, "SELECT * FROM v_closed_profit_1 ORDER BY day")
    assert [(row["day"], row["pair"], row["trades"], row["wins"], row["losses"]) for row in found] == [
        ("2026-03-01", "ADA/USDT", 2, 1, 1),
        ("2026-03-02", "ADA/USDT", 1, 0, 1),
    ]
    assert [row["profit_abs"] for row in found] == [40.0, -30.0]
    assert [row["mean_profit_ratio"] for row in found] == [pytest.approx(0.1), pytest.approx(-0.15)]


@pytest.mark.needs("persistent", "first_driver")
def test_locks(viewed: str) -> None:
    (found,) = _rows(viewed, "SELECT * FROM v_pairlocks_1")
    assert (found["pair"], found["side"], found["reason"], found["is_active"]) == ("ADA/USDT", "long", "rest", True)
    assert found["locked_until"] - found["locked_at"] == 5 * HOURS


def test_made_listed_and_removed(database: Store) -> None:
    """On every engine, in memory too; a second time nothing is left to be done."""
    assert [(view.name, view.is_there) for view in list_views(database)] == [(name, False) for name in NAMES]
    assert [view.is_changed for view in create_views(database)] == [True] * 5
    assert [view.is_changed for view in create_views(database)] == [False] * 5
    listed = list_views(database)
    assert [view.is_there for view in listed] == [True] * 5
    with database.engine.connect() as connection:
        for view in listed:
            result = connection.execute(text(f"SELECT * FROM {view.name}"))
            assert tuple(result.keys()) == view.columns
            assert result.all() == []
    assert [view.is_changed for view in drop_views(database)] == [True] * 5
    assert [view.is_changed for view in drop_views(database)] == [False] * 5
    assert not any(view.is_there for view in list_views(database))


@pytest.mark.needs("persistent", "first_driver")
def test_nothing_takes_them_for_more_than_views(viewed: str, new_file) -> None:
    """Neither the check of the schema, nor a start, nor a transfer."""
    with plain_engine(viewed) as engine:
        assert migrations.check(engine, ModelBase.metadata) == []
        assert migrations.scan(engine).steps == []
    init_db(viewed).close()
    target = new_file()
    report = transfer(viewed, target)
    assert not {table.name for table in report.tables}.intersection(NAMES)
    assert not any(view.is_there for view in list_views(target))


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("revision", ["0001_initial", "0005_order_intents"])
def test_they_outlive_changes_of_the_tables(viewed: str, revision: str) -> None:
    """Down to an older version and up again: they show the same rows, there and back."""
    before = {name: _rows(viewed, f"SELECT * FROM {name}") for name in NAMES}
    Trade.session.remove()
    with plain_engine(viewed) as engine:
        migrations.downgrade(engine, revision)
        assert {name: _rows(viewed, f"SELECT * FROM {name}") for name in NAMES} == before
        migrations.upgrade(engine)
    assert {name: _rows(viewed, f"SELECT * FROM {name}") for name in NAMES} == before
    assert all(view.is_there for view in list_views(viewed))


@pytest.mark.needs("persistent", "first_driver")
def test_without_tables_they_wait_or_are_named(backend: Backend, store_url: str) -> None:
    """Where the engine lets a view be without its tables, it shows them as soon as they are there again."""
    init_db(store_url).close()
    create_views(store_url)
    with plain_engine(store_url) as engine:
        if backend.views_hold_columns:
            with pytest.raises(
                MigrationError, match=r"view v_trades_1 needs .*changed: drop it .* `tradestore views drop`"
            ):
                migrations.downgrade(engine, "base")
            assert all(view.is_there for view in list_views(store_url))
            drop_views(store_url)
        migrations.downgrade(engine, "base")
        migrations.upgrade(engine)
    assert [view.is_there for view in list_views(store_url)] == [not backend.views_hold_columns] * 5
    create_views(store_url)
    assert [_rows(store_url, f"SELECT * FROM {name}") for name in NAMES] == [[]] * 5


@pytest.mark.needs("persistent", "first_driver")
def test_a_table_in_the_way_is_named(store_url: str) -> None:
    """Of the others none is made where the engine undoes it, and all can be made when the way is free."""
    init_db(store_url).close()
    tell(store_url, "CREATE TABLE v_pairlocks_1 (id INTEGER)")
    with pytest.raises(OperationalException, match=r"views of .* cannot be changed \(.*v_pairlocks_1.*rename or drop"):
        create_views(store_url)
    tell(store_url, "DROP TABLE v_pairlocks_1")
    create_views(store_url)
    assert all(view.is_there for view in list_views(store_url))


@pytest.mark.needs("persistent", "transactional_ddl", "first_driver")
def test_all_or_none_is_made(store_url: str) -> None:
    init_db(store_url).close()
    tell(store_url, "CREATE TABLE v_pairlocks_1 (id INTEGER)")
    with pytest.raises(OperationalException):
        create_views(store_url)
    assert not any(view.is_there for view in list_views(store_url))


@pytest.mark.needs("persistent", "first_driver")
def test_columns_that_somebody_adds_change_nothing(viewed: str) -> None:
    before = _rows(viewed, "SELECT * FROM v_trades_1")
    tell(viewed, "ALTER TABLE trades ADD COLUMN mood INTEGER")
    assert _rows(viewed, "SELECT * FROM v_trades_1") == before


def test_a_missing_file_stays_missing(tmp_path) -> None:
    for work in (create_views, drop_views, list_views):
        with pytest.raises(DatabaseUnreachable, match=r"There is no database"):
            work(f"sqlite:///{tmp_path / 'missing.sqlite'}")
    assert not list(tmp_path.iterdir())


def test_they_have_the_same_columns_everywhere() -> None:
    found = [[(view.name, [column.name for column in view.columns]) for view in views_on(name)] for name in _DIALECTS]
    assert found[0] == found[1] == found[2]
    assert [name for name, _ in found[0]] == NAMES


_DIALECTS = ("sqlite", "postgresql", "mysql")
