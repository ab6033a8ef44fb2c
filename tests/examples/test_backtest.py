"""The example engine: the same trades in memory and on every engine, and cash that agrees with them."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from examples.backtest.books import DatabaseBook
from examples.backtest.candles import BEGIN, CANDLE, TIMEFRAME, Candle, History, make_histories
from examples.backtest.engine import Result, run_backtest
from examples.backtest.results import Summary, summarize
from examples.backtest.settings import Settings
from examples.backtest.strategy import Strategy
from tests.capabilities import Backend
from tests.doctor.planting import Bed, calm_surroundings
from tests.examples.cash import HALF_A_UNIT, exact, ledgers
from tradestore import (
    LocalTrade,
    Order,
    PairLocks,
    Store,
    Trade,
    TradingMode,
    backtest_runs,
    init_db,
    load_backtest,
    store_backtest,
)

CHECKOUT = Path(__file__).parents[2]
SECONDS = 60
HOURS = 200
"""Enough for each kind of event, and few enough for every database."""
AT_LEAST = 3
"""How often each kind of event must have happened for a comparison to say something."""

every_mode = pytest.mark.parametrize("mode", list(TradingMode), ids=[mode.value for mode in TradingMode])


def settings_of(mode: TradingMode, **changed: Any) -> Settings:
    return Settings(mode=mode, **{"candles": HOURS} | changed)


@cache
def in_memory(settings: Settings) -> Result:
    """Return a run that several tests look at."""
    return run_backtest(settings)


def trades_as_json(result: Result) -> list[dict[str, Any]]:
    """Return all that trades and orders tell but the ids that a database gives; texts tell 0.0 from -0.0."""
    told = [trade.to_json() | {"trade_id": None} for trade in result.trades]
    assert all(len(trade["orders"]) >= 2 for trade in told)
    return [json.loads(json.dumps(trade), parse_float=str) for trade in told]


def locks_as_json(result: Result) -> list[dict[str, Any]]:
    return [lock.to_json() | {"id": None} for lock in result.locks]


def columns_as_text(trades: list[LocalTrade]) -> list[list[str]]:
    """Return every column of trades and orders, those that no JSON shows included, but their ids."""
    ids = {"id", "ft_trade_id"}
    of_trade = sorted({column.name for column in Trade.__table__.columns} - ids)
    of_order = sorted({column.name for column in Order.__table__.columns} - ids)
    return [
        [_text(getattr(record, name)) for record, names in _records(trade, of_trade, of_order) for name in names]
        for trade in trades
    ]


def _records(trade: LocalTrade, of_trade: list[str], of_order: list[str]) -> Iterator[tuple[Any, list[str]]]:
    yield trade, of_trade
    for order in trade.orders:
        yield order, of_order


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return repr(value)


def events_of(result: Result) -> Counter[str]:
    """Count what happened, from what the trades and their orders tell."""
    events = Counter(str(trade.exit_reason) for trade in result.trades)
    events.update(trade.trade_direction for trade in result.trades)
    for trade in result.trades:
        entries = sum(order.side == trade.entry_side for order in trade.orders)
        events["further entry"] += entries - 1
        events["partial exit"] += len(trade.orders) - entries - 1
        events["funding"] += bool(trade.funding_fees)
    events["locked"] = result.refusals["locked"]
    return events


# What must have happened in each mode.
EXITS = {"stop_loss", "trailing_stop_loss", "roi", "exit_signal"}
IN_EVERY_MODE = EXITS | {"long", "further entry", "partial exit", "locked"}
ON_LEVERAGE = IN_EVERY_MODE | {"short", "liquidation"}
EVENTS = {
    TradingMode.SPOT: IN_EVERY_MODE,
    TradingMode.MARGIN: ON_LEVERAGE,
    TradingMode.FUTURES: ON_LEVERAGE | {"funding"},
}


@every_mode
def test_each_kind_of_event_happens(mode: TradingMode) -> None:
    """Else nothing below would say anything about it."""
    events = events_of(in_memory(settings_of(mode)))
    assert {event: events[event] for event in EVENTS[mode] if events[event] < AT_LEAST} == {}


@every_mode
def test_a_database_gives_what_memory_gives(
    mode: TradingMode, backend: Backend, database: Store, store_url: str, tmp_path: Path
) -> None:
    """Trades, orders, locks, refusals and sums, to the last digit; read anew as well; and the doctor is content."""
    expected = in_memory(settings_of(mode))

    stored = run_backtest(settings_of(mode), DatabaseBook(TIMEFRAME, database))

    assert {type(trade) for trade in stored.trades} == {Trade}
    _assert_same(stored, expected)
    Trade.session.remove()
    again = Result(stored.settings, list(Trade.get_closed_trades()), list(PairLocks.get_all_locks()), stored.refusals)
    assert not {id(trade) for trade in again.trades} & {id(trade) for trade in stored.trades}
    _assert_same(again, expected)
    assert columns_as_text(again.trades) == columns_as_text(expected.trades)
    assert summarize(again) == summarize(expected)
    assert Trade.get_open_trade_count() == 0
    assert Trade.get_total_closed_profit() == round(summarize(expected).total.profit, 8)

    # Asked when the last candle is over: later on, it would call the locks old.
    calm = calm_surroundings(tmp_path, now=lambda: BEGIN + HOURS * CANDLE)
    bed = Bed(store_url, database, tmp_path, {"surroundings": calm}, is_open_itself=not backend.persistent)
    found = bed.look(skip=[] if backend.persistent else ["E09"])  # Which says that memory forgets.
    assert (found.findings, found.failed) == ([], [])


def _assert_same(result: Result, expected: Result) -> None:
    assert trades_as_json(result) == trades_as_json(expected)
    assert locks_as_json(result) == locks_as_json(expected)
    assert result.refusals == expected.refusals


@every_mode
@pytest.mark.parametrize("seed", [1, 2])
def test_profits_are_what_the_cash_gained(mode: TradingMode, seed: int) -> None:
    """Of each trade and of all, up to the eight decimals of a profit and of a funding fee."""
    settings = settings_of(mode, candles=480, seed=seed)
    result = in_memory(settings)
    counted = ledgers(result.trades, settings, _histories(settings))
    assert len(counted) > 100
    for trade, ledger in zip(result.trades, counted, strict=True):
        assert ledger.coins == 0, trade
        assert abs(exact(trade.close_profit_abs) - ledger.cash) <= _rounding(ledger.roundings), trade
    gained = sum((ledger.cash for ledger in counted), Fraction(0))
    profit = sum((exact(trade.close_profit_abs) for trade in result.trades), Fraction(0))
    assert abs(profit - gained) <= _rounding(sum(ledger.roundings for ledger in counted))


def _rounding(times: int) -> Fraction:
    """Return the most that so many numbers with eight decimals can be off; divisions stop after 18."""
    return times * (HALF_A_UNIT + Fraction(1, 10**14))


def _histories(settings: Settings) -> dict[str, History]:
    made = make_histories(settings.pairs, settings.candles, settings.seed)
    return {history.market.pair(is_future=settings.is_futures): history for history in made}


@every_mode
def test_fills_are_at_prices_that_were_there(mode: TradingMode) -> None:
    """Each order has the price that the rules of the engine name, told from its candle and the trade's stop."""
    settings = settings_of(mode, candles=480)
    candles = {
        (pair, candle.date): candle for pair, history in _histories(settings).items() for candle in history.candles
    }
    for trade in in_memory(settings).trades:
        *earlier, last = trade.orders
        for order in earlier:
            assert order.average == candles[trade.pair, _filled(order)].open
        if trade.exit_reason == "force_exit":
            assert last.average == candles[trade.pair, _filled(last) - CANDLE].close
        else:
            _check_exit(trade, last.average or 0.0, candles[trade.pair, _filled(last)])


def _filled(order: Any) -> datetime:
    moment: datetime = order.order_filled_utc
    return moment


def _check_exit(trade: LocalTrade, price: float, candle: Candle) -> None:
    """Turn a short upside down, so that one set of rules holds for both: worse is always lower."""
    sign = -1 if trade.is_short else 1
    opened, price = sign * candle.open, sign * price
    worst, best = sorted((sign * candle.low, sign * candle.high))
    stop = sign * (trade.stop_loss or 0.0)
    liquidation = None if trade.liquidation_price is None else sign * trade.liquidation_price
    if trade.exit_reason in {"stop_loss", "trailing_stop_loss"}:
        assert worst <= stop
        assert price == min(stop, opened)
        assert liquidation is None or liquidation < opened
    elif trade.exit_reason == "liquidation":
        assert liquidation is not None
        assert price == liquidation
        assert worst <= liquidation
    elif trade.exit_reason == "roi":
        assert opened <= price <= best
        assert worst > stop
        assert liquidation is None or worst > liquidation
    else:
        assert trade.exit_reason == "exit_signal"
        assert price == opened > stop


def test_nothing_is_known_before_its_time() -> None:
    """What was closed before a moment is the same, however the story goes on."""
    short, long = in_memory(settings_of(TradingMode.FUTURES)), in_memory(settings_of(TradingMode.FUTURES, candles=480))
    end = max(trade.close_date_utc or trade.open_date_utc for trade in short.trades) - 2 * CANDLE
    known, ahead = (
        [trade for trade in trades_as_json(result) if trade["close_timestamp"] <= end.timestamp() * 1000]
        for result in (short, long)
    )
    assert len(known) > 40
    assert known == ahead


def test_a_strategy_may_spoil_what_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets copies."""
    honest = Strategy.adjust_position

    def spoil(strategy: Strategy, trade: LocalTrade, candle: Candle) -> float:
        change = honest(strategy, trade, candle)
        trade.orders[0].amount = trade.amount = trade.stop_loss = 12345.0
        del trade.orders[1:]
        return change

    monkeypatch.setattr(Strategy, "adjust_position", spoil)
    settings = settings_of(TradingMode.FUTURES)
    assert trades_as_json(run_backtest(settings)) == trades_as_json(in_memory(settings))


def test_the_same_settings_give_the_same_result() -> None:
    settings = settings_of(TradingMode.FUTURES)
    again = run_backtest(settings)
    assert again.trades[0] is not in_memory(settings).trades[0]
    _assert_same(again, in_memory(settings))


def test_another_seed_gives_another_result() -> None:
    first, second = (in_memory(settings_of(TradingMode.FUTURES, candles=480, seed=seed)) for seed in (1, 2))
    assert summarize(first).total.profit != summarize(second).total.profit
    assert trades_as_json(first)[0] != trades_as_json(second)[0]


def test_runs_in_other_processes_give_the_same() -> None:
    """Their results come back pickled, with trades, orders and locks."""
    several = [settings_of(mode) for mode in TradingMode]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(run_backtest, several))
    assert [result.settings for result in results] == several
    for result in results:
        _assert_same(result, in_memory(result.settings))
        assert all(order.trade is trade for trade in result.trades for order in trade.orders)


@pytest.mark.needs("first_driver")
def test_a_stored_run_comes_back(database: Store) -> None:
    """As plain trades with the same numbers, ids included, beside other runs, and not among the real trades."""
    for mode in TradingMode:
        store_backtest(in_memory(settings_of(mode)).trades, run=mode.value)
    for mode in TradingMode:
        ran = in_memory(settings_of(mode))
        loaded = list(load_backtest(mode.value))
        assert {type(trade) for trade in loaded} == {LocalTrade}
        assert [trade.to_json() for trade in loaded] == [trade.to_json() for trade in ran.trades]
        assert summarize(Result(ran.settings, loaded, ran.locks, ran.refusals)) == summarize(ran)
    totals = {run.name: (run.trade_count, run.total_profit, run.timeframe, run.strategy) for run in backtest_runs()}
    assert totals == {mode.value: _stored(summarize(in_memory(settings_of(mode)))) for mode in TradingMode}
    assert list(Trade.get_trades_proxy()) == []


def _stored(summary: Summary) -> tuple[int, float, int, str]:
    return summary.total.trades, round(summary.total.profit, 8), 60, "swings"


def test_the_drawdown_is_the_deepest_fall() -> None:
    """1000, 1100, 1050, 1080, 990, 1200: from 1100 down to 990 it is 110, a tenth."""
    trades = [
        LocalTrade(id=number, pair="A/B", open_date=datetime(2026, 1, number, tzinfo=UTC), close_profit_abs=profit)
        for number, profit in enumerate((100.0, -50.0, 30.0, -90.0, 210.0), start=1)
    ]
    summary = summarize(Result(Settings(), trades, []))
    assert (summary.drawdown, summary.drawdown_ratio) == (110.0, 0.1)
    assert (summary.total.profit, summary.total.wins, summary.total.worst) == (200.0, 3, -90.0)


WITHOUT_A_DATABASE = """
import runpy, sys
sys.argv[1:] = ["--mode", "futures", "--candles", "100"]
runpy.run_module("examples.backtest", run_name="__main__")
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"sqlalchemy", "alembic", "numpy", "pandas"}, sorted(loaded)
"""


def test_memory_needs_no_sqlalchemy() -> None:
    """From the first candle to the printed tables."""
    printed = _python("-c", WITHOUT_A_DATABASE)
    assert printed.startswith("futures, 20 pairs, 100 candles, seed 1\n")
    assert "liquidation" in printed


def test_the_command_prints_and_stores(tmp_path: Path) -> None:
    """The totals that it prints are those of the run, which is in the file under a name; again, in its own place."""
    url = f"sqlite:///{tmp_path / 'backtests.sqlite'}"
    words = ("--pairs", "7", "--candles", "120", "--seed", "3", "--mode", "margin", "--store", url)
    first, second = (_python("-m", "examples.backtest", *words) for _ in range(2))
    expected = summarize(run_backtest(Settings(mode=TradingMode.MARGIN, pairs=7, candles=120, seed=3)))

    assert first == second
    lines = [line.split() for line in first.splitlines()]
    assert ["Balance", "at", "the", "end", f"{1000.0 + expected.total.profit:.8f}"] in lines
    database = init_db(url)
    try:
        (run,) = backtest_runs()
    finally:
        database.close()
    assert (run.name, run.trade_count) == ("margin pairs=7 candles=120 seed=3", expected.total.trades)
    assert f"Stored as {run.name!r}." in first


@pytest.mark.parametrize("words", [("--pairs", "21"), ("--pairs", "0"), ("--candles", "25"), ("--mode", "options")])
def test_the_command_refuses_what_it_cannot_do(words: tuple[str, str]) -> None:
    result = _run("-m", "examples.backtest", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert words[1] in result.stderr


def _python(*words: str) -> str:
    result = _run(*words)
    assert result.returncode == 0, result.stderr
    assert not result.stderr
    return result.stdout


def _run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-W", "error", *words],
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": f"{CHECKOUT / 'src'}{os.pathsep}{CHECKOUT}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
