"""Where trading bots keep their trades: in SQLite, PostgreSQL or MariaDB, or in memory during a backtest.

Names are loaded when they are first used, so that a backtest which only needs ``LocalTrade`` never loads SQLAlchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradestore.backtests import BacktestRun, backtest_runs, delete_backtest, load_backtest, store_backtest
    from tradestore.base import ModelBase
    from tradestore.custom_data import CustomDataWrapper
    from tradestore.database import Database, DatabaseStatus, PoolStatus
    from tradestore.enums import ExitType, TradingMode
    from tradestore.intents import IntentState, OrderIntent, RunningIntent
    from tradestore.key_value_store import KeyStoreKeys, KeyValueStore, KeyValueStoreModel
    from tradestore.limits import OpenTradeLimits, TradeLimits, lift_limits, set_limits
    from tradestore.local_order import LocalOrder
    from tradestore.local_pairlock import LocalPairLock
    from tradestore.local_pairlock_middleware import LocalPairLocks
    from tradestore.local_trade import LocalTrade
    from tradestore.models import init_db, resolve_db_url
    from tradestore.order_upserts import UpsertedOrder, UpsertOutcome, upsert_order
    from tradestore.pairlock import PairLock
    from tradestore.pairlock_middleware import PairLocks
    from tradestore.store import Store
    from tradestore.trade_model import Order, ProfitStruct, Trade
    from tradestore.usedb_context import FtNoDBContext, disable_database_use, enable_database_use
    from tradestore.wallet_history import WalletHistory

__all__ = [
    "BacktestRun",
    "CustomDataWrapper",
    "Database",
    "DatabaseStatus",
    "ExitType",
    "FtNoDBContext",
    "IntentState",
    "KeyStoreKeys",
    "KeyValueStore",
    "KeyValueStoreModel",
    "LocalOrder",
    "LocalPairLock",
    "LocalPairLocks",
    "LocalTrade",
    "ModelBase",
    "OpenTradeLimits",
    "Order",
    "OrderIntent",
    "PairLock",
    "PairLocks",
    "PoolStatus",
    "ProfitStruct",
    "RunningIntent",
    "Store",
    "Trade",
    "TradeLimits",
    "TradingMode",
    "UpsertOutcome",
    "UpsertedOrder",
    "WalletHistory",
    "backtest_runs",
    "delete_backtest",
    "disable_database_use",
    "enable_database_use",
    "init_db",
    "lift_limits",
    "load_backtest",
    "resolve_db_url",
    "set_limits",
    "store_backtest",
    "upsert_order",
]

_HOMES = {
    "accounting.profit": ("ProfitStruct",),
    "backtests": ("BacktestRun", "backtest_runs", "delete_backtest", "load_backtest", "store_backtest"),
    "base": ("ModelBase",),
    "custom_data": ("CustomDataWrapper",),
    "database": ("Database", "DatabaseStatus", "PoolStatus"),
    "enums": ("ExitType", "TradingMode"),
    "intents": ("IntentState", "OrderIntent", "RunningIntent"),
    "key_value_store": ("KeyStoreKeys", "KeyValueStore", "KeyValueStoreModel"),
    "limits": ("OpenTradeLimits", "TradeLimits", "lift_limits", "set_limits"),
    "local_order": ("LocalOrder",),
    "local_pairlock": ("LocalPairLock",),
    "local_pairlock_middleware": ("LocalPairLocks",),
    "local_trade": ("LocalTrade",),
    "models": ("init_db", "resolve_db_url"),
    "order_upserts": ("UpsertOutcome", "UpsertedOrder", "upsert_order"),
    "pairlock": ("PairLock",),
    "pairlock_middleware": ("PairLocks",),
    "store": ("Store",),
    "trade_model": ("Order", "Trade"),
    "usedb_context": ("FtNoDBContext", "disable_database_use", "enable_database_use"),
    "wallet_history": ("WalletHistory",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that it lives in."""
    if name not in _HOME_OF:
        msg = f"module 'tradestore' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"tradestore.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
