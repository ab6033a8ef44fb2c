"""`LocalTrade.explain()`: what it tells of known trades, of recorded ones, and of any."""

import copy
import json
from dataclasses import fields
from datetime import timedelta
from operator import itemgetter
from typing import Any

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from tests.accounting.making import OPENED, fees, fundings, leverages, prices
from tests.contract.test_vectors import FOLDER, OneStore, run_vectors
from tests.local.making import fill, make_trade
from tradestore import Database, LocalTrade, Trade, enable_database_use
from tradestore.accounting.explanation import TradeTotals
from tradestore.testing import KNOWN_TRADES

NAMES = [field.name for field in fields(TradeTotals)]


@pytest.mark.parametrize("make", KNOWN_TRADES)
@pytest.mark.parametrize("local", [True, False])
def test_known_trades_are_explained(make, local):
    """The totals are the figures that were worked out in fractions, for plain and for mapped trades."""
    known = make(local=local)
    told = known.trade.explain()
    assert told.differences == ()
    for field in fields(known.figures):
        figure = getattr(told.totals, field.name)
        assert (round(figure, 8) if "profit" in field.name else figure) == getattr(known.figures, field.name)
    assert "All are equal to the last bit." in str(told)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "fee_open_cost"])
def test_an_edit_by_hand_is_told(name):
    """Whatever field was changed is named, with both numbers."""
    trade = KNOWN_TRADES[0](local=True).trade
    right = getattr(trade, name)
    setattr(trade, name, 12.5)
    told = trade.explain()
    assert [(each.field, each.explained, each.stored) for each in told.differences] == [(name, right, 12.5)]
    assert f"NOT EQUAL: {name}." in str(told)


def test_orders_that_do_not_count_are_left_out():
    """Orders that wait, or that ended without a fill, are none of the numbered ones."""
    trade = make_trade()
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0, status="canceled", filled=0.0)
    assert [order.order_id for order in trade.explain().orders] == ["order-1"]


class _Watching:
    """Explains each trade whose state was recorded."""

    seen = equal = 0

    def do(self, step: Any) -> Any:
        result = super().do(step)  # type: ignore[misc]
        if step["do"] == "state":
            for name, changed in step["is"].items():
                trade, recorded = self.vars[name], self.expected.get(name, {})  # type: ignore[attr-defined]
                if isinstance(trade, LocalTrade):
                    self.compare(trade, recorded | changed)
        return result

    def compare(self, trade: LocalTrade, recorded: dict[str, Any]) -> None:
        """Compare with what was recorded, if that was computed from the orders; else a difference must be told."""
        told = trade.explain()
        if not told.orders:
            return
        self.seen += 1
        if not _is_computed(trade):
            assert told.differences
            return
        self.equal += 1
        assert told.differences == ()
        for name in NAMES:
            if name in recorded and not (name == "fee_open_cost" and not trade.is_open):
                wanted = pytest.approx(recorded[name] or 0.0, rel=1e-12, abs=1.1e-8)
                assert (getattr(told.totals, name) or 0.0) == wanted


class _InMemory(_Watching, run_vectors.World):  # type: ignore[name-defined, misc]  # loaded by path
    pass


class _InDatabase(_Watching, OneStore):
    pass


def _is_computed(trade: LocalTrade) -> bool:
    """Tell whether a recalculation changes nothing, as for any trade that had one after its last fill."""
    again = LocalTrade(**{name: getattr(trade, name) for name in LocalTrade._fields})
    again.orders = copy.copy(trade.orders)
    again.recalc_trade_from_orders()
    names = [name for name in NAMES if name != "fee_open_cost" or trade.is_open]
    return all((getattr(again, name) or 0.0) == (getattr(trade, name) or 0.0) for name in names)


def test_recorded_trades_are_explained():
    """Every recorded state of a trade with filled orders is what the explanation says."""
    worlds: dict[str, Any] = {"memory": _InMemory("tradestore"), "db": _InDatabase("sqlite://")}
    for file in sorted(FOLDER.glob("*.json")):
        data = json.loads(file.read_text(encoding="utf-8"))
        for scenario in sorted(data["scenarios"], key=itemgetter("backend")):
            assert worlds[scenario["backend"]].run(scenario, data.get("fixtures", {})) == []
            enable_database_use()
    Trade.session.remove()
    Database(worlds["db"].engine).close()
    assert sum(world.seen for world in worlds.values()) == 477
    assert sum(world.equal for world in worlds.values()) > 400


@st.composite
def lives(draw: st.DrawFn) -> LocalTrade:
    """Draw a trade of any mode that was entered, left in parts and maybe closed; each fill was taken as it came."""
    mode = draw(st.sampled_from(["spot", "margin", "futures"]))
    trade = make_trade(
        trading_mode=mode,
        is_short=draw(st.booleans()),
        leverage=1.0 if mode == "spot" else draw(leverages),
        interest_rate=0.0005,
        fee_open=draw(fees),
        fee_close=draw(fees),
        open_date=OPENED,
        amount_precision=draw(st.sampled_from([None, 0.001])),
        price_precision=draw(st.sampled_from([None, 0.01])),
        precision_mode=4,
    )
    moment, held = OPENED, 0
    for _ in range(draw(st.integers(1, 6))):
        moment += timedelta(minutes=draw(st.integers(1, 3000)))
        is_entry = not held or draw(st.booleans())
        steps = draw(st.integers(1, 10**6 if is_entry else held))
        held += steps if is_entry else -steps
        trade.funding_fee_running = draw(fundings) if mode == "futures" else None
        with time_machine.travel(moment, tick=False):
            side = trade.entry_side if is_entry else trade.exit_side
            fill(trade, side, steps / 1000, draw(prices), order_filled_date=moment)
        if not trade.is_open:
            break
    return trade


@given(lives())
def test_totals_equal_the_trades_own_fields(trade):
    """Whatever happened to a trade, its orders explain its fields to the last bit."""
    told = trade.explain()
    assert told.differences == ()
    assert len(told.orders) == len(trade.orders)
    assert max(map(len, told.lines())) <= 80
