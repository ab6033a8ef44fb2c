"""A scan tells what opening a database would do, and does nothing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from tests.migrations.adopted import opened
from tests.migrations.wrecks import Bot, Wreck, differing_tables, hidden, on_one_engine, snapshot, strange_engine
from tradestore import migrations
from tradestore.exceptions import MigrationError

WRECKS = (
    Wreck("036", ('drop index "ix_trades_pair"', None)),
    Wreck("036", ("drop table orders", None)),
    Wreck("036", ("insert into trades", None)),
    Wreck("021", ("create table pairlocks",)),
    Wreck("107", ()),
    Wreck("205", (None,)),
    Wreck("205", (None, None)),
    Wreck("208", ()),
    Wreck("301", (None,)),
    Wreck("301", (None, None, None)),
)
WORST = (Wreck("036", ("drop table orders", None)), Wreck("205", (None, None)), Wreck("301", (None, None)))
MIXED = (Wreck("036", ('drop index "ix_trades_pair"', None)), Wreck("205", (None, None)))


@contextmanager
def unchanged(url: str) -> Iterator[None]:
    """Check that the block changes nothing in a database."""
    engine = strange_engine(url)
    before = snapshot(engine)
    yield
    assert differing_tables(snapshot(engine), before) == []


def _scan(url: str) -> Any:
    with unchanged(url):
        return migrations.scan(strange_engine(url))


def _refused(url: str) -> Any:
    """Scan a database that opening must refuse, and check that it does."""
    found = _scan(url)
    with unchanged(url), pytest.raises(MigrationError), opened(url):
        pass
    return found


@on_one_engine(*WRECKS)
def test_scan_of_a_wreck_tells_which_rows_are_hidden_where(wreck: Wreck, store_url: str) -> None:
    """For each backup table that hides rows there is a line with its name and their number."""
    wreck.make(store_url)
    found = _scan(store_url)
    lines = str(found).splitlines()
    unseen = hidden(strange_engine(store_url))
    assert unseen
    told = [
        name
        for name, number in unseen.items()
        if any(re.search(rf"\b{name}\b", line) and re.search(rf"\b{number}\b", line) for line in lines)
    ]
    assert told == list(unseen), str(found)
    assert list(found.steps)
    assert not list(found.blockers)


@on_one_engine(*WORST)
def test_scan_tells_the_states_of_a_database_apart(wreck: Wreck, store_url: str) -> None:
    """Empty, old, wrecked, current and too new are five states; only what must be done is listed."""
    states = [str(_scan(store_url).state)]
    wreck.case.load(store_url)
    old = _scan(store_url)
    assert list(old.steps)
    wreck.wreck(store_url)
    states += [str(old.state), str(_scan(store_url).state)]
    with opened(store_url):
        pass
    current = _scan(store_url)
    assert (list(current.steps), list(current.blockers)) == ([], [])
    migrations.stamp(strange_engine(store_url), "9999_from_the_future")
    newer = _refused(store_url)
    assert list(newer.blockers)
    assert "9999_from_the_future" in str(newer)
    states += [str(current.state), str(newer.state)]
    assert len(set(states)) == 5, states


@on_one_engine(*MIXED)
def test_scan_of_a_wreck_that_nobody_can_sort_out(wreck: Wreck, store_url: str) -> None:
    """What keeps it from being opened is told: new trades that have the id and the pair of hidden ones."""
    wreck.make(store_url)
    (pair,) = (row["pair"] for row in wreck.case.expected_rows["trades"] if row["id"] == 1)
    Bot(strange_engine(store_url), pairs=(pair, "NEWER/BTC"))
    found = _refused(store_url)
    assert list(found.blockers)
    assert all(str(blocker) in str(found) for blocker in found.blockers)


@pytest.mark.needs("persistent")
def test_scan_of_tables_of_another_program(store_url: str) -> None:
    """A table with the name of ours that was never ours keeps the database from being opened."""
    with strange_engine(store_url).begin() as connection:
        connection.execute(text("CREATE TABLE trades (id INTEGER PRIMARY KEY, colour VARCHAR(20))"))
        connection.execute(text("INSERT INTO trades VALUES (1, 'red')"))
    found = _refused(store_url)
    assert list(found.blockers)
    assert "trades" in str(found)
