"""Whatever is wrong with a database, each command says so in a line, ends with an honest code, and changes nothing."""

import os
import re
import resource
import shutil
import signal
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

from tests.ciphers import quick_keys
from tests.cli.bad_databases import BAD_DATABASES, GOOD_DATABASES, NEW_KEY, as_nobody, give_away, locked, plain
from tests.cli.conftest import Command, Outcome
from tests.cli.every_command import ENTRIES, Entry
from tests.cli.prepared import DATABASE, Preparations, use, words_of
from tests.cli.terminals import in_terminal
from tradestore.cli.app import run

OPENING = {name: entry for name, entry in ENTRIES.items() if entry.opens}
CHANGING = {name: entry for name, entry in OPENING.items() if entry.changes}
PASSWORD = "s3cret-w0rd"
SERVERS = [f"{scheme}://bot:{PASSWORD}@127.0.0.1:1/trades" for scheme in ("postgresql", "mysql")]
INTERRUPTIONS = 4
REFUSED, BUSY, INTERRUPTED, PIPE_CLOSED = 3, 4, 130, 141
NAMES = re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""That are drawn anew each time."""

every_opening = pytest.mark.parametrize("name", OPENING)
every_changing = pytest.mark.parametrize("name", CHANGING)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with each of the databases, in a folder of its name."""
    folder = tmp_path_factory.mktemp("databases")
    with quick_keys():
        for name, make in (BAD_DATABASES | GOOD_DATABASES).items():
            (folder / name).mkdir()
            make(folder / name / DATABASE)
        yield folder


@pytest.fixture(scope="module")
def preparations(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Preparations:
    """Return what commands need."""
    return Preparations(databases, tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that other users may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("kind", BAD_DATABASES)
@every_opening
def test_bad_database_is_refused(
    kind: str, name: str, databases: Path, preparations: Preparations, place: Path, command: Command
) -> None:
    entry = OPENING[name]
    preparations.put(name, entry, place)
    (place / DATABASE).unlink()
    shutil.copytree(databases / kind, place, dirs_exist_ok=True)
    before = _content(place)

    outcome = _try(command, name, entry, place)

    if kind in _welcome(entry):
        assert outcome.code in {0, REFUSED}
        return
    _assert_refused(outcome, entry, {REFUSED})
    assert _content(place) == before


@every_opening
def test_locked_database_is_busy(name: str, preparations: Preparations, place: Path, command: Command) -> None:
    preparations.put(name, OPENING[name], place)
    before = _content(place)

    with locked(place / DATABASE):
        outcome = _try(command, name, OPENING[name], place)

    _assert_refused(outcome, OPENING[name], {BUSY})
    assert _content(place) == before


@every_opening
def test_database_without_permission_is_refused(
    name: str, preparations: Preparations, place: Path, command: Command
) -> None:
    preparations.put(name, OPENING[name], place)
    before = _content(place)
    give_away(place, but=DATABASE)
    (place / DATABASE).chmod(0o000)

    with as_nobody():
        outcome = _try(command, name, OPENING[name], place)

    (place / DATABASE).chmod(0o600)
    assert "may not be read" in outcome.err + outcome.out
    _assert_refused(outcome, OPENING[name], {REFUSED})
    assert _content(place) == before


@every_changing
def test_read_only_file_is_not_changed(name: str, preparations: Preparations, place: Path, command: Command) -> None:
    preparations.put(name, CHANGING[name], place)
    before = _content(place)
    give_away(place, but=DATABASE)
    (place / DATABASE).chmod(0o444)
    place.chmod(0o555)

    with as_nobody():
        outcome = _try(command, name, CHANGING[name], place)

    place.chmod(0o755)
    assert "may not be written" in _complaint(outcome)
    assert outcome.code in {REFUSED, BUSY}
    assert _content(place) == before


@every_changing
def test_full_disk_changes_nothing(name: str, preparations: Preparations, place: Path, command: Command) -> None:
    preparations.put(name, CHANGING[name], place)
    before = _dump(place)

    with _no_file_grows():
        outcome = _try(command, name, CHANGING[name], place)

    _assert_refused(outcome, CHANGING[name], {REFUSED})
    assert _rows(before, CHANGING[name]) == _rows(_dump(place), CHANGING[name])


@pytest.mark.parametrize("url", SERVERS, ids=["postgresql", "mysql"])
@every_opening
def test_absent_server_is_named_without_its_password(
    url: str,
    name: str,
    preparations: Preparations,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Command,
) -> None:
    preparations.put(name, OPENING[name], tmp_path)
    monkeypatch.setenv("TRADESTORE_DB_URL", url)
    monkeypatch.setenv("TRADESTORE_NEW_PASSWORD", NEW_KEY)
    words = [word.format(url=url, folder=tmp_path) for word in OPENING[name].words]

    outcome = command(*name.split(), *words)

    _assert_refused(outcome, OPENING[name], {REFUSED, BUSY})
    assert PASSWORD not in outcome.err + outcome.out


@every_opening
def test_interruption_leaves_nothing_half_done(
    name: str, preparations: Preparations, tmp_path: Path, command: Command
) -> None:
    entry = OPENING[name]
    with time_machine.travel(datetime(2026, 4, 1, tzinfo=UTC), tick=False):
        undisturbed = preparations.put(name, entry, tmp_path / "undisturbed")
        before = _dump(undisturbed)
        with _interrupted_at(None) as statements:
            assert _try(command, name, entry, undisturbed).code in {0, 1}
        after = _dump(undisturbed)
        for point in sorted({1 + len(statements) * each // INTERRUPTIONS for each in range(INTERRUPTIONS)}):
            folder = preparations.put(name, entry, tmp_path / str(point))
            with _interrupted_at(point):
                outcome = _try(command, name, entry, folder)
            assert _complaint(outcome).startswith("Interrupted")
            assert outcome.code == INTERRUPTED
            allowed = [_rows(each, entry) for each in (before, after)]
            assert _rows(_dump(folder), entry) in allowed, f"half done at statement {point}: {statements[point - 1]}"
        if "copy" not in name:
            assert _try(command, name, entry, folder).code in {0, 1, REFUSED}, "nothing may be in the way afterwards"


@every_opening
def test_reader_that_went_away_ends_it_quietly(
    name: str,
    preparations: Preparations,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    preparations.put(name, OPENING[name], place)
    use(OPENING[name], place, monkeypatch)
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    capfd.readouterr()
    with os.fdopen(writing_end, "w") as output, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", output)
        code = run(words_of(name, OPENING[name], place))
    assert code == PIPE_CLOSED
    assert _without_plan(capfd.readouterr().err) == ""


def test_ctrl_c_at_the_question_changes_nothing(databases: Path, place: Path) -> None:
    shutil.copytree(databases / "good", place, dirs_exist_ok=True)
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
def test_question_is_answered(answer: str, code: int, is_there: bool, databases: Path, place: Path) -> None:
    shutil.copytree(databases / "good", place, dirs_exist_ok=True)

    seen = in_terminal(
        *("kv", "delete", "bot_start_time", "--db-url", "sqlite:///tradesv3.sqlite"),
        folder=place,
        keys={"[y/N]": answer},
    )

    assert seen.code == code
    assert any("bot_start_time" in line for line in _dump(place)) is is_there


def _try(command: Command, name: str, entry: Entry, folder: Path) -> Outcome:
    with pytest.MonkeyPatch.context() as patched:
        use(entry, folder, patched)
        return command(*words_of(name, entry, folder))


def _welcome(entry: Entry) -> set[str]:
    """Return the kinds of bad databases that a command may work with."""
    kinds = {"older"} if entry.older else set()
    if entry.any_content:
        kinds |= {"another program's", "newer", "half a copy"}
    return kinds


def _assert_refused(outcome: Outcome, entry: Entry, codes: set[int]) -> None:
    if not entry.answers:
        assert _complaint(outcome).startswith("Error: ")
        assert outcome.code in codes
        return
    assert outcome.code == 1, outcome.out
    assert outcome.err == ""
    assert "failed" in outcome.out
    assert "Traceback" not in outcome.out


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
    return {str(each.relative_to(folder)): None if each.is_dir() else each.read_bytes() for each in folder.rglob("*")}


def _dump(folder: Path) -> list[str]:
    """Return all that the database of a folder has, whatever the folder is called."""
    with closing(plain(folder / DATABASE)) as connection:
        return [NAMES.sub("NAME", line.replace(str(folder), "FOLDER")) for line in connection.iterdump()]


def _rows(dump: list[str], entry: Entry) -> list[str]:
    """Return what of a database a command may change only as a whole."""
    return [line for line in dump if "sqlite_stat" not in line] if entry.in_steps else dump


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
