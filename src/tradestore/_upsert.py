"""Insert or update in one statement, which is all that several writers of one key need."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.dml import Insert

__all__ = ["upsert"]


def upsert(dialect: str, table: Table, key: Sequence[str], values: Mapping[str, Any]) -> Insert:
    """Return the statement that stores a row in place of the one that has the same key, if there is one.

    Args:
        dialect: Name of the engine's dialect.
        table: With a unique index on the key.
        key: Columns of that index.
        values: Of all columns that are stored, those of the key included.
    """
    rest = {name: value for name, value in values.items() if name not in key}
    if dialect in {"mysql", "mariadb"}:
        return mysql.insert(table).values(**values).on_duplicate_key_update(**rest)
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.values(**values).on_conflict_do_update(index_elements=list(key), set_=rest)
