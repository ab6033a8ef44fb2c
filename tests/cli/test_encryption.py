"""`tradestore encrypt`, `rekey` and `decrypt`, one after the other as an operator would."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import store, trade_with_entry
from tests.ciphers import quick_keys
from tests.cli.conftest import Command
from tradestore import Trade
from tradestore.testing import opened_store

FIRST, SECOND = "s3cret one", "s3cret 'two'"


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Return a folder with a store and two files with keys."""
    with opened_store(f"sqlite:///{tmp_path / 'plain.sqlite'}"):
        store(trade_with_entry())
    for name, key in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).write_text(key)
        (tmp_path / name).chmod(0o600)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_way_there_and_back(folder: Path, command: Command) -> None:
    done = command("encrypt", "secret.sqlite", "-d", "sqlite:///plain.sqlite", "--new-password-file", "one", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.result["target"] == "sqlite+pysqlcipher://:***@/secret.sqlite"

    url = ("-d", "sqlite+pysqlcipher:///secret.sqlite")
    done = command("rekey", *url, "--password-file", "one", "--new-password-file", "two", "--yes", "--json")
    assert done.code == 0
    assert done.result["rows"] > 1
    assert command("status", *url, "--password-file", "one").code == 3
    assert command("status", *url, "--password-file", "two").code == 0

    done = command("decrypt", "back.sqlite", *url, "--password-file", "two")
    assert (done.code, done.err) == (0, "")
    assert "back.sqlite has all that is in" in done.out
    with opened_store("sqlite:///back.sqlite"):
        assert Trade.get_open_trade_count() == 1


def test_question_is_asked_before_the_key_changes(folder: Path, command: Command) -> None:
    """Where nobody can be asked, nothing is done."""
    command("encrypt", "secret.sqlite", "-d", "sqlite:///plain.sqlite", "--new-password-file", "one")
    url = ("-d", "sqlite+pysqlcipher:///secret.sqlite", "--password-file", "one")
    before = (folder / "secret.sqlite").read_bytes()
    done = command("rekey", *url, "--new-password-file", "two")
    assert (done.code, done.out) == (2, "")
    assert "Add --yes" in done.err
    assert (folder / "secret.sqlite").read_bytes() == before


def test_new_key_from_a_variable(folder: Path, command: Command, monkeypatch) -> None:
    monkeypatch.setenv("TRADESTORE_NEW_PASSWORD", FIRST)
    assert command("encrypt", "secret.sqlite", "-d", "sqlite:///plain.sqlite").code == 0
    assert command("status", "-d", "sqlite+pysqlcipher:///secret.sqlite", "--password-file", "one").code == 0


def test_no_new_key(folder: Path, command: Command) -> None:
    done = command("encrypt", "secret.sqlite", "-d", "sqlite:///plain.sqlite")
    assert (done.code, done.out) == (3, "")
    assert "give --new-password-file, or set TRADESTORE_NEW_PASSWORD" in done.err
    assert not (folder / "secret.sqlite").exists()
