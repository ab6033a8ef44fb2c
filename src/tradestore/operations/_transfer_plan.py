"""What a transfer takes along: the tables of a source, parents first, and the columns of each."""

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Inspector,
    MetaData,
    Table,
    UniqueConstraint,
    and_,
    event,
    exists,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn, sort_tables_and_constraints

from tradestore._engine import take_write_lock
from tradestore._stored_values import StoredTable
from tradestore.base import NAMING_CONVENTION, ModelBase, compare_every_letter
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import TransferError
from tradestore.migrations import VERSION_TABLE
from tradestore.operations._endpoints import family
from tradestore.operations._portable_tables import PortableTables

__all__ = ["Cargo", "TransferPlan", "is_backup", "make_tables", "plan_transfer", "refuse_orphans", "unique_keys"]

_BACKUP: Final = re.compile(r"(trades|orders|pairlocks|KeyValueStore|trade_custom_data|wallet_history)_bak\d*")
_SHOWN: Final = 10
_ATTEMPTS: Final = 3
_PAUSE: Final = 0.2
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """A table that is transferred.

    Attributes:
        stored: The table, as it is described for both ends, and those of its columns that the source has and that no
            engine computes by itself.
        key: Columns of its primary key; none if it has none.
        is_model: Whether the library or the user has a model of it, so that it is made with the models.
        added: Columns of the source that the model lacks.
    """

    stored: StoredTable
    key: Sequence[Column[Any]]
    is_model: bool
    added: Sequence[Column[Any]] = ()

    @property
    def name(self) -> str:
        """Of the table."""
        return self.stored.table.name

    @property
    def table(self) -> Table:
        """As it is described."""
        return self.stored.table


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """All that is transferred.

    Attributes:
        cargos: The tables, parents first.
        metadata: Of their descriptions.
    """

    cargos: Sequence[Cargo]
    metadata: MetaData


def plan_transfer(source: Connection, target: Engine, *, only: Collection[str] | None = None) -> TransferPlan:
    """Look at what a source has.

    Args:
        source: Its snapshot.
        target: Where it is to go.
        only: The tables that matter; all of them if None.

    Raises:
        TransferError: If a column has a type that the target has nothing like.
    """
    inspector = inspect(source)
    present = inspector.get_table_names()
    names = [name for name in present if _travels(name) and (only is None or name in only)]
    portable = PortableTables(
        inspector, names, is_same_kind=family(source) == family(target), from_sqlite=family(source) == "sqlite"
    )
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    event.listen(metadata, "before_create", compare_every_letter)
    for model in ModelBase.metadata.tables.values():
        model.to_metadata(metadata)
    for name in names:
        if name not in ModelBase.metadata.tables:
            portable.add_table(name, metadata)
    # Unlike the metadata's own list it takes tables that refer to each other without a warning.
    ordered = sort_tables_and_constraints(metadata.tables.values())  # type: ignore[no-untyped-call]
    tables = [table for table, _ in ordered if table is not None and table.name in names]
    return TransferPlan([_cargo(inspector, portable, table) for table in tables], metadata)


def make_tables(plan: TransferPlan, target: Engine) -> None:
    """Make at the target what the models don't bring: tables that are no models, and columns that models lack.

    Raises:
        TransferError: If a table of the same name with other columns is there.
        DBAPIError: If the engine cannot make one.
    """
    attempt = 1
    while True:
        try:
            _make_tables(plan, target)
        except DBAPIError:
            # Another transfer may make the same ones just now; then they are there the next time.
            if attempt == _ATTEMPTS:
                raise
            attempt += 1
            time.sleep(_PAUSE)
        else:
            return


def refuse_orphans(source: Connection, plan: TransferPlan) -> None:
    """Refuse rows that refer to others which aren't there, as SQLite allows it where nobody told it otherwise.

    Raises:
        TransferError: If there are any.
    """
    tables = {cargo.name: cargo.table for cargo in plan.cargos}
    for cargo in plan.cargos:
        travelling = {column.name for column in cargo.stored.columns}
        for constraint in cargo.table.foreign_key_constraints:
            pairs = [(element.parent, element.column) for element in constraint.elements]
            if constraint.referred_table.name not in tables or not travelling.issuperset(constraint.column_keys):
                continue
            referred = constraint.referred_table
            parent = referred.alias()
            orphans = select(*(cargo.key or [own for own, _ in pairs])).where(
                *(own.is_not(None) for own, _ in pairs),
                ~exists().where(and_(*(own == parent.c[theirs.key] for own, theirs in pairs))).correlate(cargo.table),
            )
            if found := source.execute(orphans.limit(_SHOWN)).all():
                _refuse_orphans(cargo, constraint.column_keys, referred.name, found)


def is_backup(name: str) -> bool:
    """Tell whether a table is what upgrades leave behind."""
    return _BACKUP.fullmatch(name) is not None


def unique_keys(cargo: Cargo) -> list[Sequence[Column[Any]]]:
    """Return the columns of each unique key that a table has besides its primary one."""
    table, travelling = cargo.table, set(cargo.stored.columns)
    constraints = [[*found.columns] for found in table.constraints if isinstance(found, UniqueConstraint)]
    indexes = [[*index.columns] for index in table.indexes if index.unique]
    return [columns for columns in (*constraints, *indexes) if travelling.issuperset(columns)]


def _make_tables(plan: TransferPlan, target: Engine) -> None:
    with target.begin() as connection:
        take_write_lock(connection)
        inspector = inspect(connection)
        present = set(inspector.get_table_names())
        for cargo in plan.cargos:
            if cargo.name in present:
                _add_columns(connection, inspector, cargo)
        others = [cargo.table for cargo in plan.cargos if not cargo.is_model]
        plan.metadata.create_all(connection, tables=others)
        for table in others:
            # A first try, cut short where tables are created one by one, may have left some out.
            for index in table.indexes:
                index.create(connection, checkfirst=True)


def _travels(name: str) -> bool:
    return name not in {VERSION_TABLE, TRANSFER_TABLE} and not is_backup(name)


def _cargo(inspector: Inspector, portable: PortableTables, table: Table) -> Cargo:
    present = [column["name"] for column in inspector.get_columns(table.name)]
    known = {column.name for column in table.columns}
    added = [portable.added_column(table.name, name) for name in present if name not in known]
    for column in added:
        table.append_column(column)
    return Cargo(
        stored=StoredTable(table, [name for name in present if table.c[name].computed is None]),
        key=list(table.primary_key.columns),
        is_model=table.name in ModelBase.metadata.tables,
        added=added,
    )


def _add_columns(connection: Connection, inspector: Inspector, cargo: Cargo) -> None:
    present = {column["name"] for column in inspector.get_columns(cargo.name)}
    missing = {column.name for column in cargo.stored.columns} - present
    if not missing:
        return
    added = {column.name: column for column in cargo.added}
    if not missing <= added.keys():
        msg = (
            f"The target has a table {cargo.name!r} of its own, without the column {', '.join(sorted(missing))}. "
            "Nothing was copied: drop or rename that table, or transfer into another database."
        )
        raise TransferError(msg)
    preparer = connection.dialect.identifier_preparer
    for name in sorted(missing):
        column = str(CreateColumn(added[name]).compile(dialect=connection.dialect))
        connection.exec_driver_sql(f"ALTER TABLE {preparer.format_table(cargo.table)} ADD COLUMN {column}")


def _refuse_orphans(cargo: Cargo, columns: Sequence[str], parent: str, found: Sequence[Any]) -> None:
    rows = ", ".join(str(row[0]) if len(row) == 1 else str(tuple(row)) for row in found)
    more = " and maybe others" if len(found) == _SHOWN else ""
    key = ", ".join([column.name for column in cargo.key] or columns)
    msg = (
        f"Rows of the table {cargo.name!r} refer by {', '.join(columns)} to rows of {parent!r} that are not there: "
        f"those with {key} {rows}{more}. Nothing was copied: delete them at the source, or bring back what is missing."
    )
    raise TransferError(msg)
