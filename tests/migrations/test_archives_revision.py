"""Revision 0007: the tables of archives, which a downgrade drops only when no trade is in one."""

import pytest
from sqlalchemy import inspect, text

from tests.builders import OPENED, store
from tests.migrations.states import state_of
from tradestore import Database, ModelBase, Trade, init_db, migrations
from tradestore._archive_model import Archive, ArchivedProfit
from tradestore.exceptions import MigrationError

BEFORE, HERE = "0006_repair_log", "0007_archives"
TABLES = {"archives", "archived_profits"}

pytestmark = pytest.mark.needs("first_driver")


def _remember() -> None:
    store(Archive(id=1, uuid="u", file="old.sqlite", created_at=OPENED))
    sums = dict.fromkeys(("close_profit", "close_profit_abs", "invested", "volume", "stake_amount"), 1.0)
    store(
        ArchivedProfit(
            archive_id=1, exchange="e", pair="A/B", is_short=False, closed_on=OPENED, trades=3, wins=1, **sums
        )
    )
    Trade.session.remove()


def test_downgrade_keeps_what_archived_trades_brought(database: Database) -> None:
    """No older version would know it, so the database stays where it is."""
    _remember()
    with pytest.raises(MigrationError, match=r"there are 3 of them.*Nothing was changed.*tradestore unarchive"):
        migrations.downgrade(database.engine, BEFORE)
    assert migrations.current(database.engine) == migrations.HEAD
    assert Trade.get_total_closed_profit() == 1.0


def test_downgrade_drops_what_nobody_misses(database: Database) -> None:
    """An archive that is empty again says nothing; upgrading brings the tables back as the models have them."""
    store(Archive(id=1, uuid="u", file="old.sqlite", created_at=OPENED))
    Trade.session.remove()
    migrations.downgrade(database.engine, BEFORE)
    assert TABLES.isdisjoint(inspect(database.engine).get_table_names())
    migrations.upgrade(database.engine, HERE)
    assert migrations.check(database.engine, ModelBase.metadata) == []


@pytest.mark.needs("persistent")
def test_table_of_somebody_else_is_left_alone(database: Database, store_url: str) -> None:
    """A table of another program that has the name of ours is named, and nothing is changed."""
    migrations.downgrade(database.engine, BEFORE)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE archives (id INTEGER PRIMARY KEY, bicycle VARCHAR(20))"))
    database.close()
    before = state_of(store_url)
    with pytest.raises(MigrationError, match=r"'archives'.*no column uuid, file, created_at.*Give it another name"):
        init_db(store_url)
    assert state_of(store_url) == before
