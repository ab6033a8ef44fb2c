"""How far a transfer has come, kept in the target itself: written in the same transaction as the rows it tells of."""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import Column, Connection, MetaData, String, Table, event, inspect, select
from sqlalchemy.exc import DBAPIError

from tradestore._errors import is_retryable
from tradestore._sqltypes import BigCount, LongText
from tradestore._table_content import RunningContent, TableContent
from tradestore.base import NAMING_CONVENTION, compare_every_letter
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import DatabaseBusy

__all__ = ["NOTHING", "add_to_journal", "advance", "drop_journal", "journal_source", "read_journal", "set_back"]

NOTHING: Final = RunningContent().content
"""Of which the journal tells when a table is yet to be copied."""

_metadata = MetaData(naming_convention=NAMING_CONVENTION)
event.listen(_metadata, "before_create", compare_every_letter)
_journal = Table(
    TRANSFER_TABLE,
    _metadata,
    Column("table_name", String(128), primary_key=True),
    Column("source", LongText, nullable=False),
    Column("rows_done", BigCount, nullable=False),
    Column("digest", String(64), nullable=False),
)


def read_journal(connection: Connection) -> dict[str, TableContent] | None:
    """Return what has been copied of each table, None if no transfer is under way."""
    if not inspect(connection).has_table(TRANSFER_TABLE):
        return None
    query = select(_journal.c.table_name, _journal.c.rows_done, _journal.c.digest)
    return {row.table_name: TableContent(row.rows_done, row.digest) for row in connection.execute(query)} or None


def journal_source(connection: Connection) -> str | None:
    """Return the source of the transfer that is under way."""
    return connection.scalar(select(_journal.c.source).limit(1))


def add_to_journal(connection: Connection, source: str, names: Iterable[str]) -> None:
    """Note tables of which nothing has been copied yet.

    Args:
        connection: To the target, within a transaction.
        source: Where they come from.
        names: Theirs.
    """
    _metadata.create_all(connection)
    rows = [{"table_name": name, "source": source, "rows_done": 0, "digest": NOTHING.digest} for name in names]
    if rows:
        connection.execute(_journal.insert(), rows)


def advance(connection: Connection, name: str, before: TableContent, after: TableContent) -> None:
    """Note that further rows of a table have been copied, within the transaction that writes them.

    Raises:
        DatabaseBusy: If the journal tells something else than what was so far: another transfer is at work.
    """
    statement = (
        _journal.update()
        .where(_journal.c.table_name == name)
        .where(_journal.c.rows_done == before.rows, _journal.c.digest == before.digest)
        .values(rows_done=after.rows, digest=after.digest)
    )
    msg = f"Another transfer has copied rows of the table {name!r} into the same database: leave it to that one."
    try:
        is_as_before = connection.execute(statement).rowcount == 1
    except DBAPIError as e:
        if e.connection_invalidated or is_retryable(e):
            raise
        # The other one has come to its end, and the journal is gone.
        raise DatabaseBusy(msg) from e
    if not is_as_before:
        raise DatabaseBusy(msg)


def set_back(connection: Connection, journal: Mapping[str, TableContent]) -> None:
    """Note that nothing has been copied after all.

    Raises:
        DatabaseBusy: If another transfer is at work.
    """
    for name, done in journal.items():
        if done != NOTHING:
            advance(connection, name, done, NOTHING)


def drop_journal(connection: Connection) -> None:
    """Forget the transfer: it has come to its end."""
    _metadata.drop_all(connection)
