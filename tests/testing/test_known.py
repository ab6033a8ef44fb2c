"""The trades with known numbers show them, in memory and after they were stored."""

from dataclasses import asdict
from fractions import Fraction

import pytest

from tests.builders import store
from tradestore import LocalTrade, Trade
from tradestore.testing import KNOWN_TRADES, Figures

every_known = pytest.mark.parametrize("make", KNOWN_TRADES, ids=lambda make: make.__name__)


def _shown(trade: LocalTrade, figures: Figures) -> dict[str, float]:
    shown = {name: getattr(trade, name) for name in asdict(figures)}
    return shown | {"close_profit": round(shown["close_profit"], 8)}


@every_known
def test_plain_trade_shows_its_figures(make) -> None:
    """The library comes to the very floats that the formulas give in fractions."""
    known = make(local=True)
    assert _shown(known.trade, known.figures) == asdict(known.figures)
    assert not isinstance(known.trade, Trade)
    assert known.trade.is_open == (known.trade.exit_reason is None)


@every_known
def test_stored_trade_shows_its_figures(database, make) -> None:
    """Stored, read again and derived from its orders once more, the trade shows the same."""
    known = make()
    store(known.trade)
    Trade.session.remove()
    (found,) = Trade.get_trades()
    assert _shown(found, known.figures) == asdict(known.figures)
    found.recalc_trade_from_orders()
    assert _shown(found, known.figures) == asdict(known.figures)


def test_figures_by_hand() -> None:
    """The figures themselves, as they come out on paper."""
    profits = [make(local=True).figures.realized_profit for make in KNOWN_TRADES]
    assert profits == [19.58, 9.8, 20.06, float(round(Fraction(1958, 100) - Fraction(1, 60), 8))]
    ratios = [make(local=True).figures.close_profit for make in KNOWN_TRADES]
    assert ratios == [0.0978022, 0.02576371, 0.4014007, 0.48859474]
