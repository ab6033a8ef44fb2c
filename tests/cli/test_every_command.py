"""What holds for each command: help, an example, a terminal of 80 columns, a pipe, JSON."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ciphers import quick_keys
from tests.cli.bad_databases import BAD_DATABASES, GOOD_DATABASES
from tests.cli.conftest import Command
from tests.cli.every_command import ENTRIES, Entry, command_names, command_tree
from tests.cli.prepared import DATABASE, Preparations, use
from tests.cli.prepared import words_of as filled
from tests.cli.terminals import COLUMNS, each_in_terminal, in_terminal

DOCS = Path(__file__).parents[2] / "docs"
FRAMES = re.compile(r"[\u2500-\u259f]")
TREE = dict(command_tree())

every_command = pytest.mark.parametrize("name", command_names())
every_entry = pytest.mark.parametrize(("name", "entry"), ENTRIES.items(), ids=ENTRIES)


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture(scope="module")
def preparations(tmp_path_factory: pytest.TempPathFactory) -> Preparations:
    """Return what commands need, with the trades whose numbers are known."""
    databases = tmp_path_factory.mktemp("databases")
    for name in {entry.works_on for entry in ENTRIES.values()}:
        (databases / name).mkdir()
        (BAD_DATABASES | GOOD_DATABASES)[name](databases / name / DATABASE)
    return Preparations(databases, tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def words_of(preparations: Preparations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what gives the words that try a command, on a store of its own."""

    def give(name: str, entry: Entry) -> list[str]:
        folder = preparations.put(name, entry, tmp_path / name.replace(" ", "-"))
        use(entry, folder, monkeypatch)
        return filled(name, entry, folder)

    return give


def test_each_command_has_an_entry() -> None:
    assert sorted(ENTRIES) == command_names()


@every_command
def test_help_fits_a_terminal_and_has_an_example(name: str) -> None:
    context = TREE[name].make_context(f"tradestore {name}", [], resilient_parsing=True)
    context.terminal_width = COLUMNS
    text = TREE[name].get_help(context)

    assert max(map(len, text.splitlines())) <= COLUMNS
    assert f"Example: tradestore {name}" in " ".join(text.split())
    assert not FRAMES.search(text)


def test_help_in_a_real_terminal(tmp_path: Path) -> None:
    seen = in_terminal("--help", folder=tmp_path)
    assert seen.code == 0
    assert max(map(len, seen.text.splitlines())) <= COLUMNS
    options, section, commands = seen.text.partition("See what is there:")
    assert section, options
    listed = re.findall(r"^  ([a-z-]+) ", commands, re.MULTILINE)
    assert sorted({name.split()[0] for name in command_names()}) == sorted(listed)
    assert "..." not in commands, "a description was cut off"


@every_command
def test_json_is_offered(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in TREE[name].params)


@every_command
def test_documentation_has_an_example(name: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")]
    assert any(re.search(rf"^\$ tradestore {name}\b", page, re.MULTILINE) for page in pages)


@every_command
def test_documentation_lists_it_with_its_page(name: str) -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    (link,) = re.findall(rf"^\| `{name}` \| [^|]+ \| \[[^]]+\]\(([^)]+)\) \|$", page, re.MULTILINE)
    file, _, heading = link.partition("#")
    target = (DOCS / file).read_text(encoding="utf-8") if file else page
    headings = [title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", target, re.MULTILINE)]
    assert not heading or heading in headings
    assert f"tradestore {name}" in target


@every_entry
def test_json_is_one_document(name: str, entry: Entry, words_of, command: Command) -> None:
    outcome = command(*words_of(name, entry), "--json")
    document = json.loads(outcome.out)
    assert outcome.code in {0, 1}, outcome.err
    assert list(document) == ["command", "schema", "result"]
    assert document["command"].startswith(name)


@every_entry
def test_pipe_gets_plain_lines(name: str, entry: Entry, words_of, command: Command) -> None:
    outcome = command(*words_of(name, entry))
    assert outcome.code in {0, 1}, outcome.err
    assert outcome.out
    assert "\x1b" not in outcome.out + outcome.err
    assert not FRAMES.search(outcome.out + outcome.err)
    assert all(line == line.rstrip() for line in outcome.out.splitlines())


def test_terminal_of_80_columns_gets_whole_lines(words_of, tmp_path: Path) -> None:
    readers = []
    for name, entry in ENTRIES.items():
        words = words_of(name, entry)
        takes_url = any(parameter.name == "db_url" for parameter in TREE[name].params)
        readers.append([*words, *(("--db-url", os.environ["TRADESTORE_DB_URL"]) if takes_url else ())])
    for words, seen in zip(readers, each_in_terminal(readers, folder=tmp_path), strict=True):
        assert seen.code in {0, 1}, (words, seen.text)
        assert seen.text.strip(), words
        # A path may be longer than a line.
        too_long = [line for line in seen.text.splitlines() if len(line) > COLUMNS and " " in line.strip()]
        assert not too_long, (words, seen.text)
        assert not re.search(r"[│┃]", seen.text)
        assert "…" not in seen.text, (words, "something was cut off", seen.text)


def test_colours_are_for_terminals_that_want_them(words_of, tmp_path: Path) -> None:
    words = words_of("trades", ENTRIES["trades"])
    colours = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    plain = in_terminal(*words, folder=tmp_path, environment={"NO_COLOR": "1"})
    assert not colours.search(plain.raw)


def test_reader_that_goes_away_ends_it_quietly(words_of, tmp_path: Path) -> None:
    command = f"{sys.executable} -m tradestore status --json | head -0; exit ${{PIPESTATUS[0]}}"
    words_of("status", ENTRIES["status"])
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (141, "", "")


def test_full_disk_behind_the_answer_is_told(words_of, tmp_path: Path) -> None:
    words_of("status", ENTRIES["status"])
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "tradestore", "status"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 3
    assert ended.stderr == "Error: No space left on device\n"


def test_ctrl_c_while_it_starts_ends_it_quietly(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-m", "tradestore", "status"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_without_typer_the_missing_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError(\"No module named 'typer'\", name='typer')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-m", "tradestore", "status"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "The command line needs typer: run pip install 'tradestore[cli]'.\n"
