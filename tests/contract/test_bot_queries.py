"""Questions as bots write them: expressions on the classes' attributes, and queries in the style of older releases."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from sqlalchemy import case, desc, exists, func, or_, select, text, update
from sqlalchemy.orm import aliased, contains_eager, joinedload, selectinload

from tests.builders import CLOSED, OPENED, closed_trade, order, store, trade_with_entry
from tradestore import CustomDataWrapper, ExitType, Order, Trade, TradingMode

NAIVE = OPENED.replace(tzinfo=None)
ELSEWHERE = OPENED.astimezone(timezone(timedelta(hours=5)))


@pytest.fixture
def two_trades(database):
    """Store trade 1, open in ADA/USDT on futures, with two orders; and trade 2, closed in BNB/USDT, with one."""
    first = trade_with_entry(enter_tag="a_b", trading_mode="futures")
    first.orders.append(order(ft_order_side="sell", ft_is_open=True, status="open", filled=0.0))
    second = closed_trade(
        profit=5.0,
        ratio=0.1,
        pair="BNB/USDT",
        exit_reason=ExitType.ROI,
        trading_mode=TradingMode.SPOT,
        open_date=OPENED + timedelta(days=2),
        close_date=CLOSED + timedelta(days=2),
    )
    store(first)
    store(second)
    return first, second


CONDITIONS: dict[str, tuple[Callable[[], Any], list[int]]] = {
    "pair in": (lambda: Trade.pair.in_(["ADA/USDT", "X/Y"]), [1]),
    "pair in none": (lambda: Trade.pair.in_([]), []),
    "pair not in": (lambda: Trade.pair.not_in(["ADA/USDT"]), [2]),
    "an order that": (lambda: Trade.orders.any(Order.status == "open"), [1]),
    "no order that": (lambda: ~Trade.orders.any(Order.ft_is_open.is_(True)), [2]),
    "an aware date": (lambda: Trade.open_date > OPENED, [2]),
    "a naive date": (lambda: Trade.open_date > NAIVE, [2]),
    "a date of elsewhere": (lambda: Trade.open_date <= ELSEWHERE, [1]),
    "between dates": (lambda: Trade.open_date.between(OPENED, NAIVE + timedelta(days=1)), [1]),
    "a day": (lambda: Trade.open_date >= date(2026, 3, 2), [2]),
    "a day as text": (lambda: Trade.open_date >= "2026-03-02", [2]),
    "a date as text": (lambda: Trade.open_date <= "2026-03-01 12:00:00", [1]),
    "an earlier date as text": (lambda: Trade.open_date <= "2026-03-01T14:59:59+03:00", []),
    "a date in UTC as text": (lambda: Trade.open_date <= "2026-03-01T12:00:00Z", [1]),
    "the flag": (lambda: Trade.is_open, [1]),
    "not the flag": (lambda: ~Trade.is_open, [2]),
    "the flag of another package": (lambda: Trade.is_open == np.True_, [1]),
    "an id of another package": (lambda: Trade.id == np.int64(2), [2]),
    "ids of another package": (lambda: Trade.id.in_(np.array([2, 3])), [2]),
    "a number of another package": (lambda: Trade.close_profit_abs == np.float32(5), [2]),
    "known": (lambda: Trade.close_profit.is_not(None), [2]),
    "unknown": (lambda: Trade.close_profit.is_(None), [1]),
    "a pattern": (lambda: Trade.enter_tag.like("a%"), [1]),
    "a pattern in any case": (lambda: Trade.enter_tag.ilike("A\\_%", escape="\\"), [1]),
    "a part of the text": (lambda: Trade.enter_tag.contains("_", autoescape=True), [1]),
    "a mode": (lambda: Trade.trading_mode == TradingMode.FUTURES, [1]),
    "a mode by its name": (lambda: Trade.trading_mode == "FUTURES", [1]),
    "a mode by its value": (lambda: Trade.trading_mode == "futures", [1]),
    "modes": (lambda: Trade.trading_mode.in_(["futures", TradingMode.SPOT]), [1, 2]),
    "an exit reason": (lambda: Trade.exit_reason == ExitType.ROI, [2]),
    "exit reasons": (lambda: Trade.exit_reason.in_([ExitType.ROI, "other"]), [2]),
    "either": (lambda: or_(Trade.pair == "BNB/USDT", Trade.enter_tag == "a_b"), [1, 2]),
    "a subquery": (lambda: Trade.id.in_(select(Order.ft_trade_id).where(Order.ft_is_open)), [1]),
    "exists": (lambda: exists().where(Order.ft_trade_id == Trade.id, Order.ft_order_side == "sell"), [1]),
}


WAYS: dict[str, Callable[[Any], Any]] = {
    "in a list": lambda condition: Trade.get_trades([condition]),
    "alone": lambda condition: Trade.get_trades(condition).unique(),
    "in an older query": lambda condition: Trade.session.query(Trade).filter(condition).order_by(Trade.id),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_condition_finds_its_trades(two_trades, way) -> None:
    """Each way to say which trades are meant finds those."""
    found = {name: [t.id for t in way(condition())] for name, (condition, _) in CONDITIONS.items()}
    assert found == {name: expected for name, (_, expected) in CONDITIONS.items()}


def test_a_text_that_is_no_date_is_told(two_trades) -> None:
    """A question with a text that cannot be a date fails, and says which text."""
    with pytest.raises(Exception, match="yesterday"):
        Trade.get_trades([Trade.open_date > "yesterday"]).all()


def test_columns_of_trades_answer_rows(two_trades) -> None:
    """Sums, counts, labels, cases and aliases of columns answer rows."""
    session, other = Trade.session, aliased(Trade)
    assert session.execute(select(func.sum(Trade.close_profit_abs))).scalar_one() == 5.0
    assert session.execute(select(Trade.pair, func.count()).group_by(Trade.pair).order_by(Trade.pair)).all() == [
        ("ADA/USDT", 1),
        ("BNB/USDT", 1),
    ]
    assert [row.n for row in session.execute(select(Trade.id.label("n")).order_by(desc("n")))] == [2, 1]
    state = case((Trade.is_open, "open"), else_="closed")
    assert session.scalars(select(state).order_by(Trade.id)).all() == ["open", "closed"]
    assert session.scalars(select(func.coalesce(Trade.enter_tag, "Other")).order_by(Trade.id)).all() == ["a_b", "Other"]
    assert session.scalar(select(func.max(Trade.open_date))) == NAIVE + timedelta(days=2)
    later = select(Trade.id, other.id).join(other, other.open_date > Trade.open_date)
    assert session.execute(later).all() == [(1, 2)]
    assert [t.id for t in session.scalars(select(other).order_by(other.id.desc()))] == [2, 1]


def test_trades_with_their_orders(two_trades) -> None:
    """Joins go by the relationship, by the class, and back from the order; eager loading may be asked for."""
    session = Trade.session
    sides = [(1, "buy"), (1, "sell"), (2, "buy")]
    for joined in (Trade.orders, Order):
        found = session.execute(select(Trade.id, Order.ft_order_side).join(joined).order_by(Order.id)).all()
        assert found == sides
    assert [o.id for o in session.scalars(select(Order).join(Order._trade_live).where(~Trade.is_open))] == [3]
    assert [o.id for o in session.scalars(select(Order).where(Order._trade_live == two_trades[1]))] == [3]
    for option in (joinedload(Trade.orders), selectinload(Trade.orders)):
        read = session.scalars(select(Trade).options(option).order_by(Trade.id)).unique().all()
        assert [len(t.orders) for t in read] == [2, 1]
    query = select(Trade).join(Trade.orders).options(contains_eager(Trade.orders)).order_by(Trade.id, Order.id)
    assert [len(t.orders) for t in session.scalars(query).unique()] == [2, 1]


def test_queries_of_older_releases(two_trades) -> None:
    """``session.query`` filters, counts, orders, cuts, joins and reads single rows."""
    query = Trade.session.query(Trade)
    assert query.filter(Trade.id == 1).first() is two_trades[0]
    assert query.filter_by(pair="BNB/USDT", is_open=False, trading_mode="spot").one() is two_trades[1]
    assert query.filter(Trade.id == 99).one_or_none() is None
    assert (query.count(), Trade.session.query(Trade.id).filter(Trade.is_open).count()) == (2, 1)
    assert [t.id for t in query.order_by(Trade.id.desc()).limit(1)] == [2]
    assert [t.id for t in query.order_by(Trade.id).offset(1).limit(5)] == [2]
    assert [t.id for t in query.order_by(Trade.id)[0:1]] == [1]
    assert [t.id for t in query.join(Order).filter(Order.ft_is_open)] == [1]
    assert [len(t.orders) for t in query.options(joinedload(Trade.orders)).order_by(Trade.id)] == [2, 1]
    assert query.with_entities(Trade.id, Trade.pair).order_by(Trade.id).first() == (1, "ADA/USDT")
    assert Trade.session.query(query.filter(Trade.pair == "X").exists()).scalar() is False
    assert Trade.session.get(Trade, np.int64(1)) is two_trades[0]


@pytest.mark.parametrize("moment", [OPENED, NAIVE, ELSEWHERE], ids=["aware", "naive", "elsewhere"])
def test_rows_are_changed_and_deleted_by_a_date_in_any_form(two_trades, moment) -> None:
    """Rows are changed and deleted by a date in any form, and the session's objects know it."""
    first, second = two_trades
    query = Trade.session.query(Trade).filter(Trade.open_date <= moment)
    assert query.update({"strategy": "Other"}) == 1
    assert (first.strategy, second.strategy) == ("Other", "Patience")
    Trade.session.execute(update(Trade).where(Trade.open_date == moment).values(strategy="Third"))
    assert first.strategy == "Third"
    orders = Trade.session.query(Order).filter(Order.order_filled_date > moment, Order.ft_order_side == "sell")
    assert orders.delete() == 1
    Trade.commit()
    Trade.session.remove()
    assert [len(t.orders) for t in Trade.get_trades()] == [1, 1]
    assert [t.strategy for t in Trade.get_trades()] == ["Third", "Patience"]


def test_how_the_session_follows_may_still_be_chosen(two_trades) -> None:
    """Whoever asks for the session's objects to be left alone is heard."""
    query = Trade.session.query(Trade).filter(Trade.open_date <= OPENED)
    assert query.update({"strategy": "Other"}, synchronize_session=False) == 1
    assert two_trades[0].strategy == "Patience"
    Trade.commit()


def test_numbers_of_other_packages_may_be_asked_with(two_trades) -> None:
    """A statement in SQL and the custom data of a trade are asked for with what an array held."""
    query = text("SELECT id FROM trades WHERE id = :number AND amount > :amount")
    assert Trade.session.scalars(query, {"number": np.int64(2), "amount": np.float32(9.5)}).all() == [2]
    number: Any = np.int64(2)
    CustomDataWrapper.set_custom_data(number, "key", 1)
    assert [e.value for e in CustomDataWrapper.get_custom_data(trade_id=number, key="key")] == [1]
    assert two_trades[1].get_custom_data("key") == 1


def test_values_of_other_packages_are_stored(two_trades) -> None:
    """Flags and counts out of an array are kept as ours."""
    two_trades[0].is_short, two_trades[0].timeframe = np.True_, np.int64(5)
    Trade.commit()
    Trade.session.remove()
    read = Trade.get_trades([Trade.is_short.is_(True)]).one()
    assert (read.is_short, type(read.is_short), read.timeframe) == (True, bool, 5)


def test_a_moment_is_naive_where_sql_is_asked(two_trades) -> None:
    """Dates come back in UTC without offset, also where only the column is asked for."""
    assert Trade.session.scalars(select(Trade.open_date).where(Trade.id == 1)).one() == datetime(2026, 3, 1, 12)  # noqa: DTZ001 - so it is stored
