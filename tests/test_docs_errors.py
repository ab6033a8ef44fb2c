"""docs/errors.md, the error index: each class has its section, which says truly what it is."""

import re
from collections.abc import Iterator

import pytest

from tests.pages import DOCS
from tradestore import exceptions

PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^###? |\Z)", PAGE, re.MULTILINE | re.DOTALL))

every_error = pytest.mark.parametrize("name", exceptions.__all__)


def test_every_error_has_one_section() -> None:
    assert sorted(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == sorted(exceptions.__all__)


@every_error
def test_place_in_the_tree_is_said_truly(name: str) -> None:
    told = re.match(r"\nIs an? `(\w+)`(?: and an? `(\w+)`)?\.\n", SECTIONS[name])
    assert told
    bases = getattr(exceptions, name).__bases__
    assert [each for each in told.groups() if each] == [base.__name__ for base in bases]


@every_error
def test_error_is_told_completely(name: str) -> None:
    """What to do, whether something was stored, and whether to try again: in this order, each once."""
    assert re.findall(r"^- \*\*(.+?)\.\*\* \S", SECTIONS[name], re.MULTILINE) == ["What to do", "Stored", "Again"]


@every_error
def test_tree_of_the_module_has_the_error_at_its_place(name: str) -> None:
    assert (name, *_parents(name)) in set(_drawn())


def _parents(name: str) -> Iterator[str]:
    for parent in getattr(exceptions, name).__mro__[1:]:
        if parent.__module__ == exceptions.__name__:
            yield parent.__name__


def _drawn() -> Iterator[tuple[str, ...]]:
    """Yield each line of the tree in the docstring as its name and those above it."""
    above: list[str] = []
    for prefix, name in re.findall(r"^    ([│ ├└─]*)(\w+)\b", exceptions.__doc__ or "", re.MULTILINE):
        above[len(prefix) // 4 :] = [name]
        yield tuple(reversed(above))
