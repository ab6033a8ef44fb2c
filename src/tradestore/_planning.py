"""SQL that lets an engine's planner use the indexes which are there."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["unindexed"]


class unindexed(FunctionElement[Any]):  # noqa: N801 - reads as the function that it is in SQL
    """A column that is to be filtered, sorted or grouped by without an index.

    SQLite counts no rows: it would rather walk through a whole table in the order of its key than sort the few that
    another index finds, and would fetch nearly all rows one by one by the flag that they share. The other engines know
    better, and get the column as it is.
    """

    inherit_cache = True


@compiles(unindexed)
def _as_it_is(element: unindexed, compiler: SQLCompiler, **kwargs: Any) -> str:
    return compiler.process(element.clauses, **kwargs)


@compiles(unindexed, "sqlite")
def _hidden_from_the_planner(element: unindexed, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"+{compiler.process(element.clauses, **kwargs)}"
