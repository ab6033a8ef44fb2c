"""What a start of the mirrored layer does to a database, statement by statement, so that it can be cut anywhere.

Written from the documented facts alone. Every statement is committed at once and nothing is undone, as there: that is
what makes wrecks. Where the layer asks an engine for something that it cannot do, the same is asked here, and the
engine's own error ends the start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Enum,
    Float,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from tests.migrations.mirrored_tables import FOREIGN_KEYS, INDEXES, TABLES, UNIQUE, MirroredColumn

__all__ = ["KEY_VALUES", "METADATA", "Start", "start"]

METADATA: Final = MetaData()
"""The current tables, without their indexes: those are made one by one after their table."""

KEY_VALUES: Final = "KeyValueStore"

_KINDS: Final[Mapping[str, TypeEngine[Any]]] = {
    "BOOLEAN": Boolean(),
    "DATETIME": DateTime(),
    "FLOAT": Float(),
    "INTEGER": Integer(),
    "TEXT": Text(),
    "TRADING_MODE": Enum("SPOT", "MARGIN", "FUTURES", name="tradingmode"),
}


def _add_table(name: str, columns: Mapping[str, MirroredColumn]) -> None:
    unique = [UniqueConstraint(*names, name=key) for key, names in UNIQUE.get(name, {}).items()]
    # The names of these are the engine's.
    foreign = [
        ForeignKeyConstraint(names, [f"{table}.{other}" for other in others])
        for names, table, others in FOREIGN_KEYS.get(name, {}).values()
    ]
    Table(name, METADATA, *(_column(*item) for item in columns.items()), *unique, *foreign)


def _column(name: str, column: MirroredColumn) -> Column[Any]:
    type_ = String(column.length) if column.kind == "VARCHAR" else _KINDS[column.kind]
    return Column(name, type_, primary_key=name == "id", nullable=not column.required)


for _name in sorted(TABLES):
    _add_table(_name, TABLES[_name])

# What fills a column that the old table lacks, in terms of the old table.
_NEW_TRADE_VALUES: Final = {
    "stop_loss": "0.0",
    "initial_stop_loss": "0.0",
    "max_rate": "0.0",
    "open_trade_value": "amount * open_rate * (1 + {fee_open})",
    "realized_profit": "0.0",
    "leverage": "1.0",
    "is_short": "0",
    "interest_rate": "0.0",
    "funding_fees": "0.0",
    "max_stake_amount": "stake_amount",
    "amount_requested": "amount",
    "record_version": "1",
}
_RENAMED: Final = {
    "fee_open": ["fee"],
    "fee_close": ["fee"],
    "exit_reason": ["sell_reason"],
    "exit_order_status": ["sell_order_status"],
    "enter_tag": ["buy_tag"],
    "timeframe": ["ticker_interval"],
    "liquidation_price": ["isolated_liq"],
    "precision_mode_price": ["precision_mode"],
}
_EXIT_REASONS: Final = {
    "sell_signal": "exit_signal",
    "custom_sell": "custom_exit",
    "force_sell": "force_exit",
    "emergency_sell": "emergency_exit",
}
_NEW_ORDER_VALUES: Final = {
    "funding_fee": "0.0",
    "ft_amount": "coalesce(amount, 0.0)",
    "ft_price": "coalesce(price, 0.0)",
}
# The layer names these whatever the old table has, and fails where it lacks them.
_ALWAYS_THERE: Final = {"fee_open", "fee_close", "stake_amount"}

_CLOSE_DRY_RUN_STOPLOSSES: Final = (
    "update orders set ft_is_open = false "
    "where ft_is_open = true and ft_order_side = 'stoploss' and order_id like 'dry%'"
)
_CLOSE_DRY_RUN_ORDERS: Final = (
    "update orders set ft_is_open = false where ft_is_open = true and ft_order_side <> 'stoploss' "
    "and order_id like 'dry%' and ft_trade_id not in (select id from trades where is_open = true)"
)
_TAKE_LEVERAGE_OUT: Final = (
    "update trades set max_stake_amount = max_stake_amount / leverage, record_version = 2 "
    "where record_version < 2 and leverage > 1 and is_open = false and max_stake_amount <> 0"
)


class _TooOldError(Exception):
    """The layer says that the database is too old for it, after it has changed half of it."""


@dataclass
class Start:
    """What a start came to.

    Attributes:
        done: The statements that were committed.
        error: What ended it, None if it came to its end or was cut.
    """

    done: list[str] = field(default_factory=list)
    error: str | None = None


def start(engine: Engine, *, upto: int | str | None = None) -> Start:
    """Start the layer on a database, and kill it where it is told.

    Args:
        engine: Of the database; one that knows nothing of the library.
        upto: After so many statements, or after the first one that begins like this; None lets it come to its end.
    """
    came_to = Start()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        statements = _statements(connection)
        try:
            while not _is_reached(upto, came_to.done):
                came_to.done.append(next(statements))
        except StopIteration:
            assert not isinstance(upto, str), f"{upto!r} is none of {came_to.done}"
        except (DBAPIError, _TooOldError) as e:
            came_to.error = str(e)
    return came_to


def _is_reached(upto: int | str | None, done: list[str]) -> bool:
    return bool(done) and done[-1].startswith(upto) if isinstance(upto, str) else len(done) == upto


def _statements(connection: Connection) -> Iterator[str]:
    """Do what a start does, and yield after each committed statement what it was."""
    present = _tables_of(connection)
    yield from _create_missing(connection)
    if "record_version" not in _names(connection, "trades"):
        yield from _migrate_trades(connection)
    if "side" not in _names(connection, "pairlocks"):
        yield from _migrate_alone(connection, "pairlocks", {"side": "'*'"})
    if KEY_VALUES in present and _key_length(connection) < 50:
        yield from _migrate_alone(connection, KEY_VALUES, {})
    if "trades" in present and "orders" not in present:
        raise _TooOldError("Your database seems to be very old.")
    for statement in (_CLOSE_DRY_RUN_STOPLOSSES, _CLOSE_DRY_RUN_ORDERS, _TAKE_LEVERAGE_OUT):
        yield _do(connection, statement)


def _create_missing(connection: Connection, *names: str) -> Iterator[str]:
    present = _tables_of(connection)
    for table in METADATA.sorted_tables:
        if table.name in present or (names and table.name not in names):
            continue
        table.create(connection)
        yield f"create table {table.name}"
        for index, columns in INDEXES[table.name].items():
            (column,) = columns
            yield _do(connection, f"create index {_place(connection, index, table.name, column)}")


def _place(connection: Connection, index: str, table: str, column: str) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return f"{quote(index)} on {quote(table)} ({quote(column)})"


def _migrate_trades(connection: Connection) -> Iterator[str]:
    backup, orders_backup = _backup_name(connection, "trades"), _backup_name(connection, "orders")
    yield _do(connection, f"alter table trades rename to {backup}")
    yield from _drop_indexes(connection, backup)
    if connection.dialect.name == "postgresql":
        yield _do(connection, "select nextval('order_id_seq')")  # There is no such sequence: it ends here.
    yield _do(connection, f"create table {orders_backup} as select * from orders")
    yield _do(connection, "drop table orders")
    yield from _create_missing(connection, "trades", "orders")
    yield _do(connection, _copy("trades", backup, _trade_values(_names(connection, backup))))
    yield _do(connection, _copy("orders", orders_backup, _order_values(_names(connection, orders_backup))))


def _migrate_alone(connection: Connection, table: str, new: Mapping[str, str]) -> Iterator[str]:
    """Migrate the pairlocks or the key values, which other tables do not refer to."""
    backup = _backup_name(connection, table)
    yield _do(connection, f"alter table {_quoted(table)} rename to {_quoted(backup)}")
    yield from _drop_indexes(connection, backup)
    next_id = None
    if connection.dialect.name == "postgresql":
        sequence = _quoted(f"{table}_id_seq")
        next_id = connection.scalar(text(f"select nextval('{sequence}')"))
        yield _do(connection, f"alter sequence {sequence} rename to {_quoted(f'{backup}_id_seq_bak')}")
    yield from _create_missing(connection, table)
    values = {name: new.get(name, _quoted(name)) for name in TABLES[table]}
    yield _do(connection, _copy(table, backup, values))
    if next_id is not None:
        yield _do(connection, f"select setval('{_quoted(f'{table}_id_seq')}', {next_id}, false)")


def _backup_name(connection: Connection, table: str) -> str:
    """Return the name by counting, which is wrong as soon as a user's table starts like this one."""
    return f"{table}_bak{sum(name.startswith(table) for name in _tables_of(connection)) - 1}"


def _drop_indexes(connection: Connection, table: str) -> Iterator[str]:
    for name in sorted(str(index["name"]) for index in inspect(connection).get_indexes(table)):
        place = f" on {table}" if connection.dialect.name in {"mysql", "mariadb"} else ""
        yield _do(connection, f'drop index "{name}"{place}')


def _trade_values(old: set[str]) -> dict[str, str]:
    """Return for each column of trades the expression over the old table that fills it."""
    values = {}
    for name in TABLES["trades"]:
        names = [name, *_RENAMED.get(name, [])]
        if name in {"exit_reason", "exit_order_status"}:
            names.reverse()
        found = next((candidate for candidate in names if candidate in old), None)
        values[name] = found or (names[-1] if name in _ALWAYS_THERE else _NEW_TRADE_VALUES.get(name, "null"))
    values["open_trade_value"] = values["open_trade_value"].format(**values)
    values["exchange"] = "lower(exchange)"
    cases = " ".join(f"when '{before}' then '{after}'" for before, after in _EXIT_REASONS.items())
    values["exit_reason"] = f"case {values['exit_reason']} {cases} else {values['exit_reason']} end"
    if "is_stop_loss_trailing" not in old:
        limits = [values["stop_loss_pct"], values["initial_stop_loss_pct"]]
        values["is_stop_loss_trailing"] = " <> ".join(f"coalesce({limit}, 0.0)" for limit in limits)
    if "close_profit_abs" not in old:
        values["close_profit_abs"] = f"amount * close_rate * (1 - {values['fee_close']}) - {values['open_trade_value']}"
    return values


def _order_values(old: set[str]) -> dict[str, str]:
    return {name: name if name in old else _NEW_ORDER_VALUES.get(name, "null") for name in TABLES["orders"]}


def _copy(target: str, source: str, values: Mapping[str, str]) -> str:
    names = ", ".join(map(_quoted, values))
    return f"insert into {_quoted(target)} ({names}) select {', '.join(values.values())} from {_quoted(source)}"


def _tables_of(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def _names(connection: Connection, table: str) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns(table)}


def _key_length(connection: Connection) -> int:
    (column,) = [column for column in inspect(connection).get_columns(KEY_VALUES) if column["name"] == "key"]
    assert isinstance(column["type"], String)
    return column["type"].length or 0


def _quoted(name: str) -> str:
    """Quote a name as the layer does, which is a syntax error on MariaDB."""
    return name if name == name.lower() and name != "key" else f'"{name}"'


def _do(connection: Connection, statement: str) -> str:
    connection.execute(text(statement))
    return statement
