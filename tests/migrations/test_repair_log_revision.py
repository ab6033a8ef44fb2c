"""Revision 0006: the log of repairs, which a downgrade drops only when nothing in it can be undone any more."""

import pytest
from sqlalchemy import inspect, select, text

from tests.builders import OPENED
from tests.migrations.states import state_of
from tradestore import Database, Trade, init_db, migrations
from tradestore.exceptions import MigrationError
from tradestore.repair_log import RepairAction, RepairEntry

BEFORE, HERE, TABLE = "0005_order_intents", "0006_repair_log", "repair_log"


def _log(**fields: object) -> None:
    values = {"batch": "b1", "step": 1, "done_at": OPENED, "action": RepairAction.DELETE, "reason": "It had no trade."}
    Trade.session.add(RepairEntry(**values | fields))
    Trade.session.commit()
    Trade.session.remove()


def test_downgrade_keeps_what_can_be_undone(database: Database) -> None:
    """Only the log has what was deleted, so the database stays where it is."""
    _log(table_name="orders", row_id="7", before='{"id": 7}')
    with pytest.raises(
        MigrationError, match=r"log of repairs, but it has 1 steps.*Nothing was changed.*forget_repairs"
    ):
        migrations.downgrade(database.engine, BEFORE)
    assert migrations.current(database.engine) == migrations.HEAD
    assert Trade.session.scalars(select(RepairEntry.before)).all() == ['{"id": 7}']


def test_downgrade_drops_what_was_undone(database: Database) -> None:
    """A repair that was undone has put everything back where it was."""
    _log(undone_at=OPENED)
    migrations.downgrade(database.engine, BEFORE)
    assert migrations.current(database.engine) == BEFORE
    assert TABLE not in inspect(database.engine).get_table_names()
    migrations.upgrade(database.engine, HERE)
    assert [index["column_names"] for index in inspect(database.engine).get_indexes(TABLE)] == [["batch"]]


@pytest.mark.needs("persistent")
def test_log_of_somebody_else_is_left_alone(database: Database, store_url: str) -> None:
    """A table of another program that has the name of ours is named, and nothing is changed."""
    migrations.downgrade(database.engine, BEFORE)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE repair_log (id INTEGER PRIMARY KEY, bicycle VARCHAR(20))"))
    database.close()
    before = state_of(store_url)
    with pytest.raises(MigrationError, match=r"'repair_log'.*no column batch, step.*Give it another name"):
        init_db(store_url)
    assert state_of(store_url) == before
