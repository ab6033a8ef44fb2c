"""Questions about trades and orders: which ones, in which order, and removing them."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Boolean, event, func, select

import tradestore
from tests.builders import CLOSED, OPENED, closed_trade, order, store, trade, trade_with_entry
from tradestore import CustomDataWrapper, LocalTrade, ModelBase, Order, PairLock, PairLocks, Trade

FLAGS = (("trades", "is_open"), ("trades", "is_short"), ("orders", "ft_is_open"), ("pairlocks", "active"))


def _ids(trades: Iterable[Any]) -> list[Any]:
    return [record.id for record in trades]


def _counts() -> tuple[int, ...]:
    tables = (ModelBase.metadata.tables[name] for name in ("trades", "orders", "trade_custom_data"))
    return tuple(Trade.session.scalars(select(func.count()).select_from(table)).one() for table in tables)


def _move_first_row_to_the_end() -> None:
    """Change the oldest rows: an engine that writes a changed row anew gives it out last unless told otherwise."""
    for _ in range(3):
        for record in Trade.get_trades(Trade.id <= 2):
            record.max_rate = (record.max_rate or 0.0) + 1
            for placed in record.orders[:1]:
                placed.funding_fee = (placed.funding_fee or 0.0) + 1
        Trade.commit()
    Trade.session.remove()


@pytest.fixture
def five(database) -> None:
    """Three open trades and two closed ones, with changes in between; trade 3 has three orders."""
    store(trade_with_entry(pair="ADA/USDT", open_date=OPENED))
    store(closed_trade(pair="ETH/USDT", profit=5.0, ratio=0.025, open_date=OPENED + timedelta(hours=1)))
    third = trade_with_entry(pair="ADA/USDT", open_date=OPENED + timedelta(hours=2))
    third.orders += [order(order_id="waits", ft_is_open=True, status="open", filled=0.0), order(ft_order_side="sell")]
    store(third)
    store(closed_trade(pair="ADA/USDT", profit=-1.0, ratio=-0.005, close_date=CLOSED + timedelta(hours=1)))
    store(trade_with_entry(pair="ETH/USDT", open_date=OPENED + timedelta(hours=4)))
    _move_first_row_to_the_end()


def test_trades_come_by_id(five) -> None:
    """Changes to a trade don't move it."""
    assert _ids(Trade.get_trades()) == [1, 2, 3, 4, 5]
    assert _ids(Trade.get_open_trades()) == [1, 3, 5]
    assert _ids(Trade.get_closed_trades()) == [2, 4]
    assert _ids(Trade.get_trades_proxy()) == [1, 2, 3, 4, 5]


def test_orders_of_a_trade_come_by_id(five) -> None:
    """Changes to an order don't move it."""
    assert _ids(Trade.get_trades(Trade.id == 3).one().orders) == [3, 4, 5]
    assert _ids(Trade.session.scalars(select(Order).where(Order.ft_is_open))) == _ids(Order.get_open_orders()) == [4]


def test_filters(five) -> None:
    """One expression, several, or none."""
    assert _ids(Trade.get_trades(Trade.pair == "ADA/USDT")) == [1, 3, 4]
    assert _ids(Trade.get_trades([Trade.pair == "ADA/USDT", Trade.is_open.is_(True)])) == [1, 3]
    assert _ids(Trade.get_trades((Trade.id > 1, Trade.id < 4))) == [2, 3]
    assert _ids(Trade.get_trades([])) == [1, 2, 3, 4, 5]
    assert _ids(Trade.session.scalars(Trade.get_trades_query(Trade.id > 3).order_by(Trade.id.desc()))) == [5, 4]


def test_flags_in_every_spelling(five) -> None:
    """However a yes or no is asked for or turned around, the same trades come."""
    for is_open in (~~Trade.is_open, Trade.is_open.is_(True), ~Trade.is_open.is_(False), Trade.is_open.is_not(False)):
        assert _ids(Trade.get_trades(is_open)) == [1, 3, 5]
    for is_closed in (~Trade.is_open, Trade.is_open.is_(False), ~Trade.is_open.is_(True), Trade.is_open.is_not(True)):
        assert _ids(Trade.get_trades(is_closed)) == [2, 4]
    assert _ids(Trade.get_trades(Trade.is_open.is_(None))) == []


def test_flags_that_an_outer_join_leaves_out(five) -> None:
    """What has no trade has neither an open nor a closed one; IS never answers that it doesn't know."""
    for pair in ("ADA/USDT", "XRP/USDT"):
        PairLocks.lock_pair(pair, CLOSED, now=OPENED)
    locks = select(PairLock.pair, Trade.is_open.is_(True)).outerjoin(Trade, Trade.pair == PairLock.pair)
    rows = Trade.session.execute(locks.order_by(PairLock.id, Trade.id)).all()
    assert [tuple(row) for row in rows] == [
        ("ADA/USDT", True),
        ("ADA/USDT", True),
        ("ADA/USDT", False),
        ("XRP/USDT", False),
    ]
    not_open = locks.where(~Trade.is_open.is_(True)).order_by(PairLock.id)
    assert Trade.session.scalars(not_open).all() == ["ADA/USDT", "XRP/USDT"]
    not_closed = locks.where(~Trade.is_open.is_(False)).order_by(PairLock.id)
    assert Trade.session.scalars(not_closed).all() == ["ADA/USDT", "ADA/USDT", "XRP/USDT"]


def test_flags_are_plain_columns() -> None:
    """A yes or no has no type of our own, in models of the user neither: whoever reads the tables knows it."""
    kinds = {type(ModelBase.metadata.tables[name].c[flag].type) for name, flag in FLAGS}
    assert kinds == {Boolean}
    assert bool not in ModelBase.type_annotation_map


def test_proxy_filters(five) -> None:
    """Pair, state, and exclusive lower bounds of both dates; a close date means closed trades."""
    assert _ids(Trade.get_trades_proxy(pair="ADA/USDT", is_open=True)) == [1, 3]
    assert _ids(Trade.get_trades_proxy(open_date=OPENED)) == [2, 3, 5]
    assert _ids(Trade.get_trades_proxy(close_date=CLOSED)) == [4]
    assert _ids(Trade.get_trades_proxy(close_date=OPENED)) == [2, 4]
    assert _ids(Trade.get_trades_proxy(pair="ETH/USDT", close_date=OPENED)) == [2]


def test_sums_and_counts(five) -> None:
    """How many are open, what they bind, and what closed ones brought."""
    assert Trade.get_open_trade_count() == 3
    assert Trade.total_open_trades_stakes() == 600.0
    assert Trade.get_total_closed_profit() == 4.0


def test_sums_of_nothing(database) -> None:
    """An empty store gives zeros, not None."""
    assert (Trade.get_open_trade_count(), Trade.total_open_trades_stakes()) == (0, 0.0)
    assert (Trade.get_total_closed_profit(), Trade.get_trading_volume()) == (0.0, 0.0)
    assert (Trade.get_best_pair(), Trade.get_overall_performance()) == (None, [])


def test_order_by_exchange_id(database) -> None:
    """An exchange may use an id once per pair, so the pair can be told."""
    for pair in ("ADA/USDT", "ETH/USDT"):
        record = trade(pair=pair)
        record.orders.append(order(order_id="7", ft_pair=pair))
        store(record)
    first, second = Order.order_by_id("7"), Order.order_by_id("7", "ETH/USDT")
    assert first is not None
    assert second is not None
    assert (first.ft_pair, second.ft_pair) == ("ADA/USDT", "ETH/USDT")
    assert Order.order_by_id("8") is None
    assert Order.order_by_id("7", "XRP/USDT") is None


def test_text_is_compared_with_every_letter(database) -> None:
    """Letters of another size, accents and blanks at the end make another text, in questions on every engine."""
    for tag in ("tag", "Tag", "täg", "tag "):
        store(trade(enter_tag=tag))
    for number, tag in enumerate(("tag", "Tag", "täg", "tag "), start=1):
        assert _ids(Trade.get_trades(Trade.enter_tag == tag)) == [number]


def test_order_ids_are_told_apart_by_every_letter(database) -> None:
    """Ids that differ in the size of a letter, or in a blank, are two orders of one pair."""
    record = trade()
    record.orders += [order(order_id=identifier) for identifier in ("oid-a", "OID-A", "oid-a ")]
    store(record)
    assert [Order.order_by_id(placed.order_id) for placed in record.orders] == record.orders
    assert len(set(record.orders)) == 3


def test_trades_without_assigned_fees(database) -> None:
    """Trades with orders whose fee currency isn't known, apart by open and closed."""
    store(
        trade_with_entry(),
        trade_with_entry(fee_open_currency="USDT"),
        trade(),
        closed_trade(profit=1.0, ratio=0.005, fee_open_currency="USDT"),
        closed_trade(profit=1.0, ratio=0.005, fee_close_currency="USDT"),
        trade(is_open=False, close_date=CLOSED),
    )
    assert _ids(Trade.get_open_trades_without_assigned_fees()) == [1]
    assert _ids(Trade.get_closed_trades_without_assigned_fees()) == [4]


def test_delete_takes_orders_and_custom_data_along(five) -> None:
    """Whatever belongs to the trade is gone with it, and nothing else."""
    for trade_id in (1, 3):
        CustomDataWrapper.set_custom_data(trade_id, "key", "value")
    assert _counts() == (5, 7, 2)
    Trade.get_trades(Trade.id == 3).one().delete()
    Trade.session.remove()
    assert _counts() == (4, 4, 1)
    assert _ids(Trade.get_trades()) == [1, 2, 4, 5]


@pytest.mark.parametrize("table", ["orders", "trade_custom_data", "trades"])
def test_delete_is_all_or_nothing(five, database, table) -> None:
    """If any of its statements fails, everything is there as before, and deleting works afterwards."""
    CustomDataWrapper.set_custom_data(3, "key", "value")

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(f"DELETE FROM {table}"):
            raise InterruptedError(table)

    event.listen(database.engine, "before_cursor_execute", fail)
    record = Trade.get_trades(Trade.id == 3).one()
    with pytest.raises(InterruptedError):
        record.delete()
    event.remove(database.engine, "before_cursor_execute", fail)
    assert _counts() == (5, 7, 1)
    record.delete()
    assert _counts() == (4, 4, 0)


def test_deleting_while_others_wait(five) -> None:
    """Changes to other trades that were pending are stored with the removal."""
    record, other = Trade.get_trades(Trade.id.in_([1, 3])).all()
    other.enter_tag = "pending"
    record.delete()
    Trade.session.remove()
    assert Trade.get_trades(Trade.id == 3).one().enter_tag == "pending"


@pytest.mark.parametrize("question", ["get_trades", "get_trades_query"])
@pytest.mark.parametrize("kind", [Trade, LocalTrade])
def test_sql_is_refused_in_memory(kind, question) -> None:
    """A backtest has no database to ask; the message names what works instead."""
    with tradestore.FtNoDBContext("5m"), pytest.raises(NotImplementedError, match="get_trades_proxy"):
        getattr(kind, question)()


def test_context_without_database_restores_what_was(five) -> None:
    """In the block, questions go to memory; afterwards, also after an error, to the database."""

    def backtest() -> None:
        with tradestore.FtNoDBContext("1h"):
            assert Trade.get_open_trade_count() == 0
            assert tradestore.PairLocks.timeframe == "1h"
            raise LookupError

    with pytest.raises(LookupError):
        backtest()
    assert Trade.get_open_trade_count() == 3
    assert (tradestore.PairLocks.use_db, CustomDataWrapper.use_db, tradestore.PairLocks.timeframe) == (True, True, "")
