"""`tradestore doctor` as an operator runs it."""

import os
from pathlib import Path

import pytest

from tests.builders import store
from tests.cli.conftest import Command
from tradestore import Database, Trade
from tradestore.operations.doctor import CATALOGUE
from tradestore.testing import make_known_spot_long

pytestmark = pytest.mark.needs("persistent", "one_writer")

MACHINE = "E"
"""What is wrong with the machine that the tests run on is not the store's fault."""


@pytest.fixture
def url(database: Database, store_url: str) -> str:
    """Return the URL of a clean store that nobody has open."""
    store(make_known_spot_long().trade)
    Trade.session.remove()
    database.close()
    return store_url


def _spoil(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    database.engine.dispose()


def test_clean_store_ends_with_0(url: str, command: Command) -> None:
    found = command("doctor", "--db-url", url, "--skip", MACHINE)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("Nothing is wrong.")


def test_finding_is_shown_with_its_rows_and_what_to_do(url: str, database: Database, command: Command) -> None:
    _spoil(database, "UPDATE trades SET close_profit_abs = 20")
    found = command("doctor", "--db-url", url, "--skip", MACHINE)
    assert found.code == 1
    lines = [line.strip() for line in found.out.splitlines()]
    assert lines[0] == "ERROR (1)"
    assert lines[1] == "T10 profit in stake currency disagrees with the orders in trades"
    assert lines[3] == "rows: 1"
    assert lines[4] == f"to do: {CATALOGUE['T10'].remedy}"


def test_level_decides_the_exit_code(url: str, database: Database, command: Command) -> None:
    _spoil(database, "UPDATE trades SET min_rate = 3, max_rate = 2")
    assert command("doctor", "-d", url, "--skip", MACHINE).code == 1
    assert command("doctor", "-d", url, "--skip", MACHINE, "--fail-on", "error").code == 0
    assert command("doctor", "-d", url, "--only", "T10,O").code == 0


def test_document_has_findings_and_what_was_left_out(url: str, database: Database, command: Command) -> None:
    _spoil(database, "UPDATE trades SET close_profit_abs = 20")
    found = command("doctor", "--db-url", url, "--skip", MACHINE, "--json")
    assert found.code == 1
    (finding,) = found.result["findings"]
    assert finding["code"] == "T10"
    assert finding["ids"] == [1]
    assert finding["facts"] == {"1": {"close_profit_abs": {"found": 20, "expected": 19.58}}}
    assert "S06" in {each["code"] for each in found.result["not_applicable"]}
    assert found.result["failed"] == []


def test_missing_backups_are_found(url: str, tmp_path: Path, command: Command) -> None:
    found = command("doctor", "-d", url, "--only", "E10", "--backups", tmp_path / "none", "--max-backup-age", 2)
    assert found.code == 1
    assert "There is no folder" in found.out


def test_list_needs_no_database(command: Command, backend: object) -> None:
    found = command("doctor", "--list")
    assert found.code == 0
    assert [line.split()[0] for line in found.out.splitlines()] == list(CATALOGUE)
    assert command("doctor", "--list", "--json").result["T01"]["severity"] == "error"


def test_bad_words_are_one_line(command: Command, url: str) -> None:
    for words in (["doctor"], ["doctor", "-d", url, "--only", "X1"]):
        found = command(*words)
        assert (found.code, found.out) == (3, "")
        assert len(found.err.splitlines()) == 1


def test_commands_of_the_documentation_run(
    url: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clean store that is the owner's alone; the machine's own troubles may make the exit code 1."""
    text = Path(__file__).parents[2].joinpath("docs", "doctor.md").read_text(encoding="utf-8")
    lines = [line.split()[2:] for line in text.splitlines() if line.startswith("$ tradestore ")]
    os.replace(tmp_path / "store.sqlite", tmp_path / "tradesv3.sqlite")
    (tmp_path / "tradesv3.sqlite").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    assert len(lines) == 5
    for words in lines:
        found = command(*words)
        assert found.code in {0, 1}, found.err
        assert found.out
        assert not found.err
