"""What has to be done so that a database becomes one of this library: found out by looking, without changing it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Table, inspect, or_, select

from tradestore._legacy_names import get_backup_name
from tradestore._revisions import differences
from tradestore.adoption.column_rules import has_old_pairs, missing_columns, reflected
from tradestore.adoption.hidden_rows import hides_rows, newest_backup, row_count, was_left_out
from tradestore.exceptions import MigrationError

__all__ = ["CORE_TABLES", "LEFTOVER", "ORDER_IDS", "AdoptionPlan", "TablePlan", "has_stamped_tables", "plan_adoption"]

CORE_TABLES: Final = ("trades", "orders", "pairlocks", "KeyValueStore", "trade_custom_data", "wallet_history")
"""The tables that other layers make as well, a table before those that refer to it."""

_REWRITTEN: Final = CORE_TABLES[:4]
"""Those of them that other layers' upgrades rename and make anew."""

LEFTOVER: Final = "tradestore_"
"""How the tables' names begin that an adoption makes for its own use, ``tradestore_new_trades`` say."""

ORDER_IDS: Final = ("open_order_id", "stoploss_order_id")
"""Columns of older trades: orders that the exchange had not filled yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """How one table gets its current form.

    Attributes:
        target: The table as it shall be.
        current: The table as it is, None if it is missing.
        hidden: A backup that holds rows which are in no table now.
        rows: In the current table.
        hidden_rows: In that backup.
        backup: A name that no table has yet, under which the current table is kept.
        forgotten: A backup whose trades know of orders, or have pairs in their old form, which the upgrade from it has
            left out.
    """

    target: Table
    current: Table | None
    hidden: Table | None
    rows: int
    hidden_rows: int
    backup: str
    forgotten: Table | None = None

    @property
    def name(self) -> str:
        """The name of the table."""
        return self.target.name

    @property
    def kept_in(self) -> str:
        """The backup that holds the rows as they were."""
        return self.hidden.name if self.hidden is not None and not self.rows else self.backup

    def place_of(self, origin: Table) -> str:
        """Return the name under which one of the tables that the rows come from is kept."""
        return origin.name if origin is self.hidden else self.backup

    @property
    def has_older_form(self) -> bool:
        """Whether there is anything to build it from, if only an empty table."""
        return self.current is not None or self.hidden is not None

    @property
    def origins(self) -> Sequence[Table]:
        """Return the tables that the rows come from, the older rows first."""
        return [table for table in (self.hidden, self.current if self.rows else None) if table is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptionPlan:
    """What has to be done.

    Attributes:
        tables: The tables to build anew, each before those that refer to it.
    """

    tables: Sequence[TablePlan]

    def of(self, name: str) -> TablePlan | None:
        """Return how a table is built anew, None if it stays as it is."""
        return next((table for table in self.tables if table.name == name), None)


def plan_adoption(connection: Connection, metadata: MetaData) -> AdoptionPlan:
    """Look at a database that has no stamp and say what has to be done.

    Args:
        connection: To the database; nothing is changed.
        metadata: Of the models.

    Raises:
        MigrationError: If a table has one of our names and is no older version of ours.
    """
    names = [name for name in inspect(connection).get_table_names() if not name.startswith(LEFTOVER)]
    current: dict[str, Table] = {name: reflected(connection, name) for name in CORE_TABLES if name in names}
    _refuse_foreign(current)
    targets = {name: metadata.tables[name] for name in _REWRITTEN if name in metadata.tables}
    backups = {name: newest_backup(connection, target, names) for name, target in targets.items()}
    hidden = _hidden(connection, current, backups)
    forgotten = _forgotten(connection, current, backups, hidden)
    stale = _changed_tables(connection, metadata) | hidden.keys()
    if any(_knows_orders(trades) for trades in (current.get("trades"), hidden.get("trades"), forgotten)):
        stale |= {"trades", "orders"}
    return AdoptionPlan(
        tables=[
            TablePlan(
                target=metadata.tables[name],
                current=current.get(name),
                hidden=hidden.get(name),
                rows=row_count(connection, current[name]) if name in current else 0,
                hidden_rows=row_count(connection, hidden[name]) if name in hidden else 0,
                backup=get_backup_name([each for each in names if each.startswith(name)], f"{name}_bak"),
                forgotten=forgotten if name == "trades" else None,
            )
            for name in CORE_TABLES
            if name in metadata.tables and (name in stale or name not in current)
        ]
    )


def has_stamped_tables(connection: Connection, metadata: MetaData) -> bool:
    """Return whether our tables have all columns that they have had since there are stamps.

    They have not where somebody has restored an old dump over them.

    Args:
        connection: To a database that has a stamp.
        metadata: Of the models.
    """
    found = inspect(connection).get_multi_columns(filter_names=CORE_TABLES)
    present = {name: {column["name"] for column in columns} for (_, name), columns in found.items()}
    return all(present.get(name, set()) >= set(metadata.tables[name].c.keys()) for name in CORE_TABLES)


def _hidden(
    connection: Connection, current: Mapping[str, Table], backups: Mapping[str, Table | None]
) -> dict[str, Table]:
    hidden: dict[str, Table] = {}
    for name, backup in backups.items():
        trades = hidden.get("trades", current.get("trades"))
        if backup is not None and hides_rows(connection, backup, current.get(name), trades):
            hidden[name] = backup
    return hidden


def _forgotten(
    connection: Connection,
    current: Mapping[str, Table],
    backups: Mapping[str, Table | None],
    hidden: Mapping[str, Table],
) -> Table | None:
    """Return the newest backup of trades if the upgrade from it has left out what newer tables say otherwise."""
    backup, trades = backups["trades"], current.get("trades")
    if backup is None or trades is None or "trades" in hidden or backups["orders"] is not None:
        return None
    if _knows_orders(trades) or not _knows_orders(backup):
        return None
    numbers = or_(*(backup.c[name].is_not(None) for name in ORDER_IDS if name in backup.c))
    left_out = select(backup.c.id).where(numbers, was_left_out(backup, trades, current.get("orders"))).limit(1)
    return backup if has_old_pairs(backup) or connection.execute(left_out).first() is not None else None


def _knows_orders(trades: Table | None) -> bool:
    return trades is not None and any(name in trades.c for name in ORDER_IDS)


def _refuse_foreign(current: Mapping[str, Table]) -> None:
    for name, table in current.items():
        if missing := missing_columns(name, table):
            msg = (
                f"The table {name!r} is no older version of ours: it has no column {', '.join(missing)}. Nothing was "
                "changed: if it is of another program, give it another name, or give the db_url of a new database."
            )
            raise MigrationError(msg)


def _changed_tables(connection: Connection, metadata: MetaData) -> set[str]:
    """Return those of our tables whose columns or keys differ from the models'."""
    changes = differences(connection, metadata)
    # What alembic finds is a tuple; what it finds about one column, a list of them.
    single = [each for change in changes for each in (change if isinstance(change, list) else [change])]
    return {_table_of(change) for change in single if _concerns_rows(change)} & set(CORE_TABLES)


def _concerns_rows(change: tuple[Any, ...]) -> bool:
    """Return whether a table has to be built anew for it; an index can just be made unless it is a unique one."""
    what, item = change[0], change[1]
    return item.unique if what == "add_index" else not what.endswith(("_table", "_index", "_comment"))


def _table_of(change: tuple[Any, ...]) -> str:
    table = getattr(change[1], "table", None)
    return str(change[2] if table is None else table.name)
