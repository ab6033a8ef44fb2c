"""`tradestore locks` and `tradestore unlock`."""

from datetime import timedelta

import pytest

from tests.builders import OPENED
from tests.cli.conftest import Command
from tradestore import PairLocks
from tradestore.operations.locks import find_locks, list_locks
from tradestore.testing import opened_store

pytestmark = pytest.mark.needs("persistent", "first_driver")

END = OPENED + timedelta(days=36_500)


@pytest.fixture
def locked_url(store_url: str) -> str:
    """Return the URL of a store with locks 1 to 5: ADA for each side and both, all pairs, and one that is over."""
    with opened_store(store_url):
        for side in ("long", "short", "*"):
            PairLocks.lock_pair("ADA/USDT", END, side, now=OPENED, side=side)
        PairLocks.lock_pair("*", END, "holidays", now=OPENED)
        PairLocks.lock_pair("BTC/USDT", OPENED + timedelta(hours=1), "over", now=OPENED)
    return store_url


def _holding(url: str) -> list[int]:
    return [lock.id for lock in list_locks(url)]


def test_locks_that_hold_are_listed_and_with_all_the_others(locked_url: str, command: Command) -> None:
    assert [each["id"] for each in command("locks", "--db-url", locked_url, "--json").result] == [1, 2, 3, 4]
    every = command("locks", "--all", "--db-url", locked_url, "--json").result
    assert [(each["id"], each["holds"]) for each in every] == [(1, True), (2, True), (3, True), (4, True), (5, False)]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["2"], [1, 3, 4]),
        (["1", "4"], [2, 3]),
        (["--pair", "ADA/USDT"], [4]),
        # A lock for both sides holds for each of them.
        (["--pair", "ADA/USDT", "--side", "short"], [1, 4]),
        (["--pair", "*"], [1, 2, 3]),
        (["--pair", "ETH/USDT"], [1, 2, 3, 4]),
    ],
)
def test_only_those_that_are_meant_are_released(words: list[str], left: list[int], locked_url: str, command) -> None:
    outcome = command("unlock", *words, "--yes", "--db-url", locked_url, "--json")
    assert outcome.code == 0, outcome.err
    assert {each["id"] for each in outcome.result} == {1, 2, 3, 4} - set(left)
    assert _holding(locked_url) == left


def test_without_consent_nothing_is_released(locked_url: str, command: Command) -> None:
    outcome = command("unlock", "1", "--db-url", locked_url)
    assert (outcome.code, outcome.out) == (2, "")
    assert "release lock 1 of ADA/USDT, side long" in outcome.err
    assert _holding(locked_url) == [1, 2, 3, 4]


def test_lock_that_is_over_or_missing_is_refused_and_none_is_released(locked_url: str, command: Command) -> None:
    outcome = command("unlock", "1", "5", "99", "--yes", "--db-url", locked_url)
    assert outcome.code == 3
    assert "5, 99" in outcome.err
    assert _holding(locked_url) == [1, 2, 3, 4]


@pytest.mark.parametrize("words", [[], ["1", "--side", "long"]])
def test_words_that_mean_nothing_are_refused(words: list[str], locked_url: str, command: Command) -> None:
    outcome = command("unlock", *words, "--yes", "--db-url", locked_url)
    assert outcome.code == 2
    assert _holding(locked_url) == [1, 2, 3, 4]


def test_no_lock_is_meant_by_nothing(locked_url: str) -> None:
    assert find_locks(locked_url) == ()
