"""What the tests of old databases share: each database is loaded and opened once for all of a module's tests."""

import pytest

from tests.capabilities import Backend
from tests.migrations.adopted import Adopted, Adoptions
from tests.migrations.legacy import LegacyCase
from tests.servers import Server


@pytest.fixture(scope="module")
def adoptions(tmp_path_factory: pytest.TempPathFactory) -> Adoptions:
    """Return the databases that were opened so far in this module."""
    return Adoptions(tmp_path_factory.mktemp("legacy"))


@pytest.fixture
def server_or_none(backend: Backend, request: pytest.FixtureRequest) -> Server | None:
    """Return the server behind *backend*, None for a library inside the process."""
    return request.getfixturevalue("server") if backend.networked else None


@pytest.fixture
def adopted(backend: Backend, case: LegacyCase, adoptions: Adoptions, server_or_none: Server | None) -> Adopted:
    """Return an old database after it was opened; the test says with ``runs_of`` which ones."""
    return adoptions.of(case, backend, server_or_none)


@pytest.fixture
def old_url(case: LegacyCase, store_url: str) -> str:
    """Return an old database that nobody has opened yet, for the test alone."""
    case.load(store_url)
    return store_url
