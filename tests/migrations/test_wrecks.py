"""What upgrades of the mirrored layer have wrecked comes back whole when it is opened, whatever a bot did since."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.migrations.adopted import opened
from tests.migrations.legacy import LegacyCase, contents, differences, mirrored_rows, run_id, runs_of
from tests.migrations.mirrored_layer import start
from tests.migrations.rescued import open_and_listen, see_backups_kept, see_it_goes_on, see_it_whole, see_rescue
from tests.migrations.wrecks import (
    Bot,
    Wreck,
    differing_tables,
    hidden,
    on_every_engine,
    on_one_engine,
    snapshot,
    strange_engine,
)
from tradestore.exceptions import MigrationError

BEFORE_ORDERS = 'drop index "ix_trades_pair"'
"""Statement after which trades is a backup already, and orders as it was."""
NO_KEY_VALUES, NO_LOCKS = 'create index "ix_KeyValueStore_key"', "create index ix_pairlocks_active"
"""Statements after which those tables are new, and still empty."""

WRECKS = (
    Wreck("001", (None, None)),
    Wreck("005", (None,)),
    Wreck("005", (None, None)),
    Wreck("015", (None, None)),
    Wreck("106", (None,)),
    Wreck("106", (None, None)),
    Wreck("107", ()),
    Wreck("201", (None, None)),
    Wreck("203", (None,)),
    Wreck("203", (None, None)),
    Wreck("203", (None, NO_LOCKS, None)),
    Wreck("205", ("alter table trades",)),
    Wreck("205", (None,)),
    Wreck("205", (None, None)),
    Wreck("205", (None, NO_KEY_VALUES, None)),
    Wreck("208", ()),
    Wreck("301", (None,)),
    Wreck("301", (None, None)),
    Wreck("301", (None, None, None)),
    Wreck("303", (None,)),
)
# Where the orders of hidden trades stand among those of new ones.
MIXED = (
    Wreck("036", (BEFORE_ORDERS, None)),
    Wreck("205", (None, None)),
)
TRADED_ON = (
    *MIXED,
    Wreck("205", (None, NO_KEY_VALUES, None)),
    Wreck("208", ()),
    Wreck("107", ()),
    Wreck("036", ("create table orders_bak0", None)),
    Wreck("036", ("create index ix_orders_order_id", None)),
    Wreck("036", ("insert into trades", None)),
    Wreck("036", ("drop table orders", NO_KEY_VALUES, None)),
    Wreck("021", ("create table pairlocks", None)),
    Wreck("021", ("create table trades", "create table pairlocks", None)),
)
# Where the orders table is too old for the layer to store an order in it, and so a trade.
LOCKED_ON = (
    Wreck("203", (None, None)),
    Wreck("203", (None, NO_LOCKS, None)),
    Wreck("301", (None, None, None)),
)
OLD = (Wreck("036", ()), Wreck("205", ()), Wreck("301", ()))


@on_every_engine(*WRECKS)
def test_wreck_comes_back_whole(wreck: Wreck, store_url: str, caplog) -> None:
    """Every row is there once, as a good upgrade would have left it, and a warning tells where the hidden ones were."""
    wreck.make(store_url)
    see_rescue(store_url, wreck.case, caplog)


@pytest.mark.parametrize(
    ("backend", "case"),
    [*runs_of("036"), *(pytest.param(*run, marks=pytest.mark.thorough) for run in runs_of("021"))],
    indirect=["backend"],
    ids=run_id,
)
def test_start_that_was_killed_after_any_statement(
    backend, case: LegacyCase, tmp_path: Path, caplog, subtests, most_kills
) -> None:
    """Whether the layer was started again or not, and again where that failed, nothing is lost."""
    seen: set[str] = set()
    for wreck, url in _killed(case, tmp_path, 1 if most_kills is None else 3):
        state = repr(snapshot(strange_engine(url)))
        if state not in seen:
            seen.add(state)
            with subtests.test(str(wreck)):
                see_rescue(url, case, caplog)
    assert len(seen) > (40 if most_kills is None else 13)


def _killed(case: LegacyCase, folder: Path, step: int) -> Iterator[tuple[Wreck, str]]:
    """Make every wreck that comes of killing the first start, and let the layer start again, twice if it fails."""
    (whole,) = Wreck(case.number, (None,)).make(f"sqlite:///{folder / 'whole'}")
    for upto in range(1, len(whole.done) + 1, step):
        for more in ((), (None,), (None, None)):
            wreck = Wreck(case.number, (upto, *more))
            url = f"sqlite:///{folder / str(wreck)}"
            came_to = wreck.make(url)
            yield wreck, url
            if more and came_to[-1].error is None:
                break


@on_one_engine(*TRADED_ON)
def test_wreck_that_a_bot_traded_on(wreck: Wreck, store_url: str, caplog) -> None:
    """What was before keeps its ids; what came after gets new ones, and takes its orders and notes along."""
    wreck.make(store_url)
    see_rescue(store_url, wreck.case, caplog, Bot(strange_engine(store_url)))


@on_one_engine(*LOCKED_ON)
def test_wreck_that_a_bot_ran_on_without_trading(wreck: Wreck, store_url: str, caplog) -> None:
    """Its locks stay beside those that come back."""
    wreck.make(store_url)
    see_rescue(store_url, wreck.case, caplog, Bot(strange_engine(store_url), pairs=()))


@on_one_engine(*MIXED)
def test_orders_that_may_be_of_either_trade(wreck: Wreck, store_url: str) -> None:
    """Where a new trade has both the id and the pair of a hidden one, nothing is guessed and nothing is changed."""
    wreck.make(store_url)
    engine = strange_engine(store_url)
    (pair,) = (row["pair"] for row in wreck.case.expected_rows["trades"] if row["id"] == 1)
    Bot(engine, pairs=(pair, "NEWER/BTC"))
    before = snapshot(engine)
    with pytest.raises(MigrationError, match=pair), opened(store_url):
        pass
    assert differing_tables(snapshot(engine), before) == []


@on_one_engine(Wreck("005", (None, None)), Wreck("015", (None, None)))
def test_orders_that_an_upgrade_left_out_before_a_bot_traded_on(wreck: Wreck, store_url: str) -> None:
    """Old trades get the pairs and the orders that they would have got at once; what came after stays as it is."""
    wreck.make(store_url)
    bot = Bot(strange_engine(store_url))
    with opened(store_url):
        pass
    after = mirrored_rows(contents(store_url))
    new = [row["order_id"] for row in bot.stored["orders"]]
    pairs = {row["pair"] for row in bot.stored["trades"]}
    old = {
        "trades": [row for row in after["trades"] if row["pair"] not in pairs],
        "orders": [{**row, "id": row["id"] - len(new)} for row in after["orders"] if row["order_id"] not in new],
    }
    assert differences({name: wreck.case.expected_rows[name] for name in old}, old) == []
    told = bot.stored["trades"] + bot.stored["orders"]
    assert [row for row in told if row not in after["trades"] + after["orders"]] == []


@pytest.mark.parametrize(("backend", "case"), runs_of("015", "201"), indirect=["backend"], ids=run_id)
def test_orders_that_a_backup_of_long_ago_knows(case: LegacyCase, store_url: str, caplog) -> None:
    """Before there were orders, too, upgrades that succeeded left backups: what was placed then is done by now."""
    case.load(store_url)
    with strange_engine(store_url).begin() as connection:
        connection.execute(text("CREATE TABLE trades_bak AS SELECT * FROM trades"))
        connection.execute(text("UPDATE trades_bak SET open_order_id = 'filled long ago', amount = 1"))
    assert open_and_listen(store_url, caplog) == []
    see_it_whole(store_url, case.expected_rows)


@on_one_engine(Wreck("036", ("create index ix_orders_order_id", None)), Wreck("205", (None, None)))
def test_older_backup_with_a_higher_number(wreck: Wreck, store_url: str) -> None:
    """Once all tables were counted, later only some: the number does not tell which backup was made last."""
    wreck.make(store_url)
    early = "id, exchange, pair, is_open, fee_open, fee_close, open_rate, close_rate, close_profit, stake_amount"
    with strange_engine(store_url).begin() as connection:
        connection.execute(
            text(
                f"CREATE TABLE trades_bak7 AS SELECT {early}, 1.5 AS amount, open_date, close_date FROM trades_bak0 "
                "WHERE id < 9"
            )
        )
    with opened(store_url):
        pass
    see_it_whole(store_url, wreck.case.expected_rows)


@pytest.mark.parametrize(("backend", "case"), runs_of("101", "103", "105"), indirect=["backend"], ids=run_id)
def test_backups_of_upgrades_that_succeeded(case: LegacyCase, store_url: str, caplog) -> None:
    """They are left alone, and nothing is said of them."""
    case.load(store_url)
    before = contents(store_url)
    assert [warning for warning in open_and_listen(store_url, caplog) if "_bak" in warning] == []
    see_it_whole(store_url, case.expected_rows)
    see_backups_kept(store_url, before)
    see_it_goes_on(store_url)


@pytest.mark.parametrize("keep", [1, -1], ids=["all-but-one", "one"])
@on_one_engine(*OLD, Wreck("036", (None,)), Wreck("103", ()), Wreck("101", (None,)))
def test_trades_that_the_user_deleted_stay_deleted(wreck: Wreck, keep: int, store_url: str) -> None:
    """A backup that knows more trades than the bot is no wreck as long as the bot knows one of them."""
    wreck.make(store_url)
    engine = strange_engine(store_url)
    kept = [row["id"] for row in wreck.case.expected_rows["trades"]][:keep]
    listed = ", ".join(map(str, kept))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE trades_bak8 AS SELECT * FROM trades"))
        connection.execute(text("CREATE TABLE orders_bak8 AS SELECT * FROM orders"))
        for table in ("trade_custom_data", "orders"):
            if table in snapshot(engine):
                connection.execute(text(f"DELETE FROM {table} WHERE ft_trade_id NOT IN ({listed})"))
        connection.execute(text(f"DELETE FROM trades WHERE id NOT IN ({listed})"))
    before = contents(store_url)
    with opened(store_url):
        pass
    told = {
        name: [row for row in rows if row.get("id" if name == "trades" else "ft_trade_id", kept[0]) in kept]
        for name, rows in wreck.case.expected_rows.items()
    }
    see_it_whole(store_url, told)
    see_backups_kept(store_url, before)


@on_every_engine(*(wreck for wreck in WRECKS if wreck.number == "301"))
def test_tables_of_servers_of_different_ages(wreck: Wreck, store_url: str, caplog) -> None:
    """A newer server compares texts by other rules, and refuses to compare those of old tables with its own."""
    wreck.make(store_url)
    engine = strange_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("SET foreign_key_checks = 0"))
        for name in (name for name in snapshot(engine) if "_bak" in name):
            connection.execute(text(f"ALTER TABLE {name} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"))
    see_rescue(store_url, wreck.case, caplog)


LOOK_ALIKE = ("trades_bak_notes", "trades_bakery", "trades_bak7", "orders_bak", "pairlocks_bak3x")


@on_one_engine(*OLD, Wreck("107", ()), Wreck("205", (None, None)), Wreck("301", (None, None, None)))
def test_tables_of_the_user_that_look_like_backups(wreck: Wreck, store_url: str) -> None:
    """They are neither read nor changed, whether there is something to bring back or not."""
    wreck.make(store_url)
    with strange_engine(store_url).begin() as connection:
        for name in LOOK_ALIKE:
            connection.execute(text(f"CREATE TABLE {name} (id INTEGER, pair VARCHAR(25), note VARCHAR(100))"))
            connection.execute(text(f"INSERT INTO {name} VALUES (1, 'ETH/BTC', 'bought too early')"))
    before = snapshot(strange_engine(store_url))
    with opened(store_url):
        pass
    after = snapshot(strange_engine(store_url))
    assert {name: after[name] for name in LOOK_ALIKE} == {name: before[name] for name in LOOK_ALIKE}
    see_it_whole(store_url, wreck.case.expected_rows)


@pytest.mark.parametrize(("backend", "case"), runs_of("036"), indirect=["backend"], ids=run_id)
def test_table_that_the_user_emptied(case: LegacyCase, store_url: str, caplog) -> None:
    """It cannot be told from a wreck: the rows come back, and the warning says so."""
    case.load(store_url)
    engine = strange_engine(store_url)
    assert start(engine).error is None
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM orders"))
        connection.execute(text("DELETE FROM trades"))
    assert hidden(engine) == {"trades_bak0": 26, "orders_bak0": 57}
    see_rescue(store_url, case, caplog)
