"""Edits by hand, against numbers that were worked out by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.builders import CLOSED, OPENED, order, store, trade
from tests.operations.repairable import furnish
from tradestore import CustomDataWrapper, Order, OrderIntent, PairLock, Store, Trade, set_limits
from tradestore.exceptions import InvalidValue, RepairError, TradeLimitReached
from tradestore.operations.archive import archive, unarchive
from tradestore.operations.content import content_hash
from tradestore.operations.doctor import diagnose
from tradestore.operations.repair import RepairPlan, apply_repair, undo_repair
from tradestore.operations.repair.by_hand import (
    plan_close_trade,
    plan_delete_order,
    plan_delete_trade,
    plan_edit_order,
    plan_edit_trade,
    plan_reopen_trade,
)
from tradestore.operations.repair.renaming import plan_rename_pair

pytestmark = pytest.mark.needs("persistent", "first_driver")

LOG = ("repair_log", "commit_tokens")


def _trade(trade_id: int) -> Trade:
    Trade.session.remove()
    (found,) = Trade.get_trades(Trade.id == trade_id).all()
    return found


def _apply(database: Store, plan: RepairPlan) -> None:
    """Apply a plan; the doctor finds nothing new, and an undo would give back what was there."""
    before, clean = content_hash(database, without=LOG), _found(database)
    apply_repair(database, plan)
    assert _found(database) <= clean
    after = content_hash(database, without=LOG)
    undo_repair(database)
    assert content_hash(database, without=LOG) == before
    apply_repair(database, plan)
    assert content_hash(database, without=LOG).tables["trades"] == after.tables["trades"]


def _found(database: Store) -> set[str]:
    return {each.code for each in diagnose(database, only=["T", "O", "L", "N", "S09"]).findings}


def test_close_counts_what_was_realised_before(database: Store) -> None:
    """15 at 22 of which 5 went at 24: 10. The other 10 at 25: 30 more, so 40 of 330."""
    furnish()
    _apply(database, plan_close_trade(database, 2, rate=25.0, date=CLOSED, reason="sold at the exchange"))
    closed = _trade(2)
    assert (closed.is_open, closed.close_rate, closed.exit_reason) == (False, 25.0, "sold at the exchange")
    assert closed.close_date_utc == CLOSED
    assert (closed.realized_profit, closed.close_profit_abs) == (40.0, 40.0)
    assert closed.close_profit == pytest.approx(40 / 330, abs=1e-8)
    last = closed.orders[-1]
    assert (last.ft_order_side, last.filled, last.average, last.cost) == ("sell", 10.0, 25.0, 250.0)
    Trade.session.remove()


@pytest.mark.parametrize(
    ("is_short", "rate", "profit", "ratio"),
    [
        # 10 · 22 · 0.998 - 10 · 20 · 1.001 = 219.56 - 200.2
        (False, 22.0, 19.36, 19.36 / 200.2),
        # 10 · 20 · 0.999 - 10 · 18 · 1.002 = 199.8 - 180.36
        (True, 18.0, 19.44, 19.44 / 199.8),
    ],
    ids=["long", "short"],
)
def test_close_pays_both_fees(database: Store, *, is_short: bool, rate: float, profit: float, ratio: float) -> None:
    """The fee of the entry adds to what a long cost, and is taken from what a short brought in."""
    _open(is_short=is_short, fee_open=0.001, fee_close=0.001, trading_mode="futures")
    _apply(database, plan_close_trade(database, 1, rate=rate, fee=0.002))
    closed = _trade(1)
    assert closed.close_profit_abs == pytest.approx(profit, abs=1e-9)
    assert closed.close_profit == pytest.approx(ratio, abs=1e-8)
    Trade.session.remove()


def test_long_reason_is_cut_as_a_bots_is(database: Store) -> None:
    """255 characters fit."""
    furnish()
    _apply(database, plan_close_trade(database, 2, rate=25.0, date=CLOSED, reason="x" * 300))
    assert (_trade(2).exit_reason, _trade(2).orders[-1].ft_order_tag) == ("x" * 255,) * 2
    Trade.session.remove()


def test_close_does_not_precede_what_was_filled(database: Store) -> None:
    """The last order of trade 2 was filled two hours and a minute after it was opened."""
    furnish()
    with pytest.raises(InvalidValue, match=r"filled at 2026-03-01 14:01:00 UTC, after 2026-03-01 13:00:00"):
        plan_close_trade(database, 2, rate=25.0, date=OPENED + timedelta(hours=1))


def test_id_of_the_exchange_is_edited(database: Store) -> None:
    """Unless another order of the pair has it."""
    furnish()
    _apply(database, plan_edit_order(database, 1, order_id="other"))
    assert _trade(1).orders[0].order_id == "other"
    Trade.session.remove()
    before = content_hash(database, without=LOG)
    with pytest.raises(RepairError, match="Nothing was changed"):
        apply_repair(database, plan_edit_order(database, 1, order_id="1-2"))
    assert content_hash(database, without=LOG) == before


def test_waiting_orders_end_with_the_trade(database: Store) -> None:
    """Of an entry for 10 more at 30 a quarter was filled: 12.5 at 22 are sold, 275 cost, at 24: 25 gained."""
    _open()
    waiting = order(amount=10.0, price=30.0, filled=2.5, remaining=7.5, status="open", ft_is_open=True, order_id="w")
    waiting.ft_trade_id = 1
    store(waiting)
    _apply(database, plan_close_trade(database, 1, rate=24.0))
    closed = _trade(1)
    assert (closed.amount, closed.close_profit_abs) == (12.5, 25.0)
    assert [each.status for each in closed.orders] == ["closed", "canceled", "closed"]
    Trade.session.remove()


def test_reopen_needs_something_to_hold(database: Store) -> None:
    furnish()
    with pytest.raises(InvalidValue, match=r"sold everything.*order 2 \(1-2\).*--drop-exit"):
        plan_reopen_trade(database, 1)
    _apply(database, plan_reopen_trade(database, 1, drop_exit=True))
    opened = _trade(1)
    assert (opened.is_open, opened.amount, opened.realized_profit) == (True, 10.0, 0.0)
    assert (opened.close_date, opened.close_rate, opened.close_profit, opened.close_profit_abs) == (None,) * 4
    assert [each.order_id for each in opened.orders] == ["1-1"]
    Trade.session.remove()


def test_reopen_holds_the_limits(database: Store) -> None:
    """One trade is open, and no more may be."""
    furnish()
    set_limits(1)
    plan = plan_reopen_trade(database, 1, drop_exit=True)
    before = content_hash(database, without=LOG)
    with pytest.raises(TradeLimitReached, match="2 trades would be open"):
        apply_repair(database, plan)
    assert content_hash(database, without=LOG) == before


def test_order_does_not_come_back_without_its_trade(database: Store, tmp_path: Path) -> None:
    """A trade that was archived since has to be put back first; its order would belong to nothing."""
    furnish()
    never = order(filled=0.0, remaining=10.0, status="canceled", order_id="never")
    never.ft_trade_id = 1
    store(never)
    # What has the highest id of all stays in the store.
    CustomDataWrapper.set_custom_data(3, "note", "last")
    apply_repair(database, plan_delete_order(database, never.id))
    Trade.session.remove()
    archive(database, datetime(2100, 1, 1, tzinfo=UTC), tmp_path / "archive.sqlite")
    assert Trade.session.get(Trade, 1) is None
    Trade.session.remove()
    before = content_hash(database, without=LOG)
    with pytest.raises(RepairError, match=r"the trade 1 that orders \d+ belongs to is not there.*Nothing was changed"):
        undo_repair(database)
    assert content_hash(database, without=LOG) == before
    unarchive(database, tmp_path / "archive.sqlite")
    undo_repair(database)
    assert Trade.session.get_one(Trade, 1).select_order_by_order_id("never") is not None
    Trade.session.remove()


def test_delete_keeps_everything_in_the_log(database: Store) -> None:
    furnish()
    _apply(database, plan_delete_trade(database, 2))
    assert [each.id for each in Trade.get_trades().all()] == [1, 3]
    assert {each.ft_trade_id for each in Trade.session.query(Order)} == {1, 3}
    assert CustomDataWrapper.get_custom_data(trade_id=2) == []
    assert [each.ft_trade_id for each in Trade.session.query(OrderIntent)] == [None]
    Trade.session.remove()


def test_edited_order_moves_the_totals(database: Store) -> None:
    """The first 10 cost 17 each: 300 for 15, 20 each; 5 of them at 24 gain 20."""
    furnish()
    first = _trade(2).orders[0].id
    Trade.session.remove()
    _apply(database, plan_edit_order(database, first, average="17", price=17.0, cost=170.0))
    edited = _trade(2)
    assert (edited.open_rate, edited.amount, edited.stake_amount) == (20.0, 10.0, 200.0)
    assert (edited.realized_profit, edited.max_stake_amount) == (20.0, 300.0)
    Trade.session.remove()


def test_deleted_order_moves_the_totals(database: Store) -> None:
    """Without the exit all 15 are held, and its intent, had there been one, is void."""
    furnish()
    last = _trade(2).orders[-1].id
    Trade.session.remove()
    _apply(database, plan_delete_order(database, last))
    edited = _trade(2)
    assert (edited.amount, edited.stake_amount, edited.open_rate) == (15.0, 330.0, 22.0)
    Trade.session.remove()


def test_edited_trade_takes_texts_as_typed(database: Store) -> None:
    """With twice the leverage half of the stake is one's own."""
    furnish()
    fields = {"leverage": "2", "trading_mode": "futures", "strategy": "none", "open_date": "2026-03-01T12:00:30+00:00"}
    _apply(database, plan_edit_trade(database, 2, **fields))
    edited = _trade(2)
    assert (edited.leverage, edited.strategy, edited.stake_amount) == (2.0, None, 110.0)
    assert edited.trading_mode == "futures"
    assert edited.open_date_utc == OPENED + timedelta(seconds=30)
    Trade.session.remove()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"amount": 3.0}, "'amount' of trades is not for editing"),
        ({"bicycle": 3.0}, "'bicycle' of trades is not for editing"),
        ({"leverage": "much"}, "'leverage' cannot be 'much': a number was expected"),
        ({"leverage": float("inf")}, "not finite|cannot be inf"),
        ({"exchange": "x" * 30}, "at most 25 fit"),
        ({"fee_open": "none"}, "'fee_open' of trades cannot be empty"),
        ({}, "No field was given"),
    ],
)
def test_impossible_edits_are_refused(database: Store, fields: dict[str, Any], told: str) -> None:
    furnish()
    with pytest.raises(InvalidValue, match=told):
        plan_edit_trade(database, 2, **fields)


def test_edit_that_brings_a_defect_is_taken_back(database: Store) -> None:
    """A closed trade whose exit sold less than the entry bought still holds something."""
    furnish()
    before = content_hash(database, without=LOG)
    with pytest.raises(RepairError, match=r"T12 .* of trades 1 would be new.*Nothing was changed"):
        apply_repair(database, plan_edit_order(database, 2, filled=4.0, amount=4.0))
    assert content_hash(database, without=LOG) == before


def test_unknown_rows_are_named(database: Store) -> None:
    furnish()
    with pytest.raises(InvalidValue, match="no trade 99"):
        plan_close_trade(database, 99, rate=1.0)
    with pytest.raises(InvalidValue, match="Trade 1 is closed already"):
        plan_close_trade(database, 1, rate=1.0)
    with pytest.raises(InvalidValue, match="must be above 0"):
        plan_close_trade(database, 2, rate=float("nan"))
    with pytest.raises(InvalidValue, match="was opened at"):
        plan_close_trade(database, 2, rate=1.0, date=OPENED - timedelta(days=1))
    with pytest.raises(InvalidValue, match="no order 99"):
        plan_delete_order(database, 99)


def test_renamed_pair_is_renamed_everywhere(database: Store) -> None:
    furnish()
    CustomDataWrapper.save_custom_data(pair="LTC/USDT", data={"mood": "calm"})
    Trade.session.remove()
    _apply(database, plan_rename_pair(database, "LTC/USDT", "LTX/USDC"))
    renamed = _trade(2)
    assert (renamed.pair, renamed.base_currency, renamed.stake_currency) == ("LTX/USDC", "LTX", "USDC")
    assert {(each.ft_pair, each.symbol) for each in renamed.orders} == {("LTX/USDC", "LTX/USDC")}
    assert {each.pair for each in Trade.session.query(PairLock)} == {"ADA/USDT", "LTX/USDC"}
    assert {each.pair for each in Trade.session.query(OrderIntent)} == {"LTX/USDC"}
    assert CustomDataWrapper.get_custom_data(pair="LTX/USDC") == {"mood": "calm"}
    Trade.session.remove()


def test_rename_of_one_exchange_leaves_locks_alone(database: Store) -> None:
    furnish()
    _apply(database, plan_rename_pair(database, "LTC/USDT", "LTX/USDT", exchange="binance"))
    assert {each.pair for each in Trade.session.query(PairLock)} == {"ADA/USDT", "LTC/USDT"}
    Trade.session.remove()
    with pytest.raises(InvalidValue, match=r"nothing of the pair 'LTX/USDT' on kraken"):
        plan_rename_pair(database, "LTX/USDT", "LTC/USDT", exchange="kraken")


def test_rename_onto_a_pair_with_the_same_lock_is_refused(database: Store) -> None:
    furnish()
    ends = Trade.session.query(PairLock).filter_by(pair="LTC/USDT").one().lock_end_time
    store(PairLock(pair="LTX/USDT", lock_time=OPENED, lock_end_time=ends, active=True))
    Trade.session.remove()
    with pytest.raises(InvalidValue, match=r"LTX/USDT and LTC/USDT both have a row in pairlocks"):
        plan_rename_pair(database, "LTC/USDT", "LTX/USDT")


def _open(**fields: Any) -> None:
    record = trade(**fields)
    Trade.session.add(record)
    Trade.session.flush()
    record.orders.append(order(ft_order_side=record.entry_side, order_id="e"))
    record.update_trade(record.orders[-1])
    Trade.commit()
    Trade.session.remove()


@pytest.mark.parametrize("action", ["", "ON DELETE SET NULL", "ON DELETE CASCADE"])
def test_rows_of_others_keep_what_they_refer_to(database: Store, action: str) -> None:
    """No log would have them, so no undo would bring them back."""
    furnish()
    first = Order.session.scalars(select(Order.id).where(Order.ft_trade_id == 2).order_by(Order.id)).first()
    Trade.session.remove()
    assert first is not None
    with database.engine.begin() as connection:
        key = f"FOREIGN KEY (about) REFERENCES orders (id) {action}"
        connection.execute(text(f"CREATE TABLE notes (id INTEGER PRIMARY KEY, about INTEGER, {key})"))
        connection.execute(text("INSERT INTO notes VALUES (1, :about)"), {"about": first})
    with pytest.raises(InvalidValue, match=r"1 row refers to orders by notes\.about.*Nothing was changed: keep"):
        plan_delete_trade(database, 2)
    with pytest.raises(InvalidValue, match=rf"refer to order {first}, .* 1 row refers to orders by notes\.about"):
        plan_delete_order(database, first)
    _apply(database, plan_delete_trade(database, 3))
