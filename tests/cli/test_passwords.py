"""Passwords come from files, variables and pipes, and never have to stand in the words of a command."""

import io
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.builders import store, trade_with_entry
from tests.ciphers import quick_keys
from tests.cli.conftest import Command
from tests.servers import PASSWORD
from tradestore import Database, Trade
from tradestore.cli._passwords import without_passwords
from tradestore.operations.encryption import url_with_key
from tradestore.testing import opened_store

SECONDS = 60


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """Return the URL of an encrypted file with a trade, without its key."""
    with opened_store(url_with_key(tmp_path / "secret.sqlite", PASSWORD)):
        store(trade_with_entry())
    return f"sqlite+pysqlcipher:///{tmp_path / 'secret.sqlite'}"


def written(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_key_from_a_file(secret: str, tmp_path: Path, command: Command, end: str) -> None:
    """Whatever ends its line."""
    found = command("status", "-d", secret, "--password-file", written(tmp_path / "key", PASSWORD + end), "--json")
    assert (found.code, found.err) == (0, "")
    assert found.result["open_trades"] == 1


def test_key_from_a_variable(secret: str, command: Command, monkeypatch) -> None:
    monkeypatch.setenv("TRADESTORE_DB_PASSWORD", PASSWORD)
    assert command("status", "-d", secret, "--json").result["open_trades"] == 1


def test_key_from_a_pipe(secret: str, command: Command, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    assert command("status", "-d", secret, "--password-file", "-", "--json").result["open_trades"] == 1


def test_whole_url_from_a_file(secret: str, tmp_path: Path, command: Command, monkeypatch) -> None:
    """It wins over the variable, which a shell may have set for good."""
    monkeypatch.setenv("TRADESTORE_DB_URL", f"sqlite:///{tmp_path / 'missing.sqlite'}")
    file = written(tmp_path / "url", url_with_key(tmp_path / "secret.sqlite", PASSWORD))
    assert command("status", "--db-url-file", file, "--json").result["open_trades"] == 1
    monkeypatch.delenv("TRADESTORE_DB_URL")
    assert command("status", "--db-url-file", file, "--json").result["open_trades"] == 1


def test_password_of_a_file_wins(secret: str, tmp_path: Path, command: Command, monkeypatch) -> None:
    """It was given for this command; a variable, and a URL, may be older."""
    monkeypatch.setenv("TRADESTORE_DB_PASSWORD", "s3cret, but another one")
    file = written(tmp_path / "key", PASSWORD)
    url = url_with_key(tmp_path / "secret.sqlite", "s3cret, but another one")
    assert command("status", "-d", url, "--password-file", file, "--json").result["open_trades"] == 1


def test_password_of_a_url_wins_over_the_variable(secret: str, tmp_path: Path, command: Command, monkeypatch) -> None:
    monkeypatch.setenv("TRADESTORE_DB_PASSWORD", "s3cret, but another one")
    url = url_with_key(tmp_path / "secret.sqlite", PASSWORD)
    assert command("status", "-d", url, "--json").result["open_trades"] == 1


def test_variable_that_is_meant_for_another_database(tmp_path: Path, command: Command, monkeypatch) -> None:
    """A plain file has no password, and the command works all the same."""
    with opened_store(f"sqlite:///{tmp_path / 'plain.sqlite'}"):
        store(trade_with_entry())
    monkeypatch.setenv("TRADESTORE_DB_PASSWORD", PASSWORD)
    assert command("status", "-d", f"sqlite:///{tmp_path / 'plain.sqlite'}", "--json").result["open_trades"] == 1


@pytest.mark.needs("networked", "first_driver")
def test_password_of_a_server(database: Database, store_url: str, tmp_path: Path, command: Command) -> None:
    store(trade_with_entry())
    Trade.session.remove()
    database.close()
    url = make_url(store_url)
    bare = f"{url.drivername}://{url.username}@{url.host}:{url.port}/{url.database}"
    found = command("status", "-d", bare, "--password-file", written(tmp_path / "password", PASSWORD), "--json")
    assert (found.code, found.err) == (0, "")
    assert found.result["open_trades"] == 1


def test_file_that_others_may_read_is_told(secret: str, tmp_path: Path, command: Command) -> None:
    file = written(tmp_path / "key", PASSWORD, 0o644)
    found = command("status", "-d", secret, "--password-file", file, "--json")
    assert found.code == 0
    assert found.err == f"Warning: others may read {file}: run chmod 600 {file}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "one line"), (b"\n", "one line"), (b"s3cret\ns3cret", "one line"), (b"s3cret\xff\xfe", "one line")],
)
def test_file_without_a_password(secret: str, tmp_path: Path, command: Command, content: bytes, message: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    found = command("status", "-d", secret, "--password-file", file)
    assert (found.code, found.out) == (3, "")
    assert message in found.err
    assert len(found.err.splitlines()) == 1
    assert "s3cret" not in found.err


@pytest.mark.parametrize(
    "words",
    [("--password-file", "missing"), ("--db-url-file", "missing"), ("--password-file", ".")],
)
def test_file_that_cannot_be_read(secret: str, tmp_path: Path, command: Command, monkeypatch, words) -> None:
    monkeypatch.chdir(tmp_path)
    url = () if words[0] == "--db-url-file" else ("-d", secret)
    found = command("status", *url, *words)
    assert (found.code, found.out) == (3, "")
    assert len(found.err.splitlines()) == 1


def test_two_urls_are_one_too_many(secret: str, tmp_path: Path, command: Command) -> None:
    file = written(tmp_path / "url", secret)
    assert command("status", "-d", secret, "--db-url-file", file).code == 2


def test_password_for_what_has_none(tmp_path: Path, command: Command) -> None:
    file = written(tmp_path / "key", PASSWORD)
    found = command("status", "-d", f"sqlite:///{tmp_path / 'plain.sqlite'}", "--password-file", file)
    assert found.code == 3
    assert "has no password" in found.err


def test_words_of_a_wrong_command_are_quoted_without_their_password(command: Command) -> None:
    """A URL that came where none belongs is shown by the complaint."""
    for word in ("postgresql://bot:s3cret@host/db", "mysql://bot:s3c/r@s3cret@host/db", "x://h/?password=s3cret"):
        found = command("status", "-d", "sqlite:///x", word)
        assert found.code == 2
        assert "s3cret" not in found.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at postgresql://bot:s3cret@host/db now", "at postgresql://***@host/db now"),
        ("at postgresql://bot:***@host/db now", "at postgresql://bot:***@host/db now"),
        ("at postgresql://bot@host/db now", "at postgresql://bot@host/db now"),
        ("see https://host:80/page and me@host", "see https://host:80/page and me@host"),
    ],
)
def test_what_is_taken_out_of_a_message(text: str, expected: str) -> None:
    assert without_passwords(text) == expected


def test_password_in_the_words_is_warned_of(tmp_path: Path) -> None:
    """On standard error: the answer is as it would be."""
    with opened_store(f"sqlite:///{tmp_path / 'plain.sqlite'}"):
        store(trade_with_entry())
    environment = os.environ | {"TRADESTORE_DB_URL": f"sqlite:///{tmp_path / 'plain.sqlite'}"}
    words = [sys.executable, "-m", "tradestore", "status", "--json"]
    ends = [
        subprocess.run([*words, *more], env=environment, capture_output=True, text=True, check=False)
        for more in ([], ["-d", "sqlite+pysqlcipher://:s3cret@/missing.sqlite"])
    ]
    assert (ends[0].returncode, ends[0].stderr) == (0, "")
    assert ends[1].stderr.startswith("Warning: other users of this machine can read the password in this command.")
    assert "s3cret" not in ends[1].stderr


def test_password_is_asked_for_without_echo(secret: str) -> None:
    """In a terminal, where nothing of what is typed is shown."""
    terminal, other = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "tradestore", "status", "-d", f"{secret}?kdf_iter=1000", "--password-file", "-"],
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    # The blank comes when the terminal shows nothing any more, and forgets what was typed before.
    shown = _read_until(terminal, b"Password: ")
    os.write(terminal, PASSWORD.encode() + b"\n")
    shown += _read_until(terminal, b"wallet_history")
    assert child.wait(SECONDS) == 0
    os.close(terminal)
    assert re.search(rb"open trades +1\b", shown)
    assert b"s3cret" not in shown


def _read_until(terminal: int, text: bytes) -> bytes:
    """Return what a terminal shows until a text is there, or nothing more comes for a long while."""
    shown = b""
    while text not in shown:
        assert select.select([terminal], [], [], SECONDS)[0], shown
        shown += os.read(terminal, 1000)
    return shown
