"""Pair locks: one set of rules for the database and for memory."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import time_machine

import tradestore
from tradestore import LocalPairLocks, PairLock, PairLocks, Trade

NOW = datetime(2026, 3, 1, 12, 2, 30, tzinfo=UTC)
PAIR, OTHER = "ADA/USDT", "ETH/USDT"


def later(minutes: float) -> datetime:
    """Return a moment after now."""
    return NOW + timedelta(minutes=minutes)


def holding(pair: str | None = None, **question: Any) -> list[tuple[str, str, str | None]]:
    """Return pair, side and reason of what holds now."""
    locks = PairLocks.get_pair_locks(pair, **{"now": NOW} | question)
    return [(lock.pair, lock.side, lock.reason) for lock in locks]


class LockRules:
    """The rules, with five-minute candles."""

    @pytest.fixture(autouse=True)
    def _clock(self):
        with time_machine.travel(NOW, tick=False):
            yield

    def test_lock_lasts_to_the_end_of_a_candle(self) -> None:
        """The end is rounded up to the next candle, and one on a candle's start is one candle later."""
        inside = PairLocks.lock_pair(PAIR, later(10), "inside")
        at_start = PairLocks.lock_pair(PAIR, datetime(2026, 3, 1, 12, 15, tzinfo=UTC), "start")
        assert inside.lock_end_time_utc == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
        assert at_start.lock_end_time_utc == datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
        assert (inside.lock_time_utc, inside.active, inside.side) == (NOW, True, "*")

    def test_lock_holds_until_its_end(self) -> None:
        """The end itself is free."""
        PairLocks.lock_pair(PAIR, later(1))
        end = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
        assert PairLocks.is_pair_locked(PAIR)
        assert PairLocks.is_pair_locked(PAIR, end - timedelta(microseconds=1))
        assert not PairLocks.is_pair_locked(PAIR, end)

    def test_same_lock_is_not_made_twice(self) -> None:
        """Pair, side, reason and end say which lock it is."""
        first = PairLocks.lock_pair(PAIR, later(10), "reason")
        again = PairLocks.lock_pair(PAIR, later(9), "reason", now=later(1))
        assert again is first
        asked: dict[str, Any] = {"pair": PAIR, "until": later(10), "reason": "reason"}
        for change in ({"side": "long"}, {"reason": "another"}, {"reason": None}, {"until": later(20)}):
            PairLocks.lock_pair(**asked | change)
        PairLocks.lock_pair(OTHER, later(10), "reason")
        PairLocks.lock_pair(PAIR, later(10), None)
        assert len(PairLocks.get_all_locks()) == 6

    def test_expired_lock_is_recognised(self) -> None:
        """A lock that ended in the past is the same one too."""
        first = PairLocks.lock_pair(PAIR, later(-30), "reason")
        again = PairLocks.lock_pair(PAIR, later(-30), "reason")
        assert again is first
        assert len(PairLocks.get_all_locks()) == 1
        assert holding(PAIR) == []

    def test_released_lock_is_made_anew(self) -> None:
        """A lock that was taken away doesn't count as there."""
        PairLocks.lock_pair(PAIR, later(10), "reason")
        PairLocks.unlock_pair(PAIR)
        PairLocks.lock_pair(PAIR, later(10), "reason")
        assert [lock.active for lock in PairLocks.get_all_locks()] == [False, True]

    def test_sides(self) -> None:
        """A lock for both sides holds for each; one for a side doesn't hold for both."""
        PairLocks.lock_pair(PAIR, later(10), "both")
        PairLocks.lock_pair(PAIR, later(10), "long", side="long")
        PairLocks.lock_pair(PAIR, later(10), "short", side="short")
        reasons = {side: [lock[2] for lock in holding(PAIR, side=side)] for side in ("*", "long", "short", None)}
        assert reasons == {
            "*": ["both"],
            "long": ["both", "long"],
            "short": ["both", "short"],
            None: ["both", "long", "short"],
        }

    def test_side_alone_locks_only_itself(self) -> None:
        """A pair that is locked for longs can be entered short."""
        PairLocks.lock_pair(PAIR, later(10), side="long")
        assert PairLocks.is_pair_locked(PAIR, side="long")
        assert not PairLocks.is_pair_locked(PAIR, side="short")
        assert not PairLocks.is_pair_locked(PAIR)

    def test_global_lock_holds_for_every_pair(self) -> None:
        """A lock of all pairs locks a pair without being one of its own."""
        PairLocks.lock_pair("*", later(10), side="short")
        assert PairLocks.is_global_lock(side="short")
        assert PairLocks.is_pair_locked(PAIR, side="short")
        assert not PairLocks.is_pair_locked(PAIR, side="long")
        assert holding(PAIR) == []
        assert holding("*") == [("*", "short", None)]

    def test_longest_lock(self) -> None:
        """Of several locks, the one that ends last counts; without one there is none."""
        PairLocks.lock_pair(PAIR, later(30), "long one")
        PairLocks.lock_pair(PAIR, later(10), "short one")
        longest = PairLocks.get_pair_longest_lock(PAIR)
        assert longest is not None
        assert longest.reason == "long one"
        assert PairLocks.get_pair_longest_lock(OTHER) is None

    def test_unlocking_a_pair_releases_all_sides(self) -> None:
        """Without a side, whatever locks the pair is gone; other pairs and the global lock stay."""
        for side in ("*", "long", "short"):
            PairLocks.lock_pair(PAIR, later(10), side=side)
        PairLocks.lock_pair(OTHER, later(10))
        PairLocks.lock_pair("*", later(10))
        PairLocks.unlock_pair(PAIR)
        assert holding() == [(OTHER, "*", None), ("*", "*", None)]

    def test_unlocking_a_side(self) -> None:
        """With a side, the locks that hold for it are gone."""
        for side in ("*", "long", "short"):
            PairLocks.lock_pair(PAIR, later(10), side=side)
        PairLocks.unlock_pair(PAIR, side="long")
        assert holding() == [(PAIR, "short", None)]

    def test_unlocking_a_reason_at_a_time(self) -> None:
        """Which locks hold is asked for the given time, not for the wall clock."""
        PairLocks.lock_pair(PAIR, later(10), "bad luck")
        PairLocks.lock_pair(OTHER, later(60), "bad luck")
        PairLocks.lock_pair(OTHER, later(60), "other")
        PairLocks.unlock_reason("bad luck", now=later(30))
        assert [lock.active for lock in PairLocks.get_all_locks()] == [True, False, True]
        with time_machine.travel(later(600), tick=False):
            PairLocks.unlock_reason("other", now=later(30))
        assert [lock.active for lock in PairLocks.get_all_locks()] == [True, False, False]

    def test_long_reason_is_cut_and_found_again(self) -> None:
        """A reason keeps its first 255 characters; the whole of it still names the lock."""
        lock = PairLocks.lock_pair(PAIR, later(10), "r" * 300)
        assert lock.reason == "r" * 255
        assert PairLocks.lock_pair(PAIR, later(10), "r" * 300) is lock
        PairLocks.unlock_reason("r" * 300)
        assert holding() == []

    def test_any_form_of_a_date(self) -> None:
        """Naive dates are UTC, others are converted, in locks and in questions."""
        east = timezone(timedelta(hours=9))
        naive = PairLocks.lock_pair(PAIR, later(10).replace(tzinfo=None), now=NOW.replace(tzinfo=None))
        aware = PairLocks.lock_pair(OTHER, later(10).astimezone(east), now=NOW.astimezone(east))
        assert naive.lock_end_time_utc == aware.lock_end_time_utc == datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
        assert naive.lock_time_utc == aware.lock_time_utc == NOW
        for moment in (later(1).replace(tzinfo=None), later(1).astimezone(east), later(1)):
            assert len(PairLocks.get_pair_locks(None, moment)) == 2

    def test_no_pair_is_no_wildcard(self) -> None:
        """Locks are asked for with None for all pairs; an empty name is just a name."""
        PairLocks.lock_pair(PAIR, later(10))
        assert holding("") == []
        assert holding(None) == [(PAIR, "*", None)]

    def test_order_is_that_of_making(self) -> None:
        """Neither their ends nor changes move locks."""
        for minutes in (30, 10, 20):
            PairLocks.lock_pair(PAIR, later(minutes), str(minutes))
        PairLocks.unlock_reason("30")
        assert [lock.reason for lock in PairLocks.get_all_locks()] == ["30", "10", "20"]
        assert [reason for _, _, reason in holding(PAIR)] == ["10", "20"]

    def test_as_json(self) -> None:
        """Dates are given as text and as milliseconds."""
        shown = PairLocks.lock_pair(PAIR, later(10), "reason", side="long").to_json()
        del shown["id"]
        assert shown == {
            "pair": PAIR,
            "lock_time": "2026-03-01 12:02:30",
            "lock_timestamp": 1772366550000,
            "lock_end_time": "2026-03-01 12:15:00",
            "lock_end_timestamp": 1772367300000,
            "reason": "reason",
            "side": "long",
            "active": True,
        }


class TestLocksInMemory(LockRules):
    """In a backtest."""

    @pytest.fixture(autouse=True)
    def _in_memory(self) -> None:
        tradestore.disable_database_use("5m")

    def test_reset_forgets_the_locks(self) -> None:
        """A new backtest starts without the former one's locks."""
        PairLocks.lock_pair(PAIR, later(10))
        PairLocks.reset_locks()
        assert list(PairLocks.get_all_locks()) == []


class TestLocksOfAPlainBacktest(LockRules):
    """In a backtest that knows of no database."""

    @pytest.fixture(autouse=True)
    def _plain(self, monkeypatch) -> None:
        LocalPairLocks.reset_locks()
        monkeypatch.setattr(LocalPairLocks, "timeframe", "5m")
        monkeypatch.setitem(globals(), "PairLocks", LocalPairLocks)

    def test_are_no_locks_of_the_others(self) -> None:
        """What is locked here is locked neither in the database nor in the memory mode of the mapped classes."""
        LocalPairLocks.lock_pair(PAIR, later(10))
        with tradestore.FtNoDBContext("5m"):
            assert not list(tradestore.PairLocks.get_all_locks())
        LocalPairLocks.reset_locks()
        assert not LocalPairLocks.is_pair_locked(PAIR)


class TestLocksInDatabase(LockRules):
    """On every engine."""

    @pytest.fixture(autouse=True)
    def _in_database(self, database, monkeypatch) -> None:
        monkeypatch.setattr(PairLocks, "timeframe", "5m")

    def test_reset_leaves_the_database_alone(self) -> None:
        """Forgetting is for backtests."""
        PairLocks.lock_pair(PAIR, later(10))
        PairLocks.reset_locks()
        assert len(PairLocks.get_all_locks()) == 1

    def test_locks_are_stored(self) -> None:
        """What was locked and released is there for the next session."""
        PairLocks.lock_pair(PAIR, later(10), "one")
        PairLocks.lock_pair(PAIR, later(10), "two")
        PairLocks.unlock_reason("one")
        Trade.session.remove()
        assert [(lock.reason, lock.active) for lock in PairLock.get_all_locks()] == [("one", False), ("two", True)]
