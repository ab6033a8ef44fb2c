"""What a bot finds under which name: made by hand from `tests/data/spec/` and the calls in `tests/data/vectors/`.

A line is a name, or a call with the parameters that the documents or the vectors give it. The vectors name parameters
as their callers do; where `behaviour.md` shortens such a name, theirs counts.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["COLUMNS", "NAMES", "NO_NAMES", "WORDS_OF_RULES", "Kind", "Name"]


class Kind(StrEnum):
    """What a name stands for."""

    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    STATIC = "called on the class"
    CLASS_METHOD = "class method"
    PROPERTY = "property"
    COLUMN = "column"
    RELATIONSHIP = "relationship"
    FIELD = "plain attribute of an object"
    ATTRIBUTE = "attribute of the class"
    SESSION = "scoped session"
    CONTEXT_VARIABLE = "context variable"
    ALIAS = "alias of a type"
    MEMBER = "member of an enum"
    TEXT = "constant text"


@dataclass(frozen=True)
class Name:
    """One name.

    Attributes:
        module: Below `tradestore`; empty for the package itself.
        owner: The class that has it, empty for a name of the module.
        name: As bots write it.
        kind: What it is.
        parameters: As in a definition, without `self`; None for what is not called.
    """

    module: str
    owner: str
    name: str
    kind: Kind
    parameters: str | None = None

    def __str__(self) -> str:
        """Return the whole name, for the id of a test."""
        parameters = "" if self.parameters is None else f"({self.parameters})"
        return ".".join(part for part in ("tradestore", self.module, self.owner, self.name) if part) + parameters


_LINE: Final = re.compile(r"(?P<name>\w+)(?:\((?P<parameters>.*)\))?")


def _each(place: str, kind: Kind, lines: str) -> Iterator[Name]:
    """Read a block: names between commas, or one call on each line."""
    module, _, owner = place.partition(":")
    for line in lines.strip().splitlines():
        for told in [line] if "(" in line else line.split(","):
            found = _LINE.fullmatch(told.strip())
            if found is None:
                if told.strip():
                    raise ValueError(told)
                continue
            yield Name(module, owner, found["name"], kind, found["parameters"])


# --- schema.md -----------------------------------------------------------------------------------------------------

COLUMNS: Final = {
    "trade_model:Trade": """
        id, exchange, pair, base_currency, stake_currency, is_open, fee_open, fee_open_cost, fee_open_currency,
        fee_close, fee_close_cost, fee_close_currency, open_rate, open_rate_requested, open_trade_value, close_rate,
        close_rate_requested, realized_profit, close_profit, close_profit_abs, stake_amount, max_stake_amount, amount,
        amount_requested, open_date, close_date, stop_loss, stop_loss_pct, initial_stop_loss, initial_stop_loss_pct,
        is_stop_loss_trailing, max_rate, min_rate, exit_reason, exit_order_status, strategy, enter_tag, timeframe,
        trading_mode, amount_precision, price_precision, precision_mode, precision_mode_price, contract_size, leverage,
        is_short, liquidation_price, interest_rate, funding_fees, funding_fee_running, record_version
    """,
    "trade_model:Order": """
        id, ft_trade_id, ft_order_side, ft_pair, ft_is_open, ft_amount, ft_price, ft_cancel_reason, order_id, status,
        symbol, order_type, side, price, average, amount, filled, remaining, cost, stop_price, order_date,
        order_filled_date, order_update_date, funding_fee, ft_fee_base, ft_order_tag
    """,
    "pairlock:PairLock": "id, pair, side, reason, lock_time, lock_end_time, active",
    "custom_data:_CustomData": "id, ft_trade_id, cd_key, cd_type, cd_value, created_at, updated_at",
    "key_value_store:_KeyValueStoreModel": """
        id, key, value_type, string_value, datetime_value, float_value, int_value
    """,
    "wallet_history:WalletHistory": """
        id, timestamp, currency, rate, quote_currency, balance, total_quote, total_position_value, collateral, leverage,
        bot_managed
    """,
}
"""The columns of the mapped classes."""

# --- the table of compat.md ----------------------------------------------------------------------------------------

_MODULES: Final = {
    "": {
        Kind.CLASS: """
            Trade, LocalTrade, Order, PairLocks, CustomDataWrapper, KeyValueStore, WalletHistory, FtNoDBContext,
            LocalOrder, PairLock, Database, KeyValueStoreModel
        """,
        Kind.ALIAS: "KeyStoreKeys",
        Kind.FUNCTION: """
            init_db(db_url)
            disable_database_use(timeframe)
            enable_database_use()
            resolve_db_url(config)
        """,
    },
    "base": {Kind.CLASS: "ModelBase", Kind.ALIAS: "SessionType"},
    "models": {
        Kind.CLASS: "Trade, Order, PairLock, ModelBase",
        Kind.FUNCTION: """
            init_db(db_url)
            custom_data_rpc_wrapper(func)
            get_request_or_thread_id()
            check_migrate(engine, decl_base, previous_tables)
            create_engine(url)
            resolve_db_url(config)
        """,
        Kind.CONTEXT_VARIABLE: "_request_id_ctx_var",
        Kind.TEXT: "REQUEST_ID_CTX_KEY",
    },
    "trade_model": {Kind.CLASS: "Trade, LocalTrade, Order, ProfitStruct"},
    "pairlock": {Kind.CLASS: "PairLock"},
    "pairlock_middleware": {Kind.CLASS: "PairLocks"},
    "custom_data": {Kind.CLASS: "CustomDataWrapper, _CustomData"},
    "key_value_store": {
        Kind.CLASS: "KeyValueStore, ValueTypesEnum, _KeyValueStoreModel, KeyValueStoreModel",
        Kind.ALIAS: "KeyStoreKeys, ValueTypes",
        Kind.FUNCTION: "set_startup_time()",
    },
    "wallet_history": {Kind.CLASS: "WalletHistory"},
    "usedb_context": {
        Kind.CLASS: "FtNoDBContext(timeframe='')",
        Kind.FUNCTION: """
            disable_database_use(timeframe)
            enable_database_use()
        """,
    },
    "migrations": {
        # The ids after the third came between the two releases: an older caller does not know them.
        Kind.FUNCTION: """
            check_migrate(engine, decl_base, previous_tables)
            set_sequence_ids(engine, order_id, trade_id, pairlock_id, \
kv_id=None, custom_data_id=None, wallet_history_id=None)
            get_last_sequence_ids(engine, sequence_name, table_back_name)
            get_backup_name(tabs, prefix)
            has_column(columns, name)
            get_column_def(columns, column, default)
            set_sqlite_to_wal(engine)
            fix_old_dry_orders(engine)
            fix_wrong_max_stake_amount(engine)
        """
    },
    "db_migration": {Kind.FUNCTION: "migrate_db(session_target)"},
    "enums": {Kind.CLASS: "TradingMode, ExitType"},
    "exceptions": {Kind.CLASS: "OperationalException, DependencyException"},
}

# --- behaviour.md, compat.md and the interface in the vectors ------------------------------------------------------

_QUERIES: Final = """
    get_trades(trade_filter=None, include_orders=True)
    get_trades_query(trade_filter=None, include_orders=True)
    get_trades_proxy(*, pair=None, is_open=None, open_date=None, close_date=None)
    get_open_trades()
    get_closed_trades()
    get_open_trade_count()
    total_open_trades_stakes()
    get_total_closed_profit()
    get_open_trades_without_assigned_fees()
    get_closed_trades_without_assigned_fees()
    get_overall_performance(start_date=None)
    get_enter_tag_performance(pair)
    get_exit_reason_performance(pair)
    get_mix_tag_performance(pair)
    get_best_pair(trade_filter=None)
    get_best_pair(*, filters=None)
    get_trading_volume(trade_filter=None)
    get_trading_volume(*, filters=None)
    commit()
    rollback()
    stoploss_reinitialization(desired_stoploss)
    reset_trades()
    add_bt_trade(trade)
    close_bt_trade(trade)
    remove_bt_trade(trade)
"""
_LISTS: Final = "bt_trades, bt_trades_open, bt_trades_open_pp, bt_open_open_trade_count, bt_total_profit, use_db"
_TRADE_METHODS: Final = """
    adjust_min_max_rates(current_price, current_price_low)
    adjust_stop_loss(current_price, stoploss, initial=False, allow_refresh=False)
    calc_close_rate_for_roi(target_roi)
    calc_close_trade_value(rate, amount=None)
    calc_profit(rate, amount=None, open_rate=None)
    calc_profit_ratio(rate, amount=None, open_rate=None)
    calculate_interest()
    calculate_profit(rate, amount=None, open_rate=None)
    close(rate, *, show_msg=True)
    delete()
    delete_custom_data(key=None)
    fee_updated(side)
    get_all_custom_data()
    get_canceled_exit_order_count()
    get_custom_data(key, default=None)
    get_custom_data_entry(key)
    recalc_open_trade_value()
    recalc_trade_from_orders(*, is_closing=False)
    select_filled_or_open_orders()
    select_filled_orders(order_side=None)
    select_order(order_side=None, is_open=None, only_filled=False)
    select_order_by_order_id(order_id)
    set_custom_data(key, value)
    set_funding_fees(funding_fee)
    set_liquidation_price(liquidation_price)
    to_json(minified=False)
    update_fee(fee_cost, fee_currency, fee_rate, side)
    update_order(order)
    update_trade(order, recalculating=False)
"""
_TRADE_PROPERTIES: Final = """
    borrowed, buy_tag, canceled_exit_order_count, close_date_utc, date_entry_fill_utc, date_last_filled_utc, entry_side,
    exit_side, fully_canceled_entry_order_count, has_no_leverage, has_open_orders, has_open_position,
    has_open_sl_orders, nr_of_successful_buys, nr_of_successful_entries, nr_of_successful_exits, nr_of_successful_sells,
    open_date_utc, open_orders, open_orders_ids, open_sl_orders, safe_base_currency, safe_close_rate,
    safe_quote_currency, sell_reason, sl_orders, stoploss_last_update_utc, stoploss_or_liquidation, trade_direction
"""
_ORDER_BUILDER: Final = "parse_from_ccxt_object(order, pair, side, amount=None, price=None)"
_ORDER_STATICS: Final = """
    update_orders(orders, order)
    get_open_orders()
    order_by_id(order_id, pair=None)
"""
_ORDER_METHODS: Final = """
    close_bt_order(close_date, trade)
    to_ccxt_object(stopPriceName="stopPrice")
    to_json(entry_side, minified=False)
    update_from_ccxt_object(order)
"""
_ORDER_PROPERTIES: Final = """
    order_date_utc, order_filled_utc, safe_amount, safe_amount_after_fee, safe_cost, safe_fee_base, safe_filled,
    safe_placement_price, safe_price, safe_remaining, stake_amount, stake_amount_filled, trade
"""

_MEMBERS: Final = {
    "trade_model:Trade": {
        Kind.SESSION: "session",
        Kind.RELATIONSHIP: "orders",
        Kind.CLASS_METHOD: "from_json(json_str)",
        Kind.STATIC: f"{_QUERIES}_generic_performance_query(columns, filters, fallback='')",
        Kind.METHOD: _TRADE_METHODS,
        Kind.PROPERTY: _TRADE_PROPERTIES,
        Kind.ATTRIBUTE: _LISTS,
    },
    "trade_model:LocalTrade": {
        Kind.CLASS_METHOD: "from_json(json_str)",
        Kind.STATIC: _QUERIES,
        Kind.METHOD: _TRADE_METHODS,
        Kind.PROPERTY: _TRADE_PROPERTIES,
        Kind.ATTRIBUTE: _LISTS,
        Kind.FIELD: f"{COLUMNS['trade_model:Trade']}\norders",
    },
    "trade_model:Order": {
        Kind.SESSION: "session",
        Kind.RELATIONSHIP: "_trade_live",
        Kind.CLASS_METHOD: _ORDER_BUILDER,
        Kind.STATIC: _ORDER_STATICS,
        Kind.METHOD: _ORDER_METHODS,
        Kind.PROPERTY: _ORDER_PROPERTIES,
        Kind.FIELD: "_trade_bt",
    },
    ":LocalOrder": {
        Kind.CLASS_METHOD: _ORDER_BUILDER,
        Kind.STATIC: _ORDER_STATICS,
        Kind.METHOD: _ORDER_METHODS,
        Kind.PROPERTY: _ORDER_PROPERTIES,
        Kind.FIELD: f"{COLUMNS['trade_model:Order']}\n_trade_bt",
    },
    "trade_model:ProfitStruct": {Kind.FIELD: "profit_abs, profit_ratio, total_profit, total_profit_ratio"},
    "pairlock_middleware:PairLocks": {
        Kind.ATTRIBUTE: "use_db, timeframe, locks",
        Kind.STATIC: """
            lock_pair(pair, until, reason=None, *, now=None, side="*")
            get_pair_locks(pair, now=None, side=None)
            get_pair_longest_lock(pair, now=None, side="*")
            unlock_pair(pair, now=None, side="*")
            unlock_reason(reason, now=None)
            is_global_lock(now=None, side="*")
            is_pair_locked(pair, now=None, side="*")
            get_all_locks()
            reset_locks()
        """,
    },
    "pairlock:PairLock": {
        Kind.SESSION: "session",
        Kind.STATIC: """
            query_pair_locks(pair, now, side)
            get_all_locks()
        """,
        Kind.PROPERTY: "lock_end_time_utc",
        Kind.METHOD: "to_json()",
    },
    "custom_data:CustomDataWrapper": {
        Kind.ATTRIBUTE: "use_db, custom_data, unserialized_types",
        Kind.STATIC: """
            _convert_custom_data(entry)
            set_custom_data(trade_id, key, value)
            get_custom_data(*, trade_id, key=None)
            get_custom_data(*, pair)
            delete_custom_data(trade_id, key=None)
            reset_custom_data()
            save_custom_data(*, pair, data)
        """,
    },
    "custom_data:_CustomData": {
        Kind.SESSION: "session",
        Kind.STATIC: "query_cd(key=None, trade_id=None)",
        Kind.PROPERTY: "value",
    },
    "key_value_store:KeyValueStore": {
        Kind.STATIC: """
            store_value(key, value)
            get_value(key)
            delete_value(key)
            get_string_value(key)
            get_datetime_value(key)
            get_float_value(key)
            get_int_value(key)
        """
    },
    "key_value_store:_KeyValueStoreModel": {
        Kind.SESSION: "session",
        Kind.STATIC: """
            set(key, value)
            get(key, default=None)
            delete(key)
        """,
    },
    "wallet_history:WalletHistory": {Kind.SESSION: "session"},
    "usedb_context:FtNoDBContext": {
        Kind.METHOD: """
            __enter__()
            __exit__(exc_type, exc_val, exc_tb)
        """
    },
    "enums:TradingMode": {Kind.MEMBER: "SPOT, MARGIN, FUTURES"},
    "enums:ExitType": {
        Kind.MEMBER: """
            STOPLOSS_ON_EXCHANGE, ROI, STOP_LOSS, TRAILING_STOP_LOSS, LIQUIDATION, EXIT_SIGNAL, FORCE_EXIT,
            EMERGENCY_EXIT, CUSTOM_EXIT, PARTIAL_EXIT, SOLVED, NONE
        """
    },
}


def _all() -> Iterator[Name]:
    for places in (_MODULES, _MEMBERS):
        for place, kinds in places.items():
            for kind, lines in kinds.items():
                yield from _each(place, kind, lines)
    for place, lines in COLUMNS.items():
        yield from _each(place, Kind.COLUMN, lines)


NAMES: Final = tuple(_all())

NO_NAMES: Final = {
    "X.persistence": "a bot's own package",
    "X.persistence.m": "a bot's own package",
    "tradestore.m": "stands for any module",
    "behaviour.md": "a document",
    "TypeError": "Python's",
    "ContextVar": "Python's",
    "Select": "SQLAlchemy's",
    "scoped_session": "SQLAlchemy's, see the kind SESSION",
    ".bind": "of SQLAlchemy's session, see the kind SESSION",
    ".refresh": "of SQLAlchemy's session, see the kind SESSION",
    ".remove": "of SQLAlchemy's session, see the kind SESSION",
    ".scalars": "of SQLAlchemy's session, see the kind SESSION",
    "[]": "a value",
    "trade.": "stands for a trade",
    "order.": "stands for an order",
    "__init__": "of every class",
    "repr": "Python's",
    "__slots__": "in test_habits.py",
    "profit_sum_abs": "a column of rows, in test_habits.py",
    "count": "a column of rows, in test_habits.py",
    "tradestore.exceptions": "a module, whose names are listed",
    "(pair, profit_ratio, profit_abs, count)": "a row, in test_habits.py",
    "stoploss_on_exchange": "a value, in test_names.py",
    # Errors, log lines and reprs, each in a test of its own.
    "Order-id's don't match": "test_texts.py",
    "Unknown order type": "test_texts.py",
    "Bad db-url": "test_texts.py",
    "For in-memory database, please use": "test_texts.py",
    "no valid database URL": "test_texts.py",
    "LIMIT_BUY has been fulfilled for <repr>.": "test_texts.py",
    "<TYPE> is hit for <repr>.": "test_texts.py",
    "<pair> - Adjusting stoploss...": "test_texts.py",
    "<obj> is not a valid response object.": "test_texts.py",
    "Running database migration for trades - backup: <trades table>, <orders table>": "test_texts.py",
    "Database migration finished.": "test_texts.py",
    "Trade(id=1, pair=ETH/BTC, amount=30, is_short=False, leverage=3, open_rate=2, open_since=2024-01-01 00:00:00)": (
        "test_texts.py"
    ),
    "open_since=closed": "test_texts.py",
    "Order(id=…, trade=…, order_id=…, side=…, filled=…, price=…, amount=…, status=…, date=…)": "test_texts.py",
    "PairLock(id=…, pair=…, side=…, lock_time=…, lock_end_time=…, reason=…, active=…)": "test_texts.py",
    # Calls, each in a test of its own.
    "copy.deepcopy(trade)": "test_habits.py",
    "pandas.read_sql(con=Trade.session.bind)": "test_habits.py",
    "PairLock.session = …": "test_habits.py",
    "Trade(...)": "test_habits.py",
    "LocalTrade(orders=[])": "test_habits.py",
    "del trade.orders[i]": "test_habits.py",
    "trade.orders.append": "test_habits.py",
    "trade.orders[-1]": "test_habits.py",
    "Trade.session.query(Trade).filter(...).first()": "test_habits.py",
    "Trade.session.scalars(select(Trade)...)": "test_habits.py",
    "Trade.get_trades([…]).all()": "test_habits.py",
    "Trade.get_trades(Trade.id == 1).first()": "test_habits.py",
    "Trade.get_trades([…]).unique().all()": "test_habits.py",
    "Trade.session.remove()": "test_habits.py",
    "with FtNoDBContext():": "test_habits.py",
    "sqlite://": "test_habits.py",
    "Order.session.delete(order)": "test_habits.py",
    'mocker.patch("X.persistence.Trade.get_open_trades")': "test_habits.py",
    "Trade.use_db = False": "test_habits.py",
}
"""Spans of `compat.md` that are no names, and why."""

WORDS_OF_RULES: Final = {
    "R_open": "in a formula",
    "ceil": "in a formula",
    "total_stake": "in a formula",
    "ccxt_orders": "a folder",
    "ccxt_dict": "the parameter that callers know as order",
    "buy_open": "an exchange's word",
    "sell_close": "an exchange's word",
    "ft_order_type": "a key of an exchange's answer",
    "stoploss_on_exchange": "a value of ExitType",
    "_": "a character",
    "bot_start_time": "a key",
    "startup_time": "a key",
    "dry_run": "a bot's setting",
}
"""Words of `behaviour.md` that look like names and are none, and why."""
