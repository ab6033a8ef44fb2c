"""PostgreSQL's views, which go by the table that they were made on, not by its name."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError

from tradestore.adoption.attachments import quoted, rights_on, run_statement

__all__ = ["View", "make_anew", "views_on"]

logger = logging.getLogger(__name__)

_READERS: Final = text(
    "WITH RECURSIVE readers(id) AS ("
    "SELECT c.oid FROM pg_class c WHERE c.relname IN :names AND c.relnamespace = current_schema()::regnamespace "
    "UNION SELECT v.oid FROM readers JOIN pg_depend d ON d.refobjid = readers.id "
    "AND d.classid = 'pg_rewrite'::regclass JOIN pg_rewrite r ON r.oid = d.objid "
    "JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v' "
    "AND v.relnamespace = current_schema()::regnamespace) "
    "SELECT v.relname, pg_get_viewdef(v.oid) FROM readers JOIN pg_class v ON v.oid = readers.id AND v.relkind = 'v' "
    "ORDER BY v.oid"
).bindparams(bindparam("names", expanding=True))


@dataclass(frozen=True, slots=True)
class View:
    """A view as it is now.

    Attributes:
        name: Of the view.
        query: What it shows, by the present names of tables.
        rights: The statements that give others their rights on it.
    """

    name: str
    query: str
    rights: Sequence[str]


def views_on(connection: Connection, tables: Iterable[str]) -> list[View]:
    """Return the views that read tables, directly or through each other, in the order in which they were made."""
    found = connection.execute(_READERS, {"names": list(tables)}).all()
    return [View(name, query, rights_on(connection, name)) for name, query in found]


def make_anew(connection: Connection, views: Sequence[View]) -> None:
    """Let views read the tables that have the names now; one that asks for a column that is gone stays as it is."""
    try:
        with connection.begin_nested():
            _make(connection, views)
    except DBAPIError:
        for view in views:
            _make_if_possible(connection, view)


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
    for view in reversed(views):
        run_statement(connection, f"DROP VIEW {quoted(connection, view.name)}")
    for view in views:
        run_statement(connection, f"CREATE VIEW {quoted(connection, view.name)} AS {view.query}")
        for right in view.rights:
            run_statement(connection, right)
