"""Tables for orders that are about to be sent, for limits on open trades, and for commits whose outcome may be asked.

Where DDL commits by itself, a first try that was cut short has left some of them: only what is missing is created, and
only what is there is dropped.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from tradestore.exceptions import MigrationError

revision = "0005_order_intents"
down_revision = "0004_wider_pairs"

_MYSQL = ("mysql", "mariadb")
_DateTime = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_LongText = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
_INDEXES = {"order_intents": "state", "commit_tokens": "committed_at"}
_Items = tuple[sa.schema.SchemaItem, ...]


def upgrade() -> None:
    """Create the tables that are not there yet; where one of them is somebody else's, nothing at all."""
    present = sa.inspect(op.get_bind()).get_table_names()
    ours = _ours(op.get_bind())
    for name, items in _tables().items():
        if name in present and name not in ours:
            missing = ", ".join(_missing(op.get_bind(), name, items))
            msg = (
                f"A table {name!r} is there already that was not made by tradestore: it has no column {missing}. Give "
                "it another name, then start again."
            )
            raise MigrationError(msg)
    for name, items in _tables().items():
        if name not in present:
            op.create_table(name, *items, **_text_rules())
    for name, column in _INDEXES.items():
        if not _has_index(op.get_bind(), name, column):
            op.create_index(f"ix_{name}_{column}", name, [column])


def downgrade() -> None:
    """Drop the tables that are there, as long as they hold nothing that an operator would miss."""
    refuse_loss(op.get_bind())
    for name in reversed(_ours(op.get_bind())):
        op.drop_table(name)


def refuse_loss(connection: sa.Connection) -> None:
    """Refuse to forget what was sent to exchanges, and limits; tokens are of use for minutes only."""
    ours = _ours(connection)
    intents = sa.select(sa.func.count()).select_from(sa.table("order_intents"))
    if "order_intents" in ours and (count := connection.scalar(intents)):
        msg = (
            f"Without revision {revision!r} there is no place for intents of orders, but there are {count}. Nothing "
            "was changed: stay at this revision, or resolve them and delete them first (delete_intents)."
        )
        raise MigrationError(msg)
    table = sa.table("trade_limits", sa.column("max_open_trades"), sa.column("one_per_pair_and_side", sa.Boolean()))
    # The row stays when limits are lifted, and then holds none.
    is_limit = sa.or_(table.c.max_open_trades.is_not(None), table.c.one_per_pair_and_side == sa.true())
    limits = sa.select(sa.func.count()).select_from(table).where(is_limit)
    if "trade_limits" in ours and connection.scalar(limits):
        msg = (
            f"Without revision {revision!r} there is no place for limits on open trades, but there are some. Nothing "
            "was changed: stay at this revision, or lift the limits first (lift_limits)."
        )
        raise MigrationError(msg)


def _ours(connection: sa.Connection) -> list[str]:
    """Return which of the tables are there with all their columns."""
    present = sa.inspect(connection).get_table_names()
    return [name for name, items in _tables().items() if name in present and not _missing(connection, name, items)]


def _missing(connection: sa.Connection, name: str, items: _Items) -> list[str]:
    present = {column["name"] for column in sa.inspect(connection).get_columns(name)}
    return [item.name for item in items if isinstance(item, sa.Column) and item.name not in present]


def _has_index(connection: sa.Connection, name: str, column: str) -> bool:
    return any(index["column_names"] == [column] for index in sa.inspect(connection).get_indexes(name))


def _tables() -> dict[str, _Items]:
    return {"order_intents": _intents(), "trade_limits": _limits(), "commit_tokens": _tokens()}


def _intents() -> _Items:
    return (
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("client_order_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("ft_trade_id", sa.Integer()),
        sa.Column("exchange", sa.String(25)),
        sa.Column("pair", sa.String(50), nullable=False),
        sa.Column("side", sa.String(25), nullable=False),
        sa.Column("order_type", sa.String(50)),
        sa.Column("amount", sa.Double(), nullable=False),
        sa.Column("price", sa.Double()),
        sa.Column("order_tag", sa.String(255)),
        sa.Column("trade_fields", _LongText),
        sa.Column("order_id", sa.String(255)),
        sa.Column("error", sa.String(255)),
        sa.Column("created_at", _DateTime, nullable=False),
        sa.Column("updated_at", _DateTime),
        sa.UniqueConstraint("client_order_id", name="uq_order_intents_client_order_id"),
        # A trade that is deleted, by whatever program, must not be held back by what once was meant for it.
        sa.ForeignKeyConstraint(
            ["ft_trade_id"], ["trades.id"], name="order_intents_ft_trade_id_fkey", ondelete="SET NULL"
        ),
    )


def _limits() -> _Items:
    return (
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("max_open_trades", sa.Integer()),
        sa.Column("one_per_pair_and_side", sa.Boolean(), nullable=False),
        sa.Column("updated_at", _DateTime, nullable=False),
    )


def _tokens() -> _Items:
    return (
        sa.Column("token", sa.String(32), primary_key=True),
        sa.Column("committed_at", _DateTime, nullable=False),
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
