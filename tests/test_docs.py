"""The commands in the documentation run as they stand there, and print what stands below them.

In a fence of the kind ``console``, a line that begins with ``$ tradestore`` is run, a page from top to bottom,
in an empty folder with the store ``tradesv3.sqlite``, which ``TRADESTORE_DB_URL`` names. It must end with 0, or as a
comment at its end says: ``# exit 3``. Lines below it are what it prints; ``...`` stands for anything, and none for
nothing that would have to be said. A line that ends with a backslash goes on in the next one.
"""

import doctest
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import commanding
from tests.cli.stores import write_known_store

DOCS = Path(__file__).parents[1] / "docs"
LENIENCY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Example:
    """A command of a page.

    Attributes:
        line: Where it stands.
        words: What it is called with.
        code: How it must end.
        output: What it must print; empty if the page doesn't say.
    """

    line: int
    words: list[str]
    code: int
    output: str


def examples_of(page: Path) -> list[Example]:
    """Return the commands of a page, in their order."""
    found: list[Example] = []
    text = page.read_text(encoding="utf-8")
    for fence in re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        first = text.count("\n", 0, fence.start(1)) + 1
        for block in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", fence[1], re.MULTILINE):
            command, _, comment = block[1].replace("\\\n", " ").partition("  # ")
            code = re.fullmatch(r"exit (\d+)", comment.strip())
            program, *words = shlex.split(command)
            assert program == "tradestore", f"{page.name}: {command!r} is no command of ours"
            line = first + fence[1].count("\n", 0, block.start())
            found.append(Example(line, words, int(code[1]) if code else 0, block[2].strip()))
    return found


PAGES = [page for page in sorted(DOCS.glob("*.md")) if examples_of(page)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADESTORE_DB_URL", "sqlite:///tradesv3.sqlite")
    write_known_store("sqlite:///tradesv3.sqlite")
    command = commanding(capfd)

    for example in examples_of(page):
        outcome = command(*example.words)
        where = f"{page.name}:{example.line}: tradestore {shlex.join(example.words)}\n{outcome.out}{outcome.err}"
        assert outcome.code == example.code, where
        if example.output:
            printed = (outcome.out or outcome.err).strip()
            assert doctest.OutputChecker().check_output(example.output, printed, LENIENCY), where
