"""The figures of a report: of small books by hand, of others by plain Python, and the same on every engine."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest

from tests.operations.books import Deal, book_of, deepest_fall, random_book, store_book
from tradestore import Store, Trade
from tradestore.accounting._decimal import exact
from tradestore.exceptions import InvalidValue
from tradestore.operations.report import read_figures
from tradestore.operations.report._tallies import Curve, Histogram
from tradestore.operations.report.figures import Drawdown, GroupFigures
from tradestore.testing.builders import OPENED, make_trade

# +10, -4, -3, +2, 0, all in ADA but the second: 10, 6, 3, 5, 5. The deepest fall is 7, from the first to the third.
SMALL = [
    Deal(1, 1000, 100),
    Deal(2, -400, -40, pair="BTC/USDT", tag=None, reason="stop_loss"),
    Deal(3, -300, -30, funding=-0.5),
    Deal(24 * 31 + 1, 200, 20, funding=0.25),
    Deal(24 * 31 + 2, 0, 0),
]


def test_a_small_book_by_hand(database: Store) -> None:
    store_book(book_of(SMALL))
    found = read_figures(database)
    assert (found.closed, found.wins, found.losses, found.draws) == (5, 2, 2, 1)
    assert (found.win_rate, found.profit_abs, found.profit_ratio_sum) == (0.4, 5.0, 0.05)
    assert found.profit_factor == pytest.approx(12 / 7, rel=1e-15)
    assert (found.expectancy, found.expectancy_ratio) == (1.0, 0.01)
    assert found.best is not None
    assert found.worst is not None
    assert (found.best.profit_abs, found.worst.profit_abs, found.worst.pair) == (10.0, -4.0, "BTC/USDT")
    assert found.mean_seconds == 3600
    # Each of the five paid 0.1 on 100 and 0.11 on 110.
    assert found.fees == pytest.approx(5 * 0.21, rel=1e-15)
    assert found.funding_fees == -0.25
    assert found.drawdown == Drawdown(profit_abs=7.0, ratio=0.7, from_date=SMALL[0].closed, to_date=SMALL[2].closed)
    assert [point.profit_abs for point in found.equity] == [10.0, 6.0, 3.0, 5.0, 5.0]
    assert [point.drawdown_abs for point in found.equity] == [0.0, 4.0, 7.0, 5.0, 5.0]
    assert [trade.close_date for trade in found.last_closed] == [deal.closed for deal in reversed(SMALL)]


def test_groups_by_hand(database: Store) -> None:
    store_book(book_of(SMALL))
    found = read_figures(database)
    assert found.pairs == (
        GroupFigures(group="ADA/USDT", count=4, wins=2, losses=1, profit_abs=9.0, profit_ratio=0.0225),
        GroupFigures(group="BTC/USDT", count=1, wins=0, losses=1, profit_abs=-4.0, profit_ratio=-0.04),
    )
    assert [(each.group, each.profit_abs) for each in found.enter_tags] == [("dip", 9.0), ("Other", -4.0)]
    assert [(each.group, each.profit_abs) for each in found.exit_reasons] == [("roi", 9.0), ("stop_loss", -4.0)]
    assert [(each.group, each.profit_abs) for each in found.months] == [("2026-03", 3.0), ("2026-04", 2.0)]
    # OPENED is noon of the first of March 2026, a Sunday; 31 days later it is a Wednesday.
    assert [(each.group, each.count) for each in found.weekdays] == [("Wednesday", 2), ("Sunday", 3)]
    assert [(each.group, each.count) for each in found.hours] == [("13", 2), ("14", 2), ("15", 1)]


@pytest.mark.parametrize("seed", [1, 2])
def test_any_book_by_other_means(database: Store, seed: int) -> None:
    """Sums in fractions over a list give the same figures, to the last bit where they are sums."""
    deals = random_book(60, seed)
    store_book(book_of(deals))
    found = read_figures(database, capital=1000.0)
    profits = [Fraction(deal.profit, 100) for deal in deals]
    assert found.profit_abs == float(sum(profits))
    assert found.funding_fees == float(sum(Fraction(deal.funding) for deal in deals))
    lost = -sum(each for each in profits if each < 0)
    assert found.profit_factor == pytest.approx(float(sum(each for each in profits if each > 0) / lost), rel=1e-15)
    assert found.best is not None
    assert found.best.profit_abs == float(max(profits))
    for name, key in {"pairs": "pair", "exit_reasons": "reason"}.items():
        wanted = {
            group: float(sum(Fraction(d.profit, 100) for d in deals if getattr(d, key) == group))
            for group in {getattr(d, key) for d in deals}
        }
        groups = getattr(found, name)
        assert {each.group: each.profit_abs for each in groups} == wanted
        assert [each.profit_abs for each in groups] == sorted(wanted.values(), reverse=True)
    fall, top, deepest = deepest_fall(deals)
    assert found.drawdown.profit_abs == float(fall)
    assert (found.drawdown.from_date, found.drawdown.to_date) == (top, deepest)
    at_top = 1000 + sum(Fraction(d.profit, 100) for d in deals[: _number_of(deals, top)])
    assert found.drawdown.ratio == pytest.approx(float(fall / at_top), rel=1e-15)
    assert sum(each.count for each in found.bins) == 60


def _number_of(deals: list[Deal], top: datetime | None) -> int:
    """Return after how many deals the curve was highest, up to that moment."""
    levels = [sum(deal.profit for deal in deals[:count]) for count in range(len(deals) + 1)]
    known = [count for count in range(len(levels)) if not count or (top is not None and deals[count - 1].closed <= top)]
    return max(known, key=lambda count: levels[count])


def test_dates_and_pair_choose_the_trades(database: Store) -> None:
    """Since is included, until is not, and the curve begins anew."""
    store_book(book_of(SMALL))
    found = read_figures(database, since=SMALL[1].closed, until=SMALL[3].closed)
    assert [point.profit_abs for point in found.equity] == [-4.0, -7.0]
    assert found.drawdown == Drawdown(profit_abs=7.0, ratio=None, from_date=None, to_date=SMALL[2].closed)
    assert read_figures(database, pair="BTC/USDT").profit_abs == -4.0


def test_open_positions_and_their_risk(database: Store) -> None:
    """Ten held at 20: at a stop of 19 they lose 10, at a liquidation at 19.5 five; without a stop all of the stake."""
    store_book(
        [
            make_trade(stop_loss=19.0, stop_loss_pct=-0.05),
            make_trade(stop_loss=19.0, liquidation_price=19.5),
            make_trade(stop_loss=0.0),
            make_trade(stop_loss=21.0, is_short=True, fee_open=0.001, fee_close=0.001),
        ]
    )
    found = read_figures(database)
    # The short sold for 199.8 and buys back for 210.21.
    assert [position.risk for position in found.open_positions] == [10.0, 5.0, 200.0, 10.41]
    assert [position.stop_loss for position in found.open_positions] == [19.0, 19.5, None, 21.0]
    assert found.open_risk == 225.41
    assert (found.closed, found.win_rate, found.equity, found.bins) == (0, None, (), ())


def test_several_stake_currencies_are_not_added_up(database: Store) -> None:
    """One has to be chosen; an old trade tells it by its pair."""
    store_book(book_of([Deal(1, 100, 10), Deal(2, 300, 10, pair="ETH/BTC")]))
    old = Trade.session.query(Trade).filter(Trade.pair == "ETH/BTC").one()
    old.stake_currency = None
    Trade.commit()
    with pytest.raises(InvalidValue, match="BTC, USDT"):
        read_figures(database)
    assert read_figures(database, stake_currency="USDT").profit_abs == 1.0
    assert read_figures(database, stake_currency="BTC").profit_abs == 3.0
    assert read_figures(database, stake_currency="EUR").closed == 0


@pytest.mark.parametrize("capital", [0.0, -1.0, float("nan"), float("inf")])
def test_capital_must_be_positive(capital: float) -> None:
    with pytest.raises(InvalidValue, match="capital"):
        read_figures("sqlite:///nowhere.sqlite", capital=capital)


def test_progress_is_told(database: Store) -> None:
    store_book(book_of(SMALL))
    told: list[tuple[int, int | None]] = []
    read_figures(database, progress=lambda done, total: told.append((done, total)))
    assert told == [(5, 5)]


def test_a_long_curve_keeps_its_extremes() -> None:
    """Of 40,000 points a few thousand are kept, and with them the ends, the top, the bottom and the deepest fall."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [first + timedelta(minutes=number) for number in range(40_000)]
    curve = Curve(moments[0], moments[-1], None)
    level, levels = Fraction(0), []
    for number, moment in enumerate(moments):
        step = Fraction((number * 7919) % 201 - 100, 100)
        level += step
        levels.append(float(level))
        curve.add(moment, exact(float(step)))
    points = curve.points()
    assert len(points) <= 1501 * 5
    assert [point.at for point in points] == sorted(point.at for point in points)
    assert (points[0].profit_abs, points[-1].profit_abs) == (levels[0], levels[-1])
    assert max(point.profit_abs for point in points) == max(levels)
    assert min(point.profit_abs for point in points) == min(levels)
    assert max(point.drawdown_abs for point in points) == curve.drawdown().profit_abs


def test_bins_have_no_gaps_and_hold_all() -> None:
    """A hundred trades from -5 % to +4.9 %, and one that made ten times its stake, which is in the last bin."""
    histogram = Histogram()
    for thousandths in range(-50, 50):
        histogram.add(exact(thousandths / 1000))
    histogram.add(exact(10.0))
    bins = histogram.bins()
    assert sum(each.count for each in bins) == 101
    assert len(bins) <= 40
    assert all(left.high == right.low for left, right in pairwise(bins))
    assert 0.0 in {each.low for each in bins}
    assert sum(each.count for each in bins if each.low < 0) == 50


def test_a_store_is_read_by_its_url(database: Store, store_url: str, backend) -> None:
    """By URL it is the same, and nothing is left open."""
    store_book(book_of(SMALL))
    by_database = read_figures(database)
    if backend.persistent:
        Trade.session.remove()
        database.close()
        found = read_figures(store_url)
        assert (found.equity, found.pairs, found.fees) == (by_database.equity, by_database.pairs, by_database.fees)
    assert by_database.scope.stake_currency == "USDT"
    assert by_database.scope.made_at > OPENED
