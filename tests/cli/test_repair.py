"""`tradestore repair`, `repair-undo`, `repair-log`, and the edits by hand."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.operations.repairable import DEFECTS, furnish, plant, unchecked
from tradestore import init_db
from tradestore.operations.content import content_hash


@pytest.fixture
def broken_url(tmp_path: Path) -> str:
    """Return the URL of a file with a wrong profit, a lock that is over, and a trade that only a person can judge."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    store = init_db(url)
    furnish()
    store.close()
    (tmp_path / "store.sqlite").chmod(0o600)
    for defect in DEFECTS:
        if defect.code in {"T04", "L03"}:
            plant(url, defect)
    with unchecked(url) as connection:
        connection.exec_driver_sql("UPDATE trades SET leverage = 0.5 WHERE id = 2")
    return url


def test_plan_changes_nothing(broken_url: str, tmp_path: Path, command: Command) -> None:
    before = content_hash(broken_url)
    shown = command("repair", "-d", broken_url, "--only", "T04,L03,T18")
    assert shown.code == 1
    assert "T04: trades 1: realized_profit 1.0 -> 20.0" in shown.out
    assert "T18 trades 2: use edit-trade" in shown.out
    assert content_hash(broken_url) == before
    assert [each.name for each in tmp_path.iterdir()] == ["store.sqlite"]


def test_repair_backs_up_and_can_be_undone(broken_url: str, tmp_path: Path, command: Command) -> None:
    before = content_hash(broken_url, without=["repair_log"])
    done = command("repair", "-d", broken_url, "--only", "T04,L03", "--apply", "--yes", "--json")
    assert done.code == 0
    assert [each["code"] for each in done.result["steps"]] == ["T04", "L03"]
    assert done.result["backup"] == str(tmp_path / "store.sqlite.repair.bak")
    assert content_hash(f"sqlite:///{done.result['backup']}", without=["repair_log"]) == before
    (logged,) = command("repair-log", "-d", broken_url, "--json").result
    assert (logged["batch"], logged["findings"], logged["changes"]) == (done.result["batch"], ["L03", "T04"], 2)
    assert done.result["batch"][:8] in command("repair-log", "-d", broken_url).out
    undone = command("repair-undo", done.result["batch"][:8], "-d", broken_url, "--yes")
    assert (undone.code, "2 changes of rows taken back" in undone.out) == (0, True)
    assert content_hash(broken_url, without=["repair_log"]) == before
    again = command("repair-undo", "-d", broken_url, "--yes")
    assert (again.code, len(again.err.splitlines())) == (3, 1)


def test_nobody_to_ask_changes_nothing(broken_url: str, command: Command) -> None:
    before = content_hash(broken_url)
    for words in (["repair", "--apply"], ["close-trade", "2", "--rate", "25"], ["delete-trade", "1"]):
        asked = command(*words, "-d", broken_url)
        assert asked.code == 2
        assert "Add --yes" in asked.err
    assert content_hash(broken_url) == before


def test_edits_by_hand(broken_url: str, command: Command) -> None:
    """Each is one command, and the last undo of as many brings everything back."""
    before = content_hash(broken_url, without=["repair_log"])
    edits = [
        ["edit-trade", "2", "leverage=1"],
        ["edit-order", "3", "ft_order_tag=first"],
        ["close-trade", "2", "--rate", "25", "--date", "2026-03-01T17:00:00", "--fee", "0"],
        ["reopen-trade", "2", "--drop-exit"],
        ["delete-order", "5"],
        ["rename-pair", "LTC/USDT", "LTX/USDT"],
        ["delete-trade", "2"],
    ]
    for words in edits:
        done = command(*words, "-d", broken_url, "--yes")
        assert (done.code, "Undo with `tradestore repair-undo" in done.out) == (0, True), done.err
    for _ in edits:
        assert command("repair-undo", "-d", broken_url, "--yes").code == 0
    assert content_hash(broken_url, without=["repair_log"]) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["close-trade", "1", "--rate", "3"], "Trade 1 is closed already"),
        (["edit-trade", "2", "amount=3"], "not for editing"),
        (["edit-trade", "2", "leverage"], "no FIELD=VALUE"),
        (["rename-pair", "LTC/USDT", "nonsense"], "no other pair"),
        (["repair", "--only", "Z99"], "no code Z99"),
        (["repair-undo"], "no repair that could be undone"),
    ],
)
def test_what_cannot_be_is_one_line(broken_url: str, command: Command, words: list[str], told: str) -> None:
    before = content_hash(broken_url)
    refused = command(*words, "-d", broken_url, "--yes")
    assert (refused.code, refused.out) == (3, "")
    assert len(refused.err.splitlines()) == 1
    assert told in refused.err
    assert content_hash(broken_url) == before


def test_missing_file_is_one_line(tmp_path: Path, command: Command) -> None:
    url = f"sqlite:///{tmp_path / 'missing.sqlite'}"
    for words in (["repair"], ["repair-log"], ["repair-undo", "--yes"], ["delete-trade", "1", "--yes"]):
        refused = command(*words, "-d", url)
        assert (refused.code, refused.out, len(refused.err.splitlines())) == (3, "", 1)
    assert not list(tmp_path.iterdir())
