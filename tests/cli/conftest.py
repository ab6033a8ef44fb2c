"""A command as an operator starts it, within the test's process: what it prints, and how it ends."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.stores import write_known_store
from tradestore.cli.app import run


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """What the JSON document has as its result."""
        return json.loads(self.out)["result"]


Command = Callable[..., Outcome]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command by its words."""
    return commanding(capfd)


def commanding(capfd: pytest.CaptureFixture[str]) -> Command:
    """Return what the fixture ``command`` is, for tests that stand elsewhere."""

    def call(*words: object) -> Outcome:
        capfd.readouterr()
        code = run([str(word) for word in words])
        printed = capfd.readouterr()
        return Outcome(code, printed.out, printed.err)

    return call


@pytest.fixture
def known_url(store_url: str) -> str:
    """Return the URL of a store with the trades whose numbers are known; mark the test with ``needs("persistent")``."""
    write_known_store(store_url)
    return store_url
