"""PostgreSQL's views, which go by the table that they were made on, not by its name."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError

from tradestore.adoption.attachments import run_statement
from tradestore.adoption.table_settings import settings_on
from tradestore.exceptions import MigrationError

__all__ = ["View", "make_anew", "views_on", "views_put_away"]

logger = logging.getLogger(__name__)

_READERS: Final = text(
    "WITH RECURSIVE readers(id) AS ("
    "SELECT c.oid FROM pg_class c WHERE c.relname IN :names AND c.relkind = 'r' AND pg_table_is_visible(c.oid) "
    "UNION SELECT v.oid FROM readers JOIN pg_depend d ON d.refobjid = readers.id "
    "AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite r ON r.oid = d.objid "
    "JOIN pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')) "
    "SELECT CAST(CAST(v.oid AS regclass) AS text), CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, "
    "coalesce('WITH (' || array_to_string(v.reloptions, ', ') || ') ', ''), "
    "rtrim(pg_get_viewdef(v.oid), ';') || CASE WHEN v.relispopulated THEN '' ELSE ' WITH NO DATA' END "
    "FROM readers JOIN pg_class v ON v.oid = readers.id AND v.relkind IN ('v', 'm') ORDER BY v.oid"
).bindparams(bindparam("names", expanding=True))
_TRIGGERS_AND_INDEXES: Final = text(
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = CAST(:name AS regclass) AND NOT tgisinternal "
    "UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = CAST(:name AS regclass)"
)


@dataclass(frozen=True, slots=True)
class View:
    """A view as it is now.

    Attributes:
        name: Of the view, quoted.
        kind: What the engine calls its kind.
        options: How it was made, as the engine writes it.
        query: What it shows, by the present names of tables.
        belongings: The statements that make what hangs on it: triggers, indexes, settings.
    """

    name: str
    kind: str
    options: str
    query: str
    belongings: Sequence[str]


def views_on(connection: Connection, tables: Iterable[str]) -> list[View]:
    """Return the views that read tables, directly or through each other, in the order in which they were made."""
    found = connection.execute(_READERS, {"names": list(tables)}).all()
    return [View(name, kind, options, query, _belongings(connection, name)) for name, kind, options, query in found]


def _belongings(connection: Connection, name: str) -> list[str]:
    made = connection.scalars(_TRIGGERS_AND_INDEXES, {"name": name}).all()
    return [*made, *settings_on(connection, name)]


def make_anew(connection: Connection, views: Sequence[View]) -> None:
    """Let views read the tables that have the names now; one that asks for a column that is gone stays as it is."""
    try:
        with connection.begin_nested():
            _make(connection, views)
    except DBAPIError:
        for view in views:
            _make_if_possible(connection, view)


@contextmanager
def views_put_away(connection: Connection, tables: Iterable[str]) -> Iterator[None]:
    """Let tables change while no view holds their columns fast; other engines' views go by names and hold nothing.

    Args:
        connection: In a transaction that an error in the block, or a view that cannot be made again, ends.
        tables: Which.

    Raises:
        MigrationError: If a view asks for what is not there any more.
    """
    views = views_on(connection, tables) if connection.dialect.name == "postgresql" else []
    _drop(connection, views)
    yield
    for view in views:
        try:
            _create(connection, view)
        except DBAPIError as e:
            reason = str(e.orig).splitlines()[0].strip()
            msg = (
                f"The view {view.name} needs what is not there afterwards ({reason}). Nothing was changed: drop it "
                "before, by `tradestore views drop` if it is one of those."
            )
            raise MigrationError(msg) from e


def _make_if_possible(connection: Connection, view: View) -> None:
    try:
        with connection.begin_nested():
            _make(connection, [view])
    except DBAPIError as e:
        logger.warning(
            "The view %s still shows the backup of its tables, since it cannot be made on the new ones (%s): make it "
            "anew by hand.",
            view.name,
            str(e.orig).strip(),
        )


def _make(connection: Connection, views: Sequence[View]) -> None:
    _drop(connection, views)
    for view in views:
        _create(connection, view)


def _drop(connection: Connection, views: Sequence[View]) -> None:
    for view in reversed(views):
        run_statement(connection, f"DROP {view.kind} {view.name}")


def _create(connection: Connection, view: View) -> None:
    run_statement(connection, f"CREATE {view.kind} {view.name} {view.options}AS {view.query}")
    for statement in view.belongings:
        run_statement(connection, statement)
