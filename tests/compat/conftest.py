"""A bot for each test, and an interpreter that looks afterwards as it did before."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tradestore
from tests.compat.bots import interpreter, modules_of, write_bot
from tradestore.compat import installed, uninstall

NAME = "tinybot"

# So that no test is the one that loads them.
for _name in tradestore.__all__:
    getattr(tradestore, _name)


@pytest.fixture(autouse=True)
def untouched_interpreter() -> Iterator[None]:
    """Take the mapping back, and look at everything that it may have changed."""
    before = interpreter()
    yield
    if report := installed():
        uninstall(report.package)
    uninstall(NAME)
    after = interpreter()
    for what, content in before.items():
        if what in {"module", "specs"}:  # Others are loaded meanwhile.
            assert content.items() <= after[what].items(), what
        elif what != "environment":
            assert after[what] == content, what


@pytest.fixture
def tinybot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str | None]], str]]:
    """Return what writes a bot, which can be imported from then on, and returns its name."""

    def write(files: dict[str, str | None]) -> str:
        write_bot(tmp_path, NAME, files)
        monkeypatch.syspath_prepend(tmp_path)
        return NAME

    yield write
    for name in modules_of(NAME):
        del sys.modules[name]


@pytest.fixture
def bot(tinybot: Callable[[dict[str, str | None]], str]) -> str:
    """Return the name of a bot that can be imported."""
    return tinybot({})
