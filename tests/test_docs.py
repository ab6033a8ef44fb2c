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
from tests.pages import fences_of, is_printed, name_of, pages_with

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
    for fence in fences_of(page, "console"):
        for block in re.finditer(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", fence.text, re.MULTILINE):
            command, _, comment = block[1].replace("\\\n", " ").partition("  # ")
            code = re.fullmatch(r"exit (\d+)", comment.strip())
            program, *words = shlex.split(command)
            assert program == "tradestore", f"{name_of(page)}: {command!r} is no command of ours"
            line = fence.line + fence.text.count("\n", 0, block.start())
            found.append(Example(line, words, int(code[1]) if code else 0, block[2].strip()))
    return found


PAGES = [page for page in pages_with("console") if examples_of(page)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_of_a_page_run(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADESTORE_DB_URL", "sqlite:///tradesv3.sqlite")
    write_known_store("sqlite:///tradesv3.sqlite")
    command = commanding(capfd)

    for example in examples_of(page):
        outcome = command(*example.words)
        where = f"{name_of(page)}:{example.line}: tradestore {shlex.join(example.words)}\n{outcome.out}{outcome.err}"
        assert outcome.code == example.code, where
        if example.output:
            assert is_printed(example.output, (outcome.out or outcome.err).strip(), LENIENCY), where
