"""What a database holds, read without the library: two databases with equal states are the same to a bot."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Engine, MetaData, NullPool, Table, create_engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from tradestore._engine import check_url

__all__ = ["State", "opened", "state_of"]


class State(NamedTuple):
    """A database.

    Attributes:
        schema: Of each table: columns, keys, indexes and references.
        rows: Of each table, by column.
    """

    schema: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]

    def holds(self, other: "State") -> bool:
        """Tell whether every row of another state is here, in all its columns."""
        return all(
            [{name: row[name] for name in rows[0]} for row in self.rows.get(table, [])] == rows
            for table, rows in other.rows.items()
            if rows and table != "alembic_version"
        )


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Give an engine that knows nothing of the library and leaves no connection behind."""
    engine = create_engine(check_url(url), poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()


def state_of(url: str) -> State:
    """Read a database."""
    with opened(url) as engine, engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        indexes = {name: found for (_, name), found in inspect(connection).get_multi_indexes().items()}
        schema = {name: _described(table, indexes[name]) for name, table in metadata.tables.items()}
        rows = {}
        for name in metadata.tables:
            quoted = connection.dialect.identifier_preparer.quote(name)
            found = connection.execute(text(f"SELECT * FROM {quoted}")).mappings().all()
            rows[name] = sorted((dict(row) for row in found), key=repr)
        return State(schema, rows)


def _described(table: Table, indexes: Iterable[ReflectedIndex]) -> dict[str, Any]:
    names = {index["name"]: index["column_names"] for index in indexes}
    return {
        "columns": [(column.name, str(column.type), column.nullable) for column in table.columns],
        "key": [column.name for column in table.primary_key],
        "references": sorted((key.parent.name, key.target_fullname) for key in table.foreign_keys),
        "indexes": sorted((str(name), columns) for name, columns in names.items()),
    }
