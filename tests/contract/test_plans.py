"""How the engines go about the questions: none that asks for a few rows reads a whole table."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event, select

from tests.capabilities import Backend
from tests.history import END, fill_history, pair_of
from tests.plans import Access, accesses, gather_statistics
from tradestore import (
    CustomDataWrapper,
    Database,
    KeyValueStore,
    Order,
    PairLocks,
    Trade,
    WalletHistory,
    migrations,
)
from tradestore._archive_model import ArchivedProfit
from tradestore.key_value_store import set_startup_time

PAIR = pair_of(3)
LATE = END - timedelta(hours=20)
LEADS_TO_ALL_CLOSED = "ix_trades_is_open"


def _summed(column: Any, filters: list[Any]) -> object:
    return Trade.session.execute(Trade._generic_performance_query([column], filters)).all()


STANDARD: dict[str, Callable[[], object]] = {
    "open trades": Trade.get_open_trades,
    "open trades by a filter": lambda: Trade.get_trades(Trade.is_open.is_(True)).all(),
    "open trades without orders": lambda: Trade.get_trades([Trade.is_open.is_(True)], include_orders=False).all(),
    "open trades of a pair": lambda: Trade.get_trades_proxy(pair=PAIR, is_open=True),
    "open trades without fees": Trade.get_open_trades_without_assigned_fees,
    "count of open trades": Trade.get_open_trade_count,
    "stakes of open trades": Trade.total_open_trades_stakes,
    "closed since": lambda: Trade.get_trades_proxy(is_open=False, close_date=LATE),
    "closed since, by a filter": lambda: Trade.get_trades([Trade.is_open.is_(False), Trade.close_date >= LATE]).all(),
    "closed since, of a pair": lambda: Trade.get_trades_proxy(pair=PAIR, is_open=False, close_date=LATE),
    "opened since": lambda: Trade.get_trades_proxy(open_date=LATE),
    "opened since, of a pair": lambda: Trade.get_trades_proxy(pair=PAIR, open_date=LATE),
    "one trade": lambda: Trade.get_trades([Trade.id == 77]).all(),
    "orders of a trade": lambda: Trade.session.get_one(Trade, 78).orders,
    "performance since": lambda: Trade.get_overall_performance(LATE),
    "summed since, by a flag": lambda: _summed(Trade.is_open, [Trade.close_date >= LATE]),
    "summed since, by a date": lambda: _summed(Trade.open_date, [Trade.close_date >= LATE, Trade.is_open.is_(False)]),
    "enter tags of a pair": lambda: Trade.get_enter_tag_performance(PAIR),
    "exit reasons of a pair": lambda: Trade.get_exit_reason_performance(PAIR),
    "mixed tags of a pair": lambda: Trade.get_mix_tag_performance(PAIR),
    "best pair since": lambda: Trade.get_best_pair([Trade.close_date >= LATE]),
    "volume since": lambda: Trade.get_trading_volume([Trade.close_date >= LATE]),
    "volume of open trades": lambda: Trade.get_trading_volume(Trade.is_open.is_(True)),
    "page": lambda: Trade.get_trades_page(after=2_000, limit=20),
    "page, newest first": lambda: Trade.get_trades_page(after=2_000, limit=20, newest_first=True),
    "page by close date": lambda: Trade.get_trades_page(after=2_000, limit=20, by="close_date"),
    "page by close date, newest first": lambda: Trade.get_trades_page(
        after=2_000, limit=20, by="close_date", newest_first=True
    ),
    "locks": lambda: PairLocks.get_pair_locks(None, END),
    "locks of a pair": lambda: PairLocks.get_pair_locks(PAIR, END, "long"),
    "is a pair locked": lambda: PairLocks.is_pair_locked(PAIR, END, "short"),
    "the same lock": lambda: PairLocks.lock_pair(PAIR, END, "cooldown", now=END),
    "custom data of a trade": lambda: CustomDataWrapper.get_custom_data(trade_id=79),
    "custom data by key": lambda: CustomDataWrapper.get_custom_data(trade_id=79, key="LEVEL"),
    "custom data of a pair": lambda: CustomDataWrapper.get_custom_data(pair="80/USDT"),
    "key": lambda: KeyValueStore.get_value("key 81"),
    "start of the bot": set_startup_time,
    "order by id": lambda: Order.order_by_id("82-buy"),
    "order by id and pair": lambda: Order.order_by_id("82-buy", pair_of(82)),
    "open orders": Order.get_open_orders,
    "wallet over time": lambda: Trade.session.scalars(
        select(WalletHistory).where(WalletHistory.timestamp >= LATE).order_by(WalletHistory.timestamp)
    ).all(),
}

WHOLE_HISTORY: dict[str, Callable[[], object]] = {
    "performance": Trade.get_overall_performance,
    "summed": lambda: _summed(Trade.pair, []),
    "enter tags": lambda: Trade.get_enter_tag_performance(None),
    "exit reasons": lambda: Trade.get_exit_reason_performance(None),
    "mixed tags": lambda: Trade.get_mix_tag_performance(None),
    "best pair": Trade.get_best_pair,
    "volume": Trade.get_trading_volume,
    "closed profit": Trade.get_total_closed_profit,
}


@contextmanager
def _selects(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """List the SELECTs that go to the database in the block, as the driver gets them."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _ways(database: Database, question: Callable[[], object]) -> list[list[Access]]:
    """Ask, and return the ways into tables for each statement that it took."""
    Trade.session.remove()
    with _selects(database) as sent:
        question()
    Trade.session.remove()
    assert sent
    return [accesses(database.engine, *statement) for statement in sent]


def _faults(database: Database, questions: Iterable[str] = STANDARD) -> dict[str, list[Access]]:
    """Return the standard questions that read a whole table, or all closed trades by the flag that they share."""
    found = {}
    for name, question in ((name, STANDARD[name]) for name in questions):
        ways = [way for statement in _ways(database, question) for way in statement]
        assert ways, name
        asks_for_closed = "since" in name or "of a pair" in name or "close date" in name
        bad = [
            way for way in ways if way.whole or (asks_for_closed and (way.index or "").strip() == LEADS_TO_ALL_CLOSED)
        ]
        if bad:
            found[name] = bad
    return found


@pytest.fixture
def history(database: Database) -> Database:
    """Return a store with a long history, whose planner knows nothing but what it counts by itself."""
    fill_history(database.engine)
    return database


def test_standard_questions_read_no_whole_table(history, backend: Backend) -> None:
    """Whatever a bot asks again and again is found by an index.

    First pages are left out: they walk along a key from its start until they have enough, which an engine describes as
    it describes a walk through everything. Files get no statistics unless somebody runs ANALYZE, so that where the
    engine keeps none by itself the plans must be right with them and without.
    """
    if not backend.counts_rows:
        assert _faults(history) == {}
    gather_statistics(history.engine)
    assert _faults(history) == {}


def test_reports_on_the_whole_history_read_each_table_once(history) -> None:
    """Without a filter a report reads every closed trade, whatever indexes there are: but once, in one statement."""
    gather_statistics(history.engine)
    for name, report in WHOLE_HISTORY.items():
        (ways,) = _ways(history, report)
        tables = [way.table for way in ways]
        assert len(set(tables)) == len(tables), (name, ways)


def test_check_finds_what_reads_a_whole_table(history) -> None:
    """A question for a column without an index is seen to read everything, one by the key is not."""
    gather_statistics(history.engine)
    slow = _ways(history, lambda: Trade.session.execute(select(Trade.id).where(Trade.stake_amount == 7.0)).all())
    fast = _ways(history, lambda: Trade.session.execute(select(Trade.stake_amount).where(Trade.id == 7)).all())
    joined = _ways(history, lambda: Trade.get_trading_volume(Trade.stake_amount == 7.0))
    assert [[(way.table, way.whole) for way in statement] for statement in slow] == [[("trades", True)]]
    assert [[(way.table, way.whole) for way in statement] for statement in fast] == [[("trades", False)]]
    assert any(way.whole for statement in joined for way in statement)


def test_check_finds_missing_indexes(history) -> None:
    """With the indexes of the first revision alone some standard questions read whole tables, and are found out."""
    with history.engine.begin() as connection:
        connection.execute(delete(ArchivedProfit))
    migrations.downgrade(history.engine, "0001_initial")
    gather_statistics(history.engine)
    assert "opened since" in _faults(history, ["opened since"])
