"""The query that other code groups, filters and joins on. Every trade here has a stake of 200."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select, func, select

from tests.builders import CLOSED, OPENED, closed_trade, order, store, trade
from tradestore import ModelBase, Order, PairLock, PairLocks, Trade, TradingMode

summed = Trade._generic_performance_query

ADA, ETH = "ADA/USDT", "ETH/USDT"


def _rows(query: Select[Any]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in Trade.session.execute(query)]


@pytest.fixture
def four(database) -> None:
    """A long and a short trade of each of two pairs: 20, 4, 10 and -2 were earned, with two entries for the first."""
    first = closed_trade(pair=ADA, profit=20.0, ratio=0.05, enter_tag="dip", trading_mode=TradingMode.FUTURES)
    first.orders.append(order(ft_pair=ADA))
    store(first)
    store(closed_trade(pair=ADA, profit=4.0, ratio=0.02, is_short=True, timeframe=5, strategy=None))
    store(closed_trade(pair=ETH, profit=10.0, ratio=0.05, open_date=OPENED + timedelta(hours=1)))
    store(closed_trade(pair=ETH, profit=-2.0, ratio=-0.01, is_short=True, timeframe=5, strategy="Haste"))


def test_rows_have_the_documented_names(four) -> None:
    """The columns, the ratio over all that was invested, the sum and the count; best profit first."""
    rows = Trade.session.execute(summed([Trade.pair], [Trade.is_open.is_(False)])).all()
    assert [row._asdict() for row in rows] == [
        {"pair": ADA, "profit_ratio": 0.04, "profit_sum_abs": 24.0, "count": 2},
        {"pair": ETH, "profit_ratio": 0.02, "profit_sum_abs": 8.0, "count": 2},
    ]
    assert _rows(summed([Trade.pair], [])) == [tuple(row) for row in rows]


def test_flags_stay_flags(four) -> None:
    """Long and short trades are told apart, as True and False."""
    rows = _rows(summed([Trade.is_short], []))
    assert rows == [(False, 0.05, 30.0, 2), (True, 0.005, 2.0, 2)]
    assert [type(row[0]) for row in rows] == [bool, bool]


@pytest.mark.parametrize("fallback", ["", "Other"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("timeframe", {None: 30.0, 5: 2.0}),
        ("trading_mode", {TradingMode.FUTURES: 20.0, None: 12.0}),
        ("open_date", {OPENED.replace(tzinfo=None): 22.0, OPENED.replace(tzinfo=None) + timedelta(hours=1): 10.0}),
        ("leverage", {1.0: 32.0}),
    ],
)
def test_values_keep_their_types(four, name, expected, fallback) -> None:
    """Whole numbers, choices, dates and numbers come as themselves; what is missing is no text."""
    found = {value: profit for value, _, profit, _ in _rows(summed([getattr(Trade, name)], [], fallback))}
    assert found == expected
    assert {type(value) for value in found} == {type(value) for value in expected}


def test_missing_texts_get_the_fallback(four) -> None:
    """Texts alone, under their own names."""
    rows = Trade.session.execute(summed([Trade.enter_tag, Trade.timeframe], [], "Other")).all()
    assert [(row.enter_tag, row.timeframe, row._mapping["count"]) for row in rows] == [
        ("dip", None, 1),
        ("Other", None, 1),
        ("Other", 5, 2),
    ]
    assert [row.enter_tag for row in Trade.session.execute(summed([Trade.enter_tag], []))] == ["dip", ""]


def test_groups_are_any_expressions(four) -> None:
    """Labels and functions are what is grouped by, not the columns inside."""
    labelled = Trade.session.execute(summed([Trade.pair.label("p")], [])).all()
    assert [(row.p, row._mapping["count"]) for row in labelled] == [(ADA, 2), (ETH, 2)]
    strategy = func.coalesce(Trade.strategy, "none").label("strategy")
    assert [(row.strategy, row.profit_sum_abs) for row in Trade.session.execute(summed([strategy], []))] == [
        ("Patience", 30.0),
        ("none", 4.0),
        ("Haste", -2.0),
    ]
    assert _rows(summed([func.lower(Trade.pair)], [])) == [("ada/usdt", 0.04, 24.0, 2), ("eth/usdt", 0.02, 8.0, 2)]
    table = ModelBase.metadata.tables["trades"]
    assert _rows(summed([table.c.pair], [])) == _rows(summed([Trade.pair], []))


def test_callers_conditions_are_about_the_same_trades(four) -> None:
    """Another condition leaves trades out, whether it is about a column of the answer or not."""
    query = summed([Trade.is_short], [Trade.is_open.is_(False)])
    assert _rows(query.where(Trade.pair == ADA)) == [(False, 0.05, 20.0, 1), (True, 0.02, 4.0, 1)]
    assert _rows(query.where(Trade.close_profit_abs < 0, Trade.orders.any())) == [(True, -0.01, -2.0, 1)]
    assert _rows(query.having(func.count() > 2)) == []


def test_callers_groups_divide_further(four) -> None:
    """A further group makes more rows of the same trades."""
    query = summed([Trade.is_short], []).add_columns(Trade.pair).group_by(Trade.pair)
    assert _rows(query) == [
        (False, 0.05, 20.0, 1, ADA),
        (False, 0.05, 10.0, 1, ETH),
        (True, 0.02, 4.0, 1, ADA),
        (True, -0.01, -2.0, 1, ETH),
    ]


def test_callers_joins(four) -> None:
    """Other tables may be joined to it, and it may be joined to them."""
    PairLocks.lock_pair(ETH, CLOSED, now=OPENED)
    assert _rows(summed([Trade.pair], []).join(PairLock, PairLock.pair == Trade.pair)) == [(ETH, 0.02, 8.0, 2)]
    by_pair = summed([Trade.pair], []).subquery()
    trades = select(Trade.id, by_pair.c.profit_sum_abs).join(by_pair, by_pair.c.pair == Trade.pair)
    assert _rows(trades.order_by(Trade.id)) == [(1, 24.0), (2, 24.0), (3, 8.0), (4, 8.0)]
    tagged = summed([Trade.pair], [Order.ft_price == 20.0]).join(Order, Order.ft_trade_id == Trade.id)
    assert [(row.pair, row._mapping["count"]) for row in Trade.session.execute(tagged)] == [(ADA, 3), (ETH, 2)]


def test_trades_without_profit_or_entries(database) -> None:
    """They are counted, with a ratio of 0."""
    store(trade(is_open=False, close_date=CLOSED, close_profit_abs=5.0))
    store(closed_trade(pair=ETH, profit=None, ratio=None))
    assert _rows(summed([Trade.pair], [])) == [(ADA, 0.0, 5.0, 1), (ETH, 0.0, 0.0, 1)]
