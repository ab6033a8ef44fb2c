"""What the contract tests share: counted statements, and the figures of the recorded scenarios."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from sqlalchemy import event

import tradestore
from tests.conftest import ENGINE_PROPERTY

FIGURES = "vectors"

Watch = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture
def statements(database: tradestore.Database) -> Watch:
    """Return a context manager that lists every statement which goes to the database during its block."""

    @contextmanager
    def watch() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(database.engine, "before_cursor_execute", note)

    return watch


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many recorded scenarios gave the recorded results on each engine."""
    figures: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties = dict(getattr(report, "user_properties", ()))
            if FIGURES in properties and getattr(report, "when", None) == "call":
                sums = figures[properties.get(ENGINE_PROPERTY, "memory")]
                sums[:] = [a + b for a, b in zip(sums, properties[FIGURES], strict=True)]
    if figures:
        terminalreporter.section("recorded scenarios")
        for engine, (passed, total) in figures.items():
            terminalreporter.line(f"{engine}: {passed} of {total} as recorded")
