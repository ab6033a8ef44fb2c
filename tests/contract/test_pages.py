"""Trades page by page."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete

import tradestore
from tests.builders import CLOSED, closed_trade, local_trade, order, store, trade_with_entry
from tests.contract.conftest import Watch
from tradestore import LocalTrade, Order, Trade
from tradestore.exceptions import InvalidValue


def _walk(**arguments: Any) -> Iterator[list[int]]:
    """Return the ids of each page, the empty one at the end included."""
    after = None
    while True:
        page = Trade.get_trades_page(after=after, **arguments)
        yield [record.id for record in page]
        if not page:
            return
        after = page[-1].id


@pytest.fixture
def nine(database) -> None:
    """Nine trades: 3, 6 and 9 are open; the closed ones 1, 2, 4, 5, 7 and 8 closed as 8, 7, 4 and 5 together, 2, 1."""
    hours = {8: 1, 7: 2, 4: 3, 5: 3, 2: 4, 1: 5}
    for number in range(1, 10):
        if number in hours:
            closed = CLOSED + timedelta(hours=hours[number])
            store(closed_trade(profit=1.0, ratio=0.005, close_date=closed, pair=f"P{number % 2}/USDT"))
        else:
            store(trade_with_entry(pair=f"P{number % 2}/USDT"))


def test_pages_by_id(nine) -> None:
    """Every trade is on one page, oldest or newest first."""
    assert list(_walk(limit=4)) == [[1, 2, 3, 4], [5, 6, 7, 8], [9], []]
    assert list(_walk(limit=4, newest_first=True)) == [[9, 8, 7, 6], [5, 4, 3, 2], [1], []]
    assert list(_walk()) == [[1, 2, 3, 4, 5, 6, 7, 8, 9], []]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_pages_by_close_date(nine, limit) -> None:
    """Closed trades in the order in which they were closed, also where two closed in the same microsecond."""
    expected = [8, 7, 4, 5, 2, 1]
    forward = [number for page in _walk(limit=limit, by="close_date") for number in page]
    backward = [number for page in _walk(limit=limit, by="close_date", newest_first=True) for number in page]
    assert (forward, backward) == (expected, expected[::-1])


def test_pages_with_a_filter(nine) -> None:
    """The filter holds on every page, and stays the caller's."""
    filters = [Trade.pair == "P1/USDT"]
    assert list(_walk(limit=2, trade_filter=filters)) == [[1, 3], [5, 7], [9], []]
    assert list(_walk(limit=2, trade_filter=filters, by="close_date")) == [[7, 5], [1], []]
    assert list(_walk(limit=9, trade_filter=Trade.is_open.is_(True), newest_first=True)) == [[9, 6, 3], []]
    assert len(filters) == 1


def test_page_after_a_trade(nine) -> None:
    """The trade itself says where it stood, even if it is gone by now; of a removed trade's id only its own order."""
    second = Trade.get_trades_page(limit=3, by="close_date")[1]
    assert [record.id for record in Trade.get_trades_page(after=second, limit=2, by="close_date")] == [4, 5]
    Trade.get_trades(Trade.id == second.id).one().delete()
    assert [record.id for record in Trade.get_trades_page(after=second, limit=2, by="close_date")] == [4, 5]
    assert [record.id for record in Trade.get_trades_page(after=second, limit=2)] == [8, 9]
    with pytest.raises(InvalidValue, match="no closed trade with the id 7"):
        Trade.get_trades_page(after=7, by="close_date")


@pytest.mark.parametrize("newest_first", [False, True])
def test_new_trades_between_pages(nine, newest_first) -> None:
    """Whoever walks while trades come in sees each old one once."""
    seen: list[int] = []
    after = None
    while page := Trade.get_trades_page(after=after, limit=2, newest_first=newest_first):
        seen += [record.id for record in page]
        after = page[-1]
        if len(seen) < 8:
            store(trade_with_entry())
    old = [number for number in seen if number <= 9]
    assert old == sorted(range(1, 10), reverse=newest_first)
    assert len(set(seen)) == len(seen)


def test_closing_between_pages(nine) -> None:
    """A trade that closes during a walk by close date comes at its end, and moves nothing."""
    seen = [record.id for record in Trade.get_trades_page(limit=3, by="close_date")]
    third = Trade.get_trades(Trade.id == 3).one()
    third.is_open, third.close_date = False, CLOSED + timedelta(days=1)
    Trade.commit()
    seen += [record.id for record in Trade.get_trades_page(after=seen[-1], limit=9, by="close_date")]
    assert seen == [8, 7, 4, 5, 2, 1, 3]


@pytest.mark.parametrize("by", ["id", "close_date"])
def test_page_with_orders_is_two_statements(database, statements: Watch, by) -> None:
    """One brings the trades, one their orders, on any page and for any number of orders."""
    for number in range(30):
        record = closed_trade(profit=1.0, ratio=0.005)
        record.orders += [order(ft_order_side="sell") for _ in range(number % 4)]
        Trade.session.add(record)
    Trade.commit()
    for after in (None, 10, 25):
        Trade.session.remove()
        with statements() as sent:
            page = Trade.get_trades_page(after=after, limit=10, by=by)
            assert sum(len(record.orders) for record in page) == sum(1 + (record.id - 1) % 4 for record in page)
        assert len(sent) == 2, sent


def test_page_without_orders_is_one_statement(nine, statements: Watch) -> None:
    """Whoever doesn't need the orders doesn't wait for them."""
    Trade.session.remove()
    with statements() as sent:
        page = Trade.get_trades_page(limit=5, include_orders=False)
        assert sum(record.stake_amount for record in page) == 5 * 200.0
    assert len(sent) == 1


@pytest.mark.parametrize("limit", [0, -1, 10_001, 2.5, "10", None, True])
def test_bad_limits(database, limit) -> None:
    """A limit that is none is refused before the database is asked."""
    with pytest.raises(InvalidValue, match="limit of a page is a whole number from 1 to 10000"):
        Trade.get_trades_page(limit=limit)


@pytest.mark.parametrize("after", ["7", 7.0, True, 2**31, SimpleNamespace(id=7)])
def test_bad_positions(database, after) -> None:
    """Only a trade or its id is a position."""
    with pytest.raises(InvalidValue, match="goes on after a trade or its id"):
        Trade.get_trades_page(after=after)


def test_other_objects_with_an_id_are_no_positions(nine) -> None:
    """An order has an id too, but of another table; a trade that was never stored has none."""
    placed = Trade.get_trades(Trade.id == 4).one().orders[0]
    for by in ("id", "close_date"):
        with pytest.raises(InvalidValue, match="not after an object of Order"):
            Trade.get_trades_page(after=placed, by=by)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="not after one that was never stored"):
        Trade.get_trades_page(after=trade_with_entry())


def test_positions_of_other_kinds(nine) -> None:
    """A whole number of any type is an id, and a trade in memory has one."""

    class Number:
        def __index__(self) -> int:
            return 7

    copied = local_trade(id=7, close_date=CLOSED + timedelta(hours=2))
    for after in (Number(), copied):
        assert [record.id for record in Trade.get_trades_page(after=after)] == [8, 9]
        assert [record.id for record in Trade.get_trades_page(after=after, limit=2, by="close_date")] == [4, 5]


def test_page_after_a_trade_whose_values_were_given_up(nine) -> None:
    """Where it stood is asked of the database, whether the trade still belongs to a session or not."""
    attached, detached = Trade.get_trades([Trade.id.in_([7, 8])]).all()
    Trade.session.expire(attached)
    Trade.session.expire(detached)
    Trade.session.expunge(detached)
    assert [record.id for record in Trade.get_trades_page(after=attached, limit=1, by="close_date")] == [4]
    assert [record.id for record in Trade.get_trades_page(after=detached, limit=1, by="close_date")] == [7]
    assert [record.id for record in Trade.get_trades_page(after=detached)] == [9]


def test_page_after_a_trade_that_others_removed(nine) -> None:
    """Its id is known as ever; where it stood among the closed ones nobody knows, and the message says so."""
    gone = Trade.get_trades(Trade.id == 7).one()
    Trade.session.execute(delete(Order).where(Order.ft_trade_id == 7).execution_options(synchronize_session=False))
    Trade.session.execute(delete(Trade).where(Trade.id == 7).execution_options(synchronize_session=False))
    Trade.session.expire(gone)
    assert [record.id for record in Trade.get_trades_page(after=gone)] == [8, 9]
    with pytest.raises(InvalidValue, match="no closed trade with the id 7"):
        Trade.get_trades_page(after=gone, by="close_date")


def test_bad_order(database) -> None:
    """Only two orders are known; the message names them."""
    with pytest.raises(InvalidValue, match="by 'id' or by 'close_date', not by 'pair'"):
        Trade.get_trades_page(by="pair")  # type: ignore[arg-type]


def test_open_trade_is_no_position_among_closed_ones(nine) -> None:
    """An open trade, and one that never was, have no place in the order of closing: that is no last page."""
    for after in (3, 99, Trade.get_trades(Trade.id == 3).one()):
        with pytest.raises(InvalidValue, match="no closed trade with the id"):
            Trade.get_trades_page(after=after, by="close_date")


@pytest.mark.parametrize("kind", [Trade, LocalTrade])
def test_pages_are_refused_in_memory(kind) -> None:
    """A backtest has no database to cut pages."""
    with tradestore.FtNoDBContext("5m"), pytest.raises(NotImplementedError, match="get_trades_page"):
        kind.get_trades_page()
