"""Openings of old and wrecked databases that are killed, at whichever statement: the next start finds everything."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.capabilities import Backend
from tests.migrations.states import State, state_of
from tests.migrations.test_killed_upgrades import Place, start
from tests.migrations.wrecks import Wreck, on_one_engine

OWN = "tradestore_new_"
"""How the names of tables begin that are made beside the old ones, where DDL commits by itself."""


def is_untouched(found: State, old: State) -> bool:
    """Tell whether a database is as it was, but for tables of our own that nobody reads."""
    ours = {name for name in found.rows if name.startswith(OWN)}
    return {name: rows for name, rows in found.rows.items() if name not in ours} == old.rows and {
        name: shape for name, shape in found.schema.items() if name not in ours
    } == old.schema


def is_done(found: State, new: State) -> bool:
    """Tell whether every row stands where it belongs; some table or mark without rows may be missing."""
    return all(found.rows.get(name) == rows for name, rows in new.rows.items() if rows and name != "alembic_version")


def see_kills(place: Place, note: Callable[[int, int], None], most: int | None) -> None:
    """Kill the opening of an old database at its points, each time from the beginning."""
    old = place.state()[0]
    start(place.url)
    new = place.state()[0]
    assert new != old
    place.restore()
    for found in place.states_after_kills(start, note, most):
        assert is_untouched(found, old) or is_done(found, new)
        start(place.url)
        now, files = place.state()
        assert now == new
        backups = [name for name in files if ".unstamped." in name]
        assert backups == (["store.sqlite.unstamped.bak"] if place.folder else [])
        for name in backups:
            assert state_of(f"sqlite:///{place.folder}/{name}") == old


@pytest.fixture
def place(backend: Backend, wreck: Wreck, store_url: str, request: pytest.FixtureRequest) -> Place:
    """Return an old database, which can be put back to where it began."""

    def begin(url: str) -> None:
        if backend.networked:
            request.getfixturevalue("server").create_database()
        wreck.make(url)

    return Place(store_url, begin)


@on_one_engine(Wreck("107", ()), Wreck("208", ()), Wreck("301", ()))
def test_adoption_that_is_killed(wreck: Wreck, place: Place, note_kills, most_kills) -> None:
    """At whichever point: all is as it was or all is done, and the next start leaves what an undisturbed one does."""
    see_kills(place, partial(note_kills, f"opening of {wreck}"), most_kills)


@pytest.mark.thorough
@on_one_engine(
    *(Wreck(number, ()) for number in ("001", "021", "036", "105", "201", "205", "303")),
    Wreck("005", (None,)),
    Wreck("203", (None, None)),
    Wreck("301", (None, None)),
)
def test_other_adoptions_that_are_killed(wreck: Wreck, place: Place, note_kills, most_kills) -> None:
    """The same for more old databases, and for wrecks."""
    see_kills(place, partial(note_kills, f"opening of {wreck}"), most_kills)
