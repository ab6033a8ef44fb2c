"""Whatever is wrong with a database, each command says so in a line, ends with an honest code, and changes nothing."""

import os
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import Engine, event

from tests.cli.bad_databases import BAD_DATABASES, as_nobody, locked, with_journal
from tests.cli.conftest import Command, Outcome
from tests.cli.every_command import ENTRIES, Entry
from tests.cli.terminals import in_terminal
from tradestore.cli.app import run

OPENING = {name: entry for name, entry in ENTRIES.items() if entry.opens}
CHANGING = {name: entry for name, entry in OPENING.items() if entry.changes}
PASSWORD = "s3cret-w0rd"
SERVERS = [f"{scheme}://bot:{PASSWORD}@127.0.0.1:1/trades" for scheme in ("postgresql", "mysql")]
INTERRUPTIONS = 4
REFUSED, BUSY, INTERRUPTED, PIPE_CLOSED = 3, 4, 130, 141

every_opening = pytest.mark.parametrize("name", OPENING)
every_changing = pytest.mark.parametrize("name", CHANGING)


@pytest.fixture(scope="session")
def bad_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with each of the bad databases, in a folder of its name."""
    folder = tmp_path_factory.mktemp("bad")
    for name, make in BAD_DATABASES.items():
        (folder / name).mkdir()
        make(folder / name / "tradesv3.sqlite")
    (folder / "good").mkdir()
    with_journal(folder / "good" / "tradesv3.sqlite")
    return folder


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that other users may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("kind", BAD_DATABASES)
@every_opening
def test_bad_database_is_refused(kind: str, name: str, bad_databases: Path, place: Path, command: Command) -> None:
    entry = OPENING[name]
    shutil.copytree(bad_databases / kind, place, dirs_exist_ok=True)
    before = _content(place)

    outcome = _try(command, name, entry, place)

    if kind == "older" and entry.older:
        assert outcome.code in {0, REFUSED}
        return
    assert _complaint(outcome).startswith("Error: ")
    assert outcome.code == REFUSED
    assert _content(place) == before


@every_opening
def test_locked_database_is_busy(name: str, bad_databases: Path, place: Path, command: Command) -> None:
    shutil.copytree(bad_databases / "good", place, dirs_exist_ok=True)
    before = _content(place)

    with locked(place / "tradesv3.sqlite"):
        outcome = _try(command, name, OPENING[name], place)

    assert _complaint(outcome).startswith("Error: ")
    assert outcome.code == BUSY
    assert _content(place) == before


@every_opening
def test_database_without_permission_is_refused(name: str, bad_databases: Path, place: Path, command: Command) -> None:
    shutil.copytree(bad_databases / "good", place, dirs_exist_ok=True)
    before = _content(place)
    (place / "tradesv3.sqlite").chmod(0o000)

    with as_nobody():
        outcome = _try(command, name, OPENING[name], place)

    (place / "tradesv3.sqlite").chmod(0o600)
    assert "may not be read" in _complaint(outcome)
    assert outcome.code == REFUSED
    assert _content(place) == before


@every_changing
def test_read_only_file_is_not_changed(name: str, bad_databases: Path, place: Path, command: Command) -> None:
    _set_up(bad_databases, place, CHANGING[name])
    before = _content(place)
    (place / "tradesv3.sqlite").chmod(0o444)
    place.chmod(0o555)

    with as_nobody():
        outcome = _try(command, name, CHANGING[name], place)

    place.chmod(0o755)
    assert "may not be written" in _complaint(outcome)
    assert outcome.code in {REFUSED, BUSY}
    assert _content(place) == before


@every_changing
def test_full_disk_changes_nothing(name: str, bad_databases: Path, place: Path, command: Command) -> None:
    _set_up(bad_databases, place, CHANGING[name])
    before = _dump(place)

    with _no_file_grows():
        outcome = _try(command, name, CHANGING[name], place)

    assert _complaint(outcome).startswith("Error: ")
    assert outcome.code == REFUSED
    assert _dump(place) == before


@pytest.mark.parametrize("url", SERVERS, ids=["postgresql", "mysql"])
@every_opening
def test_absent_server_is_named_without_its_password(
    url: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setenv("TRADESTORE_DB_URL", url)
    words = [word.format(url=url, folder=tmp_path) for word in OPENING[name].words]

    outcome = command(*name.split(), *words)

    assert _complaint(outcome).startswith("Error: ")
    assert outcome.code in {REFUSED, BUSY}
    assert PASSWORD not in outcome.err


@every_opening
def test_interruption_leaves_nothing_half_done(
    name: str, bad_databases: Path, tmp_path: Path, command: Command
) -> None:
    with time_machine.travel(datetime(2026, 4, 1, tzinfo=UTC), tick=False):
        undisturbed = _set_up(bad_databases, tmp_path / "undisturbed", OPENING[name])
        before = _dump(undisturbed)
        with _interrupted_at(None) as statements:
            assert _try(command, name, OPENING[name], undisturbed).code in {0, 1}
        after = _dump(undisturbed)
        for point in sorted({1 + len(statements) * each // INTERRUPTIONS for each in range(INTERRUPTIONS)}):
            folder = _set_up(bad_databases, tmp_path / str(point), OPENING[name])
            with _interrupted_at(point):
                outcome = _try(command, name, OPENING[name], folder)
            assert _complaint(outcome).startswith("Interrupted")
            assert outcome.code == INTERRUPTED
            assert _dump(folder) in (before, after), f"half done at statement {point}: {statements[point - 1]}"
            if "copy" not in name:
                assert _try(command, name, OPENING[name], folder).code in {0, 1, REFUSED}


@every_opening
def test_reader_that_went_away_ends_it_quietly(
    name: str, bad_databases: Path, place: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(bad_databases / "good", place, dirs_exist_ok=True)
    words = _words(name, OPENING[name], place, monkeypatch)
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    with os.fdopen(writing_end, "w") as output, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output)
        code = run(words)
    assert code == PIPE_CLOSED
    assert _without_plan(capfd.readouterr().err) == ""


def test_ctrl_c_at_the_question_changes_nothing(bad_databases: Path, place: Path) -> None:
    shutil.copytree(bad_databases / "good", place, dirs_exist_ok=True)
    before = _content(place)

    seen = in_terminal(
        *("kv", "delete", "bot_start_time", "--db-url", "sqlite:///tradesv3.sqlite"),
        folder=place,
        keys={"[y/N]": "\x03"},
    )

    assert seen.code == INTERRUPTED
    assert "Interrupted" in seen.text
    assert "Traceback" not in seen.text
    assert _content(place) == before


@pytest.mark.parametrize(("answer", "code", "is_there"), [("y\n", 0, False), ("n\n", 1, True)])
def test_question_is_answered(answer: str, code: int, is_there: bool, bad_databases: Path, place: Path) -> None:
    shutil.copytree(bad_databases / "good", place, dirs_exist_ok=True)

    seen = in_terminal(
        *("kv", "delete", "bot_start_time", "--db-url", "sqlite:///tradesv3.sqlite"),
        folder=place,
        keys={"[y/N]": answer},
    )

    assert seen.code == code
    assert any("bot_start_time" in line for line in _dump(place)) is is_there


def _try(command: Command, name: str, entry: Entry, folder: Path) -> Outcome:
    with pytest.MonkeyPatch.context() as patched:
        return command(*_words(name, entry, folder, patched))


def _words(name: str, entry: Entry, folder: Path, patched: pytest.MonkeyPatch) -> list[str]:
    """Return the words of a command, with a database that is not waited for."""
    url = f"sqlite:///{folder / 'tradesv3.sqlite'}?busy_timeout=0.05"
    patched.setenv("TRADESTORE_DB_URL", url)
    return [*name.split(), *(word.format(url=url, folder=folder) for word in entry.words)]


def _set_up(bad_databases: Path, folder: Path, entry: Entry) -> Path:
    """Put the database that a command has work with into a folder, and return that."""
    return Path(shutil.copytree(bad_databases / entry.works_on, folder, dirs_exist_ok=True))


def _complaint(outcome: Outcome) -> str:
    """Return the only line that was printed, but for the plan."""
    assert outcome.out == ""
    lines = _without_plan(outcome.err).splitlines()
    assert len(lines) == 1, outcome.err
    assert "Traceback" not in lines[0]
    assert "a bug" not in lines[0]
    return lines[0]


def _without_plan(text: str) -> str:
    return "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(("This would be done:", "  * "))
    )


def _content(folder: Path) -> dict[str, bytes | None]:
    return {each.name: None if each.is_dir() else each.read_bytes() for each in folder.iterdir()}


def _dump(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "tradesv3.sqlite")) as connection:
        return list(connection.iterdump())


@contextmanager
def _no_file_grows() -> Iterator[None]:
    """Let every write behind the first page fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _interrupted_at(point: int | None) -> Iterator[list[str]]:
    """Press Ctrl-C before the statement of a number, and list all that were sent until then."""
    statements: list[str] = []

    def press(_connection: Any, _cursor: Any, statement: str, *_details: Any) -> None:
        statements.append(statement)
        if len(statements) == point:
            signal.raise_signal(signal.SIGINT)

    event.listen(Engine, "before_cursor_execute", press)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", press)
