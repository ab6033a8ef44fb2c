"""A table that keeps what repairs and edits by hand found, row by row, so that they can be undone.

Where DDL commits by itself, a first try that was cut short may have left it without its index: only what is missing is
created.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from tradestore.exceptions import MigrationError

revision = "0006_repair_log"
down_revision = "0005_order_intents"

_MYSQL = ("mysql", "mariadb")
_DateTime = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_LongText = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
_TABLE, _INDEXED = "repair_log", "batch"


def upgrade() -> None:
    """Create the table if it isn't there yet, unless one of somebody else has its name."""
    connection = op.get_bind()
    if not sa.inspect(connection).has_table(_TABLE):
        op.create_table(_TABLE, *_items(), **_text_rules())
    elif missing := _missing(connection):
        msg = (
            f"A table {_TABLE!r} is there already that was not made by tradestore: it has no column "
            f"{', '.join(missing)}. Give it another name, then start again."
        )
        raise MigrationError(msg)
    if not any(index["column_names"] == [_INDEXED] for index in sa.inspect(connection).get_indexes(_TABLE)):
        op.create_index(f"ix_{_TABLE}_{_INDEXED}", _TABLE, [_INDEXED])


def downgrade() -> None:
    """Drop the table, as long as nobody could miss a row of it."""
    connection = op.get_bind()
    refuse_loss(connection)
    if _is_ours(connection):
        op.drop_table(_TABLE)


def refuse_loss(connection: sa.Connection) -> None:
    """Refuse to forget what can still be undone: only here is kept what was deleted. What was undone says nothing."""
    if not _is_ours(connection):
        return
    log = sa.table(_TABLE, sa.column("undone_at"))
    if count := connection.scalar(sa.select(sa.func.count()).select_from(log).where(log.c.undone_at.is_(None))):
        msg = (
            f"Without revision {revision!r} there is no place for the log of repairs, but it has {count} steps that "
            "can still be undone. Nothing was changed: stay at this revision, or undo them, or forget them "
            "(forget_repairs)."
        )
        raise MigrationError(msg)


def _is_ours(connection: sa.Connection) -> bool:
    return sa.inspect(connection).has_table(_TABLE) and not _missing(connection)


def _missing(connection: sa.Connection) -> list[str]:
    present = {column["name"] for column in sa.inspect(connection).get_columns(_TABLE)}
    return [item.name for item in _items() if item.name not in present]


def _items() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("batch", sa.String(36), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("done_at", _DateTime, nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("finding", sa.String(50)),
        sa.Column("table_name", sa.String(64)),
        sa.Column("row_id", sa.String(255)),
        sa.Column("before", _LongText),
        sa.Column("after", _LongText),
        sa.Column("reason", _LongText, nullable=False),
        sa.Column("backup", _LongText),
        sa.Column("undone_at", _DateTime),
    )


def _text_rules() -> dict[str, Any]:
    """Let MariaDB and MySQL tell texts apart by every character, as the other engines do."""
    dialect: Any = op.get_context().dialect
    if dialect.name not in _MYSQL:
        return {}
    collation = "utf8mb4_bin"
    if dialect.is_mariadb:
        collation = "utf8mb4_nopad_bin"
    elif dialect.server_version_info >= (8,):
        collation = "utf8mb4_0900_bin"
    rules = {"engine": "InnoDB", "charset": "utf8mb4", "collate": collation}
    return {f"{dialect.name}_{option}": value for option, value in rules.items()}
