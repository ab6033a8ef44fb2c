"""Tables that know where archived trades are, and what they brought.

Where DDL commits by itself, a first try that was cut short has left some of it: only what is missing is created.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from tradestore.exceptions import MigrationError

revision = "0007_archives"
down_revision = "0006_repair_log"

_MYSQL = ("mysql", "mariadb")
_DateTime = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_LongText = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
_Items = tuple[sa.schema.SchemaItem, ...]
_INDEXES = (("archive_id",), ("closed_on",), ("pair", "closed_on"))


def upgrade() -> None:
    """Create the tables that are not there yet; where one of them is somebody else's, nothing at all."""
    connection = op.get_bind()
    present = sa.inspect(connection).get_table_names()
    for name, items in _tables().items():
        if name in present and (missing := _missing(connection, name, items)):
            msg = (
                f"A table {name!r} is there already that was not made by tradestore: it has no column "
                f"{', '.join(missing)}. Give it another name, then start again."
            )
            raise MigrationError(msg)
    for name, items in _tables().items():
        if name not in present:
            op.create_table(name, *items, **_text_rules())
    there = {index["name"] for index in sa.inspect(connection).get_indexes("archived_profits")}
    for columns in _INDEXES:
        name = f"ix_archived_profits_{'_'.join(columns)}"
        if name not in there:
            op.create_index(name, "archived_profits", [*columns])


def downgrade() -> None:
    """Drop the tables, as long as no trade is in an archive."""
    connection = op.get_bind()
    refuse_loss(connection)
    for name in reversed(_ours(connection)):
        op.drop_table(name)


def refuse_loss(connection: sa.Connection) -> None:
    """Refuse to forget what archived trades brought: all reports would be wrong."""
    table = sa.table("archived_profits", sa.column("trades", sa.Integer()))
    if table.name not in _ours(connection):
        return
    if count := connection.scalar(sa.select(sa.func.sum(table.c.trades))):
        msg = (
            f"Without revision {revision!r} there is no place for what archived trades brought, but there are {count} "
            "of them. Nothing was changed: stay at this revision, or put them back first (tradestore unarchive)."
        )
        raise MigrationError(msg)


def _ours(connection: sa.Connection) -> list[str]:
    """Return which of the tables are there with all their columns."""
    present = sa.inspect(connection).get_table_names()
    return [name for name, items in _tables().items() if name in present and not _missing(connection, name, items)]


def _missing(connection: sa.Connection, name: str, items: _Items) -> list[str]:
    present = {column["name"] for column in sa.inspect(connection).get_columns(name)}
    return [item.name for item in items if isinstance(item, sa.Column) and item.name not in present]


def _tables() -> dict[str, _Items]:
    return {"archives": _archives(), "archived_profits": _profits()}


def _archives() -> _Items:
    return (
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("file", _LongText, nullable=False),
        sa.Column("created_at", _DateTime, nullable=False),
        sa.UniqueConstraint("uuid", name="uq_archives_uuid"),
    )


def _profits() -> _Items:
    return (
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("archive_id", sa.Integer(), nullable=False),
        sa.Column("exchange", sa.String(25), nullable=False),
        sa.Column("pair", sa.String(50), nullable=False),
        sa.Column("stake_currency", sa.String(25)),
        sa.Column("strategy", sa.String(100)),
        sa.Column("is_short", sa.Boolean(), nullable=False),
        sa.Column("enter_tag", sa.String(255)),
        sa.Column("exit_reason", sa.String(255)),
        sa.Column("closed_on", _DateTime, nullable=False),
        sa.Column("trades", sa.Integer(), nullable=False),
        sa.Column("wins", sa.Integer(), nullable=False),
        sa.Column("close_profit", sa.Double(), nullable=False),
        sa.Column("close_profit_abs", sa.Double(), nullable=False),
        sa.Column("invested", sa.Double(), nullable=False),
        sa.Column("volume", sa.Double(), nullable=False),
        sa.Column("stake_amount", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["archive_id"], ["archives.id"], name="archived_profits_archive_id_fkey"),
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
