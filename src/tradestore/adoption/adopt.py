"""Making a database of this library out of one that has no stamp, whole or not at all."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, MetaData, Select, Table, func, insert, inspect, or_, select

from tradestore._sequences import continue_ids, next_id
from tradestore._sqlite_backup import back_up_file
from tradestore._start_fixes import correct_rows
from tradestore.adoption.attachments import quoted, run_statement
from tradestore.adoption.carried_rows import CarriedRows
from tradestore.adoption.obstacles import obstacles
from tradestore.adoption.placing import Placing, mend_references, placing_for, remove_leftovers
from tradestore.adoption.plan import CORE_TABLES, AdoptionPlan, TablePlan, plan_adoption
from tradestore.adoption.table_settings import act_as_owner
from tradestore.adoption.unknown_orders import store_unknown_orders
from tradestore.exceptions import MigrationError

__all__ = ["adopting"]

_LABEL: Final = "unstamped"
"""What the backup of an SQLite file is called after."""

logger = logging.getLogger(__name__)


@contextmanager
def adopting(connection: Connection, metadata: MetaData) -> Iterator[None]:
    """Bring the tables that other layers make as well to their current form, with every row.

    An SQLite file is backed up first, to ``<file>.unstamped.bak`` beside it. Afterwards each old table stands beside
    the new one as a backup, ``trades_bak0`` say. A database without such tables is left as it is. What is done within
    the block, such as making the other tables, succeeds or fails with it.

    Args:
        connection: In a transaction during which nobody else changes tables, with SQLite ready for replacing some.
        metadata: Of the models.

    Raises:
        MigrationError: If a table is of another program, a value fits into no rule, or a row did not arrive: then
            everything is as it was.
    """
    remove_leftovers(connection, metadata)
    _keep_others_out(connection)
    plan = plan_adoption(connection, metadata)
    if not any(table.has_older_form for table in plan.tables):
        mend_references(connection)
        yield
        return
    rows = CarriedRows(connection, plan)
    if found := obstacles(connection, plan, rows):
        msg = "The database cannot be brought up to date. Nothing was changed. In the way: " + "; ".join(found)
        raise MigrationError(msg)
    back_up_file(connection, _LABEL)
    _announce(plan, rows.set_aside(connection))
    placing = placing_for(connection, plan)
    try:
        _build(connection, plan, rows, placing)
        yield
    except BaseException:
        placing.undo()
        raise
    logger.info("Database migration finished.")


def _build(connection: Connection, plan: AdoptionPlan, rows: CarriedRows, placing: Placing) -> None:
    next_ids = {table.name: _next_id(connection, table) for table in plan.tables}
    placing.prepare()
    for table in plan.tables:
        new = placing.new[table.name]
        queries = rows.selects(table, placing.places)
        for query in queries:
            connection.execute(insert(new).from_select(new.columns.keys(), query))
        _verify(connection, new, queries)
    store_unknown_orders(connection, rows, placing.places, placing.new)
    if {"trades", "orders"} <= placing.new.keys():
        correct_rows(connection, placing.new["trades"], placing.new["orders"])
    for name, new in placing.new.items():
        continue_ids(connection, new, next_ids[name])
    placing.finish()


def _verify(connection: Connection, new: Table, queries: list[Select[Any]]) -> None:
    """Compare every value that has arrived with what it was made of.

    Raises:
        MigrationError: If a row is missing, there twice, or differs.
    """
    names = [column.name for column in new.columns]
    expected = 0
    for query in queries:
        origin = query.subquery()
        expected += connection.scalar(select(func.count()).select_from(origin)) or 0
        differs = or_(new.c.id.is_(None), *(new.c[name].is_distinct_from(origin.c[name]) for name in names))
        lost = connection.scalars(
            select(origin.c.id).join_from(origin, new, new.c.id == origin.c.id, isouter=True).where(differs).limit(1)
        ).first()
        if lost is not None:
            msg = f"Row {lost} did not arrive in {new.name} as it was. Nothing was changed: please report this."
            raise MigrationError(msg)
    arrived = connection.scalar(select(func.count()).select_from(new)) or 0
    if arrived != expected:
        msg = f"Of {expected} rows {arrived} arrived in {new.name}. Nothing was changed: please report this."
        raise MigrationError(msg)


def _next_id(connection: Connection, table: TablePlan) -> int:
    """Return the number that the next row would have had, so that none is given twice."""
    found = [next_id(connection, each.name) for each in (table.hidden, table.current) if each is not None]
    return max((number for number in found if number is not None), default=1)


def _keep_others_out(connection: Connection) -> None:
    """Lock what will be replaced where a transaction alone does not: another bot may be running on it."""
    if connection.dialect.name != "postgresql":
        return
    names = [quoted(connection, name) for name in inspect(connection).get_table_names() if name in CORE_TABLES]
    if names:
        act_as_owner(connection, CORE_TABLES)
        # Rows that a policy hides from this user would not arrive: an error tells it.
        run_statement(connection, "SET LOCAL row_security = off")
        run_statement(connection, f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")


def _announce(plan: AdoptionPlan, aside: Mapping[str, int]) -> None:
    tables: Mapping[str, TablePlan] = {table.name: table for table in plan.tables if table.has_older_form}
    if trades := tables.get("trades"):
        orders = plan.of("orders")
        kept = trades.kept_in, "none" if orders is None else orders.kept_in
        logger.info("Running database migration for trades - backup: %s, %s", *kept)
    for name in ("pairlocks", "KeyValueStore"):
        if name in tables:
            logger.info("Running database migration for %s - backup: %s", name, tables[name].kept_in)
    for table in plan.tables:
        if table.forgotten is not None:
            logger.warning(
                "An earlier upgrade of another program has left out what %s knows: orders without a row are made anew, "
                "and pairs get their present form.",
                table.forgotten.name,
            )
        if table.hidden is not None:
            logger.warning(
                "An earlier upgrade of another program has failed and left %d rows in %s only: %s are brought back "
                "to %s.",
                table.hidden_rows,
                table.hidden.name,
                f"{table.hidden_rows - aside[table.hidden.name]} of them" if table.hidden.name in aside else "they",
                table.name,
            )
        for origin in table.origins:
            if origin.name in aside:
                logger.warning(
                    "Rows that belong to no trade are not carried over to %s: %d. They are kept in %s.",
                    table.name,
                    aside[origin.name],
                    table.place_of(origin),
                )
