"""A bot's backtester gets plain orders, and everything that it does with orders works with them."""

import importlib
import importlib.resources
import inspect
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.machinery import SourceFileLoader

import pytest

from tests.compat.bots import GRIDBOT, modules_of
from tradestore import LocalOrder, LocalTrade, Order, Trade
from tradestore.compat import install, uninstall

START = datetime(2024, 1, 1, tzinfo=UTC)
IMPORTS = "from {name}.persistence import LocalTrade, Order, Trade"


@pytest.fixture
def gridbot(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of the whole bot."""
    monkeypatch.syspath_prepend(GRIDBOT)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield "gridbot"
    uninstall("gridbot")
    assert not modules_of("gridbot")


def test_a_backtest_makes_plain_orders(gridbot: str) -> None:
    report = install(gridbot)
    assert not report.plain_orders
    backtesting = importlib.import_module("gridbot.optimize.backtesting")
    prices = [100.0, 110.0, 100.0, 95.0]
    candles = [(START + timedelta(hours=hour), price) for hour, price in enumerate(prices)]

    result = backtesting.Backtesting("LTC/USDT").run(candles)

    # 2 · 110 · 0.999 - 2 · 100 · 1.001 = 19.58; 2 · 95 · 0.999 - 200.2 = -10.39
    assert [trade.close_profit_abs for trade in result["trades"]] == [19.58, -10.39]
    assert result["profit"] == 9.19
    assert result["order_types"] == {"LocalOrder"}
    assert result["are_orders"] is True
    assert [len(trade["orders"]) for trade in result["json"]] == [2, 2]
    assert result["json"][0]["orders"][1]["ft_order_tag"] == "grid_exit"
    assert [order.trade for order in result["trades"][0].orders] == [result["trades"][0]] * 2
    assert report.plain_orders == ("gridbot.optimize.backtesting",)


def test_live_modules_get_the_mapped_order(gridbot: str) -> None:
    install(gridbot)
    assert importlib.import_module("gridbot.worker").Order is Order


def test_only_modules_of_the_named_packages_get_plain_orders(tinybot) -> None:
    bot = tinybot(
        {
            "optimize/__init__.py": IMPORTS,
            "optimize/deep/__init__.py": "",
            "optimize/deep/again.py": "from {name}.persistence.trade_model import Order as Bought, LocalTrade",
            "optimize/late.py": "def order():\n    from {name}.persistence import Order\n    return Order",
            "optimizer.py": IMPORTS,
            "simulation.py": IMPORTS,
        }
    )
    report = install(bot, plain_orders=["optimize", "simulation"])
    found = {name: importlib.import_module(f"{bot}.{name}") for name in ("optimize", "optimizer", "simulation")}

    assert found["optimize"].Order is found["simulation"].Order is LocalOrder
    assert importlib.import_module(f"{bot}.optimize.deep.again").Bought is LocalOrder
    assert found["optimizer"].Order is Order
    assert found["optimize"].Trade is Trade
    # What a function imports itself is what the package has: nothing stands between the two.
    assert importlib.import_module(f"{bot}.optimize.late").order() is Order
    assert report.plain_orders == (f"{bot}.optimize", f"{bot}.simulation", f"{bot}.optimize.deep.again")
    assert isinstance(Order(ft_pair="A/B", ft_order_side="buy", order_id="1"), found["optimize"].Order)


def test_no_package_needs_to_get_plain_orders(tinybot) -> None:
    bot = tinybot({"optimize/__init__.py": IMPORTS})
    report = install(bot, plain_orders=())
    assert importlib.import_module(f"{bot}.optimize").Order is Order
    assert report.plain_orders == ()


def test_a_module_with_plain_orders_is_like_any_other(tinybot, monkeypatch: pytest.MonkeyPatch) -> None:
    source = f"{IMPORTS}\n\ndef fail():\n    raise ValueError('here')"
    bot = tinybot({"optimize/__init__.py": "", "optimize/engine.py": source, "optimize/table.txt": "content"})
    install(bot)
    engine = importlib.import_module(f"{bot}.optimize.engine")

    assert isinstance(engine.__loader__, SourceFileLoader)
    assert engine.__spec__ is not None
    assert engine.__spec__.loader is engine.__loader__
    assert (engine.__loader__.get_source(engine.__name__) or "").endswith("raise ValueError('here')\n")
    assert inspect.getsource(engine.fail) == "def fail():\n    raise ValueError('here')\n"
    assert importlib.resources.files(f"{bot}.optimize").joinpath("table.txt").read_text(encoding="utf-8") == "content\n"
    with pytest.raises(ValueError, match="here") as error:
        engine.fail()
    assert "raise ValueError('here')" in "".join(traceback.format_exception(error.value))
    assert importlib.reload(engine) is engine
    assert engine.Order is LocalOrder


def test_a_module_that_fails_is_not_kept(tinybot) -> None:
    bot = tinybot({"optimize/__init__.py": "raise ValueError('broken')"})
    install(bot)
    with pytest.raises(ValueError, match="broken"):
        importlib.import_module(f"{bot}.optimize")
    assert f"{bot}.optimize" not in sys.modules


@pytest.mark.parametrize("is_short", [False, True])
def test_plain_orders_do_what_backtesters_ask_of_them(gridbot: str, is_short: bool) -> None:
    install(gridbot)
    order_class = importlib.import_module("gridbot.optimize.backtesting").Order
    trade = LocalTrade(
        id=1,
        pair="LTC/USDT",
        exchange="kucoin",
        open_date=START,
        open_rate=100.0,
        amount=2.0,
        stake_amount=200.0,
        is_short=is_short,
        orders=[],
    )
    order = order_class(
        id=1, ft_trade_id=1, ft_pair="LTC/USDT", ft_order_side=trade.entry_side, order_id="1", amount=2.0, price=100.0
    )
    order._trade_bt = trade
    trade.orders.append(order)
    trade.adjust_stop_loss(100.0, -0.1, initial=True)
    assert (order.trade, trade.orders[-1]) == (trade, order)
    assert trade.has_open_orders

    order.close_bt_order(START, trade)

    assert (order.filled, order.remaining, order.status, order.ft_is_open) == (2.0, 0.0, "closed", False)
    assert order.order_filled_utc == START
    assert trade.stop_loss == (110.0 if is_short else 90.0)
    Trade.add_bt_trade(trade)
    assert list(LocalTrade.bt_trades_open) == [trade]
    assert trade.to_json()["orders"][0]["order_id"] == "1"
    del trade.orders[0]
    assert trade.orders == []
