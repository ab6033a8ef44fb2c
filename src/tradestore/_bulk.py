"""Many rows at once: streamed in batches, by the fastest way that each engine has, without objects in the session."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tradestore._attempts import reading
from tradestore._copy import COPY_DATA, copy_text
from tradestore._store_session import note_writing
from tradestore.exceptions import InvalidValue, OperationalException

__all__ = ["BATCH_SIZE", "check_batch_size", "insert_new_rows", "insert_rows", "store_in_batches"]

BATCH_SIZE: Final = 1000
"""How many trades are in memory at once, unless told otherwise."""

_T = TypeVar("_T")

_ROWS_PER_STATEMENT: Final = 1000
"""However large a batch is, a statement with all of its rows must fit into what MariaDB takes at once."""


def store_in_batches(
    session: Session,
    records: Iterable[_T],
    store: Callable[[Connection, list[_T]], None],
    *,
    batch_size: int,
    on_progress: Callable[[int], None] | None,
) -> int:
    """Store records in the session's transaction, a batch at a time; the caller begins and ends it.

    Args:
        session: Within a unit of work.
        records: As many as there are; each is let go of as soon as its batch is stored.
        store: Writes one batch.
        batch_size: How many records are in memory at once.
        on_progress: Called after each batch with the number of records written so far.

    Returns:
        How many records were written.

    Raises:
        InvalidValue: If the batch size is no number above 0.
        DependencyException: If the records are an iterator that an earlier attempt of ``Database.run`` has read from.
    """
    check_batch_size(batch_size)
    written, rest = 0, reading(records)
    while batch := list(islice(rest, batch_size)):
        store(session.connection(), batch)
        note_writing(session)
        written += len(batch)
        batch.clear()
        if on_progress is not None:
            on_progress(written)
    return written


def check_batch_size(batch_size: Any) -> None:
    """Refuse a batch that nothing fits into.

    Raises:
        InvalidValue: If the batch size is no number above 0.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        msg = f"batch_size must be a whole number above 0, but was {batch_size!r}."
        raise InvalidValue(msg)


def insert_rows(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows.

    Args:
        connection: Within a transaction.
        table: Where to.
        columns: Values by the names of columns, as :func:`tradestore._columns.storable_columns` returns them; what is
            left out is up to the database.
    """
    if not any(columns.values()):
        return
    if connection.dialect.name == "postgresql":
        # A driver makes one sign of two only where it puts values in.
        statement = f"COPY {_formatted(connection, table, columns).replace('%%', '%')} FROM STDIN"
        connection.exec_driver_sql(statement, execution_options={COPY_DATA: copy_text([*columns.values()])})
    else:
        connection.exec_driver_sql(_insert(connection, table, columns), list(zip(*columns.values(), strict=True)))


def insert_new_rows(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> list[int]:
    """Insert rows under new ids, which no other writer gets.

    Args:
        connection: Within a transaction; on SQLite one that holds the write lock.
        table: With a column ``id`` that the database numbers.
        columns: As for :func:`insert_rows`, without the id.

    Returns:
        The ids in the order of the rows.

    Raises:
        OperationalException: If a table on PostgreSQL has no sequence for its ids.
    """
    count = len(next(iter(columns.values())))
    match connection.dialect.name:
        case "sqlite":
            # Whoever holds the write lock is alone.
            last = connection.scalar(select(func.max(table.c.id))) or 0
            ids = list(range(last + 1, last + 1 + count))
        case "postgresql":
            ids = _from_sequence(connection, table, count)
        case _:
            return _insert_returning(connection, table, columns)
    insert_rows(connection, table, {"id": ids, **columns})
    return ids


def _from_sequence(connection: Connection, table: Table, count: int) -> list[int]:
    name = connection.dialect.identifier_preparer.format_table(table)
    sequence = connection.scalar(select(func.pg_get_serial_sequence(name, "id")))
    if sequence is None:
        msg = (
            f"The column {name}.id has no sequence of its own to take ids from: "
            "run ALTER SEQUENCE ... OWNED BY with the name of the one that it uses."
        )
        raise OperationalException(msg)
    numbers = func.generate_series(1, count).alias("numbers")
    return sorted(connection.scalars(select(func.nextval(sequence)).select_from(numbers)))


def _insert_returning(connection: Connection, table: Table, columns: Mapping[str, Sequence[Any]]) -> list[int]:
    """Let the server count: a guess from the largest id would meet the ids that others are given meanwhile."""
    single = _insert(connection, table, columns)
    rows = zip(*columns.values(), strict=True)
    if not connection.dialect.insert_returning:
        return [connection.exec_driver_sql(single, row).lastrowid for row in rows]
    start, _, marks = single.rpartition(" ")
    ids: list[int] = []
    while some := list(islice(rows, _ROWS_PER_STATEMENT)):
        statement = f"{start} {', '.join([marks] * len(some))} RETURNING id"
        try:
            new = connection.exec_driver_sql(statement, tuple(chain.from_iterable(some))).scalars()
        except DBAPIError as e:
            # Nobody could read a message with a thousand times the same.
            e.statement = single
            raise
        # The rows of one statement are counted upwards; in which order the answer lists them is not promised.
        ids += sorted(new)
    return ids


def _insert(connection: Connection, table: Table, names: Collection[str]) -> str:
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    # Names of tables and columns of our own; the values are bound.
    return f"INSERT INTO {_formatted(connection, table, names)} VALUES ({','.join([mark] * len(names))})"  # noqa: S608


def _formatted(connection: Connection, table: Table, names: Iterable[str]) -> str:
    preparer = connection.dialect.identifier_preparer
    return f"{preparer.format_table(table)} ({', '.join(preparer.format_column(table.c[name]) for name in names)})"
