"""Trades and orders as tables of pandas and polars."""

import subprocess
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pytest
from sqlalchemy import true

from tests.builders import CLOSED, OPENED, closed_trade, local_order, local_trade, store, trade_with_entry
from tradestore import Order, Store, Trade
from tradestore._exported_columns import EXPORTED_TABLES
from tradestore.exceptions import InvalidValue, MissingPackage
from tradestore.testing import memory_mode


@pytest.fixture
def two_trades(database: Store) -> Store:
    store(
        closed_trade(profit=1.5, ratio=0.1 + 0.2, close_date=CLOSED.replace(microsecond=1), trading_mode="futures"),
        trade_with_entry(pair="BTC/USDT", enter_tag="", stop_loss=None),
    )
    return database


def test_pandas(two_trades: Store) -> None:
    """Whole numbers stay whole where some are missing, and moments have their zone."""
    frame = Trade.to_dataframe()
    assert tuple(frame.columns) == EXPORTED_TABLES["trades"].names
    assert frame["id"].tolist() == [1, 2]
    kinds = {name: str(frame[name].dtype) for name in ("id", "timeframe", "open_rate", "is_open", "pair", "close_date")}
    assert kinds == {
        "id": "Int64",
        "timeframe": "Int64",
        "open_rate": "Float64",
        "is_open": "boolean",
        "pair": "string",
        "close_date": "datetime64[us, UTC]",
    }
    assert frame.close_date[0] == pd.Timestamp(CLOSED.replace(microsecond=1))
    assert frame.close_date[1] is pd.NaT
    assert frame.close_profit[0] == 0.1 + 0.2
    assert frame.close_profit[1] is pd.NA
    assert frame.close_profit_abs.sum() == 1.5
    assert (frame.enter_tag[1], frame.enter_tag.isna().tolist()) == ("", [True, False])
    assert frame.trading_mode[0] == "futures"
    assert frame[~frame.is_open].pair.tolist() == ["ADA/USDT"]


def test_polars(two_trades: Store) -> None:
    frame = Trade.to_dataframe(library="polars")
    assert tuple(frame.columns) == EXPORTED_TABLES["trades"].names
    assert frame.schema["timeframe"] == pl.Int64
    assert frame.schema["open_date"] == pl.Datetime("us", "UTC")
    assert frame["open_date"].to_list() == [OPENED.astimezone(ZoneInfo("UTC"))] * 2
    assert frame["close_profit"].to_list() == [0.1 + 0.2, None]
    assert frame["enter_tag"].to_list() == [None, ""]
    assert frame.filter(pl.col("is_open"))["pair"].to_list() == ["BTC/USDT"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_filters_and_nothing(two_trades: Store, library) -> None:
    assert len(Trade.to_dataframe(trade_filter=Trade.is_open == true(), library=library)) == 1
    nothing = Trade.to_dataframe(trade_filter=Trade.pair == "X/Y", library=library)
    assert len(nothing) == 0
    assert tuple(nothing.columns) == EXPORTED_TABLES["trades"].names
    assert len(Order.to_dataframe(order_filter=Order.ft_pair == "BTC/USDT", library=library)) == 1


def test_orders(two_trades: Store) -> None:
    frame = Order.to_dataframe()
    assert tuple(frame.columns) == EXPORTED_TABLES["orders"].names
    assert frame.ft_trade_id.tolist() == [1, 2]
    assert frame.order_date[0] == pd.Timestamp(OPENED)
    merged = frame.merge(Trade.to_dataframe(), left_on="ft_trade_id", right_on="id", suffixes=("", "_trade"))
    assert merged.pair.tolist() == ["ADA/USDT", "BTC/USDT"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_trades_that_are_given(library) -> None:
    """Of a backtest: without a database, and with orders that know their trade only."""
    naive = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - which is UTC
    trades = [
        local_trade(id=5, open_date=naive, orders=[local_order(filled=3.0)]),
        local_trade(id=6, close_profit=0.5),
    ]
    frame = Trade.to_dataframe(trades, library=library)
    assert frame["id"].to_list() == [5, 6]
    assert frame["open_date"].to_list()[0] == OPENED
    assert frame["close_profit"].to_list()[1] == 0.5
    orders = Order.to_dataframe((each for trade in trades for each in trade.orders), library=library)
    assert orders["ft_trade_id"].to_list() == [5]
    assert orders["filled"].to_list() == [3.0]


def test_trades_in_memory() -> None:
    """Where no database is used, those of the backtest are meant."""
    with memory_mode():
        Trade.add_bt_trade(local_trade(id=5))
        Trade.add_bt_trade(local_trade(id=6, is_open=False, close_date=CLOSED))
        assert sorted(Trade.to_dataframe()["id"]) == [5, 6]


def test_other_libraries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidValue, match=r"library is pandas or polars, but was 'numpy'"):
        Trade.to_dataframe([], library="numpy")  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingPackage, match=r"polars, which is not installed: run pip install 'tradestore\[frames\]'"):
        Trade.to_dataframe([], library="polars")


def test_nobody_waits_for_them_without_need() -> None:
    """The libraries are loaded by the first data frame."""
    command = "import tradestore.models, tradestore.operations.export, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert not {"pandas", "polars", "pyarrow"} & set(run.stdout.split())
