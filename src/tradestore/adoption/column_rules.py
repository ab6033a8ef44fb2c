"""What every column of the current tables is made of, given an older version of its table.

A column that the older table has is copied as it is; the rules say what stands in for one that it lacks. They are
facts about databases that other layers wrote, from 2017 to 2026.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    Enum,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    not_,
    null,
    true,
    type_coerce,
)
from sqlalchemy import Float as SingleOrDouble

__all__ = ["REQUIRED", "has_old_pairs", "is_single_precision", "missing_columns", "reflected", "row_of"]

REQUIRED: Final[Mapping[str, Sequence[str]]] = {
    "trades": (
        *("id", "exchange", "pair", "is_open", "open_rate", "close_rate", "close_profit"),
        *("amount", "open_date", "close_date"),
    ),
    "orders": (
        *("id", "ft_trade_id", "ft_order_side", "ft_pair", "ft_is_open", "order_id", "status", "symbol", "order_type"),
        *("side", "price", "amount", "filled", "remaining", "cost"),
        *("order_date", "order_filled_date", "order_update_date"),
    ),
    "pairlocks": ("id", "pair", "reason", "lock_time", "lock_end_time", "active"),
    "KeyValueStore": (*("id", "key", "value_type", "string_value", "datetime_value", "float_value", "int_value"),),
    "trade_custom_data": ("id", "ft_trade_id", "cd_key", "cd_type", "cd_value", "created_at", "updated_at"),
    "wallet_history": ("id", "timestamp", "currency", "quote_currency", "balance"),
}
"""Columns that no rule can make up for: every version of these tables has had them."""

_EXIT_REASONS: Final = {
    "sell_signal": "exit_signal",
    "custom_sell": "custom_exit",
    "force_sell": "force_exit",
    "emergency_sell": "emergency_exit",
}
_MYSQL: Final = ("mysql", "mariadb")
_CUT: Final = frozenset({"exit_reason", "enter_tag", "ft_cancel_reason", "ft_order_tag", "reason"})
"""Texts that the models shorten as well; all others are kept whole or refused."""

_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "trades": {
        "fee_open": 0.0,
        "fee_close": 0.0,
        "realized_profit": 0.0,
        "stop_loss": 0.0,
        "initial_stop_loss": 0.0,
        "max_rate": 0.0,
        "leverage": 1.0,
        "is_short": False,
        "interest_rate": 0.0,
        "funding_fees": 0.0,
        "record_version": 1,
    },
    "orders": {"funding_fee": 0.0},
    "pairlocks": {"side": "*"},
    "wallet_history": {"leverage": 1.0, "bot_managed": True},
}
"""What stands in for a column that is missing, and for a value that is missing where one is needed now."""

_OLD_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "exit_reason": ("sell_reason",),
    "exit_order_status": ("sell_order_status",),
    "enter_tag": ("buy_tag",),
    "timeframe": ("ticker_interval",),
    "liquidation_price": ("isolated_liq",),
    "fee_open": ("fee",),
    "fee_close": ("fee",),
    "stake_amount": ("btc_amount",),
    "precision_mode_price": ("precision_mode",),
}
"""Under which names a column of trades was known before."""


def reflected(connection: Connection, name: str) -> Table:
    """Return a table as it stands in the database, without following its foreign keys."""
    return Table(name, MetaData(), autoload_with=connection, resolve_fks=False)


def missing_columns(target: str, source: Table) -> list[str]:
    """Return the columns without which a table is no older version of *target*."""
    names = source.c.keys()
    missing = [name for name in REQUIRED[target] if name not in names]
    if target == "trades" and not {"stake_amount", "btc_amount"} & set(names):
        missing.append("stake_amount")
    return missing


def row_of(target: Table, source: Table, dialect: str, *, turns_pairs: bool = False) -> dict[str, ColumnElement[Any]]:
    """Return for every column of a current table what it is made of in an older one.

    Args:
        target: The current table.
        source: An older version of it that :func:`missing_columns` finds nothing missing in.
        dialect: SQLAlchemy's name of the engine.
        turns_pairs: Whether pairs stand in their form before May 2018, also where the columns are newer.
    """
    reader = _Reader(source, dialect, turns_pairs=turns_pairs or has_old_pairs(source))
    rules = {"trades": _trade_rules, "orders": _order_rules}.get(target.name, _no_rules)(reader)
    return {
        column.name: _fitted(column, rules.get(column.name, reader.value(target.name, column)), source, dialect)
        for column in target.columns
    }


def has_old_pairs(trades: Table) -> bool:
    """Tell whether pairs stand in their form before May 2018 in a table: ``BTC_ETH``."""
    return "fee_open" not in trades.c


def is_single_precision(column: Column[Any], dialect: str) -> bool:
    """Tell whether a column keeps only 4 bytes of a number, which MariaDB's FLOAT does."""
    return dialect in _MYSQL and type(column.type).__name__ == "FLOAT" and isinstance(column.type, SingleOrDouble)


class _Reader:
    """Reads columns of an older table by their present or earlier names."""

    def __init__(self, source: Table, dialect: str, *, turns_pairs: bool) -> None:
        self.source = source
        self.dialect = dialect
        self.turns_pairs = turns_pairs

    def has(self, name: str) -> bool:
        return name in self.source.c

    def raw(self, name: str) -> ColumnElement[Any]:
        column = self.source.c[name]
        return _in_full(column) if is_single_precision(column, self.dialect) else column

    def number(self, name: str) -> ColumnElement[float]:
        return type_coerce(self.raw(name), Double())

    def value(self, table: str, column: Column[Any]) -> ColumnElement[Any]:
        """Return a column by its name, an older one, or what stands in for it."""
        name = next((each for each in (column.name, *_names_before(table, column)) if self.has(each)), None)
        default = _literal(_DEFAULTS.get(table, {}).get(column.name))
        if name is None:
            return _nothing(column, self.dialect) if default is None else default
        if default is not None and not column.nullable and self.source.c[name].nullable:
            return func.coalesce(self.raw(name), default)
        return self.raw(name)


def _names_before(table: str, column: Column[Any]) -> Sequence[str]:
    return _OLD_NAMES.get(column.name, ()) if table == "trades" else ()


def _no_rules(_reader: _Reader) -> dict[str, ColumnElement[Any]]:
    return {}


def _trade_rules(reader: _Reader) -> dict[str, ColumnElement[Any]]:
    rules: dict[str, ColumnElement[Any]] = {
        "pair": _pair(reader),
        "open_rate": _first_known(reader, "open_rate", "open_rate_requested"),
        "amount": _first_known(reader, "amount", "amount_requested"),
    }
    if not reader.has("record_version"):  # Since March 2025 these are in their present form.
        rules["exchange"] = func.lower(cast(reader.raw("exchange"), Text()))
        rules["exit_reason"] = _exit_reason(reader)
    if not reader.has("stake_amount"):  # The only versions whose close_profit is in percent.
        rules["close_profit"] = reader.number("close_profit") / 100.0
    if not reader.has("amount_requested"):
        rules["amount_requested"] = rules["amount"]
    if not reader.has("is_stop_loss_trailing"):
        rules["is_stop_loss_trailing"] = _is_trailing(reader)
    elif reader.source.c.is_stop_loss_trailing.nullable:
        rules["is_stop_loss_trailing"] = func.coalesce(reader.raw("is_stop_loss_trailing"), false())
    return rules | _values(reader, rules) | _stakes(reader)


def _values(reader: _Reader, rules: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """Return what was once computed only when it was asked for. Doubles, from the left to the right."""
    fee_open, fee_close = (
        reader.number(name) if (name := _known(reader, side, "fee")) else type_coerce(_literal(0.0), Double())
        for side in ("fee_open", "fee_close")
    )
    amount: ColumnElement[float] = type_coerce(rules["amount"], Double())
    opened = amount * type_coerce(rules["open_rate"], Double()) * (1.0 + fee_open)
    values: dict[str, ColumnElement[Any]] = {}
    if reader.has("open_trade_value"):
        opened = reader.number("open_trade_value")
    else:
        values["open_trade_value"] = opened
    if not reader.has("close_profit_abs"):
        values["close_profit_abs"] = amount * reader.number("close_rate") * (1.0 - fee_close) - opened
    return values


def _stakes(reader: _Reader) -> dict[str, ColumnElement[Any]]:
    """Return the highest stake, and which version of it a row holds: 2 is without leverage."""
    if reader.has("max_stake_amount"):
        return {}
    stake = reader.raw("stake_amount" if reader.has("stake_amount") else "btc_amount")
    if not reader.has("leverage"):
        return {"max_stake_amount": stake}
    was_leveraged = and_(
        not_(type_coerce(reader.raw("is_open"), Boolean())),
        reader.number("leverage") > 1.0,
        type_coerce(stake, Double()) != 0.0,
    )
    return {"max_stake_amount": stake, "record_version": case((was_leveraged, 2), else_=1)}


def _order_rules(reader: _Reader) -> dict[str, ColumnElement[Any]]:
    return {
        "ft_amount": _first_known(reader, "ft_amount", "amount"),
        "ft_price": _first_known(reader, "ft_price", "price"),
    }


def _pair(reader: _Reader) -> ColumnElement[Any]:
    """Return the pair; until May 2018 stake currency came first, with an underscore behind it, and no slash."""
    if not reader.turns_pairs:
        return reader.raw("pair")
    pair = type_coerce(cast(reader.raw("pair"), Text()), String())
    where = (func.strpos if reader.dialect == "postgresql" else func.instr)(pair, "_", type_=Integer())
    turned = func.substr(pair, where + 1, type_=String()) + "/" + func.substr(pair, 1, where - 1, type_=String())
    return case((and_(where > 0, not_(pair.contains("/"))), turned), else_=pair)


def _exit_reason(reader: _Reader) -> ColumnElement[Any]:
    name = _known(reader, "sell_reason", "exit_reason")
    if name is None:
        return cast(null(), Text())
    reason = type_coerce(reader.raw(name), String())
    return case(*((reason == old, new) for old, new in _EXIT_REASONS.items()), else_=reason)


def _is_trailing(reader: _Reader) -> ColumnElement[Any]:
    if not (reader.has("stop_loss_pct") and reader.has("initial_stop_loss_pct")):
        return false()
    now, first = (func.coalesce(reader.number(name), 0.0) for name in ("stop_loss_pct", "initial_stop_loss_pct"))
    return case((now != first, true()), else_=false())


def _first_known(reader: _Reader, *names: str) -> ColumnElement[Any]:
    """Return a number that must not be missing: of the first column that has it, else 0."""
    first, *others = (name for name in names if reader.has(name))
    if first == names[0] and not reader.source.c[first].nullable:
        return reader.raw(first)
    return func.coalesce(reader.number(first), *(reader.number(name) for name in others), 0.0)


def _known(reader: _Reader, *names: str) -> str | None:
    return next((name for name in names if reader.has(name)), None)


def _nothing(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """Return NULL; PostgreSQL wants to know of which type."""
    return cast(null(), column.type) if dialect == "postgresql" else null()


def _literal(value: Any) -> ColumnElement[Any] | None:
    """Return a constant of a column; each engine writes its truth values in its own way."""
    if value is None:
        return None
    if isinstance(value, bool):
        return true() if value else false()
    return type_coerce(
        value, Double() if isinstance(value, float) else Integer() if isinstance(value, int) else String()
    )


def _in_full(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a number of 4 bytes as the number of 8 bytes that its owner once wrote.

    MariaDB shows 0.1 of 4 bytes as 0.1 but turns it into 0.10000000149011612. Six digits are what it shows; where they
    don't name the same number of 4 bytes any more, all that is stored is taken.
    """
    shown: ColumnElement[float] = type_coerce(cast(func.concat(column), Double()), Double())
    return case((cast(shown, SingleOrDouble()) == column, shown), else_=cast(column, Double()))


def _fitted(column: Column[Any], value: ColumnElement[Any], source: Table, dialect: str) -> ColumnElement[Any]:
    """Return a value that the column takes: servers refuse long texts, and have types of their own for modes."""
    if column.name in source.c and dialect == "postgresql" and isinstance(column.type, Enum):
        return cast(cast(value, Text()), column.type)
    if column.name in _CUT and dialect != "sqlite" and isinstance(column.type, String):
        return func.substr(value, 1, column.type.length)
    return value
