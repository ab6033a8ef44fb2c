"""Tables for finished backtests.

Where DDL commits by itself, a first try that was cut short has left some of them: only what is missing is created, and
only what is there is dropped.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

from tradestore.exceptions import MigrationError

revision = "0003_backtest_runs"
down_revision = "0002_query_indexes"

_MYSQL = ("mysql", "mariadb")
_DateTime = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_MODES = ("SPOT", "MARGIN", "FUTURES")
# The trades have created the type already.
_Mode = sa.Enum(*_MODES, name="tradingmode").with_variant(
    postgresql.ENUM(*_MODES, name="tradingmode", create_type=False), "postgresql"
)
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
            # A number that comes back would show a reader another run's trades as the rest of his own.
            op.create_table(name, *items, sqlite_autoincrement=name == "backtest_runs", **_text_rules())


def downgrade() -> None:
    """Drop the tables that are there, as long as they are empty."""
    refuse_loss(op.get_bind())
    for name in reversed(_ours(op.get_bind())):
        op.drop_table(name)


def refuse_loss(connection: sa.Connection) -> None:
    """Refuse to drop stored backtests."""
    if "backtest_runs" not in _ours(connection):
        return
    runs = sa.table("backtest_runs", sa.column("id"), sa.column("name"))
    names = connection.scalars(sa.select(runs.c.name).order_by(runs.c.id)).all()
    if names:
        shown = ", ".join(repr(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
        msg = (
            f"Without revision {revision!r} there is no place for finished backtests, but there are {len(names)}: "
            f"{shown}. Nothing was changed: stay at this revision, or delete them first (delete_backtest)."
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
    return {"backtest_runs": _runs(), "backtest_trades": _trades(), "backtest_orders": _orders()}


def _runs() -> _Items:
    return (
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("stored_at", _DateTime, nullable=False),
        sa.Column("strategy", sa.String(100)),
        sa.Column("timeframe", sa.Integer()),
        sa.Column("trade_count", sa.Integer(), nullable=False),
        sa.Column("total_profit", sa.Double(), nullable=False),
        sa.UniqueConstraint("name", name="uq_backtest_runs_name"),
    )


def _trades() -> _Items:
    return (
        _key("run_id"),
        _key("number"),
        sa.Column("id", sa.Integer()),
        _text("exchange", 25),
        _text("pair", 25),
        _text("base_currency", 25),
        _text("stake_currency", 25),
        sa.Column("is_open", sa.Boolean()),
        *_fees("open"),
        *_fees("close"),
        *_numbers("open_rate", "open_rate_requested", "open_trade_value", "close_rate", "close_rate_requested"),
        *_numbers("realized_profit", "close_profit", "close_profit_abs", "stake_amount", "max_stake_amount"),
        *_numbers("amount", "amount_requested"),
        sa.Column("open_date", _DateTime),
        sa.Column("close_date", _DateTime),
        *_numbers("stop_loss", "stop_loss_pct", "initial_stop_loss", "initial_stop_loss_pct"),
        sa.Column("is_stop_loss_trailing", sa.Boolean()),
        *_numbers("max_rate", "min_rate"),
        _text("exit_reason", 255),
        _text("exit_order_status", 100),
        _text("strategy", 100),
        _text("enter_tag", 255),
        sa.Column("timeframe", sa.Integer()),
        sa.Column("trading_mode", _Mode),
        *_numbers("amount_precision", "price_precision"),
        sa.Column("precision_mode", sa.Integer()),
        sa.Column("precision_mode_price", sa.Integer()),
        *_numbers("contract_size", "leverage"),
        sa.Column("is_short", sa.Boolean()),
        *_numbers("liquidation_price", "interest_rate", "funding_fees", "funding_fee_running"),
        sa.Column("record_version", sa.Integer()),
        sa.ForeignKeyConstraint(["run_id"], ["backtest_runs.id"], name="backtest_trades_run_id_fkey"),
    )


def _orders() -> _Items:
    return (
        _key("run_id"),
        _key("trade_number"),
        _key("number"),
        sa.Column("id", sa.Integer()),
        sa.Column("ft_trade_id", sa.Integer()),
        _text("ft_order_side", 25),
        _text("ft_pair", 25),
        sa.Column("ft_is_open", sa.Boolean()),
        *_numbers("ft_amount", "ft_price"),
        _text("ft_cancel_reason", 255),
        _text("order_id", 255),
        _text("status", 255),
        _text("symbol", 25),
        _text("order_type", 50),
        _text("side", 25),
        *_numbers("price", "average", "amount", "filled", "remaining", "cost", "stop_price"),
        sa.Column("order_date", _DateTime),
        sa.Column("order_filled_date", _DateTime),
        sa.Column("order_update_date", _DateTime),
        *_numbers("funding_fee", "ft_fee_base"),
        _text("ft_order_tag", 255),
        sa.ForeignKeyConstraint(
            ["run_id", "trade_number"],
            ["backtest_trades.run_id", "backtest_trades.number"],
            name="backtest_orders_run_id_fkey",
        ),
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


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False)


def _text(name: str, length: int) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length))


def _numbers(*names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, sa.Double()) for name in names)


def _fees(side: str) -> tuple[sa.Column[Any], ...]:
    return (*_numbers(f"fee_{side}", f"fee_{side}_cost"), _text(f"fee_{side}_currency", 25))
