"""`tradestore report`: its files, its figures, and what it refuses."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.stores import write_known_store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the store with the known trades: 19.58, 20.06 and 19.56333333 were closed at the same moment."""
    found = f"sqlite:///{tmp_path / 'tradesv3.sqlite'}"
    write_known_store(found)
    return found


def test_files_are_written_and_named(url: str, tmp_path: Path, command: Command) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    found = command("report", "-d", url, "--to", page, "--png", picture, "--title", "A <year>")
    assert (found.code, found.err) == (0, "")
    assert found.out.count("\nwritten ") == 2
    assert "59.20333333 USDT" in found.out
    assert "<h1>A &lt;year&gt;</h1>" in page.read_text(encoding="utf-8")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_figures_alone_need_no_file(url: str, tmp_path: Path, command: Command) -> None:
    before = sorted(tmp_path.iterdir())
    found = command("report", "-d", url, "--json")
    assert found.code == 0
    figures = found.result["figures"]
    assert (figures["closed"], figures["profit_abs"], found.result["files"]) == (3, 59.20333333, [])
    assert [point["profit_abs"] for point in figures["equity"]] == [19.58, 59.20333333]
    assert sorted(tmp_path.iterdir()) == before


def test_trades_are_chosen(url: str, command: Command) -> None:
    found = command("report", "-d", url, "--pair", "ADA/USDT:USDT", "--since", "2026-03-01", "--json")
    assert found.result["figures"]["profit_abs"] == 20.06
    found = command("report", "-d", url, "--until", "2026-03-01", "--json")
    assert found.result["figures"]["closed"] == 0


def test_a_file_that_is_there_is_kept_unless_told(url: str, tmp_path: Path, command: Command) -> None:
    page = tmp_path / "report.html"
    page.write_text("mine")
    found = command("report", "-d", url, "--to", page)
    assert (found.code, found.out, page.read_text()) == (3, "", "mine")
    assert len(found.err.splitlines()) == 1
    assert "--force" in found.err
    assert command("report", "-d", url, "--to", page, "--force").code == 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_two_files_of_one_name_are_refused(url: str, tmp_path: Path, command: Command) -> None:
    found = command("report", "-d", url, "--to", tmp_path / "r", "--png", tmp_path / "r")
    assert (found.code, found.out) == (2, "")
    assert not (tmp_path / "r").exists()
