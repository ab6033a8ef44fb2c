"""Fixtures for every test: the engines, a store on each of them, and a tidy house afterwards."""

import gc
import signal
import sqlite3
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy

from tests.capabilities import BACKENDS, Backend
from tradestore import Store, enable_database_use
from tradestore.testing import PostgresServer, Server, empty_memory, opened_store

# By hand, for a checkout that was installed before the plugin was there.
pytest_plugins = ["tradestore.testing.plugin", "tests.password_watch"]

# Recorded data, and a bot with tests of its own.
collect_ignore = ["data"]

# A busy machine is no reason to fail, and a test that fails must fail again.
hypothesis.settings.register_profile("tradestore", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("tradestore")

DRIVERS_MATTER = (
    "tests/contract/",
    "tests/migrations/test_legacy.py",
    "tests/migrations/test_revisions.py",
    "tests/operations/test_transfer.py",
    "tests/operations/test_transfer_odd_tables.py",
)
"""Where values pass the drivers: these tests run with each of them. The others take one for each engine, unless it is
named by `--engines`, or with `--thorough`."""

ONE_AT_A_TIME = "tests/test_docs_shell.py"
"""Takes minutes, one walk after the other: so it comes first, while there is other work for the other workers."""

MOST_KILLS = 24
"""At the most in one test, where every point takes a database that is made anew; all of them with `--thorough`."""

ENGINES_KEY = pytest.StashKey[list[Backend]]()
ENGINE_PROPERTY = "engine"
NOTE_PROPERTY = "note"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--engines`."""
    parser.addoption(
        "--engines",
        metavar="NAMES",
        help="run only on these engines, by id or its first word, such as: sqlite,mariadb (default: all)",
    )
    parser.addoption(
        "--thorough", action="store_true", help="run also what takes minutes: more old databases, killed everywhere"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read `--engines`, stop the servers also when the run is terminated, and read certificates once."""
    option = config.getoption("engines")
    names = option.split(",") if option else [backend.id for backend in BACKENDS]
    unknown = [name for name in names if not any(backend.is_one_of([name]) for backend in BACKENDS)]
    if unknown:
        known = ", ".join(backend.id for backend in BACKENDS)
        raise pytest.UsageError(f"--engines: {', '.join(unknown)} is unknown; known are {known}")
    config.stash[ENGINES_KEY] = [backend for backend in BACKENDS if backend.is_one_of(names)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell lets what it runs in the background ignore Ctrl-C, and so would every process that a test starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # PyMySQL reads all that the system trusts for every connection: that costs more than most tests' statements.
    patch = pytest.MonkeyPatch()
    patch.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
    config.add_cleanup(patch.undo)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses `backend` on all engines that have what the test needs, unless it names them itself."""
    own = any("backend" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "backend" in metafunc.fixturenames and not own:
        needs = [name for mark in metafunc.definition.iter_markers("needs") for name in mark.args]
        able = [backend for backend in BACKENDS if all(getattr(backend, name) for name in needs)]
        metafunc.parametrize("backend", able, ids=[backend.id for backend in able], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the engines that were not chosen, and what takes minutes unless it is asked for."""
    is_thorough = config.getoption("thorough")
    takes_all_drivers = is_thorough or config.getoption("engines")
    left_out = [
        item
        for item in items
        if ((backend := _backend_of(item)) and backend not in config.stash[ENGINES_KEY])
        or (backend and not (backend.first_driver or takes_all_drivers or item.nodeid.startswith(DRIVERS_MATTER)))
        or (item.get_closest_marker("thorough") and not is_thorough)
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        absent = set(left_out)
        items[:] = [item for item in items if item not in absent]
    items.sort(key=lambda item: not item.nodeid.startswith(ONE_AT_A_TIME))


def pytest_collection_finish() -> None:
    """Keep what stays until the end, thousands of tests, from being looked at by every collection of garbage."""
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which versions and engines are tested."""
    return [
        f"sqlalchemy {sqlalchemy.__version__}, sqlite {sqlite3.sqlite_version}",
        f"engines: {', '.join(backend.id for backend in config.stash[ENGINES_KEY])}",
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in the closing lines which engines ran, and why the others didn't."""
    ran = Counter(
        dict(report.user_properties).get(ENGINE_PROPERTY)
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call" and not report.skipped
    )
    terminalreporter.section("engines")
    for backend in BACKENDS:
        missing = backend.server.missing() if backend.server else None
        if backend not in config.stash[ENGINES_KEY]:
            verdict = "not chosen"
        elif missing:
            verdict = f"ABSENT: {missing}"
        else:
            verdict = f"{ran[backend.id]} tests ran"
        terminalreporter.line(f"{backend.id}: {verdict}")
    notes = [
        note
        for report in terminalreporter.stats.get("passed", [])
        for name, note in getattr(report, "user_properties", [])
        if name == NOTE_PROPERTY and report.when == "call"
    ]
    for section in sorted({section for section, _ in notes}):
        terminalreporter.section(section)
        for line in sorted(line for found, line in notes if found == section):
            terminalreporter.line(line)


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return the engine under test, with what it can do."""
    chosen: Backend = request.param
    request.node.user_properties.append((ENGINE_PROPERTY, chosen.id))
    return chosen


@pytest.fixture
def server(backend: Backend, request: pytest.FixtureRequest) -> Server:
    """Return the server behind *backend*; mark the test with `needs("networked")`."""
    name = "tradestore_postgresql_server" if backend.server is PostgresServer else "tradestore_mariadb_server"
    found: Server = request.getfixturevalue(name)
    return found


@pytest.fixture
def store_url(backend: Backend, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of its own for each test."""
    if backend.networked:
        server: Server = request.getfixturevalue("server")
        server.create_database()
        return server.url(backend.scheme)
    return f"sqlite:///{tmp_path / 'store.sqlite'}" if backend.persistent else "sqlite://"


@pytest.fixture
def note(backend: Backend, request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Return what adds a line about this engine to a section of the closing lines."""

    def add(section: str, line: str) -> None:
        request.node.user_properties.append((NOTE_PROPERTY, (section, f"{backend.id}: {line}")))

    return add


@pytest.fixture
def most_kills(request: pytest.FixtureRequest) -> int | None:
    """Return at how many points, spread over all, something is to be killed; None for every one."""
    return None if request.config.getoption("thorough") else MOST_KILLS


@pytest.fixture
def note_kills(note: Callable[[str, str], None]) -> Callable[..., None]:
    """Return what tells the closing lines at how many points something was killed, and out of how many."""

    def tell(what: str, points: int, every_point: int | None = None) -> None:
        out_of = "" if every_point in {None, points} else f" of {every_point}"
        note("killed and reopened", f"{what}, at {points}{out_of} points")

    return tell


@pytest.fixture
def database(store_url: str) -> Iterator[Store]:
    """Return an open store; afterwards every connection must be back in the pool."""
    with opened_store(store_url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _memory_emptied_and_off() -> Iterator[None]:
    yield
    empty_memory()
    enable_database_use()


def _backend_of(item: pytest.Item) -> Backend | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("backend") if callspec else None
