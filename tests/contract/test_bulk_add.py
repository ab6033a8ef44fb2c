"""Many trades at once: stored as single ones are, under fresh ids, in a fixed number of statements and of memory."""

import copy
import gc
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from weakref import WeakSet, ref

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm.attributes import instance_state

from tests.builders import amend, local_order, local_trade, order, store, trade, trade_with_entry
from tests.contract.any_records import HARD_TEXTS, any_trades, as_local, as_mapped, stored_rows
from tests.contract.conftest import Watch
from tradestore import CustomDataWrapper, ExitType, FtNoDBContext, LocalTrade, Order, Trade
from tradestore.custom_data import _CustomData


def with_orders(number: int, orders: int = 2) -> LocalTrade:
    """Return a plain trade in a pair of its own."""
    pair = f"P{number}/USDT"
    result = local_trade(id=number + 1, pair=pair)
    result.orders += [local_order(order_id=f"{number}-{place}", ft_pair=pair) for place in range(orders)]
    return result


def belongings() -> list[tuple[str, list[str]]]:
    """Return the pairs of all stored trades, with the ids of their orders."""
    Trade.session.remove()
    return [(t.pair, [o.order_id for o in t.orders if o.ft_pair == t.pair]) for t in Trade.get_trades()]


def expected(*numbers: int) -> list[tuple[str, list[str]]]:
    """Return the belongings of :func:`with_orders`."""
    return [(f"P{number}/USDT", [f"{number}-0", f"{number}-1"]) for number in numbers]


def _empty() -> None:
    Trade.session.remove()
    Trade.session.execute(delete(Order))
    Trade.session.execute(delete(Trade))
    Trade.commit()


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trades=any_trades())
def test_stored_as_single_ones_are(database, trades) -> None:
    """Every column of every row is what adding one trade after the other gives, for plain and for mapped trades."""
    _empty()
    for fields, orders in trades:
        store(as_mapped(fields, orders))
    single = stored_rows()
    _empty()
    assert Trade.bulk_add((as_local(*given, id=5) for given in trades), batch_size=3) == len(trades)
    assert stored_rows() == single
    _empty()
    assert Trade.bulk_add((as_mapped(*given) for given in trades), batch_size=3) == len(trades)
    assert stored_rows() == single


def test_hard_texts(database) -> None:
    """Whatever means something to a driver or to COPY comes back letter by letter."""
    for number, hard in enumerate(HARD_TEXTS):
        assert Trade.bulk_add([local_trade(enter_tag=hard, strategy=hard, orders=[local_order(ft_order_tag=hard)])])
        read = Trade.get_trades().all()[number]
        assert (read.enter_tag, read.strategy, read.orders[0].ft_order_tag) == (hard, hard, hard)


def test_what_is_missing_is_completed(database, time_machine) -> None:
    """Defaults, the price that the exchange told and the present time are filled in, in the rows alone."""
    time_machine.move_to(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False)
    given = local_trade(leverage=None, max_rate=None, is_short=None, record_version=None)
    given.orders.append(local_order(filled=4.0, cost=6.0))
    amend(given.orders[0], ft_price=None, price=None, average=None, order_date=None)
    Trade.bulk_add([given])
    (read,) = Trade.get_trades()
    assert (read.leverage, read.max_rate, read.is_short, read.record_version) == (1.0, 0.0, False, 2)
    assert (read.orders[0].ft_price, read.orders[0].order_date) == (1.5, datetime.fromisoformat("2026-03-01 12:00"))
    assert [given.leverage, given.orders[0].ft_price, given.orders[0].order_date] == [None] * 3


def test_values_of_other_types(database) -> None:
    """Whole numbers become floats, members of enums their text, and ids that are numbers text."""
    given = local_trade(amount=3, open_rate=7, fee_open=0, exit_order_status=ExitType.ROI, is_open=1)
    given.orders += [local_order(order_id=12), local_order(order_id="x")]
    Trade.bulk_add([given, local_trade()])
    read = Trade.get_trades().all()[0]
    assert (read.amount, read.open_rate, read.fee_open, read.exit_order_status, read.is_open) == (3, 7, 0, "roi", True)
    assert [placed.order_id for placed in read.orders] == ["12", "x"]


def test_given_objects_stay_as_they_are(database) -> None:
    """Neither plain nor mapped trades change, nor do they come into the session, nor are they kept."""
    plain, mapped = with_orders(1), trade_with_entry()
    before = [copy.deepcopy(vars(record)) for record in (plain, *plain.orders)]
    mapped_before = mapped.to_json()
    Trade.bulk_add([plain, mapped])
    assert len(Trade.session.identity_map) == len(Trade.session.new) == 0
    assert [mapped.id, mapped.orders[0].ft_trade_id] == [None, None]
    assert not any(instance_state(record).key for record in (mapped, mapped.orders[0]))
    assert mapped.to_json() == mapped_before
    for record, values in zip((plain, *plain.orders), before, strict=True):
        assert {name: value for name, value in vars(record).items() if name != "orders"} == {
            name: value for name, value in values.items() if name != "orders"
        }
    kept: list[ref[Any]] = [ref(plain), ref(mapped)]
    del plain, mapped, record
    gc.collect()
    assert not any(reference() for reference in kept)


def test_ids_are_fresh_before_and_after(database) -> None:
    """The ids that trades bring mean nothing, and single trades go on where the many ended."""
    store(trade(pair="BEFORE/USDT"))
    assert Trade.bulk_add(with_orders(number % 3 + 10 * number) for number in range(5)) == 5
    store(trade_with_entry(pair="AFTER/USDT"))
    found = Trade.get_trades().all()
    assert [t.pair for t in found] == ["BEFORE/USDT", *(f"P{n % 3 + 10 * n}/USDT" for n in range(5)), "AFTER/USDT"]
    assert len({t.id for t in found}) == len(found)


def test_server_that_counts_in_steps(database) -> None:
    """Where ids are given with gaps between them, orders still find their trades."""
    for setting in (
        "SET SESSION auto_increment_increment = 7",
        "ALTER SEQUENCE trades_id_seq INCREMENT BY 7",
        "ALTER SEQUENCE orders_id_seq INCREMENT BY 7",
    ):
        with suppress(DBAPIError):  # Each engine that has one knows its own.
            Trade.session.execute(text(setting))
            Trade.commit()
    assert Trade.bulk_add((with_orders(number) for number in range(9)), batch_size=4) == 9
    assert belongings() == expected(*range(9))


def test_server_that_tells_only_one_id_at_a_time(database, monkeypatch) -> None:
    """Without RETURNING each trade's id is asked for by itself, and orders find their trades."""
    monkeypatch.setattr(database.engine.dialect, "insert_returning", False)
    assert Trade.bulk_add((with_orders(number) for number in range(5)), batch_size=2) == 5
    assert belongings() == expected(*range(5))


@pytest.mark.needs("row_locks")
def test_others_store_between_the_batches(database) -> None:
    """Whoever stores trades meanwhile gets ids of their own."""

    def arriving() -> Iterator[LocalTrade]:
        for number in range(6):
            other = threading.Thread(target=lambda n=number: store(trade(pair=f"OTHER{n}/USDT")))
            other.start()
            other.join()
            yield with_orders(number)

    assert Trade.bulk_add(arriving(), batch_size=2) == 6
    found = dict(belongings())
    assert {pair: orders for pair, orders in found.items() if pair.startswith("P")} == dict(expected(*range(6)))
    assert len(Trade.get_trades().all()) == 12


def test_many_writers_at_once(database) -> None:
    """Several bulks and single adds at the same time: nothing is lost, nothing mixed up."""
    failures: list[BaseException] = []

    def many(first: int) -> None:
        try:
            Trade.bulk_add((with_orders(first + number) for number in range(20)), batch_size=3)
            store(trade(pair=f"S{first}/USDT"))
        except BaseException as error:  # noqa: BLE001 - told to the main thread
            failures.append(error)
        finally:
            Trade.session.remove()

    writers = [threading.Thread(target=many, args=(100 * number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    found = belongings()
    assert len(found) == 84
    wanted = dict(expected(*(100 * writer + number for writer in range(4) for number in range(20))))
    assert {pair: orders for pair, orders in found if orders} == wanted


def test_progress_is_told_after_each_batch(database) -> None:
    """The numbers grow up to the count that is returned; nothing to store is nothing to tell."""
    told: list[int] = []
    assert Trade.bulk_add((with_orders(n) for n in range(7)), batch_size=3, on_progress=told.append) == 7
    assert told == [3, 6, 7]
    assert Trade.bulk_add([], on_progress=told.append) == 0
    assert told == [3, 6, 7]


def test_statements_grow_with_the_batches_alone(database, statements: Watch) -> None:
    """A batch costs the same few statements whatever its size."""
    costs = []
    first = 0
    for size in (2, 60):
        with statements() as sent:
            Trade.bulk_add((with_orders(first + number) for number in range(size)), batch_size=size)
        once = len(sent)
        with statements() as sent:
            Trade.bulk_add((with_orders(first + 1000 + number) for number in range(3 * size)), batch_size=size)
        costs.append((len(sent) - once) / 2)
        first += 10_000
    assert costs[0] == costs[1] <= 4


def test_batches_are_let_go_of(database) -> None:
    """However many trades arrive, no more than two batches are alive."""
    alive: WeakSet[LocalTrade] = WeakSet()
    most = [0]

    def arriving() -> Iterator[LocalTrade]:
        for number in range(40):
            made = with_orders(number)
            alive.add(made)
            yield made
            del made
            most[0] = max(most[0], len(alive))

    assert Trade.bulk_add(arriving(), batch_size=4) == 40
    assert most[0] <= 8
    gc.collect()
    assert len(alive) == 0


def test_custom_data_of_mapped_trades_is_stored(database) -> None:
    """What a trade carries goes with it."""
    given = [trade(pair=f"P{number}/USDT") for number in range(3)]
    given[1].custom_data += [
        _CustomData(cd_key="a\tkey", cd_type="str", cd_value="tab\t\\N"),
        _CustomData(cd_key="other", cd_type="list", cd_value="[1, 2]"),
    ]
    Trade.bulk_add(given)
    second = Trade.get_trades(Trade.pair == "P1/USDT").one()
    entries = CustomDataWrapper.get_custom_data(trade_id=second.id)
    assert [(entry.cd_key, entry.value) for entry in entries] == [("a\tkey", "tab\t\\N"), ("other", [1, 2])]
    assert entries[0].created_at is not None
    assert Trade.get_trades(Trade.pair == "P0/USDT").one().custom_data == []


def test_plain_trades_with_mapped_orders(database) -> None:
    """A trade that was read from JSON in memory has orders of the other kind."""
    given = LocalTrade.from_json(_json_of(trade_with_entry(id=3)))
    assert isinstance(given.orders[0], Order)
    Trade.bulk_add([given])
    (read,) = Trade.get_trades()
    assert [placed.order_id for placed in read.orders] == [given.orders[0].order_id]


def _json_of(record: Trade) -> str:

    return json.dumps(record.to_json())


def test_in_memory_it_is_refused(database) -> None:
    """Where a trade goes must be plain: in memory there is one way in."""
    with FtNoDBContext("5m"), pytest.raises(NotImplementedError, match="add_bt_trade"):
        Trade.bulk_add([local_trade()])
    with pytest.raises(NotImplementedError, match="add_bt_trade"):
        LocalTrade.bulk_add([local_trade()])
    assert Trade.get_trades().all() == []


def test_missing_value_is_refused_as_for_single_ones(database) -> None:
    """A column that must have a value gives the engine's own error, as a single add would."""
    with pytest.raises(IntegrityError):
        store(Trade(pair="ADA/USDT", exchange="x", amount=1.0, open_rate=1.0))
    with pytest.raises(IntegrityError):
        Trade.bulk_add([local_trade(), local_trade(stake_amount=None)])
    assert Trade.get_trades().all() == []
    unpriced = local_trade()
    unpriced.orders.append(order(ft_amount=None))
    with pytest.raises(IntegrityError):
        Trade.bulk_add([unpriced])
    assert Trade.get_trades().all() == []
