"""Room for long pairs: an option's name, such as an exchange gives it, has more than 25 characters.

Where DDL commits by itself, a first try that was cut short has changed some columns: only the others are changed.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from tradestore._sqlite_tables import retype_columns
from tradestore.exceptions import MigrationError

revision = "0004_wider_pairs"
down_revision = "0003_backtest_runs"

_COLUMNS = {
    "trades": ("pair",),
    "orders": ("ft_pair", "symbol"),
    "pairlocks": ("pair",),
    "trade_custom_data": ("pair",),
    "backtest_trades": ("pair",),
    "backtest_orders": ("ft_pair", "symbol"),
}
_NARROW, _WIDE = 25, 50


def upgrade() -> None:
    """Widen the columns that are narrower."""
    _resize(_WIDE, list(range(_WIDE)))


def downgrade() -> None:
    """Narrow the columns, as long as every pair fits."""
    refuse_loss(op.get_bind())
    _resize(_NARROW, [_WIDE])


def refuse_loss(connection: sa.Connection) -> None:
    """Refuse to cut pairs."""
    found = [found for name, columns in _COLUMNS.items() for found in _too_long(connection, name, columns)]
    if found:
        msg = (
            f"Without revision {revision!r} a pair has {_NARROW} characters at the most, but there are longer ones: "
            f"{'; '.join(found)}. Nothing was changed: stay at this revision, or delete these rows first."
        )
        raise MigrationError(msg)


def _too_long(connection: sa.Connection, name: str, columns: tuple[str, ...]) -> Iterator[str]:
    inspector = sa.inspect(connection)
    if not inspector.has_table(name):
        return
    keys: list[sa.ColumnClause[Any]] = [
        sa.column(key) for key in inspector.get_pk_constraint(name)["constrained_columns"]
    ]
    size = sa.func.length if connection.dialect.name == "sqlite" else sa.func.char_length
    for column in columns:
        rows = sa.select(*keys).select_from(sa.table(name)).where(size(sa.column(column)) > _NARROW).order_by(*keys)
        count = connection.scalar(sa.select(sa.func.count()).select_from(rows.order_by(None).subquery()))
        if count:
            ids = ["/".join(map(str, row)) for row in connection.execute(rows.limit(5))]
            shown = ", ".join(ids) + (", …" if count > len(ids) else "")
            key_names = "/".join(key.name for key in keys)
            yield f"{count} in {name}.{column} ({key_names} {shown})"


def _resize(length: int, present_lengths: list[int]) -> None:
    connection = op.get_bind()
    for name, wanted in _COLUMNS.items():
        present = {column["name"]: column for column in sa.inspect(connection).get_columns(name)}
        columns = [each for each in wanted if getattr(present[each]["type"], "length", None) in present_lengths]
        if not columns:
            continue
        if connection.dialect.name == "sqlite":
            retype_columns(connection, name, dict.fromkeys(columns, f"VARCHAR({length})"))
            continue
        for column in columns:
            _resize_column(name, present[column], length)


def _resize_column(name: str, column: Any, length: int) -> None:
    kind: sa.String = sa.String(length)
    default = column["default"]
    if isinstance(column["type"], mysql.VARCHAR):
        # MariaDB forgets what a change does not repeat.
        kind = mysql.VARCHAR(length, charset=column["type"].charset, collation=column["type"].collation)
    op.alter_column(
        name,
        column["name"],
        type_=kind,
        existing_type=column["type"],
        existing_nullable=column["nullable"],
        existing_server_default=sa.text(default) if default is not None else False,
        existing_comment=column.get("comment"),
    )
