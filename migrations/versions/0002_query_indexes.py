"""Indexes for the questions that bots ask again and again."""

import sqlalchemy as sa
from alembic import op

revision = "0002_query_indexes"
down_revision = "0001_initial"

_INDEXES = {
    "trades": (("is_open", "close_date"), ("pair", "is_open", "close_date"), ("open_date",)),
    "pairlocks": (("active", "lock_end_time"),),
}


def upgrade() -> None:
    """Create the indexes that are not there yet: where DDL commits by itself, a first try may have left some."""
    for table, indexes in _INDEXES.items():
        present = _present(table)
        for columns in indexes:
            if (name := _name(table, columns)) not in present:
                op.create_index(name, table, list(columns))


def downgrade() -> None:
    """Drop the indexes that are there; one of somebody else's that has the name of one of them stays."""
    for table, indexes in _INDEXES.items():
        present = _present(table)
        for columns in indexes:
            if present.get(name := _name(table, columns)) == list(columns):
                op.drop_index(name, table)


def _present(table: str) -> dict[str | None, list[str | None]]:
    return {index["name"]: index["column_names"] for index in sa.inspect(op.get_bind()).get_indexes(table)}


def _name(table: str, columns: tuple[str, ...]) -> str:
    return "_".join(("ix", table, *columns))
