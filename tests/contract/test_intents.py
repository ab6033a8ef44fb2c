"""Order intents: written down before the exchange hears of an order, and resolved afterwards whatever happened."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, delete, event, select, text, update
from sqlalchemy.exc import DBAPIError

from tests.builders import OPENED, ccxt_order, columns_of, local_trade, store, trade, trade_with_entry
from tradestore import (
    IntentState,
    ModelBase,
    Order,
    OrderIntent,
    Trade,
    TradingMode,
    disable_database_use,
    init_db,
    intents,
)
from tradestore._intent_fields import new_trade, write_fields
from tradestore.exceptions import (
    DatabaseBusy,
    DatabaseNotReady,
    DependencyException,
    DuplicateOrder,
    InvalidOrder,
    InvalidValue,
    TradeStoreError,
)

FILLED = {"status": "closed", "filled": 10.0, "remaining": 0.0, "average": 20.0, "cost": 200.0}
LATER = datetime(2100, 1, 1, tzinfo=UTC)


pytestmark = pytest.mark.needs("first_driver")


class TimedOut(Exception):
    """What a call says that got no answer."""


def _new(database, **arguments: Any) -> AbstractContextManager[intents.RunningIntent]:
    """Return an intent for ten units at 20 in a new trade."""
    placing: AbstractContextManager[intents.RunningIntent] = database.intent(
        "ADA/USDT", "buy", 10.0, 20.0, **{"exchange": "binance"} | arguments
    )
    return placing


def _leave_open(database, *arguments: Any, **options: Any) -> str:
    """Leave an intent as a bot does that dies; return its client order id."""
    with database.intent(*arguments, **options) if arguments else _new(database, **options) as intent:
        return intent.client_order_id


def _time_out(database, **options: Any) -> str:
    names: list[str] = []
    with suppress(TimedOut), _new(database, **options) as intent:
        names.append(intent.client_order_id)
        raise TimedOut
    return names[0]


def _row(client_order_id: str) -> OrderIntent:
    return Trade.session.scalars(select(OrderIntent).where(OrderIntent.client_order_id == client_order_id)).one()


def _rows() -> dict[str, list[Any]]:
    """Return the whole content of the three tables, as somebody else sees it."""
    Trade.session.rollback()
    tables = (ModelBase.metadata.tables[name] for name in ("trades", "orders", "order_intents"))
    return {table.name: list(Trade.session.execute(select(table).order_by(table.c.id))) for table in tables}


def _never(_client_order_id: str) -> Mapping[str, Any] | None:
    raise AssertionError("nobody was to be asked")


# What is written down before


@pytest.mark.needs("persistent")
def test_row_is_on_the_disk_while_the_block_runs(database, store_url) -> None:
    """Another connection reads the intent before the exchange is called."""
    engine = create_engine(database.engine.url)
    table = ModelBase.metadata.tables["order_intents"]
    with _new(database, order_type="limit", order_tag="dip") as intent, engine.connect() as other:
        (row,) = other.execute(select(table)).mappings()
    engine.dispose()
    assert {
        name: row[name] for name in ("client_order_id", "state", "exchange", "pair", "side", "amount", "price")
    } == {
        "client_order_id": intent.client_order_id,
        "state": "open",
        "exchange": "binance",
        "pair": "ADA/USDT",
        "side": "buy",
        "amount": 10.0,
        "price": 20.0,
    }
    assert (row["order_type"], row["order_tag"], row["ft_trade_id"]) == ("limit", "dip", None)


def test_own_name_is_short_plain_and_new_each_time(database) -> None:
    """Every exchange takes 26 lower case letters and digits."""
    names = {_leave_open(database) for _ in range(3)}
    assert len(names) == 3
    for name in names:
        assert len(name) == 26
        assert name.isascii()
        assert name.isalnum()
        assert name == name.lower()


def test_name_may_be_given_once(database) -> None:
    """A client order id that was used before is refused before the block runs."""
    assert _leave_open(database, client_order_id="mine") == "mine"
    for _ in range(2):
        with pytest.raises(InvalidValue, match="'mine' already"), _new(database, client_order_id="mine"):
            raise AssertionError("the block ran")
    with (
        _new(database, client_order_id="running"),
        pytest.raises(InvalidValue, match="running already"),
        _new(database, client_order_id="running"),
    ):
        raise AssertionError("the block ran")
    assert [intent.client_order_id for intent in database.unresolved_intents()] == ["mine", "running"]


REFUSED: tuple[tuple[tuple[Any, ...], dict[str, Any], str], ...] = (
    (("ADA/USDT", "hold", 1.0, 1.0), {}, "buy, sell, stoploss"),
    (("ADA/USDT", "stoploss", 1.0, 1.0), {}, "begins with an entry"),
    (("ADA/USDT", "sell", 1.0, 1.0), {}, "is_short"),
    (("ADA/USDT", "buy", 0.0, 1.0), {}, "amount"),
    (("ADA/USDT", "buy", -1.0, 1.0), {}, "amount"),
    (("ADA/USDT", "buy", math.nan, 1.0), {}, "amount"),
    (("ADA/USDT", "buy", None, 1.0), {}, "amount"),
    (("ADA/USDT", "buy", 1.0, math.inf), {}, "price"),
    (("ADA/USDT", "buy", 1.0, 0.0), {}, "price"),
    (("ADA/USDT", "buy", 1.0, "1"), {}, "price"),
    (("ADA/USDT", "buy", 1.0), {}, "needs a price"),
    (("A" * 51, "buy", 1.0, 1.0), {}, "51 characters"),
    (("", "buy", 1.0, 1.0), {}, "pair"),
    ((None, "buy", 1.0, 1.0), {}, "needs a Trade"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"exchange": None}, "exchange"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"exchange": "e" * 26}, "26 characters"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"order_type": "t" * 51}, "51 characters"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"client_order_id": ""}, "at least one"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"client_order_id": "c" * 65}, "65 characters"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"client_order_id": "a\0b"}, "NUL"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"colour": "red"}}, "no column colour"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"orders": []}}, "no column orders"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"pair": "ETH/USDT"}}, "pair"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"id": 5}}, "id"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"strategy": "s" * 101}}, "101 characters"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"leverage": 0.0}}, "leverage"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"max_rate": math.nan}}, "max_rate"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"trading_mode": "swap"}}, "trading_mode"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"stake_amount": None}}, "stake_amount"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"is_short": True}}, "entered by 'sell'"),
    (("ADA/USDT", "buy", 1.0, 1.0), {"trade_fields": {"trading_mode": "margin"}}, "interest_rate"),
)


def test_what_cannot_be_stored_is_refused_before(database) -> None:
    """Nothing is written down, and the block does not run."""
    for arguments, options, said in REFUSED:
        with (
            pytest.raises(TradeStoreError, match=said),
            database.intent(*arguments, **{"exchange": "binance"} | options),
        ):
            raise AssertionError("the block ran")
    assert _rows()["order_intents"] == []


def test_only_exceptions_can_refuse(database) -> None:
    """A wrong `rejected_by` is found out before the exchange has refused anything."""
    with pytest.raises(TypeError), _new(database, rejected_by=("TimedOut",)):
        raise AssertionError("the block ran")
    assert _rows()["order_intents"] == []


def test_transaction_is_refused(database) -> None:
    """The row would not be on the disk before the call."""
    with database.transaction():
        with pytest.raises(DependencyException, match="outside of"), _new(database):
            raise AssertionError("the block ran")
        with pytest.raises(DependencyException, match="outside of"):
            database.resolve(OrderIntent(client_order_id="any"), _never)
    assert _rows()["order_intents"] == []


def test_memory_is_refused(database) -> None:
    """A backtest has no exchange to ask."""
    disable_database_use("5m")
    calls: tuple[Callable[[], object], ...] = (
        lambda: _leave_open(database),
        database.unresolved_intents,
        lambda: database.resolve(OrderIntent(client_order_id="any"), _never),
        lambda: database.delete_intents(LATER),
    )
    for call in calls:
        with pytest.raises(NotImplementedError, match="enable_database_use"):
            call()


def test_closed_database_is_refused(database) -> None:
    """Whoever still holds a closed database is told so."""
    database.close()
    with pytest.raises(DatabaseNotReady):
        database.unresolved_intents()
    with pytest.raises(DatabaseNotReady):
        _leave_open(database)


def test_trades_that_are_neither_stored_nor_new_are_refused(database) -> None:
    """Each is told where its trade should be."""
    pending, entered, gone = trade(), trade_with_entry(), trade_with_entry()
    store(gone)
    gone.delete()
    for refused, said in (
        (entered, "orders or custom data"),
        (gone, "deleted"),
        (local_trade(), "needs a Trade"),
    ):
        with pytest.raises(DependencyException, match=said):
            _leave_open(database, refused, "buy", 10.0, 20.0)
    with pytest.raises(InvalidValue, match="its own"):
        _leave_open(database, trade(), "buy", 10.0, 20.0, exchange="kraken")
    with pytest.raises(InvalidValue, match="its own"):
        _leave_open(database, trade(), "buy", 10.0, 20.0, trade_fields={"strategy": "Haste"})
    Trade.session.add(pending)
    with pytest.raises(DependencyException, match=r"placed\(\) stores it"):
        _leave_open(database, pending, "buy", 10.0, 20.0)
    Trade.rollback()
    assert _rows()["order_intents"] == []


def test_trade_that_somebody_else_deleted_is_refused(database) -> None:
    """The block does not run for a trade whose row is gone."""
    held = trade_with_entry()
    store(held)
    with database.engine.begin() as other:
        other.execute(delete(Order))
        other.execute(delete(Trade))
    with pytest.raises(DependencyException, match="deleted"):
        _leave_open(database, held, "sell", 10.0, 20.0)


def test_what_was_pending_is_committed_along(database) -> None:
    """An intent commits what the session holds, as every method does that stores something."""
    held = trade_with_entry()
    store(held)
    held.exit_reason = "roi"
    _leave_open(database, held, "sell", 10.0, 20.0)
    Trade.rollback()
    assert held.exit_reason == "roi"


@pytest.mark.parametrize(
    "moment",
    [datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=timezone(timedelta(hours=3))), OPENED, OPENED.replace(tzinfo=None)],
)
def test_fields_come_back_as_they_went(moment) -> None:
    """Through JSON, every column keeps its value: numbers to the last bit, dates in UTC, modes as modes."""
    numbers = {"amount": 0.1 + 0.2, "open_rate": 5e-324, "stake_amount": 1.7976931348623157e308, "fee_open": -0.0}
    given = trade(
        open_date=moment, trading_mode=TradingMode.FUTURES, leverage=None, timeframe=5, enter_tag='"ü\u2028', **numbers
    )
    fields = {name: value for name, value in columns_of(given).items() if name != "id"}
    back = columns_of(new_trade(write_fields(fields)))
    assert back["open_date"] == (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment)
    assert back["trading_mode"] is TradingMode.FUTURES
    compared = fields.keys() - {"open_date"}
    assert {name: repr(back[name]) for name in compared} == {name: repr(fields[name]) for name in compared}


# What the exchange answers


def test_placed_stores_order_and_new_trade(database) -> None:
    """A trade of a pair gets what a trade needs from the arguments."""
    with _new(database, order_type="limit", order_tag="dip", trade_fields={"leverage": 4.0, "strategy": "P"}) as intent:
        order = intent.placed(ccxt_order(id="7", type=None, **FILLED))
    Trade.session.expire_all()
    (made,) = Trade.get_trades()
    assert (made.pair, made.exchange, made.amount, made.open_rate, made.stake_amount) == (
        "ADA/USDT",
        "binance",
        10.0,
        20.0,
        50.0,
    )
    assert (made.open_rate_requested, made.amount_requested, made.strategy, made.is_short) == (20.0, 10.0, "P", False)
    assert made.orders == [order]
    assert (order.order_id, order.ft_order_tag, order.order_type, order.ft_is_open) == ("7", "dip", "limit", False)
    row = _row(intent.client_order_id)
    assert (row.state, row.order_id, row.ft_trade_id) == (IntentState.PLACED, "7", made.id)
    assert database.unresolved_intents() == []


def test_placed_stores_a_new_trade_object(database) -> None:
    """The caller's own object is the stored one."""
    mine = trade(is_short=True, trading_mode="futures", leverage=2.0)
    with database.intent(mine, "sell", 10.0, 20.0) as intent:
        order = intent.placed(ccxt_order(side="sell", **FILLED))
    assert order.trade is mine
    Trade.session.expire_all()
    assert list(Trade.get_trades()) == [mine]
    assert (mine.amount, mine.stake_amount, mine.nr_of_successful_entries) == (10.0, 100.0, 1)


def test_further_entry_exit_and_stop(database) -> None:
    """Orders of a stored trade are appended, and what they filled is taken in."""
    held = trade_with_entry()
    store(held)
    with database.intent(held, "buy", 10.0, 22.0) as intent:
        intent.placed(ccxt_order(**FILLED | {"average": 22.0, "price": 22.0, "cost": 220.0}))
    assert (held.amount, held.open_rate) == (20.0, 21.0)
    with database.intent(held, "stoploss", 20.0, 18.0) as intent:
        stop = intent.placed(ccxt_order(side="sell", amount=20.0, remaining=20.0, price=None, stopPrice=18.0))
    assert (stop.ft_order_side, held.has_open_sl_orders) == ("stoploss", True)
    held.exit_reason = "roi"
    with database.intent(held, "sell", 20.0, 25.0) as intent:
        intent.placed(
            ccxt_order(
                side="sell", price=25.0, amount=20.0, **FILLED | {"filled": 20.0, "average": 25.0, "cost": 500.0}
            )
        )
    Trade.session.expire_all()
    assert (held.is_open, held.close_profit_abs, held.exit_reason) == (False, 80.0, "roi")
    assert [order.ft_order_side for order in held.orders] == ["buy", "buy", "stoploss", "sell"]


def test_placed_keeps_what_the_block_changed(database) -> None:
    """Attributes that were set in the block are stored with the order."""
    held = trade_with_entry()
    store(held)
    with database.intent(held, "sell", 10.0, 25.0) as intent:
        held.exit_reason = "roi"
        intent.placed(ccxt_order(side="sell"))
    Trade.session.expire_all()
    assert (held.exit_reason, held.has_open_orders) == ("roi", True)


def test_placed_in_a_transaction_ends_with_it(database) -> None:
    """What the bot stores along with an order is stored with it or not at all."""
    with suppress(TimedOut), _new(database) as lost, database.transaction():
        lost.placed(ccxt_order(id="7"))
        raise TimedOut
    assert (_rows()["trades"], _row(lost.client_order_id).state) == ([], IntentState.FAILED)
    with _new(database) as kept, database.transaction():
        kept.placed(ccxt_order(id="7"))
    assert (len(_rows()["trades"]), _row(kept.client_order_id).state) == (1, IntentState.PLACED)


@pytest.mark.needs("persistent")
def test_placed_again_after_its_transaction_failed(database) -> None:
    """The trade that was given up with it is stored as a new one, though another has its id since."""
    mine = trade()
    with database.intent(mine, "buy", 10.0, 20.0) as intent:
        with suppress(TimedOut), database.transaction():
            intent.placed(ccxt_order(id="7"))
            raise TimedOut
        thread = threading.Thread(target=lambda: store(trade(pair="OTHER/USDT", id=mine.id)))
        thread.start()
        thread.join()
        assert intent.placed(ccxt_order(id="7", **FILLED)).trade is mine
    assert [row.pair for row in _rows()["trades"]] == ["OTHER/USDT", mine.pair]
    assert [(row.order_id, row.ft_trade_id) for row in _rows()["orders"]] == [("7", mine.id)]


def test_answer_that_is_no_order_leaves_the_intent_unresolved(database) -> None:
    """The exchange may have the order all the same: only it can tell."""
    for answer in (ccxt_order(id=None), ccxt_order(id=""), None, ccxt_order(price=math.nan)):
        with (
            pytest.raises(InvalidOrder),
            database.intent(trade(), "buy", 10.0, 20.0, rejected_by=ValueError) as intent,
        ):
            intent.placed(answer)
        (left,) = database.unresolved_intents()
        assert (left.state, left.error.partition(":")[0]) == (IntentState.FAILED, "InvalidOrder")
        assert database.resolve(left, lambda name: ccxt_order(id=name)) == IntentState.PLACED
        assert Trade.get_trades().all()[-1].orders[0].order_id == intent.client_order_id


def test_answer_without_any_price_waits_for_one(database) -> None:
    """A market order without a price is stored when the exchange tells it, not at an invented one."""
    held = trade_with_entry()
    store(held)
    silent = ccxt_order(id="7", side="sell", price=None, type="market")
    with pytest.raises(InvalidOrder, match="no price"), database.intent(held, "sell", 10.0) as intent:
        intent.placed(silent)
    (left,) = database.unresolved_intents()
    assert len(held.orders) == 1
    assert database.resolve(left, lambda _: silent | FILLED | {"average": 30.0, "cost": 300.0}) == IntentState.PLACED
    assert (held.is_open, held.close_profit_abs) == (False, 100.0)


def test_timeout_says_nothing(database) -> None:
    """The failure is noted and goes on; the intent stays unresolved."""
    name = _time_out(database)
    (left,) = database.unresolved_intents()
    assert (left.client_order_id, left.state, left.error) == (name, IntentState.FAILED, "TimedOut: ")


def test_interrupt_is_noted_too(database) -> None:
    """Whatever ends the block, the intent is unresolved, never given up."""
    for error in (KeyboardInterrupt(), SystemExit(3), GeneratorExit()):
        with pytest.raises(type(error)), _new(database, rejected_by=Exception):
            raise error
    assert [left.state for left in database.unresolved_intents()] == [IntentState.FAILED] * 3


def test_refusal_leaves_no_order(database) -> None:
    """The exchange's word that there is no order ends the intent, as an exception or by hand."""
    with pytest.raises(TimedOut), _new(database, rejected_by=TimedOut) as first:
        raise TimedOut("no \0 funds \ud800" + "x" * 300)
    with suppress(TimedOut), _new(database) as second:
        second.rejected("insufficient funds")
        raise TimedOut
    assert database.unresolved_intents() == []
    assert (_row(first.client_order_id).state, len(_row(first.client_order_id).error or "")) == (IntentState.VOID, 255)
    assert (_row(second.client_order_id).state, _row(second.client_order_id).error) == (
        IntentState.VOID,
        "insufficient funds",
    )
    assert Trade.get_trades().all() == []


def test_failure_by_hand(database) -> None:
    """A bot that catches the timeout itself notes it, and may place the order after all."""
    with _new(database) as intent:
        intent.failed(TimedOut("after 10 s"))
        assert _row(intent.client_order_id).state == IntentState.FAILED
        intent.placed(ccxt_order())
        intent.failed("too late")
        intent.rejected("too late")
    row = _row(intent.client_order_id)
    assert (row.state, row.error) == (IntentState.PLACED, "TimedOut: after 10 s")


def test_changes_that_cannot_be_stored_do_not_hide_the_failure(database) -> None:
    """The caller gets the exchange's error, and the intent its note, whatever else the session holds."""
    held = trade_with_entry()
    store(held)

    def block() -> None:
        with database.intent(held, "sell", 10.0, 20.0):
            held.strategy = "s" * 101
            raise TimedOut

    with pytest.raises(TimedOut):
        block()
    assert [left.state for left in database.unresolved_intents()] == [IntentState.FAILED]


# Afterwards


def test_unresolved_are_listed_oldest_first(database) -> None:
    """Those whose block is running in this process are nobody else's business."""
    first, second = _leave_open(database), _time_out(database)
    with _new(database) as placed:
        assert [left.client_order_id for left in database.unresolved_intents()] == [first, second]
        placed.placed(ccxt_order())
    with pytest.raises(TimedOut), _new(database, rejected_by=TimedOut):
        raise TimedOut
    assert [left.client_order_id for left in database.unresolved_intents()] == [first, second]


def test_running_ones_are_left_out_in_other_threads(database) -> None:
    """A thread that resolves does not touch the orders that the others are sending."""
    seen: list[int] = []
    with _new(database):
        thread = threading.Thread(target=lambda: seen.append(len(database.unresolved_intents())))
        thread.start()
        thread.join()
    assert seen == [0]
    assert len(database.unresolved_intents()) == 1


@pytest.mark.parametrize("leave", [_leave_open, _time_out])
def test_resolve_adopts_what_the_exchange_has(database, leave) -> None:
    """The trade is made of what was written down, and resolving again changes nothing."""
    name = leave(database, order_tag="dip", trade_fields={"enter_tag": "dip", "trading_mode": TradingMode.SPOT})
    (left,) = database.unresolved_intents()
    asked: list[str] = []

    def fetch(client_order_id: str) -> dict[str, Any]:
        asked.append(client_order_id)
        return ccxt_order(id="7", **FILLED)

    assert database.resolve(left, fetch) == IntentState.PLACED
    assert asked == [name]
    (made,) = Trade.get_trades()
    assert (made.enter_tag, made.trading_mode, made.amount, made.orders[0].ft_order_tag) == (
        "dip",
        TradingMode.SPOT,
        10.0,
        "dip",
    )
    Trade.session.expire_all()
    assert made.open_date <= left.created_at  # It was opened when it was meant, not when it was found.
    before = _rows()
    assert database.resolve(left, _never) == IntentState.PLACED
    assert _rows() == before


def test_resolve_gives_up_what_the_exchange_never_had(database) -> None:
    """No order, no trade; asked again later, an order that came after all is stored."""
    _time_out(database)
    (left,) = database.unresolved_intents()
    assert database.resolve(left, lambda _: None) == IntentState.VOID
    before = _rows()
    assert database.resolve(left, lambda _: None) == IntentState.VOID
    assert _rows() == before
    assert (before["trades"], database.unresolved_intents()) == ([], [])
    assert database.resolve(left, lambda _: ccxt_order()) == IntentState.PLACED
    assert len(Trade.get_trades().one().orders) == 1


def test_fetch_that_fails_changes_nothing(database) -> None:
    """Whoever cannot know raises, and is asked again."""
    _time_out(database)
    (left,) = database.unresolved_intents()
    before = _rows()

    def fetch(_client_order_id: str) -> None:
        raise TimedOut

    with pytest.raises(TimedOut):
        database.resolve(left, fetch)
    with pytest.raises(InvalidOrder):
        database.resolve(left, lambda _: ccxt_order(id=None))
    assert _rows() == before


def test_block_whose_intent_was_given_up_meanwhile(database) -> None:
    """What a block that still runs hears, or doesn't hear, counts for more than what another one found."""

    def give_up(intent: intents.RunningIntent) -> None:
        assert database.resolve(_row(intent.client_order_id), lambda _: None) == IntentState.VOID

    with _new(database) as placed:
        give_up(placed)
        assert database.delete_intents(LATER) == 1
        placed.placed(ccxt_order())
    with _new(database) as answered:
        give_up(answered)
        answered.placed(ccxt_order())
    with suppress(TimedOut), _new(database) as failed:
        give_up(failed)
        raise TimedOut
    with _new(database) as silent:
        give_up(silent)
    states = [_row(each.client_order_id).state for each in (placed, answered, failed, silent)]
    assert states == [IntentState.PLACED, IntentState.PLACED, IntentState.FAILED, IntentState.OPEN]


def test_placed_after_another_process_resolved(database) -> None:
    """The order that somebody else has adopted is found, not stored twice."""
    answer = ccxt_order(**FILLED)
    mine = trade()
    with database.intent(mine, "buy", 10.0, 20.0) as intent:
        assert database.resolve(_row(intent.client_order_id), lambda _: answer) == IntentState.PLACED
        before = _rows()
        order = intent.placed(answer)
        assert intent.placed(answer) is order
        assert _rows() == before
        with pytest.raises(InvalidOrder, match="of its own"):
            intent.placed(ccxt_order())
    assert [order] == Trade.get_trades().one().orders
    assert _rows() == before


def test_stored_order_is_linked(database) -> None:
    """An order that the bot has stored by itself is brought up to date and taken into its trade once."""
    held = trade_with_entry()
    store(held)
    name = _leave_open(database, held, "sell", 5.0, 30.0, order_tag="half")
    waiting = ccxt_order(id="7", side="sell", amount=5.0, price=30.0, remaining=5.0)
    held.orders.append(Order.parse_from_ccxt_object(waiting, held.pair, "sell"))
    Trade.commit()
    done = waiting | {"status": "closed", "filled": 5.0, "remaining": 0.0, "average": 30.0, "cost": 150.0}
    assert database.resolve(_row(name), lambda _: done) == IntentState.PLACED
    assert (held.amount, held.realized_profit, held.is_open, len(held.orders)) == (5.0, 50.0, True, 2)
    assert (held.orders[1].ft_order_tag, _row(name).ft_trade_id) == ("half", held.id)

    other = _leave_open(database, held, "sell", 5.0, 30.0)
    with pytest.raises(DuplicateOrder, match="'7'"):
        database.resolve(_row(other), lambda _: done)
    assert (held.amount, _row(other).state) == (5.0, IntentState.OPEN)


def test_partial_exit_is_taken_in_once(database) -> None:
    """A filled exit of half the position that was stored before does not look like the other half."""
    held = trade_with_entry()
    store(held)
    name = _leave_open(database, held, "sell", 5.0, 30.0)
    half = ccxt_order(side="sell", amount=5.0, price=30.0, **FILLED | {"filled": 5.0, "average": 30.0, "cost": 150.0})
    sold = Order.parse_from_ccxt_object(half, held.pair, "sell")
    held.orders.append(sold)
    held.update_trade(sold)
    assert database.resolve(_row(name), lambda _: half) == IntentState.PLACED
    assert (held.amount, held.is_open, held.realized_profit) == (5.0, True, 50.0)


def test_order_that_was_stored_and_not_taken_in(database) -> None:
    """An exit whose fill was stored by a bot that died before the trade heard of it closes the trade."""
    held = trade_with_entry()
    store(held)
    name = _leave_open(database, held, "sell", 10.0, 30.0)
    done = ccxt_order(id="7", side="sell", **FILLED | {"average": 30.0, "cost": 300.0})
    database.upsert_order(held, done)
    for _ in range(2):
        assert database.resolve(_row(name), lambda _: done) == IntentState.PLACED
        assert (held.is_open, held.close_profit_abs) == (False, 100.0)


def test_trade_that_the_bot_stored_itself_is_linked(database) -> None:
    """An intent for a new trade finds the one whose first order it was, and no other."""
    name = _leave_open(database)
    mine = trade()
    mine.orders.append(Order.parse_from_ccxt_object(ccxt_order(id="7"), mine.pair, "buy"))
    mine.orders.append(Order.parse_from_ccxt_object(ccxt_order(id="8"), mine.pair, "buy"))
    store(mine)
    with pytest.raises(DuplicateOrder, match="'8'"):
        database.resolve(_row(name), lambda _: ccxt_order(id="8"))
    assert database.resolve(_row(name), lambda _: ccxt_order(id="7")) == IntentState.PLACED
    assert _row(name).ft_trade_id == mine.id
    assert Trade.get_trades().all() == [mine]


def test_order_of_another_trade_is_refused(database) -> None:
    """The intent stays unresolved, and the other trade as it is."""
    held, other = trade_with_entry(), trade_with_entry()
    store(held, other)
    taken = ccxt_order(id=other.orders[0].order_id)
    before = _rows()
    with pytest.raises(DuplicateOrder, match=f"id={other.id},"), database.intent(held, "buy", 10.0, 20.0) as intent:
        intent.placed(taken)
    rows = _rows()
    assert (rows["trades"], rows["orders"]) == (before["trades"], before["orders"])
    assert _row(intent.client_order_id).state == IntentState.FAILED


def test_order_of_a_deleted_trade_is_reported(database) -> None:
    """It goes to no other trade, also not to one that has the same id since; stored by hand, it is linked."""
    held = trade_with_entry()
    store(held)
    trade_id = held.id
    name = _leave_open(database, held, "sell", 10.0, 20.0)
    held.delete()
    assert _row(name).ft_trade_id is None
    heir = trade_with_entry(open_date=OPENED + timedelta(days=1), id=trade_id)
    store(heir)
    Trade.session.execute(update(OrderIntent).values(ft_trade_id=trade_id))
    Trade.commit()
    answer = ccxt_order(id="7", side="sell", **FILLED)
    with pytest.raises(DependencyException, match=r"'7'.*deleted"):
        database.resolve(_row(name), lambda _: answer)
    assert (len(heir.orders), [left.client_order_id for left in database.unresolved_intents()]) == (1, [name])
    sold = Order.parse_from_ccxt_object(answer, heir.pair, "sell")
    heir.orders.append(sold)
    heir.update_trade(sold)
    assert database.resolve(_row(name), lambda _: answer) == IntentState.PLACED
    assert (_row(name).ft_trade_id, heir.is_open) == (heir.id, False)


def test_order_whose_trade_goes_while_it_is_sent(database) -> None:
    """The answer cannot be stored anywhere, and the intent says so until somebody decides."""
    held = trade_with_entry()
    store(held)
    with database.intent(held, "sell", 10.0, 20.0) as intent:
        held.delete()
        with pytest.raises(DependencyException, match="deleted"):
            intent.placed(ccxt_order(side="sell"))
    (left,) = database.unresolved_intents()
    assert (left.client_order_id, left.state) == (intent.client_order_id, IntentState.FAILED)
    assert database.resolve(left, lambda _: None) == IntentState.VOID


def test_intent_that_is_gone_cannot_be_resolved(database) -> None:
    """Whoever resolves what somebody else has deleted is told so, and the exchange is not asked."""
    with pytest.raises(DependencyException, match="no intent 'gone'"):
        database.resolve(OrderIntent(client_order_id="gone"), _never)


def test_closed_intents_can_be_deleted(database) -> None:
    """Only those that were placed or void before the time; unresolved ones never."""
    with _new(database) as placed:
        placed.placed(ccxt_order())
    with _new(database) as refused:
        refused.rejected("no")
    kept = [_leave_open(database), _time_out(database)]
    assert database.delete_intents(_row(placed.client_order_id).created_at) == 0
    assert database.delete_intents(datetime.now(UTC) - timedelta(hours=1)) == 0
    assert database.delete_intents(LATER) == 2
    assert [left.client_order_id for left in database.unresolved_intents()] == kept
    assert database.delete_intents(LATER) == 0
    assert len(Trade.get_trades().one().orders) == 1
    with pytest.raises(InvalidValue, match="datetime"):
        database.delete_intents("2100-01-01")


@pytest.mark.needs("persistent")
def test_several_resolve_the_same_at_once(database) -> None:
    """Two that ask at the same moment store one order in one trade, and both are told so."""
    _time_out(database)
    answer = ccxt_order(**FILLED)
    both_know = threading.Barrier(2, timeout=30)
    told: list[IntentState] = []

    def fetch(_client_order_id: str) -> dict[str, Any]:
        both_know.wait()
        return answer

    def work() -> None:
        (left,) = database.unresolved_intents()
        told.append(database.resolve(left, fetch))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [IntentState.PLACED] * 2
    (made,) = Trade.get_trades()
    assert (len(made.orders), made.amount) == (1, 10.0)


@pytest.mark.needs("persistent")
def test_orders_of_one_trade_are_adopted_at_once(database) -> None:
    """Two further entries that arrive at the same moment are both in the trade's numbers."""
    held = trade_with_entry()
    store(held)
    for _ in range(2):
        _leave_open(database, held, "buy", 10.0, 20.0)
    names = [left.client_order_id for left in database.unresolved_intents()]
    both_know = threading.Barrier(2, timeout=30)

    def work(name: str) -> None:
        def fetch(client_order_id: str) -> dict[str, Any]:
            both_know.wait()
            return ccxt_order(id=client_order_id, **FILLED)

        database.resolve(_row(name), fetch)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Trade.rollback()
    (held,) = Trade.get_trades()
    assert (held.amount, len(held.orders), database.unresolved_intents()) == (30.0, 3, [])


def test_functions_are_public(database) -> None:
    """What the store does can be done by the functions of the module."""
    with intents.intent(database, "ADA/USDT", "buy", 10.0, 20.0, exchange="binance"):
        pass
    (left,) = intents.unresolved_intents(database)
    assert intents.resolve(database, left, lambda _: None) == IntentState.VOID
    assert intents.delete_intents(database, LATER) == 1


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("comes_back", [True, False])
def test_database_that_is_away_when_the_answer_comes(store_url, monkeypatch, comes_back) -> None:
    """The trade is stored whole at a later attempt, or the caller is told and the order is found by resolving."""
    database = init_db(store_url, busy_timeout=0.05, pool_size=1, max_overflow=0)
    for setting in ("lock_timeout = '50ms'", "innodb_lock_wait_timeout = 0"):
        with suppress(DBAPIError):  # Each engine that needs one knows its own.
            Trade.session.execute(text(f"SET SESSION {setting}"))
        Trade.session.commit()
    engine = create_engine(database.engine.url)
    other, mine, answer = engine.connect(), trade(), ccxt_order(id="7", **FILLED)
    monkeypatch.setattr(time, "sleep", lambda _seconds: other.rollback() if comes_back else None)
    try:
        with (
            nullcontext() if comes_back else pytest.raises(DatabaseBusy),
            database.intent(mine, "buy", 10.0, 20.0) as intent,
        ):
            table = ModelBase.metadata.tables["order_intents"]
            other.execute(table.update().values(error=table.c.error))
            order = intent.placed(answer)
            assert (order.trade, mine.nr_of_successful_entries) == (mine, 1)
        other.rollback()
        for left in database.unresolved_intents():
            assert (comes_back, mine.orders) == (False, [])
            assert database.resolve(left, lambda _: answer) == IntentState.PLACED
        (row,) = _rows()["trades"]
        assert (row.amount, [order.order_id for order in _rows()["orders"]]) == (10.0, ["7"])
    finally:
        other.close()
        engine.dispose()
        Trade.session.remove()
        database.close()


def test_attempt_that_fails_at_its_end_is_made_anew(database, monkeypatch) -> None:
    """What the first attempt did to the caller's new trade is not done twice."""
    mine, answer = trade(funding_fee_running=0.5), ccxt_order(id="7", **FILLED)
    refused: list[str] = []

    def refuse_once(connection: Connection) -> None:
        if not refused and (order_id := connection.scalar(select(Order.order_id))):
            refused.append(order_id)
            raise DatabaseBusy("at the end of the first attempt")

    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    event.listen(database.engine, "commit", refuse_once)
    with database.intent(mine, "buy", 10.0, 20.0) as intent:
        mine.enter_tag = "set meanwhile"
        order = intent.placed(answer)
    event.remove(database.engine, "commit", refuse_once)
    assert refused == ["7"]
    Trade.session.expire_all()
    assert Trade.get_trades().all() == [mine]
    assert (mine.orders, mine.amount, order.funding_fee, mine.funding_fee_running) == ([order], 10.0, 0.5, 0.0)
    assert mine.enter_tag == "set meanwhile"


@pytest.mark.needs("row_locks")
def test_name_that_somebody_else_takes_at_the_same_moment(database) -> None:
    """The loser of a race is refused as clearly as one that comes later, and sends nothing."""
    engine = create_engine(database.engine.url)
    table = ModelBase.metadata.tables["order_intents"]
    taken: list[str] = []

    def take(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO order_intents") and not taken:
            taken.append("mine")
            values = {"state": "open", "pair": "ETH/USDT", "side": "buy", "amount": 1.0, "created_at": OPENED}
            with engine.begin() as other:
                other.execute(table.insert().values(client_order_id="mine", **values))

    event.listen(database.engine, "before_cursor_execute", take)
    with pytest.raises(InvalidValue, match="'mine' already"), _new(database, client_order_id="mine"):
        raise AssertionError("the block ran")
    engine.dispose()
    assert [left.pair for left in database.unresolved_intents()] == ["ETH/USDT"]


def test_fetch_may_change_something(database) -> None:
    """What a bot notes while it asks the exchange is stored too."""
    held = trade_with_entry()
    store(held)
    name = _leave_open(database, held, "sell", 10.0, 20.0)

    def fetch(_client_order_id: str) -> dict[str, Any]:
        held.exit_reason = "found later"
        return ccxt_order(side="sell", **FILLED)

    assert database.resolve(_row(name), fetch) == IntentState.PLACED
    Trade.session.expire_all()
    assert (held.exit_reason, held.is_open) == ("found later", False)
