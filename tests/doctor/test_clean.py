"""No false finding: clean stores, of all kinds of trades, and old ones after their upgrade."""

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doctor.planting import CLOSED, Bed, calm_surroundings
from tests.doctor.random_trades import random_trades
from tradestore import Database, Trade
from tradestore.operations.archive import archive
from tradestore.operations.doctor import Severity, diagnose
from tradestore.operations.repair import apply_repair, plan_repair
from tradestore.operations.views import create_views
from tradestore.testing import KNOWN_TRADES


@pytest.mark.needs("persistent", "first_driver")
def test_known_trades_are_clean(bed: Bed) -> None:
    for make in KNOWN_TRADES:
        bed.add(bed.known(make))
    found = bed.look()
    assert (found.findings, found.failed, found.worst, found.is_clean) == ([], [], None, True)


@pytest.mark.needs("persistent", "first_driver")
def test_two_thousand_random_trades_are_clean(bed: Bed) -> None:
    Trade.bulk_add(random_trades(2_000))
    seen: list[tuple[int, int | None]] = []
    found = bed.look(progress=lambda done, total: seen.append((done, total)))
    assert (found.findings, found.failed) == ([], [])
    assert seen[-1] == (2_003, 2_003)
    assert "S07" in found.ran


@pytest.mark.needs("persistent", "first_driver")
def test_what_the_operators_tools_leave_is_clean(bed: Bed, database: Database) -> None:
    """Archives with their sums, read views, and the log of a repair."""
    database.close()
    create_views(bed.url)
    archived = archive(bed.url, CLOSED + timedelta(days=1), bed.folder / "old.sqlite")
    bed.change("trades", 2, open_trade_value=1.0)
    repaired = apply_repair(bed.url, plan_repair(bed.url, only=["T07"]))
    found = diagnose(bed.url, **bed.arguments)
    assert (archived.trades, len(repaired.steps)) == (1, 1)
    assert (found.findings, found.failed) == ([], [])


@pytest.mark.needs("persistent", "one_writer")
def test_nothing_is_changed(bed: Bed, database: Database) -> None:
    """Neither by a byte of the file, nor by a file beside it."""
    Trade.session.remove()
    database.close()
    before = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in bed.folder.iterdir()}
    diagnose(bed.url, **bed.arguments)
    assert {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in bed.folder.iterdir()} == before


def test_a_store_in_memory_is_looked_at_through_its_database(tmp_path: Path, backend, database: Database) -> None:
    Trade.session.remove()
    found = diagnose(database, surroundings=calm_surroundings(tmp_path), skip=["E09"])
    assert found.worst in {None, Severity.INFO}
    assert not found.failed
