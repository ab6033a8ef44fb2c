"""The pytest plugin: a store for each test, on the engines that are chosen, and nothing left over afterwards.

Only one store is open at a time, as in a bot: a test that asks for two gets the last one that was opened in force.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tradestore import testing

if TYPE_CHECKING:
    from tradestore.store import Store
    from tradestore.testing.faults import Faults
    from tradestore.testing.servers import Server

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "serve",
    "tradestore_backtest",
    "tradestore_faults",
    "tradestore_mariadb",
    "tradestore_mariadb_server",
    "tradestore_memory",
    "tradestore_postgresql",
    "tradestore_postgresql_server",
    "tradestore_sqlite",
    "tradestore_store",
]

_ENGINES = ("memory", "sqlite", "postgresql", "mariadb")
_CHOSEN = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of engines, for the command line and the ini file."""
    group = parser.getgroup("tradestore", "stores of trades")
    meaning = f"engines of the fixture tradestore_store, out of: {' '.join(_ENGINES)}"
    group.addoption("--tradestore-engines", metavar="NAMES", help=f"{meaning}, with commas between them")
    parser.addini("tradestore_engines", meaning, type="args", default=["memory", "sqlite"])


def pytest_configure(config: pytest.Config) -> None:
    """Read the choice of engines."""
    option = config.getoption("tradestore_engines")
    names = option.split(",") if option else config.getini("tradestore_engines")
    unknown = [name for name in names if name not in _ENGINES]
    if unknown or not names:
        msg = f"tradestore_engines: {', '.join(unknown) or 'nothing'} is no choice out of {', '.join(_ENGINES)}"
        raise pytest.UsageError(msg)
    config.stash[_CHOSEN] = list(dict.fromkeys(names))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `tradestore_store` on each engine that is chosen, unless it names them itself."""
    if "tradestore_store" in metafunc.fixturenames and not _names_its_stores(metafunc):
        chosen: list[str] = metafunc.config.stash[_CHOSEN]
        metafunc.parametrize("tradestore_store", chosen, indirect=True)


def _names_its_stores(metafunc: pytest.Metafunc) -> bool:
    marks = metafunc.definition.iter_markers("parametrize")
    return any("tradestore_store" in (mark.args or [mark.kwargs["argnames"]])[0] for mark in marks)


@pytest.fixture
def tradestore_store(request: pytest.FixtureRequest) -> "Store":
    """Return an open and empty store; the test runs once on each engine of `tradestore_engines`."""
    store: Store = request.getfixturevalue(f"tradestore_{request.param}")
    return store


@pytest.fixture
def tradestore_memory() -> "Iterator[Store]":
    """Return an open and empty store: SQLite in memory."""
    with testing.opened_store("sqlite://") as store:
        yield store


@pytest.fixture
def tradestore_sqlite(tmp_path: Path) -> "Iterator[Store]":
    """Return an open and empty store: an SQLite file in the test's own folder."""
    with testing.opened_store(f"sqlite:///{tmp_path / 'tradestore.sqlite'}") as store:
        yield store


@pytest.fixture
def tradestore_postgresql(tradestore_postgresql_server: "Server") -> "Iterator[Store]":
    """Return an open and empty store on a private PostgreSQL."""
    tradestore_postgresql_server.create_database()
    with testing.opened_store(tradestore_postgresql_server.url("postgresql")) as store:
        yield store


@pytest.fixture
def tradestore_mariadb(tradestore_mariadb_server: "Server") -> "Iterator[Store]":
    """Return an open and empty store on a private MariaDB."""
    tradestore_mariadb_server.create_database()
    with testing.opened_store(tradestore_mariadb_server.url("mariadb")) as store:
        yield store


@pytest.fixture(scope="session")
def tradestore_postgresql_server() -> "Iterator[Server]":
    """Return a running PostgreSQL of our own; skip where it is not installed."""
    with serve(testing.PostgresServer) as server:
        yield server


@pytest.fixture(scope="session")
def tradestore_mariadb_server() -> "Iterator[Server]":
    """Return a running MariaDB of our own; skip where it is not installed."""
    with serve(testing.MariaDBServer) as server:
        yield server


@pytest.fixture
def tradestore_backtest() -> Iterator[None]:
    """Keep trades, locks and custom data in memory for this test, and empty it at both ends."""
    with testing.memory_mode():
        yield


@pytest.fixture
def tradestore_faults() -> "Faults":
    """Return what lets the open store fail on request."""
    return testing.Faults()


def serve(kind: "type[Server]") -> "Server":
    """Return a server that is not running yet; skip the test where it is not installed.

    With `TRADESTORE_REQUIRE_SERVERS=1` in the environment the test fails there.
    """
    missing = kind.missing()
    if missing and os.environ.get("TRADESTORE_REQUIRE_SERVERS") == "1":
        pytest.fail(f"TRADESTORE_REQUIRE_SERVERS=1, but {missing}", pytrace=False)
    if missing:
        pytest.skip(f"tradestore: no {kind.__name__}, {missing}")
    return kind()
