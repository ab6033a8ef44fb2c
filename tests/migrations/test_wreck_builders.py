"""The wrecks are built right: starts of the mirrored layer, done by us, come to what its own were seen to come to."""

import pytest
from sqlalchemy import inspect

from tests.migrations.legacy import CASES, LegacyCase, contents, differences, mirrored_rows, run_id, runs_of
from tests.migrations.mirrored_layer import start
from tests.migrations.mirrored_tables import TABLES
from tests.migrations.wrecks import Bot, Wreck, counts, hidden, on_one_engine, snapshot, strange_engine

SEEN = "freqtrade_2026_9_direct"
STARTED = [case.number for case in CASES if SEEN in case.expected]
UPGRADED = [
    case.number
    for case in CASES
    if case.families == ("sqlite",) and case.number not in STARTED and case.expected["oracle"]["path"] == ["2026.9"]
]
V1 = Wreck("205", (None, None))


def _tables(url: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of rows of the current tables, and of the others."""
    found = counts(strange_engine(url))
    return {name: found.pop(name) for name in TABLES if name in found}, found


@pytest.mark.parametrize(("backend", "case"), runs_of(*STARTED), indirect=["backend"], ids=run_id)
def test_starts_come_to_what_was_seen(case: LegacyCase, store_url: str) -> None:
    """Where the layer fails, or goes on with nothing to show, so do the first two starts done here."""
    case.load(store_url)
    for seen in (case.expected[SEEN]["first_open"], case.expected[SEEN]["second_open"]):
        ended = start(strange_engine(store_url))
        assert (ended.error is None) == (seen["error"] is None), ended.error
        assert _tables(store_url) == (seen["tables"], seen["backup_tables"])


@pytest.mark.parametrize(("backend", "case"), runs_of(*UPGRADED), indirect=["backend"], ids=run_id)
def test_start_that_succeeds(case: LegacyCase, store_url: str) -> None:
    """The rows are those that the layer's own upgrade left, its mistakes included."""
    case.load(store_url)
    assert start(strange_engine(store_url)).error is None
    assert differences(case.expected["tables"], mirrored_rows(contents(store_url))) == []
    assert _tables(store_url)[1] == case.expected["backup_tables"]
    assert hidden(strange_engine(store_url)) == {}


@on_one_engine(V1)
def test_wreck_on_a_server_with_sequences(wreck: Wreck, store_url: str, server) -> None:
    """It is the recorded one, down to keys, indexes and sequences."""
    wreck.make(store_url)
    made, sequences = snapshot(strange_engine(store_url)), _sequences(store_url)
    server.create_database()
    Wreck("208", ()).make(store_url)
    assert made == snapshot(strange_engine(store_url))
    assert sequences == _sequences(store_url)


def _sequences(url: str) -> list[str]:
    return sorted(inspect(strange_engine(url)).get_sequence_names())


@on_one_engine(V1)
def test_bot_that_goes_on_starts_counting_anew(wreck: Wreck, store_url: str) -> None:
    """Its first trades get ids that hidden trades have, and its orders stand among theirs."""
    wreck.make(store_url)
    bot = Bot(strange_engine(store_url))
    assert [row["id"] for row in bot.stored["trades"]] == [1, 2]
    assert {1, 2} <= {row["id"] for row in contents(store_url)["trades_bak0"]}
    assert len(contents(store_url)["orders"]) == 41 + len(bot.stored["orders"])
