"""Documented names for reading the tables of older bots: columns as an inspector tells them, and backup tables."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["get_backup_name", "get_column_def", "has_column"]


def has_column(columns: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Tell whether a column is among those of a table.

    Args:
        columns: As ``inspect(engine).get_columns(table)`` returns them.
        name: Its name.
    """
    return any(column["name"] == name for column in columns)


def get_column_def(columns: Iterable[Mapping[str, Any]], column: str, default: str) -> str:
    """Return a column's name where the table has it, else what stands for it in a query.

    Args:
        columns: As ``inspect(engine).get_columns(table)`` returns them.
        column: Its name.
        default: An SQL expression, such as ``null`` or ``0.0``.
    """
    return column if has_column(columns, column) else default


def get_backup_name(tabs: Sequence[str], prefix: str) -> str:
    """Return a name for a backup table that no table has.

    Args:
        tabs: The tables whose names begin as that of the table to back up, itself among them.
        prefix: What the number goes behind, such as ``trades_bak``.

    Returns:
        The prefix with a number: that of the other tables, or the one after the highest that is in use.
    """
    numbered = re.compile(re.escape(prefix) + r"(\d+)", re.IGNORECASE)
    used = [int(found[1]) for each in tabs if (found := numbered.fullmatch(each))]
    return f"{prefix}{max(0, len(tabs) - 1, *(number + 1 for number in used))}"
