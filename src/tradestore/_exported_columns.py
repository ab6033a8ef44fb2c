"""What an export holds, version 1: its tables, and the name, type, unit and meaning of each column, in their order.

It stays as it is whatever becomes of the database's own tables: a change of it is a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = ["EXPORTED_TABLES", "EXPORT_VERSION", "ColumnType", "ExportedColumn", "ExportedTable"]

EXPORT_VERSION: Final = 1


class ColumnType(StrEnum):
    """What the values of a column are."""

    COUNT = "int64"
    NUMBER = "float64"
    TEXT = "text"
    FLAG = "bool"
    MOMENT = "timestamp"


@dataclass(frozen=True, slots=True)
class ExportedColumn:
    """A column.

    Attributes:
        name: Its own.
        type: Of its values; each may also be missing.
        unit: What a number counts, or of which kind a text is.
        meaning: What it tells.
    """

    name: str
    type: ColumnType
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, eq=False)
class ExportedTable:
    """A table.

    Attributes:
        name: In the export, where files and JSON objects are called so.
        stored_as: Its name in the database.
        columns: All of them.
        references: The table, by its name in the export, that a column refers to.
        key: By which its rows are in order.
        known_by: Columns that tell whether a row of another database is here already, besides its unique keys; values
            that are missing in both are the same here.
    """

    name: str
    stored_as: str
    columns: tuple[ExportedColumn, ...]
    references: Mapping[str, str] = field(default_factory=dict)
    key: tuple[str, ...] = ("id",)
    known_by: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.name for column in self.columns)


def _count(name: str, unit: str, meaning: str) -> ExportedColumn:
    return ExportedColumn(name, ColumnType.COUNT, unit, meaning)


def _number(name: str, unit: str, meaning: str) -> ExportedColumn:
    return ExportedColumn(name, ColumnType.NUMBER, unit, meaning)


def _text(name: str, unit: str, meaning: str) -> ExportedColumn:
    return ExportedColumn(name, ColumnType.TEXT, unit, meaning)


def _flag(name: str, meaning: str) -> ExportedColumn:
    return ExportedColumn(name, ColumnType.FLAG, "true or false", meaning)


def _moment(name: str, meaning: str) -> ExportedColumn:
    return ExportedColumn(name, ColumnType.MOMENT, "UTC", meaning)


_ID: Final = _count("id", "number", "of the row")
_TRADE: Final = _count("ft_trade_id", "number", "the id of the trade that it belongs to")

_STAKE: Final = "stake currency"
_RATE: Final = "stake currency per unit of base currency"
_BASE: Final = "base currency"

_TRADE_COLUMNS: Final = (
    _text("exchange", "name", "where it was traded"),
    _text("pair", "pair", "what was traded, such as BTC/USDT"),
    _text("base_currency", "currency", "what is bought and sold"),
    _text("stake_currency", "currency", "what it is paid with"),
    _flag("is_open", "whether it has not ended yet"),
    _number("fee_open", "ratio", "the fee of entries, as a part of their value"),
    _number("fee_open_cost", "fee_open_currency", "the fee of entries, as it was charged"),
    _text("fee_open_currency", "currency", "in which the fee of entries was charged"),
    _number("fee_close", "ratio", "the fee of exits, as a part of their value"),
    _number("fee_close_cost", "fee_close_currency", "the fee of exits, as it was charged"),
    _text("fee_close_currency", "currency", "in which the fee of exits was charged"),
    _number("open_rate", _RATE, "the average price of the entries"),
    _number("open_rate_requested", _RATE, "the price that was asked for at first"),
    _number("open_trade_value", _STAKE, "the value at the open rate, fees included"),
    _number("close_rate", _RATE, "the price of the last exit"),
    _number("close_rate_requested", _RATE, "the price that was asked for at the exit"),
    _number("realized_profit", _STAKE, "the profit of all exits so far"),
    _number("close_profit", "ratio", "the profit as a part of the stake; of an open trade that of its last exit"),
    _number("close_profit_abs", _STAKE, "the profit; of an open trade that of its last exit"),
    _number("stake_amount", _STAKE, "the trade's own money that is in it"),
    _number("max_stake_amount", _STAKE, "the most of its own money that was ever put into it"),
    _number("amount", _BASE, "how much it holds, or held before its last exit"),
    _number("amount_requested", _BASE, "how much was asked for"),
    _moment("open_date", "when it was opened"),
    _moment("close_date", "when it was closed"),
    _number("stop_loss", _RATE, "the price at which it is given up"),
    _number("stop_loss_pct", "ratio", "the same, as a part of the open rate"),
    _number("initial_stop_loss", _RATE, "the first price at which it was to be given up"),
    _number("initial_stop_loss_pct", "ratio", "the same, as a part of the open rate"),
    _flag("is_stop_loss_trailing", "whether the stop loss follows the price"),
    _number("max_rate", _RATE, "the highest price that was seen"),
    _number("min_rate", _RATE, "the lowest price that was seen"),
    _text("exit_reason", "word", "why it was closed"),
    _text("exit_order_status", "word", "what became of the exit order"),
    _text("strategy", "name", "which strategy opened it"),
    _text("enter_tag", "text", "the strategy's tag for the entry"),
    _count("timeframe", "minutes", "the length of a candle"),
    _text("trading_mode", "SPOT, MARGIN or FUTURES", "how it is financed"),
    _number("amount_precision", "as precision_mode says", "to which amounts are rounded"),
    _number("price_precision", "as precision_mode_price says", "to which prices are rounded"),
    _count("precision_mode", "2, 3 or 4, as of CCXT", "decimals, significant digits, or the size of a step"),
    _count("precision_mode_price", "2, 3 or 4, as of CCXT", "the same for prices"),
    _number("contract_size", _BASE, "how much one contract is"),
    _number("leverage", "factor", "how many times its own money it moves"),
    _flag("is_short", "whether it gains with falling prices"),
    _number("liquidation_price", _RATE, "at which the exchange takes the position"),
    _number("interest_rate", "ratio", "what is charged for borrowed money, per period of the exchange"),
    _number("funding_fees", _STAKE, "funding received (positive) or paid"),
    _number("funding_fee_running", _STAKE, "the part of it since the last fill"),
    _count("record_version", "number", "by which rules the row was written"),
)

_ORDER_COLUMNS: Final = (
    _text("ft_order_side", "buy, sell or stoploss", "what the bot uses it for"),
    _text("ft_pair", "pair", "the bot's name of the pair"),
    _flag("ft_is_open", "whether it waits on the exchange"),
    _number("ft_amount", _BASE, "how much the bot asked for"),
    _number("ft_price", _RATE, "the price that the bot asked for"),
    _text("ft_cancel_reason", "text", "why it was cancelled"),
    _text("order_id", "id", "as the exchange gave it"),
    _text("status", "word", "what the exchange says of it"),
    _text("symbol", "pair", "the exchange's name of the pair"),
    _text("order_type", "word", "limit, market, and others of exchanges"),
    _text("side", "buy or sell", "what the exchange says it does"),
    _number("price", _RATE, "the limit"),
    _number("average", _RATE, "the average price of its fills"),
    _number("amount", _BASE, "how much the exchange was asked for"),
    _number("filled", _BASE, "how much was filled"),
    _number("remaining", _BASE, "how much is still to be filled"),
    _number("cost", _STAKE, "what the fills cost"),
    _number("stop_price", _RATE, "at which it is triggered"),
    _moment("order_date", "when it was placed"),
    _moment("order_filled_date", "when it was last filled"),
    _moment("order_update_date", "when the exchange was last asked about it"),
    _number("funding_fee", _STAKE, "funding between the fill before and this one"),
    _number("ft_fee_base", _BASE, "the fee that was taken out of the base currency"),
    _text("ft_order_tag", "text", "the strategy's tag for the order"),
)

_CUSTOM_DATA_COLUMNS: Final = (
    _ID,
    _count("ft_trade_id", "number", "the id of the trade that it belongs to, if any"),
    _text("pair", "pair", "that it belongs to, where it has no trade"),
    _text("cd_key", "text", "under which it is remembered"),
    _text("cd_type", "name of a type", "of the value"),
    _text("cd_value", "text or JSON", "the value"),
    _moment("created_at", "when it was first set"),
    _moment("updated_at", "when it was last set anew"),
)

_LOCK_COLUMNS: Final = (
    _ID,
    _text("pair", "pair", "that must not be entered; * for all"),
    _text("side", "long, short or *", "for which trades it holds"),
    _text("reason", "text", "why it was made"),
    _moment("lock_time", "when it was made"),
    _moment("lock_end_time", "when it ends"),
    _flag("active", "whether it was not released before"),
)

_KEY_VALUE_COLUMNS: Final = (
    _ID,
    _text("key", "text", "under which the value is kept"),
    _text("value_type", "name of a type", "which of the following columns has the value"),
    _text("string_value", "text", "a text"),
    _moment("datetime_value", "a moment"),
    _number("float_value", "number", "a number"),
    _count("int_value", "number", "a whole number, or 1 and 0 for true and false"),
)

_WALLET_COLUMNS: Final = (
    _ID,
    _moment("timestamp", "when the wallet was looked at"),
    _text("currency", "currency", "which part of it"),
    _number("rate", "quote_currency per unit", "what one unit was worth"),
    _text("quote_currency", "currency", "in which worth is told"),
    _number("balance", "currency", "how much there was"),
    _number("total_quote", "quote_currency", "what all of it was worth"),
    _number("total_position_value", "quote_currency", "what open positions were worth"),
    _number("collateral", "quote_currency", "what was bound for positions"),
    _number("leverage", "factor", "of the position"),
    _flag("bot_managed", "whether the bot used it"),
)

_INTENT_COLUMNS: Final = (
    _ID,
    _text("client_order_id", "id", "the bot's own name for the order"),
    _text("state", "open, failed, placed or void", "what became of it"),
    _count("ft_trade_id", "number", "the id of the trade that it belongs to, if it is known"),
    _text("exchange", "name", "where it was to be sent"),
    _text("pair", "pair", "what was to be traded"),
    _text("side", "buy, sell or stoploss", "what the bot uses it for"),
    _text("order_type", "word", "limit, market, and others of exchanges"),
    _number("amount", _BASE, "how much was asked for"),
    _number("price", _RATE, "the price that was asked for"),
    _text("order_tag", "text", "the strategy's tag for the order"),
    _text("trade_fields", "JSON", "of a trade that was to be made with it"),
    _text("order_id", "id", "as the exchange gave it"),
    _text("error", "text", "what the failed call said"),
    _moment("created_at", "when it was written down"),
    _moment("updated_at", "when more became known of it"),
)

_ARCHIVE_COLUMNS: Final = (
    _ID,
    _text("uuid", "id", "by which the file is known, whatever its name is"),
    _text("file", "name", "of the file when it was made"),
    _moment("created_at", "when it was made"),
)

_ARCHIVED_PROFIT_COLUMNS: Final = (
    _ID,
    _count("archive_id", "number", "the id of the archive where the trades are"),
    _text("exchange", "name", "where they were traded"),
    _text("pair", "pair", "what was traded, such as BTC/USDT"),
    _text("stake_currency", "currency", "what they were paid with"),
    _text("strategy", "name", "which strategy opened them"),
    _flag("is_short", "whether they gained with falling prices"),
    _text("enter_tag", "text", "the strategy's tag for the entry"),
    _text("exit_reason", "word", "why they were closed"),
    _moment("closed_on", "the beginning of the day when they were closed"),
    _count("trades", "number", "of these trades"),
    _count("wins", "number", "of them with a profit"),
    _number("close_profit", "ratio", "the sum of their profits as parts of their stakes"),
    _number("close_profit_abs", _STAKE, "the sum of their profits"),
    _number("invested", _STAKE, "what their entries took of their own money"),
    _number("volume", _STAKE, "what all their filled orders cost"),
    _number("stake_amount", _STAKE, "the sum of their stakes"),
)

_RUN_COLUMNS: Final = (
    _ID,
    _text("name", "text", "of the backtest"),
    _moment("stored_at", "when it was stored"),
    _text("strategy", "name", "that was tried"),
    _count("timeframe", "minutes", "the length of a candle"),
    _count("trade_count", "number", "of its trades"),
    _number("total_profit", _STAKE, "of all its trades"),
)

_RUN: Final = _count("run_id", "number", "the id of the backtest")

_TABLES: Final = (
    ExportedTable("trades", "trades", (_ID, *_TRADE_COLUMNS), known_by=("exchange", "pair", "is_short", "open_date")),
    ExportedTable("orders", "orders", (_ID, _TRADE, *_ORDER_COLUMNS), {"ft_trade_id": "trades"}),
    ExportedTable(
        "custom_data",
        "trade_custom_data",
        _CUSTOM_DATA_COLUMNS,
        {"ft_trade_id": "trades"},
        known_by=("ft_trade_id", "pair", "cd_key"),
    ),
    ExportedTable("locks", "pairlocks", _LOCK_COLUMNS, known_by=("pair", "side", "lock_time", "lock_end_time")),
    ExportedTable("key_values", "KeyValueStore", _KEY_VALUE_COLUMNS),
    ExportedTable("wallet_history", "wallet_history", _WALLET_COLUMNS),
    ExportedTable("intents", "order_intents", _INTENT_COLUMNS, {"ft_trade_id": "trades"}),
    ExportedTable("archives", "archives", _ARCHIVE_COLUMNS),
    ExportedTable(
        "archived_profits",
        "archived_profits",
        _ARCHIVED_PROFIT_COLUMNS,
        {"archive_id": "archives"},
        known_by=tuple(column.name for column in _ARCHIVED_PROFIT_COLUMNS[1:10]),
    ),
    ExportedTable("backtest_runs", "backtest_runs", _RUN_COLUMNS),
    ExportedTable(
        "backtest_trades",
        "backtest_trades",
        (
            _RUN,
            _count("number", "number", "of the trade within the backtest"),
            _count("id", "number", "that the trade had in the backtest"),
            *_TRADE_COLUMNS,
        ),
        {"run_id": "backtest_runs"},
        key=("run_id", "number"),
    ),
    ExportedTable(
        "backtest_orders",
        "backtest_orders",
        (
            _RUN,
            _count("trade_number", "number", "of the trade that it belongs to"),
            _count("number", "number", "of the order within the trade"),
            _count("id", "number", "that the order had in the backtest"),
            _count("ft_trade_id", "number", "the id that its trade had in the backtest"),
            *_ORDER_COLUMNS,
        ),
        {"run_id": "backtest_runs"},
        key=("run_id", "trade_number", "number"),
    ),
)

EXPORTED_TABLES: Final[Mapping[str, ExportedTable]] = {table.name: table for table in _TABLES}
"""By their names in the export; a table comes after those that it refers to."""
