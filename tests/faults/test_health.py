"""The health of a store, whatever hangs: the right reason, and always within the deadline."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import store, trade
from tests.cli.conftest import Command, command  # noqa: F401 - a fixture
from tests.faults.read_only import read_only
from tradestore import OrderIntent, Trade, init_db, migrations
from tradestore.operations.health import Health, HealthState, health
from tradestore.testing import opened_store

DEADLINE = 2.0
GRACE = 5.0
"""Seconds that a busy machine may add; whatever hangs would take thirty and more."""


def _codes(found: Health) -> list[tuple[str, str]]:
    assert found.seconds < DEADLINE + GRACE
    return [(reason.code, reason.state.value) for reason in found.reasons]


@contextmanager
def _held(file: Path, mode: str) -> Iterator[None]:
    """Hold a lock on a file during the block."""
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute(f"BEGIN {mode}")
        yield
        holder.execute("ROLLBACK")


def test_well(database) -> None:
    """Nothing to say, and what was found out."""
    store(trade())
    found = health(database)
    assert (found.state, found.reasons) == (HealthState.OK, ())
    assert (found.can_read, found.can_write) == (True, True)
    assert found.seconds_since_commit is not None
    assert found.database == database.url
    Trade.session.remove()


@pytest.mark.needs("persistent")
def test_well_by_its_url(database, store_url) -> None:
    """From another process nothing is known of the pool, and nothing is changed."""
    found = health(store_url)
    assert (found.state, found.revision, found.unresolved_intents) == (HealthState.OK, migrations.HEAD, 0)
    assert found.seconds_since_commit is None


def test_locked_file_is_degraded(tmp_path: Path) -> None:
    """Another writer is waited for no longer than there is time; reading goes on."""
    file = tmp_path / "store.sqlite"
    with opened_store(f"sqlite:///{file}") as database, _held(file, "IMMEDIATE"):
        found = health(database, deadline=DEADLINE)
        assert _codes(found) == [("locked", "degraded")]
        assert (found.can_read, found.can_write) == (True, False)


def test_file_that_may_not_be_written_to(tmp_path: Path) -> None:
    """It can be read, and nothing can be stored."""
    file = tmp_path / "store.sqlite"
    init_db(f"sqlite:///{file}").close()
    found = health(f"sqlite:///file:{file}?mode=ro&uri=true")
    assert _codes(found) == [("read_only", "failed")]
    assert (found.can_read, found.can_write) == (True, False)


@pytest.mark.parametrize("name", ["missing.sqlite", "folder", "other.sqlite", "text.sqlite"])
def test_what_is_no_store(tmp_path: Path, name: str) -> None:
    """A missing file, a folder, another program's database and a text have failed, and nothing is made of them."""
    (tmp_path / "folder").mkdir()
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE notes (id INTEGER)")
    (tmp_path / "text.sqlite").write_text("no database\n" * 200)
    before = sorted(tmp_path.iterdir())
    found = health(f"sqlite:///{tmp_path / name}", deadline=DEADLINE)
    assert _codes(found) == [("schema" if name == "other.sqlite" else "unreachable", "failed")]
    assert sorted(tmp_path.iterdir()) == before


def test_bad_url_is_no_error() -> None:
    """Nothing is raised, and the password is not told."""
    found = health("oracle://bot:pass-word@host/db")
    assert _codes(found) == [("unreachable", "failed")]
    assert "pass-word" not in found.reasons[0].text


@pytest.mark.needs("persistent", "first_driver")
def test_older_schema_has_failed(store_url) -> None:
    """A bot would have to be started anew."""
    with opened_store(store_url) as database:
        migrations.downgrade(database.engine, "0004_wider_pairs")
        assert _codes(health(database)) == [("schema", "failed")]


@pytest.mark.needs("persistent", "first_driver")
def test_exhausted_pool_is_degraded(store_url) -> None:
    """The look has a connection of its own, and needs none of the pool's."""
    with opened_store(store_url, pool_size=1, max_overflow=0, pool_timeout=60) as database:
        Trade.get_open_trade_count()
        assert _codes(health(database, deadline=DEADLINE)) == [("pool", "degraded")]
        Trade.session.remove()
        assert _codes(health(database, deadline=DEADLINE)) == []


def test_what_a_bot_has_left_undone(database, monkeypatch) -> None:
    """A transaction that writes for long, an order that nobody knows of, and a bot that stores nothing."""
    monkeypatch.setattr("tradestore.operations.health._LONGEST_WRITING", -1.0)
    long_ago = datetime(2026, 3, 1, tzinfo=UTC)
    store(OrderIntent(client_order_id="a", state="open", pair="A/B", side="buy", amount=1.0, created_at=long_ago))
    assert ("idle", "degraded") in _codes(health(database, max_commit_age=-1.0))
    is_seen = database.engine.url.database is not None
    assert (("intents", "degraded") in _codes(health(database))) is is_seen
    Trade.session.add(trade())
    Trade.session.flush()
    assert ("writing", "degraded") in _codes(health(database))
    Trade.rollback()


def test_closed_store_has_failed(database) -> None:
    """Another one was opened since, or none."""
    database.close()
    assert ("closed", "failed") in _codes(health(database))


@pytest.mark.needs("networked", "first_driver")
def test_server_that_was_stopped(store_url, server) -> None:
    """Nobody answers."""
    database = init_db(store_url)
    try:
        server.kill()
        found = health(database, deadline=DEADLINE)
        assert {code for code, _ in _codes(found)} <= {"unreachable", "deadline"}
        assert found.state is HealthState.FAILED
    finally:
        database.close()
        server.start()


@pytest.mark.needs("networked", "first_driver")
def test_server_that_hangs(store_url, proxy) -> None:
    """Nothing comes through: the answer is there all the same."""
    database = init_db(proxy.url(store_url))
    try:
        with proxy.frozen():
            found = health(database, deadline=0.5)
            assert found.seconds < 0.5 + GRACE
            assert (found.state, found.can_read) == (HealthState.FAILED, False)
        for thread in [each for each in threading.enumerate() if each.name == "tradestore health"]:
            thread.join(30)
            assert not thread.is_alive()
    finally:
        database.close()


@pytest.mark.needs("networked", "first_driver")
def test_server_that_takes_no_changes(database, server) -> None:
    """It can be read, and nothing can be stored."""
    with read_only(server):
        found = health(database, deadline=DEADLINE)
    assert _codes(found) == [("read_only", "failed")]
    assert (found.can_read, found.can_write) == (True, False)


def test_command_is_a_probe(tmp_path: Path, command: Command) -> None:  # noqa: F811
    """Exit code 0 for a store that works, 1 for one that does not, and for one to look at if that is wanted."""
    file = tmp_path / "store.sqlite"
    url = f"sqlite:///{file}"
    assert command("health", "--db-url", url).code == 1
    init_db(url).close()
    well = command("health", "--db-url", url, "--json")
    assert (well.code, well.result["state"], well.result["reasons"]) == (0, "ok", [])
    with _held(file, "IMMEDIATE"):
        assert command("health", "-d", url, "--deadline", "0.5").code == 0
        strict = command("health", "-d", url, "--deadline", "0.5", "--strict")
    assert strict.code == 1
    assert "degraded" in strict.out
    assert strict.err == ""
