"""`tradestore copy`: from file to file, to every engine, and what it refuses."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.cli.bad_databases import BAD_DATABASES
from tests.cli.conftest import Command
from tests.cli.stores import write_known_store
from tests.cli.terminals import COLUMNS, in_terminal
from tests.migrations.legacy import contents
from tradestore.migrations import VERSION_TABLE


@pytest.fixture
def source_url(tmp_path: Path) -> str:
    """Return the URL of a file with the trades whose numbers are known."""
    url = f"sqlite:///{tmp_path / 'source.sqlite'}"
    write_known_store(url)
    return url


@pytest.mark.needs("persistent", "first_driver")
def test_copy_has_all_rows(source_url: str, store_url: str, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    # As whoever has a password in a URL should do it.
    target = f"{store_url}_copy" if store_url.startswith("sqlite") else store_url
    monkeypatch.setenv("TARGET", target)
    outcome = command("copy", source_url, "env:TARGET", "--json")
    assert outcome.code == 0, outcome.err
    tables = {each["name"]: (each["rows"], each["copied"]) for each in outcome.result["tables"]}
    assert (tables["trades"], tables["orders"], tables["pairlocks"]) == ((4, 4), (9, 9), (2, 2))
    counted = {name: len(rows) for name, rows in contents(target).items()}
    assert counted == {name: len(rows) for name, rows in contents(source_url).items()}
    again = command("copy", source_url, "env:TARGET", "--json").result["tables"]
    assert sum(each["copied"] for each in again) == 0


def test_merge_adds_to_what_the_target_has(source_url: str, tmp_path: Path, command: Command) -> None:
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    write_known_store(target)
    command("kv", "set", "own", "value", "--yes", "--db-url", target)
    command("custom-data", "delete", "2", "--all", "--yes", "--db-url", target)
    before = contents(target)

    refused = command("copy", source_url, target)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (3, "", 1)
    assert contents(target) == before

    outcome = command("copy", source_url, target, "--merge", "--json")
    assert outcome.code == 0, outcome.err
    assert sum(each["copied"] for each in outcome.result["tables"]) == 1
    after = contents(target)
    assert [row["cd_key"] for row in after["trade_custom_data"]] == ["target"]
    assert {row["key"] for row in after["KeyValueStore"]} == {"bot_start_time", "own"}


@pytest.mark.parametrize("kind", ["folder", "text", "newer", "older", "damaged"])
def test_target_that_cannot_take_it_is_refused(kind: str, source_url: str, tmp_path: Path, command: Command) -> None:
    target = tmp_path / "target.sqlite"
    BAD_DATABASES[kind](target)
    before = None if target.is_dir() else target.read_bytes()

    refused = command("copy", source_url, f"sqlite:///{target}")

    assert (refused.code, refused.out, len(refused.err.splitlines())) == (3, "", 1), refused.err
    assert (None if target.is_dir() else target.read_bytes()) == before


def test_target_in_a_missing_folder_is_refused(source_url: str, tmp_path: Path, command: Command) -> None:
    refused = command("copy", source_url, f"sqlite:///{tmp_path / 'nowhere' / 'target.sqlite'}")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (3, "", 1)
    assert not (tmp_path / "nowhere").exists()


def test_copy_onto_itself_is_refused(source_url: str, command: Command) -> None:
    refused = command("copy", source_url, source_url)
    assert (refused.code, refused.out) == (3, "")
    assert "same database" in refused.err


def test_variable_that_is_not_set_is_named(source_url: str, command: Command) -> None:
    refused = command("copy", source_url, "env:NO_SUCH_URL")
    assert (refused.code, refused.out) == (3, "")
    assert "NO_SUCH_URL" in refused.err


def test_terminal_is_left_with_the_table_alone(source_url: str, tmp_path: Path) -> None:
    seen = in_terminal("copy", source_url, f"sqlite:///{tmp_path / 'target.sqlite'}", folder=tmp_path)
    assert seen.code == 0
    assert max(map(len, seen.text.splitlines())) <= COLUMNS
    assert [line.split() for line in seen.text.splitlines() if line.startswith("trades ")] == [["trades", "4", "4"]]
    assert VERSION_TABLE not in seen.text


@pytest.mark.needs("networked", "first_driver")
def test_password_of_each_end_comes_from_a_file(store_url: str, tmp_path: Path, command: Command) -> None:
    """There and back again, with URLs that have none; the other end's file opens nothing."""
    write_known_store(store_url)
    url = make_url(store_url)
    bare, file, wrong = str(url.set(password=None)), tmp_path / "password", tmp_path / "wrong"
    for each, text in ((file, str(url.password)), (wrong, "nothing")):
        each.write_text(f"{text}\n")
        each.chmod(0o600)
    there = f"sqlite:///{tmp_path / 'copy.sqlite'}"

    assert command("copy", bare, there, "--source-password-file", str(wrong)).code == 3
    out = command("copy", bare, there, "--source-password-file", str(file), "--json")
    assert out.code == 0, out.err
    back = command("copy", there, bare, "--merge", "--target-password-file", str(file), "--json")
    assert back.code == 0, back.err
    assert {each["name"]: each["rows"] for each in back.result["tables"]}["trades"] == 4
    refused = command("copy", bare, there, "--target-password-file", str(file))
    assert (refused.code, refused.out) == (3, "")
    assert "has no password" in refused.err
