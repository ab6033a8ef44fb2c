"""What the tests of faults share: a network of their own."""

from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy
from tests.servers import Server


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """Return a network between the store and its server."""
    server.start()
    with Proxy(server.port) as between:
        yield between
