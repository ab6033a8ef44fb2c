"""`tradestore upgrade`, `downgrade` and `history`: on stores of every age, in every state."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import store, trade_with_entry
from tests.capabilities import Backend
from tests.cli.conftest import Command
from tests.cli.stores import write_known_store
from tests.migrations.legacy import LegacyCase, contents, plain_connection, run_id, runs_of
from tests.migrations.wrecks import Wreck, on_one_engine
from tradestore import Trade
from tradestore._revisions import history
from tradestore.migrations import HEAD
from tradestore.operations.status import read_status
from tradestore.testing import opened_store

EVERY_AGE = pytest.mark.parametrize(
    ("backend", "case"), runs_of("001", "036", "205", "301"), indirect=["backend"], ids=run_id
)


@pytest.fixture
def old_url(case: LegacyCase, store_url: str) -> str:
    """Return the URL of a database that another layer wrote long ago."""
    case.load(store_url)
    return store_url


@EVERY_AGE
def test_plan_for_an_old_database_changes_nothing(case: LegacyCase, old_url: str, command: Command) -> None:
    before = contents(old_url)
    outcome = command("upgrade", "--plan", "--db-url", old_url, "--json")
    assert outcome.code == 0, outcome.err
    assert (outcome.result["state"], outcome.result["revision"]) == ("unstamped", None)
    assert any(step.startswith("build trades anew") for step in outcome.result["steps"])
    assert outcome.result["rows"]["trades"] == len(before["trades"])
    shown = command("upgrade", "--plan", "--db-url", old_url).out
    assert f"rows now {len(before['trades'])} in trades" in " ".join(shown.split())
    assert contents(old_url) == before


@EVERY_AGE
def test_old_database_is_brought_up_to_date(
    case: LegacyCase, backend: Backend, old_url: str, tmp_path: Path, command: Command
) -> None:
    trades = len(contents(old_url)["trades"])
    outcome = command("upgrade", "--yes", "--db-url", old_url, "--json")
    assert outcome.code == 0, outcome.err
    assert (outcome.result["before"], outcome.result["after"]) == (None, HEAD)
    assert read_status(old_url).rows["trades"] == trades
    assert bool(outcome.result["backups"]) is backend.in_process
    for backup in outcome.result["backups"]:
        with closing(sqlite3.connect(backup)) as copy:
            assert copy.execute("SELECT count(*) FROM trades").fetchone() == (trades,)


@on_one_engine(Wreck("036", ("drop table orders", None)))
def test_wreck_is_brought_up_to_date(wreck: Wreck, store_url: str, command: Command) -> None:
    wreck.make(store_url)
    planned = command("upgrade", "--plan", "--db-url", store_url, "--json").result
    assert planned["state"] == "wrecked"
    assert any("that only" in step for step in planned["steps"])
    assert command("upgrade", "--yes", "--db-url", store_url).code == 0
    assert command("status", "--db-url", store_url).code == 0


@pytest.mark.needs("persistent", "first_driver")
def test_down_and_up_again_keeps_every_row(known_url: str, backend: Backend, command: Command) -> None:
    url = ("--db-url", known_url)
    before = contents(known_url)
    down = command("downgrade", "0002", "--yes", *url, "--json").result
    assert (down["before"], down["after"], len(down["backups"])) == (HEAD, "0002_query_indexes", backend.in_process)
    at = [each["name"] for each in command("history", *url, "--json").result if each["is_current"]]
    assert at == ["0002_query_indexes"]
    up = command("upgrade", "--yes", *url, "--json").result
    assert (up["before"], up["after"]) == ("0002_query_indexes", HEAD)
    assert contents(known_url) == before


@pytest.mark.needs("persistent", "first_driver")
def test_history_tells_what_each_revision_brought(known_url: str, command: Command) -> None:
    found = command("history", "--db-url", known_url, "--json").result
    assert [each["name"] for each in found] == history()
    assert [each["is_current"] for each in found] == [False] * (len(found) - 1) + [True]
    assert found[0]["summary"] == "The tables of the first release."


@pytest.mark.needs("persistent", "first_driver")
def test_downgrade_that_would_lose_rows_is_refused(store_url: str, command: Command) -> None:
    with opened_store(store_url):
        store(trade_with_entry(pair="A" * 30 + "/USDT"))
    before = contents(store_url)
    planned = command("downgrade", "0003", "--plan", "--db-url", store_url, "--json")
    assert (planned.code, len(planned.result["blockers"])) == (1, 1)
    outcome = command("downgrade", "0003", "--yes", "--db-url", store_url)
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith("Error: ")
    assert len(outcome.err.splitlines()) == 1
    assert contents(store_url) == before


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize(
    ("words", "said"),
    [(["9999"], "There is no revision '9999'"), (["+1"], "There is no revision '+1'")],
)
def test_unknown_revision_is_refused(words: list[str], said: str, known_url: str, command: Command) -> None:
    outcome = command("downgrade", *words, "--yes", "--db-url", known_url)
    assert (outcome.code, outcome.out) == (3, "")
    assert said in outcome.err


@pytest.mark.needs("persistent", "first_driver")
def test_newer_database_is_refused_by_all(known_url: str, command: Command) -> None:
    with plain_connection(known_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_later'"))
    outcome = command("upgrade", "--plan", "--db-url", known_url, "--json")
    planned = outcome.result
    assert (planned["state"], planned["steps"], len(planned["blockers"])) == ("newer", [], 1)
    assert outcome.code == 1
    for words in (["upgrade", "--yes"], ["downgrade", "0001", "--yes"], ["history"]):
        outcome = command(*words, "--db-url", known_url)
        assert (outcome.code, outcome.out) == (3, "")
        assert "9999_later" in outcome.err
        assert len(outcome.err.splitlines()) == 1


@pytest.mark.needs("persistent", "first_driver")
def test_empty_database_gets_tables_only_on_demand(store_url: str, command: Command) -> None:
    assert command("upgrade", "--yes", "--db-url", store_url).code == 3
    outcome = command("upgrade", "--create", "--yes", "--db-url", store_url)
    assert outcome.code == 0, outcome.err
    assert command("status", "--db-url", store_url, "--json").result["rows"]["trades"] == 0


def test_missing_file_is_made_only_on_demand(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "new.sqlite"
    assert command("upgrade", "--yes", "--db-url", f"sqlite:///{file}").code == 3
    assert command("upgrade", "--create", "--plan", "--db-url", f"sqlite:///{file}").code == 0
    assert not file.exists()
    assert command("upgrade", "--create", "--yes", "--db-url", f"sqlite:///{file}").code == 0
    with opened_store(f"sqlite:///{file}"):
        assert Trade.get_open_trade_count() == 0


def test_tables_of_another_program_stay_where_they_are(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "shared.sqlite"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.execute("INSERT INTO notes VALUES ('kept')")
    outcome = command("upgrade", "--yes", "--db-url", f"sqlite:///{file}")
    assert (outcome.code, "of another program" in outcome.err) == (3, True)
    assert command("upgrade", "--create", "--yes", "--db-url", f"sqlite:///{file}").code == 0
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT text FROM notes").fetchall() == [("kept",)]


def test_refused_plan_leaves_the_store_older(tmp_path: Path, command: Command) -> None:
    url = f"sqlite:///{tmp_path / 'tradesv3.sqlite'}"
    write_known_store(url)
    command("downgrade", "0003", "--yes", "--db-url", url)
    outcome = command("upgrade", "--db-url", url)
    assert outcome.code == 2
    assert "run revision 0004_wider_pairs" in outcome.err
    assert "back up the file" in outcome.err
    assert [each["name"] for each in _history(command, url) if each["is_current"]] == ["0003_backtest_runs"]


def test_backup_that_was_there_is_not_taken_for_a_new_one(tmp_path: Path, command: Command) -> None:
    url = f"sqlite:///{tmp_path / 'tradesv3.sqlite'}"
    write_known_store(url)
    first = command("downgrade", "0004", "--yes", "--db-url", url, "--json").result["backups"]
    second = command("upgrade", "--yes", "--db-url", url, "--json").result["backups"]
    assert [Path(each).name for each in first] == [f"tradesv3.sqlite.{HEAD}.bak"]
    assert [Path(each).name for each in second] == ["tradesv3.sqlite.0004_wider_pairs.bak"]


def _history(command: Command, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = command("history", "--db-url", url, "--json").result
    return found
