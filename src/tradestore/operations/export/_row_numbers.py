"""Which row of an export became which row of the database, however many they are: on disk, not in memory."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

__all__ = ["RowNumbers"]


class RowNumbers:
    """The ids of rows in the database by their ids in an export; None of those that were passed over.

    SQLite keeps them in a file without a name, which is gone with the connection.
    """

    def __init__(self) -> None:
        """Begin without rows."""
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("CREATE TABLE ids (of, old, new, PRIMARY KEY (of, old)) WITHOUT ROWID")

    def __enter__(self) -> Self:
        """Return the numbers."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget them."""
        self._connection.close()

    def add(self, table: str, ids: Iterable[tuple[int, int | None]]) -> None:
        """Remember rows of a table: the id in the export, and that in the database.

        Args:
            table: Its name in the export.
            ids: None for rows that are not stored.
        """
        self._connection.executemany("INSERT INTO ids VALUES (?, ?, ?)", ((table, old, new) for old, new in ids))

    def known(self, table: str, ids: Iterable[int]) -> Mapping[int, int | None]:
        """Return those that were remembered."""
        query = "SELECT old, new FROM ids WHERE of = ? AND old IN (SELECT value FROM json_each(?))"
        return dict(self._connection.execute(query, (table, json.dumps(list(ids)))).fetchall())
