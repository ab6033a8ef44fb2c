"""`tradestore archive` and `tradestore unarchive`: a plan first, nothing without a yes, a line for what cannot be."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.operations.old_trades import fill, reports, rows_of_trades
from tradestore.testing import opened_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a store with nine old trades, three later ones and an open one."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with opened_store(url):
        fill()
    return url


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.sqlite"


def test_there_and_back(url: str, file: Path, command: Command) -> None:
    """The plan goes to standard error, the answer to standard output."""
    with opened_store(url):
        before = reports()
    moved = command("archive", "--db-url", url, "--before", "2025-02-01", "--to", file, "--yes")
    assert (moved.code, moved.out) == (0, f"9 trades moved to {file}, which has 9 now.\n")
    assert f"9 trades with 18 orders, closed before 2025-02-01 00:00 UTC, to be moved to {file}." in moved.err
    with opened_store(url):
        assert rows_of_trades() == [10, 11, 12, 13]
        assert reports() == before
    some = command("unarchive", "--db-url", url, "--from", file, "--id", 3, "--id", 5, "--yes", "--json")
    assert some.result == {"file": str(file), "trades": 2, "archived_trades": 7}
    assert command("unarchive", "-d", url, "--from", file, "-y").code == 0
    with opened_store(url):
        assert rows_of_trades() == list(range(1, 14))


def test_document_for_scripts(url: str, file: Path, command: Command) -> None:
    """Its moments are in UTC."""
    moved = command("archive", "-d", url, "--before", "2025-02-01T06:00:00", "--to", file, "--yes", "--json")
    assert moved.result == {
        "file": str(file),
        "before": "2025-02-01T06:00:00Z",
        "trades": 9,
        "archived_trades": 9,
    }


def test_nothing_without_a_yes(url: str, file: Path, command: Command) -> None:
    """Where nobody can be asked, the plan is shown, and that is all."""
    asked = command("archive", "-d", url, "--before", "2025-02-01", "--to", file)
    assert (asked.code, asked.out) == (2, "")
    assert "Nothing was changed" in asked.err
    assert not file.exists()
    command("archive", "-d", url, "--before", "2025-02-01", "--to", file, "--yes")
    assert command("unarchive", "-d", url, "--from", file).code == 2
    with opened_store(url):
        assert rows_of_trades() == [10, 11, 12, 13]


@pytest.mark.parametrize("name", ["store.sqlite", "folder", "text", "missing/archive.sqlite"])
def test_what_is_no_archive_is_a_line(url: str, tmp_path: Path, name: str, command: Command) -> None:
    """The store itself, a folder, a text, and a folder that is missing: nothing is changed."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("no database\n" * 100)
    before = {each: each.is_file() and each.read_bytes() for each in tmp_path.iterdir()}
    for words in (["archive", "--before", "2025-02-01", "--to"], ["unarchive", "--from"]):
        found = command(*words, tmp_path / name, "-d", url, "--yes")
        assert (found.code, found.out) == (3, "")
        assert found.err.splitlines()[-1].startswith("Error: ")
        assert "Traceback" not in found.err
    assert {each: each.is_file() and each.read_bytes() for each in tmp_path.iterdir()} == before


def test_missing_store_is_a_line(tmp_path: Path, command: Command) -> None:
    """No file is made, neither the store nor the archive."""
    url, file = f"sqlite:///{tmp_path / 'missing.sqlite'}", tmp_path / "archive.sqlite"
    assert command("archive", "-d", url, "--before", "2025-02-01", "--to", file, "-y").code == 3
    assert command("unarchive", "-d", url, "--from", file, "-y").code == 3
    assert list(tmp_path.iterdir()) == []


def test_bad_date_is_told(url: str, file: Path, command: Command) -> None:
    """With the form that it has to have."""
    found = command("archive", "-d", url, "--before", "yesterday", "--to", file)
    assert found.code == 2
    assert "%Y-%m-%d" in found.err


@pytest.mark.parametrize("name", ["archive", "unarchive", "optimize", "health"])
def test_help_has_an_example(name: str, command: Command) -> None:
    """Each ends with one."""
    found = command(name, "--help")
    assert found.code == 0
    assert f"Example: tradestore {name} " in " ".join(found.out.split())
