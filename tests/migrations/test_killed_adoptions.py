"""Openings of old and wrecked databases that are killed, at whichever statement: the next start finds everything."""

from functools import partial
from pathlib import Path

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


@pytest.mark.needs("first_driver")
@on_one_engine(
    Wreck("001", ()),
    Wreck("021", ()),
    Wreck("036", ()),
    Wreck("107", ()),
    Wreck("205", ()),
    Wreck("208", ()),
    Wreck("301", ()),
    Wreck("303", ()),
)
def test_adoption_that_is_killed(backend: Backend, wreck: Wreck, store_url: str, request, note_kills) -> None:
    """At whichever point: all is as it was or all is done, and the next start leaves the same as an undisturbed one."""

    def begin(url: str) -> None:
        if backend.networked:
            request.getfixturevalue("server").create_database()
        wreck.case.load(url)

    place = Place(store_url, begin)
    old = place.state()[0]
    start(store_url)
    new = place.state()[0]
    assert new != old
    place.restore()
    for found in place.states_after_kills(start, partial(note_kills, f"opening of {wreck.number}")):
        assert is_untouched(found, old) or is_done(found, new)
        start(store_url)
        now, files = place.state()
        assert now == new
        backups = [name for name in files if ".unstamped." in name]
        assert backups == (["store.sqlite.unstamped.bak"] if backend.in_process else [])
        for name in backups:
            assert state_of(f"sqlite:///{Path(str(place.folder)) / name}") == old
