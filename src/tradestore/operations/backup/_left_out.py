"""What of a database is no row: views and triggers, which not every kind of backup takes along."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, Engine, inspect, text

from tradestore.database import Database
from tradestore.exceptions import OperationalException
from tradestore.operations._endpoints import family
from tradestore.operations.views import create_views, list_views

__all__ = ["left_out_of", "make_views_again"]

_VIEW: Final = "view "
_TRIGGERS: Final = {
    "sqlite": text("SELECT name FROM sqlite_master WHERE type = 'trigger'"),
    "postgresql": text(
        "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        "WHERE NOT tgisinternal AND relnamespace = CAST(current_schema() AS regnamespace)"
    ),
    "mysql": text("SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = database()"),
}


def left_out_of(connection: Connection) -> tuple[str, ...]:
    """Return the views and triggers of a database, such as ``view winners``: a copy of its rows has none of them."""
    views = inspect(connection).get_view_names()
    triggers = connection.scalars(_TRIGGERS[family(connection)])
    return (*(f"{_VIEW}{name}" for name in sorted(views)), *(f"trigger {name}" for name in sorted(triggers)))


def make_views_again(target: Engine, left_out: Collection[str]) -> tuple[str, ...]:
    """Make those of the library's own views that were left out, unless they are there.

    Returns:
        What is missing still. Rows that were restored are not given up for a view.
    """
    if not left_out:
        return ()
    with target.connect() as connection:
        present = set(left_out_of(connection))
    missing = [name for name in left_out if name not in present]
    # As a database that is open: a URL would be taken for the one that all models use from now on.
    store = Database(target)
    own = {f"{_VIEW}{view.name}" for view in list_views(store)}
    try:
        create_views(store, only=[name.removeprefix(_VIEW) for name in missing if name in own])
    except OperationalException:
        return tuple(missing)
    return tuple(name for name in missing if name not in own)
