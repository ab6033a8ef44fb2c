"""Repairs that must not happen: rows that changed meanwhile, failures half-way, and writers at the same time."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from tests.capabilities import Backend
from tests.operations.repairable import DEFECTS, furnish, plant, unchecked
from tradestore import Store, Trade, _units_of_work, init_db
from tradestore._engine import check_url
from tradestore.exceptions import InvalidValue, RepairError
from tradestore.operations.content import content_hash
from tradestore.operations.doctor import diagnose
from tradestore.operations.repair import (
    apply_repair,
    forget_repairs,
    plan_repair,
    repair_history,
    undo_repair,
)
from tradestore.repair_log import RepairEntry
from tradestore.testing import Failure, Faults

ROWS = ("T", "O", "L", "N", "S09")
LOG = ("repair_log", "commit_tokens")
WRITES = ("INSERT", "UPDATE", "DELETE")
NEW_ORDER = (
    "INSERT INTO orders (ft_trade_id, ft_order_side, ft_pair, ft_is_open, ft_amount, ft_price, order_id) "
    "VALUES (1, 'buy', 'ADA/USDT', FALSE, 1, 1, 'new')"
)
PLANTED = [each for each in DEFECTS if each.code in {"T04", "O03", "L07", "O07"} and not each.name]


@pytest.fixture
def _planted(database: Store, store_url: str) -> None:
    furnish()
    for defect in PLANTED:
        plant(store_url, defect)


def _execute(url: str, statement: str) -> None:
    with unchecked(url) as connection:
        connection.execute(text(statement))


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.usefixtures("_planted")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trades SET strategy = 'Other' WHERE id = 1",
        "UPDATE orders SET ft_order_tag = 'late' WHERE order_id = '1-2'",
        "DELETE FROM orders WHERE order_id = '1-2'",
        "UPDATE trade_custom_data SET cd_value = '5' WHERE cd_key = 'STEPS'",
        NEW_ORDER,
    ],
    ids=["trade", "order", "deleted", "custom", "new"],
)
def test_row_that_changed_meanwhile_stops_the_whole_repair(database: Store, store_url: str, statement: str) -> None:
    plan = plan_repair(database, only=ROWS)
    _execute(store_url, statement)
    before = content_hash(database, without=LOG[1:])
    with pytest.raises(RepairError, match=r"have changed since the plan was made\. Nothing was done"):
        apply_repair(database, plan)
    assert content_hash(database, without=LOG[1:]) == before


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.usefixtures("_planted")
def test_undo_is_refused_once_a_row_has_changed(database: Store, store_url: str) -> None:
    apply_repair(database, plan_repair(database, only=ROWS))
    _execute(store_url, "UPDATE trades SET strategy = 'Other' WHERE id = 1")
    before = content_hash(database, without=LOG[1:])
    with pytest.raises(RepairError, match=r"trades 1 has changed since.*Nothing was changed"):
        undo_repair(database)
    assert content_hash(database, without=LOG[1:]) == before
    _execute(store_url, "UPDATE trades SET strategy = 'Patience' WHERE id = 1")
    assert undo_repair(database).rows == 4
    with pytest.raises(RepairError, match="no repair that could be undone"):
        undo_repair(database)
    (logged,) = repair_history(database)
    assert logged.undone_at is not None
    assert set(logged.findings) == {each.code for each in PLANTED}
    with pytest.raises(RepairError, match="was undone already"):
        undo_repair(database, logged.batch[:8])
    assert forget_repairs(database, logged.done_at) == 0
    assert forget_repairs(database, logged.undone_at) == 4
    assert repair_history(database) == []


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.usefixtures("_planted")
@pytest.mark.parametrize("work", ["apply", "undo"])
def test_failure_leaves_all_or_nothing(
    backend: Backend,
    database: Store,
    note: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    work: str,
) -> None:
    """At each statement that writes, at some that read, at COMMIT and with its answer lost."""
    for name in ("_DELAYS", "_DELAYS_WITHOUT_SERVER"):
        monkeypatch.setattr(_units_of_work, name, (0.0,))
    broken = content_hash(database, without=LOG)
    plan = plan_repair(database, only=ROWS)
    apply_repair(database, plan)
    repaired = content_hash(database, without=LOG)
    states = (broken, repaired)
    if work == "apply":
        undo_repair(database)

    def run() -> None:
        if work == "apply":
            apply_repair(database, plan_repair(database, only=ROWS))
        else:
            undo_repair(database)

    def restore() -> None:
        is_repaired = content_hash(database, without=LOG) == repaired
        if work == "apply" and is_repaired:
            undo_repair(database)
        elif work == "undo" and not is_repaired:
            apply_repair(database, plan_repair(database, only=ROWS))

    faults = Faults(database)
    with faults.count_statements() as steps:
        run()
    restore()
    kind = Failure.LOST if backend.networked else Failure.FULL
    writes = [number for number, each in enumerate(steps.statements, 1) if each.startswith(WRITES)]
    points = [
        *(faults.fail_statement(number, kind) for number in (1, writes[0] - 1, *writes)),
        *(faults.fail_commit(number, kind) for number in range(1, steps.commits + 1)),
        faults.lose_commit_answer(steps.commits),
    ]
    for point in points:
        with point:
            try:
                run()
            except Exception:  # noqa: BLE001 - what it left is looked at below
                Trade.session.remove()
        found = content_hash(database, without=LOG)
        assert found in states
        (last, *_) = repair_history(database)
        assert (last.undone_at is None) is (found == repaired)
        restore()
    assert len(writes) >= 4
    note("repairs", f"{work} failed at {len(points)} points: all or nothing each time")


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.usefixtures("_planted")
def test_bot_that_is_open_sees_the_repair(database: Store, store_url: str) -> None:
    """Another program keeps its connection, with a row that it has read, and reads what is right afterwards."""
    other = create_engine(check_url(store_url))
    with other.connect() as connection:
        profit = text("SELECT realized_profit FROM trades WHERE id = 1")
        assert connection.execute(profit).scalar_one() == 1.0
        connection.rollback()
        apply_repair(database, plan_repair(database, only=["T04"]))
        assert connection.execute(profit).scalar_one() == 20.0
    other.dispose()
    assert [trade.realized_profit for trade in Trade.get_trades(Trade.id == 1)] == [20.0]
    Trade.session.remove()


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.usefixtures("_planted")
def test_only_what_is_asked_for_is_repaired(database: Store) -> None:
    plan = plan_repair(database, only=["l07"])
    assert plan.codes == ["L07"]
    apply_repair(database, plan)
    left = {each.code for each in diagnose(database, only=ROWS).findings}
    assert {"T04", "O03", "O07"} <= left
    assert "L07" not in left
    with pytest.raises(InvalidValue, match="no code Z99"):
        plan_repair(database, only=["Z99"])


@pytest.mark.needs("persistent", "first_driver")
def test_what_a_person_has_to_decide_is_told(database: Store, store_url: str) -> None:
    """A closed trade that still holds something: only the exchange knows where it is."""
    furnish()
    _execute(store_url, "DELETE FROM orders WHERE order_id = '2-3'")
    _execute(store_url, "UPDATE trades SET is_open = FALSE, close_rate = 24 WHERE id = 3")
    _execute(store_url, "UPDATE orders SET filled = 3, amount = 3 WHERE order_id = '1-2'")
    plan = plan_repair(database, only=["T12"])
    assert plan.steps == ()
    (left,) = plan.unrepairable
    assert (left.code, left.table, list(left.ids)) == ("T12", "trades", [1])
    assert "reopen-trade" in left.reason


@pytest.mark.needs("persistent", "first_driver")
def test_log_survives_odd_values(database: Store, store_url: str) -> None:
    """What is deleted comes back to the last bit, and to the microsecond."""
    furnish()
    _execute(
        store_url,
        "INSERT INTO pairlocks (pair, side, reason, lock_time, lock_end_time, active) VALUES "
        "('ADA/USDT', '*', 'größer als \"x\" {}', '2026-03-01 12:00:00.123456', '2056-03-01 12:00:00.654321', TRUE), "
        "('ADA/USDT', '*', NULL, '2026-03-01 12:00:00.000001', '2056-03-01 12:00:00.654321', TRUE)",
    )
    before = content_hash(database, without=LOG)
    report = apply_repair(database, plan_repair(database, only=["L01"]))
    assert len(report.steps) == 1
    undo_repair(database)
    assert content_hash(database, without=LOG) == before
    assert Trade.session.query(RepairEntry).count() == 1
    Trade.session.remove()


def test_database_in_memory_is_repaired_without_a_backup() -> None:
    database = init_db("sqlite://")
    furnish()
    Trade.session.execute(text("UPDATE trades SET realized_profit = 1 WHERE id = 1"))
    Trade.session.commit()
    report = apply_repair(database, plan_repair(database, only=["T04"]))
    assert report.backup is None
    assert [trade.realized_profit for trade in Trade.get_trades(Trade.id == 1)] == [20.0]
    database.close()
