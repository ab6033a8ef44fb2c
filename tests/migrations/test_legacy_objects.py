"""What users have put into their old databases survives: indexes, views, triggers, columns, tables, grants."""

from typing import Final

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from tests.builders import store, trade_with_entry
from tests.migrations.adopted import opened
from tests.migrations.legacy import LegacyCase, contents, load_script, plain_connection, run_id, runs_of
from tests.servers import Server
from tradestore import Trade

on_old_databases = pytest.mark.parametrize(
    ("backend", "case"), runs_of("028", "203", "301"), ids=run_id, indirect=["backend"]
)

OBJECTS: Final = """
    CREATE INDEX my_trades_by_stake ON trades (stake_amount, pair);
    CREATE INDEX my_orders_by_status ON orders (status);
    ALTER TABLE trades ADD COLUMN my_note VARCHAR(50);
    UPDATE trades SET my_note = 'kept' WHERE id = 1;
    CREATE VIEW my_open_trades AS SELECT id, pair, stake_amount FROM trades WHERE is_open;
    CREATE TABLE my_reviews
        (id INTEGER PRIMARY KEY, trade_id INTEGER, stars INTEGER, FOREIGN KEY (trade_id) REFERENCES trades (id));
    INSERT INTO my_reviews VALUES (1, 1, 5), (2, 3, 2);
    CREATE TABLE trades_notes (id INTEGER PRIMARY KEY, note VARCHAR(50));
    INSERT INTO trades_notes VALUES (1, 'mine');
    CREATE TABLE my_log (trade_id INTEGER);
"""

# Two, so that one is asked for after the other.
OUTDATED_TRIGGERS: Final = {
    "sqlite": """
        CREATE TRIGGER my_old_a AFTER UPDATE OF open_order_id ON trades BEGIN INSERT INTO my_log VALUES (1); END;
        CREATE TRIGGER my_old_b AFTER INSERT ON trades BEGIN INSERT INTO my_log VALUES (new.open_order_id); END;
    """,
    "postgresql": """
        CREATE TRIGGER my_old_a AFTER UPDATE OF open_order_id ON trades FOR EACH ROW EXECUTE FUNCTION my_note();
    """,
    "mysql": """
        CREATE TRIGGER my_old_a AFTER INSERT ON trades FOR EACH ROW INSERT INTO my_log VALUES (new.open_order_id);
    """,
}

# A trigger is the one thing that each engine wants in its own words.
TRIGGER: Final = {
    "sqlite": "CREATE TRIGGER my_trigger AFTER INSERT ON trades BEGIN INSERT INTO my_log VALUES (new.id); END;",
    "postgresql": """
        CREATE FUNCTION my_note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO my_log VALUES (new.id); RETURN new; END $$;
        CREATE TRIGGER my_trigger AFTER INSERT ON trades FOR EACH ROW EXECUTE FUNCTION my_note();
    """,
    "mysql": "CREATE TRIGGER my_trigger AFTER INSERT ON trades FOR EACH ROW INSERT INTO my_log VALUES (new.id);",
}


@pytest.fixture
def furnished_url(case: LegacyCase, old_url: str) -> str:
    """Return an old database to which a user has added things, not opened yet."""
    load_script(old_url, OBJECTS + TRIGGER[case.families[0]])
    return old_url


def add_trade() -> int:
    """Store a trade, and return its id."""
    trade = trade_with_entry(pair="NEWCOIN/USDT")
    store(trade)
    return trade.id


@on_old_databases
def test_indexes_stay(furnished_url: str) -> None:
    """An index of the user's own is on the table that is in use, not on a backup of it."""
    with opened(furnished_url), plain_connection(furnished_url) as connection:
        inspector = inspect(connection)
        of_trades = {index["name"]: index["column_names"] for index in inspector.get_indexes("trades")}
        of_orders = {index["name"]: index["column_names"] for index in inspector.get_indexes("orders")}
    assert of_trades["my_trades_by_stake"] == ["stake_amount", "pair"]
    assert of_orders["my_orders_by_status"] == ["status"]


@on_old_databases
def test_view_reads_the_table_in_use(furnished_url: str) -> None:
    """A view shows the same trades as before, and a new one too."""
    shown = text("SELECT id FROM my_open_trades ORDER BY id")
    with plain_connection(furnished_url) as connection:
        before = list(connection.scalars(shown))
    with opened(furnished_url):
        new = add_trade()
    with plain_connection(furnished_url) as connection:
        assert list(connection.scalars(shown)) == [*before, new]
    assert before


@on_old_databases
def test_trigger_fires_for_new_trades_alone(furnished_url: str) -> None:
    """A trigger is there for the next trade, and did not take the copying of old ones for trading."""
    with opened(furnished_url):
        new = add_trade()
    assert contents(furnished_url)["my_log"] == [{"trade_id": new}]


@on_old_databases
def test_trigger_that_asks_for_a_column_that_is_gone(case: LegacyCase, furnished_url: str, caplog) -> None:
    """It is named in the log, and hinders neither the opening nor the next trade; the others go on firing."""
    load_script(furnished_url, OUTDATED_TRIGGERS[case.families[0]])
    with opened(furnished_url):
        new = add_trade()
    assert contents(furnished_url)["my_log"] == [{"trade_id": new}]
    outdated = "my_old_b" if "my_old_b" in OUTDATED_TRIGGERS[case.families[0]] else "my_old_a"
    assert [message for message in caplog.messages if outdated in message]


@on_old_databases
def test_reference_leads_to_the_table_in_use(furnished_url: str) -> None:
    """A table of the user's own with a foreign key to trades keeps its rows, and takes one for a new trade only."""
    review = text("INSERT INTO my_reviews VALUES (:id, :trade_id, 4)")
    with opened(furnished_url) as database:
        with plain_connection(furnished_url) as connection:
            (key,) = inspect(connection).get_foreign_keys("my_reviews")
        assert (key["constrained_columns"], key["referred_table"]) == (["trade_id"], "trades")
        new = add_trade()
        with database.engine.begin() as connection:
            connection.execute(review, {"id": 3, "trade_id": new})
        with (
            pytest.raises(IntegrityError, match=r"(?i)foreign key"),
            database.engine.begin() as connection,
        ):
            connection.execute(review, {"id": 4, "trade_id": 987_654})
    rows = contents(furnished_url)["my_reviews"]
    assert [tuple(row.values()) for row in rows] == [(1, 1, 5), (2, 3, 2), (3, new, 4)]


@on_old_databases
def test_own_column_can_still_be_read(furnished_url: str) -> None:
    """What a user kept in a column of trades is in the table, or in its backup."""
    with opened(furnished_url):
        pass
    tables = contents(furnished_url)
    homes = [rows for name, rows in tables.items() if name == "trades" or name.startswith("trades_bak")]
    notes = [{row["id"]: row["my_note"] for row in rows if row.get("my_note")} for rows in homes]
    assert {1: "kept"} in notes


@on_old_databases
def test_own_table_is_no_backup(furnished_url: str) -> None:
    """A table whose name begins as a backup's might is neither touched nor counted nor read."""
    with opened(furnished_url):
        count = len(Trade.get_trades().all())
    tables = contents(furnished_url)
    assert tables["trades_notes"] == [{"id": 1, "note": "mine"}]
    assert len(tables["trades"]) == count


@on_old_databases
def test_rows_are_those_without_the_objects(case: LegacyCase, furnished_url: str) -> None:
    """The trades are all there, and a second start changes nothing."""
    with opened(furnished_url):
        pass
    after = contents(furnished_url)
    assert [row["id"] for row in after["trades"]] == [row["id"] for row in case.expected_rows["trades"]]
    assert [row["id"] for row in after["orders"]] == [row["id"] for row in case.expected_rows["orders"]]
    with opened(furnished_url):
        pass
    assert contents(furnished_url) == after


@pytest.mark.parametrize(("backend", "case"), runs_of("203", "205"), ids=run_id, indirect=["backend"])
def test_grant_stays(server: Server, old_url: str) -> None:
    """Who could read the trades before, such as a dashboard, still can, and may not do more than before."""
    if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'dashboard'"):
        server.execute("CREATE ROLE dashboard")
    load_script(old_url, "GRANT SELECT ON trades TO dashboard; GRANT SELECT ON orders TO dashboard;")
    with opened(old_url), plain_connection(old_url) as connection:
        rights = [
            connection.scalar(text(f"SELECT has_table_privilege('dashboard', '{table}', '{right}')"))
            for table in ("trades", "orders")
            for right in ("SELECT", "UPDATE")
        ]
    assert rights == [True, False, True, False]
