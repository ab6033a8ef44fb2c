"""Clean stores to plant defects into."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.doctor.planting import Bed, calm_surroundings
from tradestore import Database, Trade
from tradestore._session import bind
from tradestore.testing import opened_store


@pytest.fixture
def bed(database: Database, store_url: str, tmp_path: Path) -> Iterator[Bed]:
    """Return a store of its own with clean trades, in surroundings in which nothing is wrong."""
    found = Bed(store_url, database, tmp_path, {"surroundings": calm_surroundings(tmp_path)})
    found.sow()
    yield found
    found.tidy()


@pytest.fixture(scope="module")
def _common_bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bed, Path]]:
    folder = tmp_path_factory.mktemp("bed")
    url = f"sqlite:///{folder / 'store.sqlite'}"
    with opened_store(url) as database:
        found = Bed(url, database, folder, is_open_itself=True)
        found.sow()
        clean = tmp_path_factory.mktemp("clean") / "store.sqlite"
        _copy(found.file, clean)
        yield found, clean


@pytest.fixture
def cleared_bed(_common_bed: tuple[Bed, Path], tmp_path: Path) -> Iterator[Bed]:
    """Return a file with clean trades that is the same for all tests, and clean again for each."""
    common, clean = _common_bed
    bind(common.database.engine)
    _copy(clean, common.file)
    found = replace(common, arguments={"surroundings": calm_surroundings(tmp_path)}, held=[])
    yield found
    Trade.session.remove()
    found.tidy()
    for left in found.folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        elif not left.name.startswith("store.sqlite") or left.name.endswith("-journal"):
            left.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy a database by SQLite, which has both open."""
    read, written = sqlite3.connect(source), sqlite3.connect(target)
    read.backup(written)
    read.close()
    written.close()
