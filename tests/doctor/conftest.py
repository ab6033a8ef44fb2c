"""A clean store to plant defects into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doctor.planting import Bed, calm_surroundings
from tradestore import Database, Trade


@pytest.fixture
def bed(database: Database, store_url: str, tmp_path: Path) -> Iterator[Bed]:
    """Return a store with clean trades, in surroundings in which nothing is wrong."""
    found = Bed(store_url, database, tmp_path, {"surroundings": calm_surroundings(tmp_path)})
    found.close_file()
    found.add_closed()
    found.add_open()
    found.add_futures()
    Trade.session.remove()
    yield found
    found.tidy()
