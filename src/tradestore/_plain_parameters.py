"""Numbers of other packages, as questions ask with them, in the form that every driver takes."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from types import NoneType
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

__all__ = ["take_foreign_numbers"]

_PLAIN: Final = frozenset({bool, bytes, date, datetime, Decimal, float, int, NoneType, str})


def take_foreign_numbers(engine: Engine) -> None:
    """Let statements ask with numbers from arrays and data frames: SQLite's driver would take them for raw bytes.

    Many rows at once are left as they are: what is stored was brought into its form before.
    """
    event.listen(engine, "before_cursor_execute", _with_plain_numbers, retval=True)


def _with_plain_numbers(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
) -> tuple[str, Any]:
    if executemany or not parameters:
        return statement, parameters
    if isinstance(parameters, Mapping):
        if not _PLAIN.issuperset(map(type, parameters.values())):
            return statement, {name: _plain(value) for name, value in parameters.items()}
    elif not _PLAIN.issuperset(map(type, parameters)):
        return statement, type(parameters)(map(_plain, parameters))
    return statement, parameters


def _plain(value: Any) -> Any:
    # What an array holds has a type of the array's, and knows the plain value that it stands for.
    return value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
