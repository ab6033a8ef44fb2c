"""What stands around the tables that an opening changes: other sessions, settings, stamps, and users' own tables."""

import sqlite3
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, inspect, make_url, text

from tests.builders import store, trade_with_entry
from tests.migrations.adopted import listening, opened
from tests.migrations.legacy import LegacyCase, contents, load_script, plain_connection, run_id, runs_of
from tests.migrations.wrecks import Wreck, on_one_engine
from tests.servers import ADMIN, PASSWORD, Server
from tradestore import Trade, init_db, migrations
from tradestore._engine import check_url
from tradestore.exceptions import DatabaseBusy, MigrationError, SchemaTooNew


def on(*numbers: str) -> pytest.MarkDecorator:
    """Run a test on the named old databases, each on its engines."""
    return pytest.mark.parametrize(("backend", "case"), runs_of(*numbers), ids=run_id, indirect=["backend"])


def count_trades(url: str) -> int:
    """Open a store in a process of its own, as a bot does."""
    with opened(url):
        return len(Trade.get_trades().all())


@on_one_engine(Wreck("028", ()), Wreck("205", ()), Wreck("301", ()))
def test_bots_that_open_one_old_database_at_once(wreck: Wreck, store_url: str) -> None:
    """One of them builds it anew, the others wait; each finds every trade, and there is one backup of each table."""
    wreck.make(store_url)
    before = contents(store_url)
    with get_context("spawn").Pool(3) as bots:
        assert set(bots.map(count_trades, [store_url] * 3)) == {len(before["trades"])}
    added = contents(store_url).keys() - before.keys()
    assert sorted(name for name in added if name.startswith("trades")) == [f"trades_bak{'trades_bak0' in before:d}"]
    if store_url.startswith("sqlite"):
        file = Path(store_url.removeprefix("sqlite:///"))
        assert [path.name for path in file.parent.glob("*.bak*")] == [f"{file.name}.unstamped.bak"]


@on("028", "203", "301")
def test_reader_that_does_not_go_away(old_url: str) -> None:
    """An opening that waits in vain for somebody else's transaction ends with an error that says so, all unchanged."""
    before = contents(old_url)
    reader = create_engine(check_url(old_url), poolclass=NullPool)
    with reader.connect() as connection, connection.begin():
        connection.execute(text("BEGIN"))  # Not every driver begins one for a question.
        assert connection.execute(text("SELECT id FROM trades")).first()
        with pytest.raises(DatabaseBusy):
            init_db(old_url, busy_timeout=1)
    assert contents(old_url) == before
    with opened(old_url):
        assert len(Trade.get_trades().all()) == len(before["trades"])


@on("028", "203", "301")
@pytest.mark.parametrize("stamp", [migrations.HEAD, "0001_initial"])
def test_old_tables_under_a_stamp(case: LegacyCase, old_url: str, stamp: str) -> None:
    """Where an old dump was restored into a database that keeps its stamp, its trades are adopted all the same."""
    stamped = f"CREATE TABLE alembic_version (version_num VARCHAR(32)); INSERT INTO alembic_version VALUES ('{stamp}');"
    load_script(old_url, stamped)
    engine = create_engine(check_url(old_url), poolclass=NullPool)
    found = migrations.scan(engine)
    assert (found.state, found.revision) == (migrations.SchemaState.UNSTAMPED, stamp)
    assert any("build trades anew" in step for step in found.steps)
    assert ("run revision 0002_query_indexes" in found.steps) == (stamp == "0001_initial")
    with opened(old_url):
        assert [trade.id for trade in Trade.get_trades().all()] == [row["id"] for row in case.expected_rows["trades"]]
    assert migrations.current(engine) == migrations.HEAD
    assert migrations.scan(engine).state is migrations.SchemaState.CURRENT


@on("301")
def test_table_that_somebody_makes_meanwhile(old_url: str) -> None:
    """It stays where an opening fails and takes back what it has done."""
    other = create_engine(check_url(old_url), poolclass=NullPool)

    def meddle(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("RENAME TABLE trades "):
            with other.begin() as connection:
                connection.execute(text("CREATE TABLE made_meanwhile AS SELECT 1 AS one"))
                connection.execute(text("UPDATE trades_bak1 SET amount = amount + 1"))

    before = contents(old_url)
    event.listen(Engine, "after_cursor_execute", meddle)
    try:
        with pytest.raises(MigrationError, match=r"Another program wrote to the database"):
            init_db(old_url)
    finally:
        event.remove(Engine, "after_cursor_execute", meddle)
    after = contents(old_url)
    assert after.pop("made_meanwhile") == [{"one": 1}]
    assert after.keys() == before.keys()
    assert len(after["trades"]) == len(before["trades"])


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("stamp", [migrations.HEAD, "0001_initial"])
def test_stamp_without_its_tables(store_url: str, stamp: str) -> None:
    """Tables that are missing are made, whatever the stamp says; the rows of the others stay."""
    with opened(store_url) as database:
        store(trade_with_entry())
        if stamp != migrations.HEAD:
            migrations.downgrade(database.engine, stamp)
    load_script(store_url, "DROP TABLE pairlocks; DROP TABLE trade_custom_data;")
    with opened(store_url) as database:
        assert len(Trade.get_trades().all()) == 1
        assert inspect(database.engine).has_table("pairlocks")
        assert migrations.current(database.engine) == migrations.HEAD


@pytest.mark.needs("persistent", "first_driver")
def test_stamp_of_another_program(store_url: str) -> None:
    """It is refused, with words for both cases, and nothing is changed."""
    load_script(store_url, "CREATE TABLE alembic_version (version_num VARCHAR(32)); CREATE TABLE shop (id INTEGER);")
    load_script(store_url, "INSERT INTO alembic_version VALUES ('abc123');")
    before = contents(store_url)
    with pytest.raises(SchemaTooNew, match=r"'abc123'.*another program.*database of its own"):
        init_db(store_url)
    assert contents(store_url) == before


@on("028", "203", "301")
def test_own_table_with_a_name_of_ours(backend, old_url: str) -> None:
    """A user's table that is called as one that an adoption makes meanwhile keeps its rows, and its place."""
    load_script(old_url, "CREATE TABLE tradestore_new_trades (mine INTEGER);")
    load_script(old_url, "INSERT INTO tradestore_new_trades VALUES (8);")
    before = contents(old_url)
    if backend.transactional_ddl:
        init_db(old_url).close()
    else:
        with pytest.raises(MigrationError, match=r"'tradestore_new_trades'.*another name"):
            init_db(old_url)
        assert contents(old_url) == before
    assert contents(old_url)["tradestore_new_trades"] == [{"mine": 8}]


@on("028")
def test_trigger_on_a_column_that_is_gone(old_url: str) -> None:
    """It is left out and named, since no trade could be stored with it; the other one fires as before."""
    script = """
        CREATE TABLE my_log (trade_id INTEGER);
        CREATE TRIGGER stale AFTER UPDATE ON trades BEGIN INSERT INTO my_log VALUES (new.open_order_id); END;
        CREATE TRIGGER usable AFTER INSERT ON trades BEGIN INSERT INTO my_log VALUES (new.id); END;
    """
    load_script(old_url, script)
    with listening() as log, opened(old_url):
        trade = trade_with_entry(pair="NEWCOIN/USDT")
        store(trade)
        number = trade.id
    assert contents(old_url)["my_log"] == [{"trade_id": number}]
    assert [line for line in log if "stale" in line and "open_order_id" in line]


@on("301")
def test_trigger_that_the_new_table_refuses(server: Server, old_url: str) -> None:
    """It stays on the backup, and the opening succeeds; the other one moves, with none of our names left."""
    script = """
        CREATE TABLE my_log (trade_id INTEGER);
        CREATE TRIGGER stale AFTER UPDATE ON trades FOR EACH ROW INSERT INTO my_log VALUES (new.open_order_id);
        CREATE TRIGGER usable AFTER INSERT ON trades FOR EACH ROW INSERT INTO my_log VALUES (new.id);
    """
    load_script(old_url, script)
    with opened(old_url), plain_connection(old_url) as connection:
        found = connection.execute(
            text("SELECT trigger_name, event_object_table FROM information_schema.triggers ORDER BY 1")
        ).all()
    places = {name: place for name, place in found if place.startswith("trades")}
    assert places.keys() == {"stale", "usable"}
    assert (places["usable"], places["stale"].partition("_bak")[:2]) == ("trades", ("trades", "_bak"))


@on("301")
def test_trigger_that_was_being_moved(old_url: str) -> None:
    """One that a kill left under its name in between gets its own name back."""
    with opened(old_url):
        pass
    script = """
        CREATE TABLE my_log (trade_id INTEGER);
        CREATE TRIGGER tradestore_mine AFTER INSERT ON trades FOR EACH ROW INSERT INTO my_log VALUES (new.id);
        DELETE FROM alembic_version;
    """
    load_script(old_url, script)
    with opened(old_url), plain_connection(old_url) as connection:
        names = connection.scalars(text("SELECT trigger_name FROM information_schema.triggers")).all()
    assert "mine" in names
    assert "tradestore_mine" not in names


SURROUNDINGS = """
    CREATE SCHEMA reports;
    CREATE TABLE my_log (x INTEGER);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO my_log VALUES (1); RETURN new; END $$;
    CREATE VIEW guarded WITH (security_barrier=true) AS SELECT id, pair FROM trades;
    COMMENT ON VIEW guarded IS 'for all';
    CREATE TRIGGER instead INSTEAD OF INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION note();
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS trades FROM trades;
    CREATE VIEW reports.pairs AS SELECT id FROM trades;
    CREATE TABLE reports.reviews (trade_id INTEGER CONSTRAINT own_key REFERENCES trades (id)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO reports.reviews VALUES (1);
    CREATE RULE noted AS ON DELETE TO trades DO ALSO INSERT INTO my_log VALUES (2);
    CREATE TRIGGER asleep AFTER INSERT ON trades FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE trades DISABLE TRIGGER asleep;
    ALTER TABLE trades ENABLE ROW LEVEL SECURITY;
    CREATE POLICY open_ones ON trades FOR SELECT TO PUBLIC USING (is_open);
    COMMENT ON TABLE trades IS 'the bot''s';
    COMMENT ON COLUMN trades.pair IS 'which coin';
    CREATE INDEX "Own 5%" ON trades (lower(pair)) WHERE pair LIKE 'A%';
    GRANT SELECT (ft_pair) ON orders TO PUBLIC;
    GRANT USAGE ON SEQUENCE trades_id_seq TO PUBLIC;
"""
PRESENT = {
    "SELECT pg_get_viewdef('counted'::regclass) LIKE '%trades_bak%'": False,
    "SELECT pg_get_viewdef('reports.pairs'::regclass) LIKE '%trades_bak%'": False,
    "SELECT reloptions[1] FROM pg_class WHERE oid = 'guarded'::regclass": "security_barrier=true",
    "SELECT obj_description('guarded'::regclass, 'pg_class')": "for all",
    "SELECT count(*) FROM pg_trigger WHERE tgname = 'instead' AND tgrelid = 'guarded'::regclass": 1,
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'own_key'": (
        "FOREIGN KEY (trade_id) REFERENCES trades(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
    ),
    "SELECT count(*) FROM reports.reviews": 1,
    "SELECT count(*) FROM pg_rules WHERE rulename = 'noted' AND tablename = 'trades'": 1,
    "SELECT tgenabled FROM pg_trigger WHERE tgname = 'asleep' AND tgrelid = 'trades'::regclass": "D",
    "SELECT relrowsecurity FROM pg_class WHERE oid = 'trades'::regclass": True,
    "SELECT cmd || qual FROM pg_policies WHERE policyname = 'open_ones' AND tablename = 'trades'": "SELECTis_open",
    "SELECT obj_description('trades'::regclass, 'pg_class')": "the bot's",
    "SELECT count(*) FROM pg_indexes WHERE indexname = 'Own 5%' AND tablename = 'trades'": 1,
    "SELECT count(*) FROM information_schema.column_privileges WHERE grantee = 'PUBLIC' AND table_name = 'orders'": 1,
    "SELECT count(*) FROM information_schema.usage_privileges WHERE grantee = 'PUBLIC' "
    "AND object_name = 'trades_id_seq'": 1,
}


@on("203")
def test_settings_and_dependents_stay(server: Server, old_url: str) -> None:
    """Row security, rules, rights, comments, options and keys of other schemas are those of before."""
    server.execute("DROP SCHEMA IF EXISTS reports CASCADE; GRANT CREATE ON DATABASE tradestore TO bot", "tradestore")
    load_script(old_url, SURROUNDINGS)
    engine = create_engine(check_url(old_url), poolclass=NullPool)

    def found() -> dict[str, object]:
        with engine.connect() as connection:
            return {query: connection.exec_driver_sql(query.replace("%", "%%")).scalar() for query in PRESENT}

    before = found()
    with opened(old_url):
        pass
    after = found()
    server.execute("DROP SCHEMA reports CASCADE", "tradestore")
    assert before == PRESENT
    assert after == PRESENT


@on("203")
def test_administrator_opens_the_bots_database(server: Server, old_url: str) -> None:
    """What an administrator brings up to date still belongs to the bot, which goes on with it."""
    administrators = make_url(old_url).set(username=ADMIN, password=PASSWORD)
    with opened(administrators.render_as_string(hide_password=False)):
        count = len(Trade.get_trades().all())
    with opened(old_url):
        store(trade_with_entry(pair="NEWCOIN/USDT"))
        assert len(Trade.get_trades().all()) == count + 1


def test_lost_commit_leaves_the_settings(tmp_path) -> None:
    """The file is as it was, and can be written to again at once with the same process."""
    file = tmp_path / "store.sqlite"
    runs_of("028")[0][1].load(f"sqlite:///{file}")
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM trades").fetchone()
    with pytest.raises(DatabaseBusy, match="locked"):
        init_db(f"sqlite:///{file}", busy_timeout=0.2)
    reader.execute("ROLLBACK")
    reader.execute("UPDATE trades SET strategy = 'again' WHERE id = 1")
    reader.close()
    with opened(f"sqlite:///{file}"):
        assert Trade.get_trades([Trade.id == 1]).one().strategy == "again"


@on("107")
def test_orders_of_no_trade_are_told(case: LegacyCase, old_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """No table can hold them today: the plan and the log say how many stay behind, and where."""
    old = contents(old_url)["orders_bak0"]
    (lost,) = (row["id"] for row in old if row["ft_trade_id"] is None)
    assert len(old) == 33
    steps = migrations.scan(create_engine(check_url(old_url), poolclass=NullPool)).steps
    assert "bring 32 of the 33 rows that only orders_bak0 has back to orders" in steps
    assert "leave 1 row in orders_bak0 alone, of no trade" in steps
    with opened(old_url):
        pass
    assert "left 33 rows in orders_bak0 only: 32 of them are brought back to orders." in caplog.text
    assert (
        "Rows that belong to no trade are not carried over to orders: 1. They are kept in orders_bak0." in caplog.text
    )
    after = contents(old_url)
    assert {row["id"] for row in after["orders_bak0"]} - {row["id"] for row in after["orders"]} == {lost}


@on("028", "203", "301")
def test_scan_lists_every_table_that_is_made(old_url: str) -> None:
    """Those that are this library's alone as well as those that other layers have."""
    before = {*contents(old_url)}
    steps = migrations.scan(create_engine(check_url(old_url), poolclass=NullPool)).steps
    with opened(old_url):
        pass
    made = {name for name in contents(old_url) if name not in before and "_bak" not in name}
    assert "order_intents" in made
    assert {step.removeprefix("create table ") for step in steps if step.startswith("create table ")} == made - {
        migrations.VERSION_TABLE
    }
