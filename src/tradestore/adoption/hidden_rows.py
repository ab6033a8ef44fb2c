"""Rows that an upgrade of another layer left behind in a backup table when it failed.

Such an upgrade renames a table, creates a new one, and copies the rows. Cut short in between, the rows stand only in
the backup, ``trades_bak0`` say, while the bot works on an empty table. After an upgrade that succeeded the rows of the
newest backup stand in the table as well, but for those that somebody has deleted since.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, String, Table, and_, exists, func, select, type_coerce
from sqlalchemy.types import NullType

from tradestore.adoption.column_rules import missing_columns, reflected

__all__ = ["BACKUP_NAMES", "BOT_START", "exact", "hides_rows", "newest_backup", "row_count", "was_left_out"]

BACKUP_NAMES: Final = re.compile(r"(trades|orders|pairlocks|KeyValueStore|trade_custom_data|wallet_history)_bak(\d*)")
"""How the tables are called that upgrades leave behind."""

BOT_START: Final = "bot_start_time"
"""The key under which a bot notes when it was started for the first time."""

_MARKS_OF_EACH_START: Final = (BOT_START, "startup_time")
_FILL_TIME: Final = timedelta(days=1)
"""An open date may move from when the order was placed to when it was filled."""


def newest_backup(connection: Connection, target: Table, tables: Sequence[str]) -> Table | None:
    """Return the backup of a table that was made last and holds rows.

    Until 2020 the number counted all tables of the database, since then those of one kind: so a higher one may be
    older. Tables only gained columns, and where they tell nothing, the number does.

    Args:
        connection: To the database.
        target: The table as it shall be.
        tables: Names of all tables in the database.
    """
    found = [match for each in tables if (match := BACKUP_NAMES.fullmatch(each)) and match[1] == target.name]
    numbers: dict[Table, int] = {reflected(connection, match[0]): int(match[2] or -1) for match in found}
    for backup in sorted(numbers, key=lambda each: (_kinship(target, each), numbers[each]), reverse=True):
        if not missing_columns(target.name, backup) and row_count(connection, backup):
            return backup
    return None


def exact(value: Column[Any], dialect: str) -> ColumnElement[Any]:
    """Return a column whose texts are told apart by every character, whatever the rules of its table are.

    MariaDB and MySQL refuse to compare texts of two tables with different rules, as servers of different ages have.
    """
    return func.hex(value) if dialect in {"mysql", "mariadb"} and isinstance(value.type, String) else value


def was_left_out(backup: Table, trades: Table, orders: Table | None) -> ColumnElement[bool]:
    """Return that a trade in a backup, with the orders that it knows of, stands without any in the table today.

    Args:
        backup: Of an upgrade that found no table of orders.
        trades: The trades today; those that were opened or closed since know better.
        orders: The orders today, None without a table of them.
    """
    today = trades.alias()
    closed = today.c.close_date.is_not_distinct_from(backup.c.close_date)
    stays = exists().where(today.c.id == backup.c.id, today.c.is_open == backup.c.is_open, closed)
    if orders is None:
        return stays
    placed = orders.alias()
    return and_(stays, ~exists().where(placed.c.ft_trade_id == backup.c.id))


def hides_rows(connection: Connection, backup: Table, current: Table | None, trades: Table | None) -> bool:
    """Tell whether the rows of a backup are hidden: none of them is in the table today.

    Args:
        connection: To the database.
        backup: The newest one of the table.
        current: The table, None if it is missing.
        trades: For orders, the table that holds the trades: orders of trades that were deleted are not hidden.
    """
    name = _name_of(backup)
    if name == "orders" and trades is not None and not _has_orders_of(connection, trades, backup):
        return False
    return current is None or not _has_some_of(connection, name, current, backup)


def row_count(connection: Connection, table: Table) -> int:
    """Return how many rows a table has."""
    return connection.scalar(select(func.count()).select_from(table)) or 0


def _kinship(target: Table, table: Table) -> int:
    return len(set(target.c.keys()).intersection(table.c.keys()))


def _name_of(backup: Table) -> str:
    return backup.name.partition("_bak")[0]


def _has_orders_of(connection: Connection, trades: Table, orders: Table) -> bool:
    return _any(connection, select(orders.c.id).join(trades, trades.c.id == orders.c.ft_trade_id))


def _has_some_of(connection: Connection, name: str, current: Table, backup: Table) -> bool:
    if missing_columns(name, current):
        return False
    if name == "trades":
        return _has_some_trade_of(connection, current, backup)
    if name == "KeyValueStore":
        return _has_some_key_of(connection, current, backup)
    same = _same(
        connection, current, backup, *(("ft_pair", "order_id") if name == "orders" else ("id", "pair", "lock_time"))
    )
    return _any(connection, select(backup.c.id).join(current, same))


def _has_some_trade_of(connection: Connection, current: Table, backup: Table) -> bool:
    if _any(connection, select(backup.c.id).join(current, _same(connection, current, backup, "id", "open_date"))):
        return True
    dates = (type_coerce(table.c.open_date, NullType()) for table in (backup, current))
    moved = select(*dates).join_from(backup, current, _same(connection, current, backup, "id", "pair"))
    return any(_is_near(dates) for dates in connection.execute(moved))


def _has_some_key_of(connection: Connection, current: Table, backup: Table) -> bool:
    """Compare keys, but for those that a bot sets anew: of these, the moment of the first start tells."""
    telling = backup.c.key.not_in(_MARKS_OF_EACH_START)
    if _any(connection, select(backup.c.id).where(telling)):
        return _any(
            connection,
            select(backup.c.id).join(current, _same(connection, current, backup, "id", "key")).where(telling),
        )
    began_earlier = and_(
        _same(connection, current, backup, "key"),
        backup.c.key == BOT_START,
        backup.c.datetime_value < current.c.datetime_value,
    )
    return row_count(connection, current) > 0 and not _any(connection, select(backup.c.id).join(current, began_earlier))


def _same(connection: Connection, current: Table, backup: Table, *names: str) -> ColumnElement[bool]:
    dialect = connection.dialect.name
    return and_(*(exact(current.c[name], dialect) == exact(backup.c[name], dialect) for name in names))


def _any(connection: Connection, query: Any) -> bool:
    return connection.execute(query.limit(1)).first() is not None


def _is_near(dates: Iterable[Any]) -> bool:
    first, second = map(_moment, dates)
    return first is not None and second is not None and abs(second - first) <= _FILL_TIME


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
