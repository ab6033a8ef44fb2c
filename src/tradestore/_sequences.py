"""The numbers that an engine gives to new rows: which one comes next, and going on above those that are there."""

import re
from typing import Any, Final

from sqlalchemy import Column, Connection, Engine, Integer, Table, column, func, inspect, select, table, text

__all__ = ["continue_ids", "get_last_sequence_ids", "next_id", "set_sequence_ids"]

_ID: Final = "id"

# The default of the column itself tells, whatever the sequence is called and whoever owns it; an identity has none.
_SEQUENCE: Final = text(
    """
    SELECT coalesce(
        (SELECT CAST(CAST(used.oid AS regclass) AS text)
         FROM pg_attrdef AS given
         JOIN pg_depend AS need ON need.classid = CAST('pg_attrdef' AS regclass) AND need.objid = given.oid
         JOIN pg_class AS used ON need.refclassid = CAST('pg_class' AS regclass) AND used.oid = need.refobjid
         WHERE given.adrelid = place.attrelid AND given.adnum = place.attnum AND used.relkind = 'S'
         LIMIT 1),
        pg_get_serial_sequence(:name, place.attname)
    )
    FROM pg_attribute AS place
    WHERE place.attrelid = to_regclass(:name) AND place.attname = :id AND NOT place.attisdropped
    """
)
_HAS_ROWS: Final = text(
    "SELECT 1 FROM pg_class WHERE oid = to_regclass(:name) AND relkind IN ('r', 'p', 'v', 'm', 'f')"
)
_STEP: Final = "(SELECT seqincrement FROM pg_sequence WHERE seqrelid = to_regclass(:name))"

_COUNTS: Final = re.compile(r"^\s+`.*\bAUTO_INCREMENT\b", re.MULTILINE)
_COUNTER: Final = re.compile(r"^\).*?\bAUTO_INCREMENT=(\d+)", re.MULTILINE)


def next_id(connection: Connection, table_name: str) -> int | None:
    """Return the id that the engine would give to the next row, without using it up.

    Args:
        connection: Whose database has the table.
        table_name: As it is, without quotes.

    Returns:
        None on SQLite, which goes by the largest id, and for a table that is not there or counts no ids.
    """
    match connection.dialect.name:
        case "postgresql":
            return _next_of_table(connection, table_name, _ID)
        case "mysql" | "mariadb":
            return _next_of_counter(connection, table_name)
    return None


def continue_ids(connection: Connection, table: Table, at_least: int | None = None) -> None:
    """Let the next id be above all that are there, and not below what it is now; on SQLite it always is.

    MariaDB and MySQL commit when their counter has to be moved, which is only for *at_least*.

    Args:
        connection: Within a transaction.
        table: With an id that the engine counts; any other is left alone.
        at_least: The next id is not below it.
    """
    counted = _counted_column(table)
    if counted is None or connection.dialect.name == "sqlite":
        return
    largest = connection.scalar(select(func.max(counted))) or 0
    if connection.dialect.name == "postgresql":
        sequence = _sequence_of(connection, table.name, counted.name)
        present = None if sequence is None else _next_of_sequence(connection, sequence)
    else:
        sequence, present = None, _next_of_counter(connection, table.name)
    wanted = max(largest + 1, at_least or 0)
    if present is None or present >= wanted:
        return
    if sequence is not None:
        _restart(connection, sequence, wanted)
    elif largest + 1 < wanted:
        name = connection.dialect.identifier_preparer.format_table(table)
        connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = {wanted:d}")


def set_sequence_ids(
    engine: Engine,
    order_id: int | None = None,
    trade_id: int | None = None,
    pairlock_id: int | None = None,
    kv_id: int | None = None,
    custom_data_id: int | None = None,
    wallet_history_id: int | None = None,
) -> None:
    """Set the next id of each table on PostgreSQL, whatever its sequence is called; other engines count by themselves.

    Args:
        engine: Of the database.
        order_id: Of ``orders``; None or 0 leaves it as it is, here and below.
        trade_id: Of ``trades``.
        pairlock_id: Of ``pairlocks``.
        kv_id: Of ``KeyValueStore``.
        custom_data_id: Of ``trade_custom_data``.
        wallet_history_id: Of ``wallet_history``.
    """
    if engine.name != "postgresql":
        return
    wanted = {
        "orders": order_id,
        "trades": trade_id,
        "pairlocks": pairlock_id,
        "KeyValueStore": kv_id,
        "trade_custom_data": custom_data_id,
        "wallet_history": wallet_history_id,
    }
    with engine.begin() as connection:
        for name, number in wanted.items():
            sequence = _sequence_of(connection, name, _ID) if number else None
            if sequence is not None and number:
                _restart(connection, sequence, number)


def get_last_sequence_ids(engine: Engine, sequence_name: str, table_back_name: str) -> int | None:
    """Return the next id of a table that was renamed to its backup name, without using it up.

    Args:
        engine: Of the database.
        sequence_name: The sequence that gave the table its ids. Where there is none of that name, the one that the
            table's column uses counts.
        table_back_name: The table, under its present name.

    Returns:
        A number above all ids of the table, ready for :func:`set_sequence_ids`. None on other engines than PostgreSQL,
        and where there is neither such a sequence nor such a table.
    """
    if engine.name != "postgresql":
        return None
    with engine.begin() as connection:
        sequence = _found(connection, sequence_name)
        if sequence is None:
            sequence = _sequence_of(connection, table_back_name, _ID)
        numbers = [] if sequence is None else [_next_of_sequence(connection, sequence)]
        if connection.scalar(_HAS_ROWS, {"name": _quoted(table_back_name)}) is not None:
            largest = select(func.max(column(_ID, Integer))).select_from(table(table_back_name))
            numbers.append(int(connection.scalar(largest) or 0) + 1)
    return max(numbers, default=None)


def _counted_column(table: Table) -> Column[Any] | None:
    """Return the column whose values the engine counts, None without one."""
    counted = table.autoincrement_column
    return table.columns.get(_ID) if counted is None else counted


def _next_of_table(connection: Connection, table_name: str, column_name: str) -> int | None:
    sequence = _sequence_of(connection, table_name, column_name)
    return None if sequence is None else _next_of_sequence(connection, sequence)


def _sequence_of(connection: Connection, table_name: str, column_name: str) -> str | None:
    """Return the sequence that a column of a table on PostgreSQL takes its values from, quoted where it has to be."""
    sequence: str | None = connection.scalar(_SEQUENCE, {"name": _quoted(table_name), "id": column_name})
    return sequence


def _quoted(name: str) -> str:
    """Return a name so that PostgreSQL's functions take it as it is."""
    return '"' + name.replace('"', '""') + '"'


def _found(connection: Connection, name: str) -> str | None:
    """Return a sequence by its name, quoted where it has to be, None if there is no such one."""
    quoted = _quoted(name)
    query = text(
        "SELECT CAST(CAST(oid AS regclass) AS text) FROM pg_class "
        "WHERE oid IN (to_regclass(:quoted), to_regclass(:given)) AND relkind = 'S'"
    )
    given = name if re.fullmatch(r'[\w.]+|"[^"]+"', name) else quoted
    sequence: str | None = connection.scalar(query, {"quoted": quoted, "given": given})
    return sequence


def _next_of_sequence(connection: Connection, sequence: str) -> int:
    query = f"SELECT last_value + CASE WHEN is_called THEN {_STEP} ELSE 0 END FROM {sequence}"  # noqa: S608 - its name
    return int(connection.execute(text(query), {"name": sequence}).scalar_one())


def _restart(connection: Connection, sequence: str, number: int) -> None:
    connection.execute(text("SELECT setval(to_regclass(:name), :number, false)"), {"name": sequence, "number": number})


def _next_of_counter(connection: Connection, table_name: str) -> int | None:
    """Return MariaDB's or MySQL's counter: not from the statistics, which MySQL keeps for a day."""
    if not inspect(connection).has_table(table_name):
        return None
    name = connection.dialect.identifier_preparer.quote(table_name)
    definition = str(connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()[1])
    if _COUNTS.search(definition) is None:
        return None
    counter = _COUNTER.search(definition)
    return 1 if counter is None else int(counter.group(1))
