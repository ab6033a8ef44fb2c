"""The six tables as the mirrored layer of September 2026 makes them: the other side of the two-way door.

Written down from its documentation, not from our models, so that a change of ours that shuts the door is noticed.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["FOREIGN_KEYS", "INDEXES", "TABLES", "UNIQUE", "MirroredColumn"]


@dataclass(frozen=True)
class MirroredColumn:
    """A column of the mirrored layer.

    Attributes:
        kind: INTEGER, FLOAT, BOOLEAN, DATETIME, VARCHAR, TEXT or TRADING_MODE.
        length: Characters of a VARCHAR, else 0.
        required: Whether it is NOT NULL.
    """

    kind: str
    length: int
    required: bool


def _columns(text: str) -> dict[str, MirroredColumn]:
    """Read lines of a name and a type, with NN where the column is NOT NULL."""
    columns = {}
    for line in text.strip().splitlines():
        name, declared, *rest = line.split()
        kind, _, length = declared.partition("(")
        columns[name] = MirroredColumn(kind, int(length.rstrip(")") or 0), rest == ["NN"])
    return columns


TABLES: Final = {
    "trades": _columns("""
        id INTEGER NN
        exchange VARCHAR(25) NN
        pair VARCHAR(25) NN
        base_currency VARCHAR(25)
        stake_currency VARCHAR(25)
        is_open BOOLEAN NN
        fee_open FLOAT NN
        fee_open_cost FLOAT
        fee_open_currency VARCHAR(25)
        fee_close FLOAT NN
        fee_close_cost FLOAT
        fee_close_currency VARCHAR(25)
        open_rate FLOAT NN
        open_rate_requested FLOAT
        open_trade_value FLOAT
        close_rate FLOAT
        close_rate_requested FLOAT
        realized_profit FLOAT
        close_profit FLOAT
        close_profit_abs FLOAT
        stake_amount FLOAT NN
        max_stake_amount FLOAT
        amount FLOAT NN
        amount_requested FLOAT
        open_date DATETIME NN
        close_date DATETIME
        stop_loss FLOAT
        stop_loss_pct FLOAT
        initial_stop_loss FLOAT
        initial_stop_loss_pct FLOAT
        is_stop_loss_trailing BOOLEAN NN
        max_rate FLOAT
        min_rate FLOAT
        exit_reason VARCHAR(255)
        exit_order_status VARCHAR(100)
        strategy VARCHAR(100)
        enter_tag VARCHAR(255)
        timeframe INTEGER
        trading_mode TRADING_MODE
        amount_precision FLOAT
        price_precision FLOAT
        precision_mode INTEGER
        precision_mode_price INTEGER
        contract_size FLOAT
        leverage FLOAT
        is_short BOOLEAN NN
        liquidation_price FLOAT
        interest_rate FLOAT NN
        funding_fees FLOAT
        funding_fee_running FLOAT
        record_version INTEGER NN
    """),
    "orders": _columns("""
        id INTEGER NN
        ft_trade_id INTEGER NN
        ft_order_side VARCHAR(25) NN
        ft_pair VARCHAR(25) NN
        ft_is_open BOOLEAN NN
        ft_amount FLOAT NN
        ft_price FLOAT NN
        ft_cancel_reason VARCHAR(255)
        order_id VARCHAR(255) NN
        status VARCHAR(255)
        symbol VARCHAR(25)
        order_type VARCHAR(50)
        side VARCHAR(25)
        price FLOAT
        average FLOAT
        amount FLOAT
        filled FLOAT
        remaining FLOAT
        cost FLOAT
        stop_price FLOAT
        order_date DATETIME
        order_filled_date DATETIME
        order_update_date DATETIME
        funding_fee FLOAT
        ft_fee_base FLOAT
        ft_order_tag VARCHAR(255)
    """),
    "pairlocks": _columns("""
        id INTEGER NN
        pair VARCHAR(25) NN
        side VARCHAR(25) NN
        reason VARCHAR(255)
        lock_time DATETIME NN
        lock_end_time DATETIME NN
        active BOOLEAN NN
    """),
    "KeyValueStore": _columns("""
        id INTEGER NN
        key VARCHAR(50) NN
        value_type VARCHAR(20) NN
        string_value VARCHAR(255)
        datetime_value DATETIME
        float_value FLOAT
        int_value INTEGER
    """),
    "trade_custom_data": _columns("""
        id INTEGER NN
        ft_trade_id INTEGER
        cd_key VARCHAR(255) NN
        cd_type VARCHAR(25) NN
        cd_value TEXT NN
        created_at DATETIME NN
        updated_at DATETIME
    """),
    "wallet_history": _columns("""
        id INTEGER NN
        timestamp DATETIME NN
        currency VARCHAR(25) NN
        rate FLOAT
        quote_currency VARCHAR(25) NN
        balance FLOAT NN
        total_quote FLOAT
        total_position_value FLOAT
        collateral FLOAT
        leverage FLOAT NN
        bot_managed BOOLEAN NN
    """),
}

INDEXES: Final = {
    "trades": {"ix_trades_pair": ["pair"], "ix_trades_is_open": ["is_open"]},
    "orders": {
        "ix_orders_ft_trade_id": ["ft_trade_id"],
        "ix_orders_ft_is_open": ["ft_is_open"],
        "ix_orders_order_id": ["order_id"],
    },
    "pairlocks": {
        "ix_pairlocks_pair": ["pair"],
        "ix_pairlocks_lock_end_time": ["lock_end_time"],
        "ix_pairlocks_active": ["active"],
    },
    "KeyValueStore": {"ix_KeyValueStore_key": ["key"]},
    "trade_custom_data": {"ix_trade_custom_data_ft_trade_id": ["ft_trade_id"]},
    "wallet_history": {"ix_wallet_history_timestamp": ["timestamp"]},
}

UNIQUE: Final = {
    "orders": {"_order_pair_order_id": ["ft_pair", "order_id"]},
    "trade_custom_data": {"_trade_id_cd_key": ["ft_trade_id", "cd_key"]},
    "wallet_history": {"unique_wallet_daily": ["timestamp", "currency"]},
}

FOREIGN_KEYS: Final = {
    "orders": {"orders_ft_trade_id_fkey": (["ft_trade_id"], "trades", ["id"])},
    "trade_custom_data": {"trade_custom_data_ft_trade_id_fkey": (["ft_trade_id"], "trades", ["id"])},
}
