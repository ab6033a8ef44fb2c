"""The tables of the first release.

Where DDL commits by itself, a first try that was cut short has left some of them: only what is missing is created, and
only what is there is dropped.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from tradestore.exceptions import MigrationError

revision = "0001_initial"
down_revision = None

_MYSQL = ("mysql", "mariadb")
_DateTime = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
_LongText = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
_BigCount = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = ("wallet_history", "KeyValueStore", "pairlocks", "trade_custom_data", "orders", "trades")


def upgrade() -> None:
    """Create the tables that are not there yet."""
    _create_trades()
    _create_orders()
    _create_custom_data()
    _create_pairlocks()
    _create_key_value_store()
    _create_wallet_history()


def downgrade() -> None:
    """Drop the tables, as long as they are empty: nothing older could hold their rows."""
    refuse_loss(op.get_bind())
    present = sa.inspect(op.get_bind()).get_table_names()
    for name in _TABLES:
        if name in present:
            op.drop_table(name)
    sa.Enum(name="tradingmode").drop(op.get_bind(), checkfirst=True)


def refuse_loss(connection: sa.Connection) -> None:
    """Refuse to drop tables with rows."""
    present = sa.inspect(connection).get_table_names()
    counts = {
        name: connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name)))
        for name in reversed(_TABLES)
        if name in present
    }
    found = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
    if found:
        msg = (
            f"Without revision {revision!r} there are no tables, but there are rows: {found}. Nothing was changed: "
            "stay at this revision, or, if nobody needs the rows any more, delete them first."
        )
        raise MigrationError(msg)


def _create(name: str, *items: sa.schema.SchemaItem) -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(name):
        op.create_table(name, *items, **_text_rules())
        return
    present = {column["name"] for column in inspector.get_columns(name)}
    missing = [item.name for item in items if isinstance(item, sa.Column) and item.name not in present]
    if missing:
        msg = (
            f"A table {name!r} is there already that was not made by tradestore: it has no column "
            f"{', '.join(missing)}. Open the database with init_db, which adopts what it can, or give it another name."
        )
        raise MigrationError(msg)


def _create_trades() -> None:
    _create(
        "trades",
        _id(),
        _text("exchange", 25, required=True),
        _text("pair", 25, required=True),
        _text("base_currency", 25),
        _text("stake_currency", 25),
        _flag("is_open"),
        *_fees("open"),
        *_fees("close"),
        _number("open_rate", required=True),
        _number("open_rate_requested"),
        _number("open_trade_value"),
        _number("close_rate"),
        _number("close_rate_requested"),
        _number("realized_profit"),
        _number("close_profit"),
        _number("close_profit_abs"),
        _number("stake_amount", required=True),
        _number("max_stake_amount"),
        _number("amount", required=True),
        _number("amount_requested"),
        sa.Column("open_date", _DateTime, nullable=False),
        sa.Column("close_date", _DateTime),
        _number("stop_loss"),
        _number("stop_loss_pct"),
        _number("initial_stop_loss"),
        _number("initial_stop_loss_pct"),
        _flag("is_stop_loss_trailing"),
        _number("max_rate"),
        _number("min_rate"),
        _text("exit_reason", 255),
        _text("exit_order_status", 100),
        _text("strategy", 100),
        _text("enter_tag", 255),
        sa.Column("timeframe", sa.Integer()),
        sa.Column("trading_mode", sa.Enum("SPOT", "MARGIN", "FUTURES", name="tradingmode")),
        _number("amount_precision"),
        _number("price_precision"),
        sa.Column("precision_mode", sa.Integer()),
        sa.Column("precision_mode_price", sa.Integer()),
        _number("contract_size"),
        _number("leverage"),
        _flag("is_short"),
        _number("liquidation_price"),
        _number("interest_rate", required=True),
        _number("funding_fees"),
        _number("funding_fee_running"),
        sa.Column("record_version", sa.Integer(), nullable=False),
    )
    _index("trades", "pair", "is_open", "close_date")


def _create_orders() -> None:
    _create(
        "orders",
        _id(),
        sa.Column("ft_trade_id", sa.Integer(), nullable=False),
        _text("ft_order_side", 25, required=True),
        _text("ft_pair", 25, required=True),
        _flag("ft_is_open"),
        _number("ft_amount", required=True),
        _number("ft_price", required=True),
        _text("ft_cancel_reason", 255),
        _text("order_id", 255, required=True),
        _text("status", 255),
        _text("symbol", 25),
        _text("order_type", 50),
        _text("side", 25),
        *(_number(name) for name in ("price", "average", "amount", "filled", "remaining", "cost", "stop_price")),
        sa.Column("order_date", _DateTime),
        sa.Column("order_filled_date", _DateTime),
        sa.Column("order_update_date", _DateTime),
        _number("funding_fee"),
        _number("ft_fee_base"),
        _text("ft_order_tag", 255),
        sa.ForeignKeyConstraint(["ft_trade_id"], ["trades.id"], name="orders_ft_trade_id_fkey"),
        sa.UniqueConstraint("ft_pair", "order_id", name="_order_pair_order_id"),
    )
    _index("orders", "ft_trade_id", "ft_is_open", "order_id")


def _create_custom_data() -> None:
    _create(
        "trade_custom_data",
        _id(),
        sa.Column("ft_trade_id", sa.Integer()),
        _text("pair", 25),
        _text("cd_key", 255, required=True),
        _text("cd_type", 25, required=True),
        sa.Column("cd_value", _LongText, nullable=False),
        sa.Column("created_at", _DateTime, nullable=False),
        sa.Column("updated_at", _DateTime),
        sa.ForeignKeyConstraint(["ft_trade_id"], ["trades.id"], name="trade_custom_data_ft_trade_id_fkey"),
        sa.UniqueConstraint("ft_trade_id", "cd_key", name="_trade_id_cd_key"),
        sa.UniqueConstraint("pair", "cd_key", name="uq_trade_custom_data_pair_cd_key"),
    )
    _index("trade_custom_data", "ft_trade_id")


def _create_pairlocks() -> None:
    _create(
        "pairlocks",
        _id(),
        _text("pair", 25, required=True),
        _text("side", 25, required=True),
        _text("reason", 255),
        sa.Column("lock_time", _DateTime, nullable=False),
        sa.Column("lock_end_time", _DateTime, nullable=False),
        _flag("active"),
    )
    _index("pairlocks", "pair", "lock_end_time", "active")


def _create_key_value_store() -> None:
    _create(
        "KeyValueStore",
        _id(),
        _text("key", 50, required=True),
        _text("value_type", 20, required=True),
        _text("string_value", 255),
        sa.Column("datetime_value", _DateTime),
        _number("float_value"),
        sa.Column("int_value", _BigCount),
    )
    _index("KeyValueStore", "key", unique=True)


def _create_wallet_history() -> None:
    _create(
        "wallet_history",
        _id(),
        sa.Column("timestamp", _DateTime, nullable=False),
        _text("currency", 25, required=True),
        _number("rate"),
        _text("quote_currency", 25, required=True),
        _number("balance", required=True),
        _number("total_quote"),
        _number("total_position_value"),
        _number("collateral"),
        _number("leverage", required=True),
        _flag("bot_managed"),
        sa.UniqueConstraint("timestamp", "currency", name="unique_wallet_daily"),
    )
    _index("wallet_history", "timestamp")


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


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _text(name: str, length: int, *, required: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=not required)


def _number(name: str, *, required: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=not required)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _fees(side: str) -> tuple[sa.Column[Any], ...]:
    return (
        _number(f"fee_{side}", required=True),
        _number(f"fee_{side}_cost"),
        _text(f"fee_{side}_currency", 25),
    )


def _index(table: str, *columns: str, unique: bool = False) -> None:
    present = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}
    for column in columns:
        if (name := f"ix_{table}_{column}") not in present:
            op.create_index(name, table, [column], unique=unique)
