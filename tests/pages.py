"""The pages of the documentation: their fences, and which of them are run.

========== =====================================================================================
fence      what becomes of it
========== =====================================================================================
python     all of a page are one script, which runs in a process of its own (test_docs_python.py)
py         is shown
console    lines with ``$ tradestore`` are run, one by one (test_docs.py)
shell      all of a page are one walk of a new user's shell (test_docs_shell.py)
text       directly after a python or shell fence: what that fence prints; ``...`` for anything
========== =====================================================================================

Python and console begin in a folder that has the known store, ``tradesv3.sqlite``. The Python fences of one title, such
as ``title="bot.py"``, are also a file of that name in the walk: what a reader has saved.
"""

import doctest
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CHECKOUT", "DOCS", "PAGES", "Fence", "fences_of", "is_printed", "name_of", "pages_with"]

CHECKOUT = Path(__file__).parents[1]
DOCS = CHECKOUT / "docs"
GENERATED = (DOCS / "reference", DOCS / "changelog.md")
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if not any(page.is_relative_to(path) for path in GENERATED)]

RUN = ("python", "console", "shell")
FENCE = re.compile(
    r"""
    ^```(?P<kind>\w+)(?:[ ]title="(?P<title>[\w.]+)")?[^\n]*\n
    (?P<text>.*?)
    ^```\n
    (?:\n*```text\n(?P<output>.*?)^```\n)?
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
INDENTED = re.compile(rf"^[ >]+```(?:{'|'.join(RUN)})\b", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """A fence of a page.

    Attributes:
        line: Where its text begins, counted from 1.
        text: What is in it.
        output: What is in the text fence directly after it; None if there is none.
        title: The name of the file that it is a part of; None without.
    """

    line: int
    text: str
    output: str | None
    title: str | None


def fences_of(page: Path, kind: str) -> list[Fence]:
    """Return a page's fences of one kind, in their order."""
    text = page.read_text(encoding="utf-8")
    assert not INDENTED.search(text), f"{name_of(page)}: an indented fence would not be run"
    return [
        Fence(text.count("\n", 0, found.start("text")) + 1, found["text"], found["output"], found["title"])
        for found in FENCE.finditer(text)
        if found["kind"] == kind
    ]


def pages_with(kind: str) -> list[Path]:
    """Return the pages that have a fence of a kind."""
    return [page for page in PAGES if fences_of(page, kind)]


def name_of(page: Path) -> str:
    """Return what a page is called in the documentation, such as ``tasks/postgresql.md``."""
    return page.relative_to(DOCS if page.is_relative_to(DOCS) else CHECKOUT).as_posix()


def is_printed(expected: str, printed: str, leniency: int = doctest.ELLIPSIS) -> bool:
    """Tell whether what was printed is what a page says."""
    return doctest.OutputChecker().check_output(expected, printed, leniency)
