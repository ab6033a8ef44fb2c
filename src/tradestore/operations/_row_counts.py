"""How many rows the tables of a database have, whoever made them."""

from collections.abc import Iterable

from sqlalchemy import Connection, func, select, table

__all__ = ["row_counts"]


def row_counts(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return how many rows each of some tables has, by its name."""
    return {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in sorted(names)}
