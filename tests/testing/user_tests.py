"""What an author of a bot writes with the fixtures; a process of its own runs it, as a copy called test_bot.py."""

import pytest

from tradestore import KeyValueStore, LocalTrade, PairLocks, Trade
from tradestore.exceptions import DatabaseBusy
from tradestore.testing import make_known_spot_long, make_local_trade, make_trade


def record(trade: Trade) -> None:
    Trade.session.add(trade)
    Trade.commit()


def test_recorded_trade_is_found(tradestore_store):
    record(make_trade(pair="ETH/USDT"))
    assert [trade.pair for trade in Trade.get_open_trades()] == ["ETH/USDT"]


def test_store_is_empty_again(tradestore_store):
    assert Trade.get_trades().all() == []


def test_report_adds_up(tradestore_memory):
    known = make_known_spot_long()
    Trade.session.add(known.trade)
    Trade.commit()
    (report,) = Trade.get_overall_performance()
    assert report["profit_abs"] == known.figures.close_profit_abs == 19.58


@pytest.mark.parametrize("number", [1, 2])
def test_busy_database_loses_nothing(tradestore_sqlite, tradestore_faults, number):
    with tradestore_faults.fail_statement(number, "busy") as fault, pytest.raises(DatabaseBusy):
        record(make_trade())
    assert fault.happened
    record(make_trade())
    assert Trade.get_open_trade_count() == 1


def test_every_point(tradestore_sqlite, tradestore_faults):
    with tradestore_faults.count_statements() as steps:
        KeyValueStore.store_value("mood", "good")
    for number in range(1, len(steps.statements) + 1):
        with tradestore_faults.fail_statement(number, "lost"), pytest.raises(DatabaseBusy):
            KeyValueStore.store_value("mood", "bad")
        assert KeyValueStore.get_value("mood") == "good"


def test_backtest_stays_in_memory(tradestore_backtest):
    LocalTrade.add_bt_trade(make_local_trade())
    assert Trade.get_open_trade_count() == 1
    assert PairLocks.timeframe == "5m"


def test_nothing_is_left_of_the_backtest():
    assert LocalTrade.get_open_trade_count() == 0
    assert Trade.use_db


def test_connection_is_left_behind(tradestore_sqlite):
    tradestore_sqlite.kept = tradestore_sqlite.engine.connect()
