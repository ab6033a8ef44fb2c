"""SQL that lets an engine's planner use the indexes which are there."""

from typing import Any

from sqlalchemy import Boolean, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["Flag", "sorted_late"]


class Flag(Boolean):
    """A yes or no whose ``is_(True)`` is written as ``= true``: MariaDB uses no index for ``IS true``.

    In a filter both mean the same, also for a value that is missing.
    """

    class Comparator(Boolean.Comparator[bool]):
        """Compares with equality wherever a value is compared with."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> ColumnElement[Any]:
            """Take ``is_`` with True or False as ``==``."""
            is_flag = op is operators.is_ and isinstance(other[0], bool)
            return super().operate(operators.eq if is_flag else op, *other, **kwargs)

    comparator_factory = Comparator


class sorted_late(FunctionElement[Any]):  # noqa: N801 - reads as the function that it is in SQL
    """A column to sort or group by after the filter.

    SQLite would rather walk through a whole table in the order of its key than sort the few rows that an index finds.
    The other engines know how many rows there are, and get the column as it is.
    """

    inherit_cache = True


@compiles(sorted_late)
def _as_it_is(element: sorted_late, compiler: SQLCompiler, **kwargs: Any) -> str:
    return compiler.process(element.clauses, **kwargs)


@compiles(sorted_late, "sqlite")
def _hidden_from_the_planner(element: sorted_late, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"+{compiler.process(element.clauses, **kwargs)}"
