"""`tradestore status` on every engine that keeps what it is told."""

from datetime import UTC, datetime

import pytest

from tests.builders import store, trade_with_entry
from tests.capabilities import Backend
from tests.cli.conftest import Command
from tests.cli.stores import write_known_store
from tradestore import Database, set_limits
from tradestore.migrations import HEAD
from tradestore.operations.status import read_status
from tradestore.testing import opened_store


@pytest.mark.needs("persistent")
def test_store_is_described(known_url: str, backend: Backend, command: Command) -> None:
    found = command("status", "--db-url", known_url, "--json").result
    assert found["engine"] == backend.scheme.partition("+")[0] or backend.networked
    assert (found["revision"], found["head"]) == (HEAD, HEAD)
    assert (found["open_trades"], found["closed_trades"], found["locks"]) == (1, 3, 1)
    # Two orders for each of three trades, three for the second one.
    assert {name: found["rows"][name] for name in ("trades", "orders", "pairlocks")} == {
        "trades": 4,
        "orders": 9,
        "pairlocks": 2,
    }
    assert found["newest_record"] == "2026-03-01T17:00:00Z"
    assert found["size"] > 10_000
    assert (found["pending_intents"], found["limits"], found["pool"]) == (0, None, None)
    assert found["engine_version"][0].isdigit()
    assert (found["journal_mode"] is None, found["file_written"] is None) == (backend.networked, backend.networked)


@pytest.mark.needs("persistent", "first_driver")
def test_limits_and_intents_are_told(store_url: str, command: Command) -> None:
    with opened_store(store_url) as database:
        set_limits(3, one_per_pair_and_side=True)
        with database.intent("ADA/USDT", "buy", 10.0, 20.0, exchange="binance"):
            pass
        assert database.unresolved_intents()

    outcome = command("status", "--db-url", store_url)
    assert "limits           3 open trades, one for each pair and side\n" in outcome.out
    assert "pending intents  1\n" in outcome.out


@pytest.mark.needs("persistent", "first_driver")
def test_open_database_tells_of_its_pool_and_stays_open(database: Database) -> None:
    before = datetime.now(UTC)
    store(trade_with_entry())
    found = read_status(database)
    assert found.pool is not None
    assert found.pool.last_commit is not None
    assert found.pool.last_commit >= before
    assert found.pool.commits == 1
    store(trade_with_entry(pair="BTC/USDT"))
    assert read_status(database).open_trades == 2


def test_size_of_a_file_is_that_of_the_disk(tmp_path, command: Command) -> None:
    file = tmp_path / "tradesv3.sqlite"
    write_known_store(f"sqlite:///{file}")
    found = command("status", "--db-url", f"sqlite:///{file}", "--json").result
    assert found["size"] == file.stat().st_size
    assert found["journal_mode"] == "wal"


def test_missing_file_is_a_line_and_nothing_is_made(tmp_path, command: Command) -> None:
    found = command("status", "--db-url", f"sqlite:///{tmp_path / 'missing.sqlite'}")
    assert (found.code, found.out) == (3, "")
    assert len(found.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_memory_is_refused(command: Command) -> None:
    found = command("status", "--db-url", "sqlite://")
    assert (found.code, found.out) == (3, "")
    assert "in memory" in found.err
