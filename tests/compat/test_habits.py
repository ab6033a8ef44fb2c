"""What bots do with the names, as `compat.md` shows it: each habit on every engine."""

import copy
import inspect
import pickle
import threading
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pandas as pd
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import scoped_session, sessionmaker

import tradestore
from tests.builders import (
    CLOSED,
    OPENED,
    amend,
    closed_trade,
    local_order,
    local_trade,
    order,
    store,
    trade,
    trade_with_entry,
)
from tradestore import (
    CustomDataWrapper,
    FtNoDBContext,
    KeyValueStoreModel,
    LocalTrade,
    Order,
    PairLock,
    PairLocks,
    Store,
    Trade,
    WalletHistory,
    disable_database_use,
    init_db,
    trade_model,
)
from tradestore.custom_data import _CustomData

MAPPED = (Trade, Order, PairLock, _CustomData, KeyValueStoreModel, WalletHistory)
PLAIN = (LocalTrade, tradestore.LocalOrder, tradestore.LocalPairLock)
ADA, ETH = "ADA/USDT", "ETH/USDT"


@pytest.fixture
def three(database: Store) -> Store:
    """Two open trades and a closed one, with an entry order each; nothing of them is in the session any more."""
    store(trade_with_entry(), trade_with_entry(pair=ETH), closed_trade(profit=20.0, ratio=0.1, pair=ETH))
    Trade.session.remove()
    return database


def _ada() -> Trade:
    """Return the one trade of its pair."""
    return Trade.get_trades(Trade.pair == ADA).one()


# --- asking --------------------------------------------------------------------------------------------------------


def test_session_has_the_older_query(three) -> None:
    """The query of SQLAlchemy 1 is one of the session's methods."""
    found = Trade.session.query(Trade).filter(Trade.pair == ETH, Trade.is_open.is_(False)).first()
    assert found is not None
    assert (found.pair, found.is_open) == (ETH, False)
    assert Trade.session.query(Trade).count() == 3


def test_session_answers_statements_with_trades(three) -> None:
    """A statement of one's own answers with trades."""
    found = Trade.session.scalars(select(Trade).where(Trade.is_open.is_(True)).order_by(Trade.id)).all()
    assert [each.pair for each in found] == [ADA, ETH]


def test_filters_in_a_list_hold_all(three) -> None:
    """All of them hold; the answer is a list, or one trade, or unique ones."""
    filters = [Trade.pair == ETH, Trade.is_open.is_(True)]
    assert [each.pair for each in Trade.get_trades(filters).all()] == [ETH]
    assert [Trade.get_trades(filters).first()] == Trade.get_trades(filters).all()
    assert [each.pair for each in Trade.get_trades(filters).unique().all()] == [ETH]


def test_filter_may_be_one_expression(three) -> None:
    """It needs no list around it."""
    found = _ada()
    assert Trade.get_trades(Trade.id == found.id).first() is found


def test_every_column_is_an_expression(three) -> None:
    """So is the relationship of orders."""
    found = Trade.get_trades([Trade.orders.any(Order.filled > 9), Trade.open_date >= OPENED, Trade.leverage == 1.0])
    assert len(found.all()) == 3
    filled = select(Order).where(Order.ft_pair == ADA, Order.filled == Order.amount)
    assert Order.session.scalars(filled).one() is _ada().orders[0]


def test_best_pair_is_a_row(three) -> None:
    """Pair, ratio, profit and count: 20 earned with a stake of 200."""
    store(closed_trade(pair=ADA, profit=30.0, ratio=0.15), closed_trade(pair=ADA, profit=-25.0, ratio=-0.125))
    assert Trade.get_best_pair() == (ETH, 0.1, 20.0, 1)
    assert Trade.get_best_pair(filters=[Trade.pair == ADA]) == (ADA, 0.0125, 5.0, 2)
    assert Trade.get_best_pair([Trade.pair == "X"], filters=[Trade.pair == ADA]) is None


def test_volume_takes_either_name_of_the_filter(three) -> None:
    """Three entries of 200 each, two of them in one pair."""
    assert Trade.get_trading_volume() == 600.0
    assert Trade.get_trading_volume(trade_filter=[Trade.pair == ETH]) == 400.0
    assert Trade.get_trading_volume(filters=[Trade.pair == ETH]) == 400.0


def test_performance_query_is_joined_by_others(three) -> None:
    """Its rows are the columns, the ratio, the profit and the count; as a subquery it can be joined."""
    query = Trade._generic_performance_query([Trade.pair], [Trade.is_open.is_(False)])
    assert Trade.session.execute(query).one()._asdict() == {
        "pair": ETH, "profit_ratio": 0.1, "profit_sum_abs": 20.0, "count": 1,
    }  # fmt: skip
    best = query.subquery()
    joined = select(Trade.pair, func.count(Trade.id), best.c.profit_sum_abs).join(best, best.c.pair == Trade.pair)
    rows = Trade.session.execute(joined.group_by(Trade.pair, best.c.profit_sum_abs)).all()
    assert [tuple(row) for row in rows] == [(ETH, 2, 20.0)]


def test_pandas_reads_through_the_session(three) -> None:
    """What the session is bound to is what pandas takes."""
    frame = pd.read_sql("SELECT pair, is_open, close_profit_abs FROM trades ORDER BY id", con=Trade.session.bind)
    assert list(frame["pair"]) == [ADA, ETH, ETH]
    assert frame["close_profit_abs"].sum() == 20.0
    assert len(pd.read_sql(select(Order), con=Trade.session.bind)) == 3


# --- sessions ------------------------------------------------------------------------------------------------------


def test_session_is_a_scoped_session(three) -> None:
    """A real one, with all that it hands on."""
    assert type(Trade.session) is scoped_session
    assert Trade.session.bind is three.engine
    found = _ada()
    found.enter_tag = "changed"
    Trade.session.refresh(found)
    assert found.enter_tag is None
    assert {model.session for model in MAPPED} == {Trade.session}


def test_end_of_a_request_gives_its_connection_back(three) -> None:
    """Whoever removes the session goes on with another one."""
    before = Trade.session()
    Trade.session.remove()
    assert Trade.session() is not before
    assert Trade.get_open_trade_count() == 2
    Trade.session.remove()
    assert three.pool_status().checked_out == 0


def test_rollback_lets_another_thread_read_what_is_stored_now(three) -> None:
    """It shows what was committed meanwhile."""
    seen: list[int] = []
    asked, committed = threading.Event(), threading.Event()

    def read() -> None:
        for _ in range(2):
            Trade.rollback()
            seen.append(Trade.get_open_trade_count())
            asked.set()
            committed.wait(20)
        Trade.session.remove()

    reader = threading.Thread(target=read)
    reader.start()
    assert asked.wait(20)
    store(trade())
    committed.set()
    reader.join(20)
    assert seen == [2, 3]


def test_session_of_locks_may_be_another_one(three, monkeypatch) -> None:
    """A bot gives the locks a session of their own, and takes it back."""
    own = scoped_session(sessionmaker(bind=three.engine))
    Trade.session.remove()
    monkeypatch.setattr(PairLock, "session", own)
    PairLocks.lock_pair(ETH, datetime.now(UTC) + timedelta(hours=1))
    assert PairLock.session is own
    assert PairLocks.is_pair_locked(ETH)
    own.remove()
    monkeypatch.undo()
    assert PairLocks.is_pair_locked(ETH)


def test_memory_is_empty_each_time_it_is_opened() -> None:
    """As a bot's tests open it: nothing of the one before is there."""
    for _ in range(25):
        opened = init_db("sqlite://")
        assert Trade.get_open_trade_count() == 0
        store(trade_with_entry())
    assert Trade.session.bind is opened.engine
    opened.close()


def test_database_that_is_opened_again_has_what_was_stored(store_url: str, backend) -> None:
    """What was stored before is there, for whoever opened it last."""
    for number in range(3):
        opened = init_db(store_url)
        assert Trade.get_open_trade_count() == (number if backend.persistent else 0)
        store(trade())
        Trade.session.remove()
    opened.close()


# --- changing ------------------------------------------------------------------------------------------------------


def test_order_is_deleted_through_its_session(three) -> None:
    """It is gone from its trade as well."""
    found = _ada()
    Order.session.delete(found.orders[0])
    Trade.commit()
    Trade.session.remove()
    assert _ada().orders == []


def test_orders_of_a_stored_trade_are_a_list(three) -> None:
    """To be appended to, looked at from its end, and deleted from."""
    found = _ada()
    found.orders.append(added := order(ft_order_side="sell"))
    Trade.commit()
    assert found.orders[-1] is added
    assert added.trade is added._trade_live is found
    del found.orders[0]
    Trade.commit()
    Trade.session.remove()
    assert [each.order_id for each in _ada().orders] == [added.order_id]


def test_orders_of_a_trade_in_memory_are_a_list() -> None:
    """The same, without a database."""
    held = local_trade(orders=[])
    held.orders.append(first := local_order())
    first._trade_bt = held
    held.orders.append(local_order(ft_order_side="sell"))
    assert (held.orders[0].trade, held.orders[-1].ft_order_side) == (held, "sell")
    del held.orders[0]
    assert [each.ft_order_side for each in held.orders] == ["sell"]


def test_backtest_builds_orders_with_every_field() -> None:
    """And closes them: 10 bought at 20, of which the stop loss follows."""
    disable_database_use("5m")
    held = local_trade(stop_loss_pct=-0.1)
    placed = Order(
        id=7,
        ft_trade_id=held.id,
        order_date=OPENED,
        order_filled_date=OPENED,
        order_update_date=OPENED,
        ft_is_open=True,
        ft_pair=ADA,
        order_id="7",
        symbol=ADA,
        ft_order_side="buy",
        side="buy",
        order_type="limit",
        status="open",
        ft_price=20.0,
        price=20.0,
        average=20.0,
        amount=10.0,
        filled=0.0,
        remaining=10.0,
        cost=200.0,
        ft_order_tag="first",
    )
    placed._trade_bt = held
    held.orders.append(placed)
    placed.close_bt_order(CLOSED, held)
    assert (placed.filled, placed.remaining, placed.status, placed.ft_is_open) == (10.0, 0.0, "closed", False)
    assert (placed.trade, held.amount, held.open_rate, held.stop_loss) == (held, 10.0, 20.0, 18.0)


def test_objects_take_attributes_that_are_no_columns(three) -> None:
    """A bot notes on an object what it likes; neither its classes nor ours are without a place for it."""
    found = _ada()
    for each in (found, found.orders[0], local_trade(), local_order()):
        amend(each, seen_by_bot=1)
        assert vars(each)["seen_by_bot"] == 1
    for kind in (*MAPPED, *PLAIN):
        assert not [base for base in inspect.getmro(kind) if vars(base).get("__slots__")], kind


def test_copy_for_a_callback_leaves_the_trade_alone(three) -> None:
    """What a strategy does to its copy is its own business."""
    found = _ada()
    twin = copy.deepcopy(found)
    twin.enter_tag, twin.orders[0].price = "changed", 1.0
    assert (found.enter_tag, found.orders[0].price) == (None, 20.0)
    assert twin not in Trade.session


# --- memory --------------------------------------------------------------------------------------------------------


def test_block_without_a_database_knows_memory_alone(three) -> None:
    """Within it there are the trades in memory alone."""
    with FtNoDBContext():
        assert {Trade.use_db, PairLocks.use_db, CustomDataWrapper.use_db} == {False}
        assert Trade.get_open_trades() == []
        LocalTrade.add_bt_trade(local_trade(id=5))
        assert [each.id for each in Trade.get_trades_proxy(is_open=True)] == [5]
    assert len(Trade.get_open_trades()) == 2


def test_switch_may_be_set_directly(three) -> None:
    """It is a plain flag of the class."""
    Trade.use_db = False
    LocalTrade.add_bt_trade(local_trade(pair="MEM/USDT"))
    assert [each.pair for each in Trade.get_open_trades()] == ["MEM/USDT"]
    with pytest.raises(NotImplementedError, match="get_trades"):
        Trade.get_trades()
    Trade.use_db = True
    assert len(Trade.get_open_trades()) == 2


def test_lists_are_read_while_trades_close() -> None:
    """Copied, walked over, and empty for a pair that nobody traded."""
    for number in (1, 2, 3):
        LocalTrade.add_bt_trade(local_trade(id=number))
    for each in LocalTrade.bt_trades_open_pp[ADA]:
        each.close(21.0)
        LocalTrade.close_bt_trade(each)
    assert LocalTrade.bt_trades_open == LocalTrade.bt_trades_open_pp[ADA] == LocalTrade.bt_trades_open_pp["NEW"] == []
    assert [each.id for each in list(LocalTrade.bt_trades)] == [1, 2, 3]
    assert (LocalTrade.bt_open_open_trade_count, Trade.bt_open_open_trade_count) == (0, 0)


def test_lists_of_trades_are_pickled() -> None:
    """As a backtest sends them to another process."""
    sent = [local_trade(id=1, orders=[local_order()]), local_trade(id=2)]
    received = pickle.loads(pickle.dumps(sent))
    assert [each.to_json() for each in received] == [each.to_json() for each in sent]
    assert received[0].orders[0].trade is received[0]


# --- patching ------------------------------------------------------------------------------------------------------


def test_patched_question_is_answered_so_everywhere(three) -> None:
    """Patched under the name of the package, it is answered so everywhere."""
    with patch("tradestore.Trade.get_open_trades", return_value=[mine := local_trade()]) as asked:
        assert trade_model.Trade.get_open_trades() == [mine]
        assert asked.call_count == 1
    assert len(Trade.get_open_trades()) == 2


def test_session_of_a_trade_in_memory_refuses() -> None:
    """The name is there; whatever is asked of it needs a database."""
    with pytest.raises(NotImplementedError, match=r"session\.scalars\(\) needs a database"):
        LocalTrade.session.scalars(None)
    with pytest.raises(NotImplementedError, match=r"Order\.get_open_orders\(\) needs a database"):
        tradestore.LocalOrder.get_open_orders()
    with pytest.raises(NotImplementedError, match=r"Order\.order_by_id\(\) needs a database"):
        tradestore.LocalOrder.order_by_id("1")


@pytest.mark.parametrize(("name", "hint"), [("to_dataframe", r"Trade\.to_dataframe"), ("column_values", "vars")])
def test_trade_in_memory_says_what_to_do_instead(name: str, hint: str) -> None:
    """Where something is only for the database, the error names what answers in memory."""
    with pytest.raises(NotImplementedError, match=rf"{name}\(\) needs a database.*{hint}"):
        getattr(local_trade(), name)()


def test_trade_in_memory_has_its_custom_data() -> None:
    """Its entries are where those of a stored trade are."""
    held = local_trade(id=3)
    held.set_custom_data("key", [1])
    assert [(entry.cd_key, entry.value) for entry in held.custom_data] == [("key", [1])]


def test_class_shares_no_list_with_its_trades() -> None:
    """It has the names of what every trade is given, and nothing that one could leave behind for another."""
    assert not hasattr(LocalTrade.orders, "append")
    one, other = LocalTrade(), LocalTrade()
    one.orders.append(local_order())
    assert other.orders == []
