"""The paper bot trades for a week of candles, on each engine the same to the last digit, as the exchange tells it."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples.paper_bot.bot import PaperBot
from examples.paper_bot.market import Market
from examples.paper_bot.summary import digest
from tests.doctor.planting import calm_surroundings
from tests.examples.paper_runs import (
    BEGIN,
    DyingExchange,
    Killed,
    Operator,
    accompanied,
    assert_ledger_agrees,
    paper_bot,
    summary_of,
    watched,
)
from tradestore import Store, Trade, init_db
from tradestore.operations.content import content_hash
from tradestore.operations.doctor import diagnose
from tradestore.testing import opened_store

ITERATIONS = 2_000
KILLED_ITERATIONS = 150
WITH_WALL_CLOCK = {
    "KeyValueStore",
    "order_intents",
    "orders",
    "trade_custom_data",
    "trade_limits",
    "trades",
    "commit_tokens",
}
"""Tables whose rows tell when the test ran, or have ids that SQLite gives twice."""


def test_two_thousand_iterations_end_alike_on_every_engine(store_url, tmp_path) -> None:
    """Whatever threads and requests ask meanwhile."""
    expected_summary, expected_tables = _in_memory()
    threads = set(threading.enumerate())
    with _quiet(), opened_store(store_url) as store:
        bot = paper_bot(store)
        with watched(bot) as operator:
            bot.run(ITERATIONS, operator.look)
        _assert_every_shape(bot, operator)
        summary = summary_of(bot)
        assert {name: digest({name: part}) for name, part in summary.items()} == expected_summary
        assert content_hash(store, without=WITH_WALL_CLOCK).tables == expected_tables

        bot.exit_all("force_exit")
        assert_ledger_agrees(bot.exchange, operator.deleted)
        _assert_healthy(store, tmp_path)
        Trade.session.remove()
        assert (store.pool_status().checked_out, store.status().sessions) == (0, 0)
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)
    assert set(threading.enumerate()) <= threads


@cache
def _in_memory() -> tuple[dict[str, str], Any]:
    """Return what a run on SQLite in memory ends with: by part of the summary, and by table."""
    with _quiet(), opened_store("sqlite://") as store:
        bot = paper_bot(store)
        with accompanied(bot) as operator:
            bot.run(ITERATIONS, operator.look)
        summary = {name: digest({name: part}) for name, part in summary_of(bot).items()}
        return summary, content_hash(store, without=WITH_WALL_CLOCK).tables


def _assert_every_shape(bot: PaperBot, operator: Operator) -> None:
    """See that the run was no walk in the park."""
    counts = bot.counts
    at_least = {
        "further entries": 100,
        "partial exits": 100,
        "stop losses moved": 100,
        "repeated messages": 1_000,
        "orders in doubt": 100,
        "doubts resolved: placed": 50,
        "doubts resolved: void": 20,
        "rejected orders": 20,
        "orders that waited too long": 20,
        "entries never filled": 5,
        "entries refused by a lock": 100,
        "entries refused by the strategy": 5,
        "liquidations": 3,
    }
    assert {what: counts[what] for what, least in at_least.items() if counts[what] < least} == {}
    reasons = {trade.exit_reason for trade in Trade.get_closed_trades()}
    assert reasons >= {
        "stoploss_on_exchange",
        "stop_loss",
        "trailing_stop_loss",
        "liquidation",
        "target",
        "too old",
        "force_exit",
    }
    closed = Trade.get_closed_trades()
    assert len(closed) >= 250
    assert len([trade for trade in closed if trade.is_short]) >= 50
    assert len([trade for trade in closed if trade.funding_fees]) >= 10
    assert {trade.fee_open_currency for trade in closed} == {"USDT", "BNB", "ETH"}
    assert any(0 < order.safe_filled < order.safe_amount for trade in closed for order in trade.orders)
    assert (operator.exits, bool(operator.deleted)) == (2, True)
    assert operator.answered >= 30


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("every", [7, 40])
def test_no_order_is_lost_or_doubled_by_a_bot_that_dies_again_and_again(store_url, tmp_path, every) -> None:
    """Between the exchange's answer and the commit, and between a candle and its first message."""
    exchange = DyingExchange(Market(begin=BEGIN), range(every, 5_000, every))
    deaths = 0
    with _quiet():
        while True:
            store = init_db(store_url)
            try:
                bot = paper_bot(store, exchange)
                bot.run(KILLED_ITERATIONS)
                bot.exit_all("force_exit")
                break
            except Killed:
                deaths += 1
            finally:
                Trade.session.remove()
                store.close()
        assert deaths >= 300 // every
        with opened_store(store_url) as store:
            assert not store.unresolved_intents()
            assert Trade.get_open_trade_count() == 0
            assert_ledger_agrees(exchange)
            _assert_healthy(store, tmp_path)


def _assert_healthy(store: Store, folder: Path) -> None:
    found = diagnose(store, surroundings=calm_surroundings(folder))
    assert (found.findings, found.failed) == ([], [])


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the library tells the log about each order, which pytest would keep."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
