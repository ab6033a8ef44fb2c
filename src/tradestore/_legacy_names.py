"""Names that other layers' upgrades have given and looked for."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["get_backup_name", "get_column_def", "has_column"]


def get_backup_name(tabs: Sequence[str], prefix: str) -> str:
    """Return a name for a backup that no table has yet.

    Args:
        tabs: All tables whose names begin with that of the table to back up, itself among them.
        prefix: The backup's name but for the number, ``trades_bak`` say.

    Returns:
        The prefix with a number: one less than there are tables, or above the highest that is there.
    """
    used = [int(match[1]) for name in tabs if (match := re.fullmatch(re.escape(prefix) + r"(\d+)", name))]
    return f"{prefix}{max(len(tabs) - 1, max(used, default=-1) + 1, 0)}"


def has_column(columns: Iterable[Mapping[str, Any]], name: str) -> bool:
    """Tell whether a column is among those that SQLAlchemy's inspector has found in a table."""
    return any(column["name"] == name for column in columns)


def get_column_def(columns: Iterable[Mapping[str, Any]], column: str, default: str) -> str:
    """Return a column's name if SQLAlchemy's inspector has found it in a table, else what stands in for it in SQL."""
    return column if has_column(columns, column) else default
