"""What is repaired beside rows: indexes, next ids, the journal's mode and the modes of files."""

import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from tests.builders import trade_with_entry
from tests.operations.repairable import furnish, unchecked
from tradestore import Store, Trade
from tradestore.operations.doctor import diagnose
from tradestore.operations.repair import apply_repair, plan_repair, repair_history, undo_repair


def _codes(store: Store, code: str) -> list[str]:
    return [each.code for each in diagnose(store, only=[code]).findings]


@pytest.mark.needs("persistent", "first_driver")
def test_missing_index_is_created_and_dropped_again(database: Store) -> None:
    def has_index() -> bool:
        return any(
            each["name"] == "ix_trades_is_open_close_date" for each in inspect(database.engine).get_indexes("trades")
        )

    (index,) = (each for each in Trade.__table__.indexes if str(each.name) == "ix_trades_is_open_close_date")
    index.drop(database.engine)
    assert _codes(database, "S02") == ["S02"]
    apply_repair(database, plan_repair(database, only=["S02"]))
    assert has_index()
    assert _codes(database, "S02") == []
    report = undo_repair(database)
    assert report.settings == ("index of ix_trades_is_open_close_date: missing",)
    assert not has_index()


@pytest.mark.needs("sequences", "first_driver")
def test_next_id_is_set_above_all_and_stays_there(database: Store) -> None:
    furnish()
    with database.engine.begin() as connection:
        connection.execute(text("SELECT setval(pg_get_serial_sequence('trades', 'id'), 1, false)"))
    assert _codes(database, "S06") == ["S06"]
    apply_repair(database, plan_repair(database, only=["S06"]))
    assert _codes(database, "S06") == []
    assert undo_repair(database).kept == ("next id of trades: 4",)
    Trade.session.add(trade_with_entry())
    Trade.commit()
    assert max(Trade.session.scalars(text("SELECT id FROM trades"))) == 4
    Trade.session.remove()


@pytest.mark.needs("persistent", "in_process")
def test_file_is_closed_to_others(database: Store, tmp_path: Path) -> None:
    file = tmp_path / "store.sqlite"
    furnish()
    file.chmod(0o644)
    plan = plan_repair(database, only=["E09"])
    apply_repair(database, plan)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    undo_repair(database)
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    (logged,) = repair_history(database)
    assert logged.findings == ["E09"]


@pytest.mark.needs("persistent", "in_process")
def test_journal_is_a_write_ahead_log_again(database: Store, store_url: str) -> None:
    furnish()
    database.close()
    with unchecked(store_url) as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = DELETE")
    assert [each.code for each in diagnose(store_url, only=["E02"]).findings] == ["E02"]
    apply_repair(store_url, plan_repair(store_url, only=["E02"]))
    assert diagnose(store_url, only=["E02"]).findings == []


@pytest.mark.needs("persistent", "first_driver")
def test_writers_lose_nothing_while_repairs_run(database: Store, store_url: str) -> None:
    """A bot stores trades while another trade is repaired and undone again and again."""
    furnish()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE trades SET realized_profit = 1 WHERE id = 1"))
    begun, errors = threading.Event(), []

    def trade_on() -> None:
        try:
            for number in range(20):
                Trade.session.add(trade_with_entry(enter_tag=f"tag {number}"))
                Trade.commit()
                begun.set()
        except Exception as e:  # noqa: BLE001 - told to the thread that waits
            errors.append(e)
        finally:
            begun.set()
            Trade.session.remove()

    writer = threading.Thread(target=trade_on)
    writer.start()
    assert begun.wait(60)
    for _ in range(3):
        apply_repair(database, plan_repair(database, only=["T04"]))
        undo_repair(database)
    writer.join(120)
    assert (writer.is_alive(), errors) == (False, [])
    tags = {each.enter_tag for each in Trade.get_trades().all()}
    assert {f"tag {number}" for number in range(20)} <= tags
    assert [each.undone_at is None for each in repair_history(database)] == [False] * 3
    Trade.session.remove()
