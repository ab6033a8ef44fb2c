"""The content of a whole store as one hash: equal on every engine where the rows are equal, and only there."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Final

from sqlalchemy import Connection

from tradestore._answer_timeout import however_long
from tradestore._errors import meaningful_errors
from tradestore._table_content import TableContent, content_of
from tradestore.models import present_tables
from tradestore.operations._endpoints import End, opened, snapshot
from tradestore.operations._transfer_plan import Cargo, plan_transfer
from tradestore.operations.opening import refuse_unusable_file

__all__ = ["StoreContent", "TableContent", "content_hash", "digest_of"]

_HASH_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class StoreContent:
    """What a store holds; equal ones hold the same rows in tables of the same names.

    Attributes:
        digest: A hash of all tables, in hexadecimal digits.
        tables: What each table holds, by its name.
    """

    digest: str
    tables: Mapping[str, TableContent]

    @property
    def rows(self) -> int:
        """How many rows all tables have together."""
        return sum(table.rows for table in self.tables.values())


def content_hash(place: End | Connection, *, without: Collection[str] = ()) -> StoreContent:
    """Return what a store holds, as it is at one moment; each row is read once, and few are in memory at a time.

    What counts is what a transfer takes along: the library's tables, those of the user's models and any other, with
    all of their columns; but neither the schema's revision, nor the tables that upgrades have left behind. Ids count;
    the order of rows and of columns, indexes, and how an engine writes a value down do not.

    Args:
        place: A database URL, or a database that is open; of a connection, whatever it sees is counted.
        without: Names of tables that do not count.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be used.
        MissingDriver: If the driver that it asks for is not installed.
        DatabaseUnreachable: If there is no such file or server, or the file is no SQLite database.
        TransferError: If the URL means a new database in memory.
        DatabaseBusy: If others keep it locked, or the connection is lost.
    """
    if isinstance(place, Connection):
        return _content(place, without)
    with however_long(), meaningful_errors(), opened(place) as engine:
        refuse_unusable_file(engine.url)
        present_tables(engine)
        with snapshot(engine) as connection:
            return _content(connection, without)


def digest_of(tables: Mapping[str, TableContent]) -> str:
    """Return the hash of all tables, from what each of them holds."""
    text = json.dumps({name: asdict(content) for name, content in tables.items()}, sort_keys=True)
    return blake2b(text.encode(), digest_size=_HASH_BYTES).hexdigest()


def _content(connection: Connection, without: Collection[str]) -> StoreContent:
    cargos = plan_transfer(connection, connection.engine).cargos
    tables = {
        cargo.name: content_of(connection, cargo.table, columns=_columns(cargo))
        for cargo in sorted(cargos, key=lambda cargo: cargo.name)
        if cargo.name not in without
    }
    return StoreContent(digest_of(tables), tables)


def _columns(cargo: Cargo) -> set[str]:
    # A computed column has its values written down once it is on another engine.
    computed = {column.name for column in cargo.table.columns if column.computed is not None}
    return computed.union(column.name for column in cargo.stored.columns)
