"""Backups and restores killed at any moment: what was there before is unharmed, and the next run works."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import inspect

from tests.builders import store, trade_with_entry
from tests.migrations.kills import Point, finishes, points_of, spread
from tests.operations.furniture import furnish, plain_engine, tell
from tradestore import Trade, init_db
from tradestore.operations.backup import back_up, list_backups, restore, verify_backup
from tradestore.operations.content import content_hash

Choice = Callable[[list[Point]], list[Point]]
FEW = 4
RESTORES = 3
FEW_ON_SERVERS = 2
LOCK = ".tradestore-backup.lock"


@pytest.fixture
def small_url(tmp_path: Path) -> str:
    """Return the URL of a file with a trade, whose newest rows are in its log."""
    url = f"sqlite:///{tmp_path / 'bot.sqlite'}"
    database = init_db(url)
    store(trade_with_entry())
    Trade.session.remove()
    database.close()
    return url


@pytest.fixture
def chosen(request: pytest.FixtureRequest) -> Choice:
    """Return what chooses a few points, or takes all of them with --thorough."""
    if request.config.getoption("thorough"):
        return lambda points: points
    return lambda points: random.Random(7).sample(points, min(FEW, len(points)))


def _back_up(folder: Path, url: str) -> None:
    back_up(url, folder, keep=2)


@pytest.mark.needs("networked", "first_driver")
def test_killed_restore_on_a_server(
    small_url: str, store_url: str, tmp_path: Path, request: pytest.FixtureRequest, note_kills: Callable[..., None]
) -> None:
    """The target is what it was, or complete, and the next restore clears away what was left beside it."""
    made = back_up(small_url, tmp_path / "backups")
    furnish(store_url, trades=2, own=False)
    before = content_hash(store_url)
    work = partial(_restore, made.path)
    every = points_of(work, store_url)
    assert content_hash(store_url) == made.manifest.content
    # The tables take their places in the last steps.
    few = [*spread(every[:-8], FEW_ON_SERVERS), *spread(every[-8:], FEW_ON_SERVERS)]
    points = every if request.config.getoption("thorough") else few
    tell(store_url, "UPDATE trades SET exit_reason = 'later'")
    before = content_hash(store_url)
    assert before != made.manifest.content
    for point in points:
        assert not finishes(work, store_url, point), point
        found = content_hash(store_url)
        assert found in [before, made.manifest.content], point
        if found != before:
            tell(store_url, "UPDATE trades SET exit_reason = 'later'")
    # The server may take a moment to notice that the last one is gone; the restore after that clears up behind it.
    for _ in range(RESTORES):
        restore(made.path, store_url, force=True)
        with plain_engine(store_url) as engine:
            left = [name for name in inspect(engine).get_schema_names() if "_scratch_" in name or "_restore" in name]
        if not left:
            break
    assert left == []
    assert content_hash(store_url) == made.manifest.content
    note_kills("restores", len(points), len(every))


def _restore(backup: Path, url: str) -> None:
    restore(backup, url, force=True)


def test_killed_backup(small_url: str, tmp_path: Path, chosen: Choice) -> None:
    folder, before = tmp_path / "backups", content_hash(small_url)
    work = partial(_back_up, folder)
    oldest = back_up(small_url, folder).path
    points = points_of(work, small_url)
    assert len(points) > FEW
    for point in chosen(points):
        known = {backup.path for backup in list_backups(folder)}
        assert not finishes(work, small_url, point), point
        assert content_hash(small_url) == before, point
        present = {backup.path for backup in list_backups(folder)}
        # A new one may be in place already, and then the oldest one may be gone.
        assert len(known & present) >= len(known) - len(present - known), point
        for path in present:
            assert verify_backup(path).restored, point
        back_up(small_url, folder, keep=2)
        kept = [backup.path.name for backup in list_backups(folder)]
        assert len(kept) == 2, point
        assert {path.name for path in folder.iterdir()} == {LOCK, *kept, *(f"{name}.json" for name in kept)}, point
    assert oldest.parent == folder


def test_killed_restore(small_url: str, tmp_path: Path, chosen: Choice) -> None:
    made = back_up(small_url, tmp_path / "backups")
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    work = partial(_restore, made.path)
    restore(made.path, target)
    points = points_of(work, target)
    assert len(points) >= 8
    for point in chosen(points):
        database = init_db(target)
        Trade.session.get_one(Trade, 1).exit_reason = f"{point.number} {point.side}"
        Trade.commit()
        Trade.session.remove()
        database.close()
        before = content_hash(target)
        assert not finishes(work, target, point), point
        assert content_hash(target) in [before, made.manifest.content], point
        assert verify_backup(made.path).restored, point
        restore(made.path, target, force=True)
        assert content_hash(target) == made.manifest.content, point
        assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")], point
