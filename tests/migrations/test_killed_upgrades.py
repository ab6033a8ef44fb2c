"""Upgrades and downgrades that are killed, at whichever statement: the next start finds everything and goes on."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.builders import CLOSED, OPENED, closed_trade, store, trade_with_entry
from tests.migrations import kills
from tests.migrations.states import State, opened, state_of
from tradestore import CustomDataWrapper, KeyValueStore, ModelBase, PairLocks, Trade, WalletHistory, init_db, migrations

FIRST = "0001_initial"


class Ends(NamedTuple):
    """A store at the first revision and at the newest one."""

    old: State
    new: State


def start(url: str) -> None:
    """Open a store, as a bot does."""
    init_db(url).close()


def to_first(url: str) -> None:
    """Take a store back to the first revision."""
    with opened(url) as engine:
        migrations.downgrade(engine, FIRST)


@pytest.fixture
def ends(store_url: str) -> Ends:
    """Fill a store, leave it at the newest revision, and tell both of its ends."""
    database = init_db(store_url)
    store(trade_with_entry(enter_tag="kept"), closed_trade(profit=5.0, ratio=0.1))
    KeyValueStore.store_value("key", "kept")
    PairLocks.lock_pair("ADA/USDT", CLOSED, now=OPENED)
    CustomDataWrapper.set_custom_data(1, "key", {"kept": True})
    store(WalletHistory(timestamp=OPENED, currency="USDT", quote_currency="USD", balance=1.5))
    Trade.session.remove()
    assert migrations.check(database.engine, ModelBase.metadata) == []
    database.close()
    new = state_of(store_url)
    to_first(store_url)
    old = state_of(store_url)
    assert old != new
    assert old.holds(new)
    start(store_url)
    assert state_of(store_url) == new
    return Ends(old, new)


class Place:
    """Where a store lies, so that it can be put back to where it began."""

    def __init__(self, url: str, begin: kills.Work) -> None:
        """Begin.

        Args:
            url: Of the store.
            begin: Brings it to its beginning.
        """
        self.url = url
        self.folder = Path(url.removeprefix("sqlite:///")).parent if url.startswith("sqlite") else None
        self._begin = begin
        begin(url)
        if self.folder:
            for backup in self.folder.glob("*.bak*"):
                backup.unlink()
        self._first = self.state()
        if self.folder:
            self._kept = self.folder.with_name(f"{self.folder.name}-kept")
            shutil.copytree(self.folder, self._kept)

    def state(self) -> tuple[State, list[str]]:
        """Return what the store holds, and which files there are."""
        found = state_of(self.url)
        return found, sorted(path.name for path in self.folder.iterdir()) if self.folder else []

    def restore(self) -> None:
        """Go back to the beginning."""
        if self.folder:
            shutil.rmtree(self.folder)
            shutil.copytree(self._kept, self.folder)
        else:
            self._begin(self.url)

    def states_after_kills(
        self, work: kills.Work, note: Callable[[int, int], None], most: int | None
    ) -> Iterator[State]:
        """Kill work at its points, each time from the beginning; yield each state that is found, once.

        Args:
            work: Is given the URL.
            note: Is told at how many points out of how many it was killed.
            most: At how many points, spread over all; None for every one.
        """
        seen = []
        every_point = kills.points_of(work, self.url)
        points = kills.spread(every_point, most)
        self.restore()
        for point in points:
            assert not kills.finishes(work, self.url, point), point
            found = self.state()
            is_new = found not in seen
            if is_new:
                seen.append(found)
                yield found[0]
            if is_new or found != self._first:
                self.restore()
        note(len(points), len(every_point))


@pytest.mark.needs("persistent", "first_driver")
def test_upgrade_that_is_killed(ends: Ends, backend, store_url: str, note_kills, most_kills) -> None:
    """At whichever point: no row is ever missing, and the next start leaves the newest revision and one backup."""
    place = Place(store_url, to_first)
    for found in place.states_after_kills(start, partial(note_kills, "upgrade of a stamped store"), most_kills):
        assert found.holds(ends.old)
        assert found in ends or not backend.transactional_ddl
        start(store_url)
        now, files = place.state()
        assert now == ends.new
        backups = [name for name in files if FIRST in name]
        assert backups == ([f"store.sqlite.{FIRST}.bak"] if backend.in_process else [])
        for name in backups:
            assert state_of(f"sqlite:///{place.folder}/{name}") == ends.old


@pytest.mark.needs("persistent", "first_driver")
def test_downgrade_that_is_killed(ends: Ends, backend, store_url: str, note_kills, most_kills) -> None:
    """At whichever point: no row is ever missing, and the next start leads up again."""
    place = Place(store_url, start)
    for found in place.states_after_kills(to_first, partial(note_kills, "downgrade of a store"), most_kills):
        assert found.holds(ends.old)
        assert found in ends or not backend.transactional_ddl
        start(store_url)
        assert place.state()[0] == ends.new
