"""What the read views show, by their names with a version: each column with its type, unit and meaning.

A view of a version never changes. What is to be shown otherwise becomes a further version beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Date,
    Integer,
    Select,
    and_,
    case,
    cast,
    extract,
    false,
    func,
    null,
    select,
    text,
    true,
)

from tradestore._exported_columns import EXPORTED_TABLES, ColumnType
from tradestore.base import ModelBase

__all__ = ["ReadView", "ViewColumn", "views_on"]

_TRADES: Final = ModelBase.metadata.tables["trades"]
_ORDERS: Final = ModelBase.metadata.tables["orders"]
_LOCKS: Final = ModelBase.metadata.tables["pairlocks"]

_TEXT, _NUMBER, _COUNT, _FLAG, _MOMENT = (
    ColumnType.TEXT,
    ColumnType.NUMBER,
    ColumnType.COUNT,
    ColumnType.FLAG,
    ColumnType.MOMENT,
)


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column of a view.

    Attributes:
        name: Its own.
        type: Of its values; ``date`` for a day.
        unit: What a number counts, or of which kind a text is.
        meaning: What it tells.
        expression: What it is computed by.
    """

    name: str
    type: str
    unit: str
    meaning: str
    expression: Any


@dataclass(frozen=True, slots=True)
class ReadView:
    """A view.

    Attributes:
        name: With its version.
        meaning: What a row is.
        columns: In their order.
        query: What it shows.
    """

    name: str
    meaning: str
    columns: Sequence[ViewColumn]
    query: Select[Any]


def views_on(dialect_name: str) -> list[ReadView]:
    """Return all views as an engine makes them.

    Args:
        dialect_name: The engine's.
    """
    of_engine = _ENGINES.get(dialect_name, _MARIADB)
    trades = _trade_columns(of_engine)
    open_trades = [column for column in trades if column.name not in _OF_CLOSED]
    return [
        _view("v_trades_1", "a trade", trades),
        _view("v_open_trades_1", "a trade that is open", open_trades, _TRADES.c.is_open == true()),
        _orders_view(),
        _closed_profit_view(of_engine),
        _view("v_pairlocks_1", "a lock of a pair", _lock_columns()),
    ]


@dataclass(frozen=True, slots=True)
class _Engine:
    """How an engine counts time."""

    name: str

    def seconds(self, moment: Any) -> Any:
        """Return the whole seconds since 1970."""
        match self.name:
            case "sqlite":
                # Its own functions round to milliseconds, and so now and then to the next second.
                return cast(func.strftime("%s", func.substr(moment, 1, 19)), Integer)
            case "postgresql":
                return cast(func.floor(extract("epoch", moment)), BigInteger)
        return func.timestampdiff(text("SECOND"), "1970-01-01", moment)

    def day(self, moment: Any) -> Any:
        """Return the day in UTC."""
        return func.substr(moment, 1, 10) if self.name == "sqlite" else cast(moment, Date)


_MARIADB: Final = _Engine("mysql")
_ENGINES: Final = {name: _Engine(name) for name in ("sqlite", "postgresql")}

_OF_CLOSED: Final = frozenset(
    {
        "is_open",
        "closed_at",
        "closed_unix",
        "close_rate",
        "duration_seconds",
        "exit_reason",
        "profit_abs",
        "profit_ratio",
    }
)


def _trade_columns(engine: _Engine) -> list[ViewColumn]:
    t = _TRADES.c
    return [
        ViewColumn("trade_id", _COUNT, "number", "of the trade", t.id),
        *_as_stored(_TRADES, "exchange", "pair", "base_currency", "stake_currency"),
        ViewColumn("side", _TEXT, "long or short", "with which prices it gains", _side()),
        ViewColumn("trading_mode", _TEXT, "spot, margin or futures", "how it is financed", _mode()),
        *_as_stored(_TRADES, "leverage", "strategy", "timeframe", "enter_tag", "exit_reason"),
        ViewColumn("is_open", _FLAG, "true or false", "whether it has not ended yet", t.is_open),
        ViewColumn("opened_at", _MOMENT, "UTC", "when it was opened", t.open_date),
        ViewColumn("closed_at", _MOMENT, "UTC", "when it was closed", t.close_date),
        ViewColumn("opened_unix", _COUNT, "s since 1970", "when it was opened", engine.seconds(t.open_date)),
        ViewColumn("closed_unix", _COUNT, "s since 1970", "when it was closed", engine.seconds(t.close_date)),
        ViewColumn(
            "duration_seconds",
            _COUNT,
            "s",
            "how long it was open",
            engine.seconds(t.close_date) - engine.seconds(t.open_date),
        ),
        *_as_stored(_TRADES, "open_rate", "close_rate", "amount", "stake_amount", "max_stake_amount"),
        ViewColumn("profit_ratio", _NUMBER, "ratio", "the profit of a closed trade", _if_closed(t.close_profit)),
        ViewColumn(
            "profit_abs", _NUMBER, "stake currency", "the profit of a closed trade", _if_closed(t.close_profit_abs)
        ),
        ViewColumn(
            "realized_profit_abs", _NUMBER, "stake currency", "the profit of all exits so far", t.realized_profit
        ),
        ViewColumn("entry_fee_ratio", _NUMBER, "ratio", "the fee of entries", t.fee_open),
        ViewColumn("entry_fee_cost", _NUMBER, "entry_fee_currency", "the fee of entries", t.fee_open_cost),
        ViewColumn("entry_fee_currency", _TEXT, "currency", "of that fee", t.fee_open_currency),
        ViewColumn("exit_fee_ratio", _NUMBER, "ratio", "the fee of exits", t.fee_close),
        ViewColumn("exit_fee_cost", _NUMBER, "exit_fee_currency", "the fee of exits", t.fee_close_cost),
        ViewColumn("exit_fee_currency", _TEXT, "currency", "of that fee", t.fee_close_currency),
        *_as_stored(_TRADES, "funding_fees", "stop_loss", "liquidation_price"),
    ]


def _orders_view() -> ReadView:
    o = _ORDERS.c
    is_entry = o.ft_order_side == case((_TRADES.c.is_short == true(), "sell"), else_="buy")
    columns = [
        ViewColumn("order_row_id", _COUNT, "number", "of the row", o.id),
        ViewColumn("trade_id", _COUNT, "number", "of its trade", o.ft_trade_id),
        ViewColumn("exchange_order_id", _TEXT, "id", "as the exchange gave it", o.order_id),
        ViewColumn("pair", _TEXT, "pair", "the bot's name of the pair", o.ft_pair),
        ViewColumn("trade_side", _TEXT, "long or short", "of its trade", _side()),
        ViewColumn(
            "purpose", _TEXT, "entry or exit", "what it does in its trade", case((is_entry, "entry"), else_="exit")
        ),
        ViewColumn("order_side", _TEXT, "buy, sell or stoploss", "what the bot uses it for", o.ft_order_side),
        *_as_stored(_ORDERS, "order_type", "status"),
        ViewColumn("is_open", _FLAG, "true or false", "whether it waits on the exchange", o.ft_is_open),
        *_as_stored(_ORDERS, "price", "average", "amount", "filled", "remaining", "cost"),
        ViewColumn("fee_base", _NUMBER, "base currency", "the fee that was taken out of it", o.ft_fee_base),
        *_as_stored(_ORDERS, "funding_fee"),
        ViewColumn("placed_at", _MOMENT, "UTC", "when it was placed", o.order_date),
        ViewColumn("filled_at", _MOMENT, "UTC", "when it was last filled", o.order_filled_date),
        ViewColumn("tag", _TEXT, "text", "the strategy's tag for it", o.ft_order_tag),
    ]
    query = _query(columns).select_from(_ORDERS.join(_TRADES, o.ft_trade_id == _TRADES.c.id))
    return ReadView("v_orders_1", "an order", columns, query)


def _closed_profit_view(engine: _Engine) -> ReadView:
    t = _TRADES.c
    day = engine.day(t.close_date)
    columns = [
        ViewColumn("day", "date", "UTC", "when the trades were closed", day),
        ViewColumn("pair", _TEXT, "pair", "of the trades", t.pair),
        ViewColumn("stake_currency", _TEXT, "currency", "of the profit", t.stake_currency),
        ViewColumn("trades", _COUNT, "number", "of trades that were closed", func.count()),
        ViewColumn("wins", _COUNT, "number", "of them with a profit", _number_of(t.close_profit_abs > 0)),
        ViewColumn("losses", _COUNT, "number", "of them with a loss", _number_of(t.close_profit_abs < 0)),
        ViewColumn("profit_abs", _NUMBER, "stake currency", "of all of them", func.sum(t.close_profit_abs)),
        ViewColumn("mean_profit_ratio", _NUMBER, "ratio", "the mean of their profits", func.avg(t.close_profit)),
    ]
    query = _query(columns).where(and_(t.is_open == false(), t.close_date.is_not(None)))
    return ReadView(
        "v_closed_profit_1",
        "the trades in one pair that were closed on one day, without archived ones",
        columns,
        query.group_by(day, t.pair, t.stake_currency),
    )


def _lock_columns() -> list[ViewColumn]:
    locks = _LOCKS.c
    return [
        ViewColumn("lock_id", _COUNT, "number", "of the row", locks.id),
        ViewColumn("pair", _TEXT, "pair", "that must not be entered; * for all", locks.pair),
        ViewColumn("side", _TEXT, "long, short or *", "for which trades it holds", locks.side),
        ViewColumn("reason", _TEXT, "text", "why it was made", locks.reason),
        ViewColumn("locked_at", _MOMENT, "UTC", "when it was made", locks.lock_time),
        ViewColumn("locked_until", _MOMENT, "UTC", "when it ends", locks.lock_end_time),
        ViewColumn("is_active", _FLAG, "true or false", "whether it was not released before", locks.active),
    ]


def _as_stored(table: Any, *names: str) -> list[ViewColumn]:
    """Return columns that a view shows under their own names."""
    known = {column.name: column for column in _exported(table).columns}
    return [ViewColumn(name, known[name].type, known[name].unit, known[name].meaning, table.c[name]) for name in names]


def _exported(table: Any) -> Any:
    return next(each for each in EXPORTED_TABLES.values() if each.stored_as == table.name)


def _side() -> Any:
    return case((_TRADES.c.is_short == true(), "short"), else_="long")


def _mode() -> Any:
    # The database has the names of an enum's members.
    return case(*((_TRADES.c.trading_mode == name.upper(), name) for name in ("spot", "margin", "futures")))


def _if_closed(value: Any) -> Any:
    return case((_TRADES.c.is_open == true(), null()), else_=value)


def _number_of(condition: Any) -> Any:
    return func.count(case((condition, 1)))


def _query(columns: Sequence[ViewColumn]) -> Select[Any]:
    return select(*(column.expression.label(column.name) for column in columns))


def _view(name: str, meaning: str, columns: Sequence[ViewColumn], *conditions: Any) -> ReadView:
    return ReadView(name, meaning, columns, _query(columns).where(*conditions))
