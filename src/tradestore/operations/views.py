"""Views for dashboards and scripts: columns with plain names that stay as they are whatever becomes of the tables."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement

from tradestore._engine import masked, take_write_lock
from tradestore._errors import meaningful_errors
from tradestore.exceptions import OperationalException
from tradestore.operations._view_columns import ReadView, views_on
from tradestore.operations.opening import Place, open_to_change, open_to_read

__all__ = ["ViewState", "create_views", "drop_views", "list_views", "views_set_aside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewState:
    """A view, and whether it is there.

    Attributes:
        name: With its version.
        meaning: What a row of it is.
        columns: Their names.
        is_there: Whether the database has it now.
        is_changed: Whether that was done just now.
    """

    name: str
    meaning: str
    columns: tuple[str, ...]
    is_there: bool
    is_changed: bool = False


def create_views(place: Place, *, only: Collection[str] | None = None) -> list[ViewState]:
    """Make the views that are not there yet; those that are stay as they are.

    Args:
        place: A database URL, or the database that is open.
        only: The names of those to be made; all of them if None.

    Returns:
        All of them.

    Raises:
        OperationalException: If the engine does not let them be made, or as
            :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: If others keep the database locked.
    """
    with open_to_change(place) as store, _changing(store.engine) as connection:
        present = _present(connection)
        views = views_on(connection.dialect.name)
        made = {view.name for view in views if only is None or view.name in only} - present
        for view in views:
            if view.name in made:
                connection.execute(_CreateView(view))
        return [_state(view, is_there=view.name in present | made, is_changed=view.name in made) for view in views]


def drop_views(place: Place) -> list[ViewState]:
    """Remove the views; nothing else is touched.

    Args:
        place: A database URL, or the database that is open.

    Returns:
        All of them.

    Raises:
        OperationalException: If another view reads one of them, or as
            :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: If others keep the database locked.
    """
    with open_to_change(place) as store, _changing(store.engine) as connection:
        present = _present(connection)
        views = views_on(connection.dialect.name)
        for view in views:
            if view.name in present:
                connection.execute(_DropView(view))
        return [_state(view, is_there=False, is_changed=view.name in present) for view in views]


def list_views(place: Place) -> list[ViewState]:
    """Return all views, and whether they are there; nothing is changed.

    Args:
        place: A database URL, or the database that is open.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place) as store, meaningful_errors(), store.engine.connect() as connection:
        present = _present(connection)
        return [_state(view, is_there=view.name in present) for view in views_on(connection.dialect.name)]


@contextmanager
def views_set_aside(connection: Connection) -> Iterator[None]:
    """Drop the views that are there until the end of the block, so that tables can be replaced under them."""
    present = _present(connection)
    views = [view for view in views_on(connection.dialect.name) if view.name in present]
    for view in views:
        connection.execute(_DropView(view))
    yield
    for view in views:
        connection.execute(_CreateView(view))


class _CreateView(ExecutableDDLElement):
    def __init__(self, view: ReadView) -> None:
        self.view = view


class _DropView(ExecutableDDLElement):
    def __init__(self, view: ReadView) -> None:
        self.view = view


@compiles(_CreateView)
def _create(element: _CreateView, compiler: Any, **_: Any) -> str:
    # Else MariaDB would let nobody read it once the user who made it is gone.
    security = "SQL SECURITY INVOKER " if compiler.dialect.name in {"mysql", "mariadb"} else ""
    query = compiler.sql_compiler.process(element.view.query, literal_binds=True)
    return f"CREATE {security}VIEW {compiler.preparer.quote(element.view.name)} AS {query}"


@compiles(_DropView)
def _drop(element: _DropView, compiler: Any, **_: Any) -> str:
    return f"DROP VIEW {compiler.preparer.quote(element.view.name)}"


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    try:
        with meaningful_errors(), engine.begin() as connection:
            take_write_lock(connection)
            yield connection
    except DBAPIError as e:
        msg = (
            f"The views of {masked(engine.url)} cannot be changed ({str(e.orig).strip()}): give the user the right to "
            "create views, and rename or drop what has the name of one or reads one."
        )
        raise OperationalException(msg) from e


def _present(connection: Connection) -> set[str]:
    return set(inspect(connection).get_view_names())


def _state(view: ReadView, *, is_there: bool, is_changed: bool = False) -> ViewState:
    columns = tuple(column.name for column in view.columns)
    return ViewState(name=view.name, meaning=view.meaning, columns=columns, is_there=is_there, is_changed=is_changed)
