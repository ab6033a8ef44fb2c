"""Putting a table built anew in the place of the old one, so that a kill at any moment loses nothing.

SQLite and PostgreSQL undo changes of tables with their transaction: there the old table moves away, and the new one is
made in its place. MariaDB commits each such change: there the new tables are made and filled beside the old ones, and
one statement, which happens as a whole or not at all, exchanges them.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    event,
    inspect,
    text,
)

from tradestore._revisions import VERSION_TABLE
from tradestore.adoption.attachments import (
    Attachment,
    add_user_indexes,
    attached_to,
    free_name,
    move_mariadb_triggers,
    put_on,
    quoted,
    repoint_foreign_keys,
    run_statement,
)
from tradestore.adoption.column_rules import reflected
from tradestore.adoption.hidden_rows import BACKUP_NAMES
from tradestore.adoption.plan import CORE_TABLES, LEFTOVER, AdoptionPlan, TablePlan
from tradestore.adoption.views import View, make_anew, views_on
from tradestore.base import compare_every_letter
from tradestore.exceptions import MigrationError

__all__ = ["Placing", "mend_references", "placing_for", "remove_leftovers"]

NEW: Final = f"{LEFTOVER}new_"

_UNDO_TABLES: Final = frozenset({"sqlite", "postgresql"})
"""Engines whose transactions hold changes of tables, too."""


class Placing(ABC):
    """One way to replace tables.

    Attributes:
        new: The tables built anew, empty at first, by their final names.
        places: Where what the old tables held stands while the new ones are filled, by the names that they had.
    """

    def __init__(self, connection: Connection, plan: AdoptionPlan) -> None:
        """Take what shall be replaced."""
        self._connection = connection
        self._plan = plan
        self.new: dict[str, Table] = {}
        self.places: dict[str, Table] = {}

    @abstractmethod
    def prepare(self) -> None:
        """Make the new tables."""

    @abstractmethod
    def finish(self) -> None:
        """Let the new tables, filled by now, take the place of the old ones, with all that hung on them."""

    def undo(self) -> None:  # noqa: B027 - where a rollback does it, there is nothing to do
        """Put everything back as it was after a failure, as far as a rollback does not."""

    def _run(self, statement: str) -> None:
        run_statement(self._connection, statement)

    def _name(self, name: str) -> str:
        return quoted(self._connection, name)


class _InPlace(Placing):
    """For engines whose transactions hold changes of tables, too."""

    def __init__(self, connection: Connection, plan: AdoptionPlan) -> None:
        super().__init__(connection, plan)
        self._attachments: list[Attachment] = []
        self._views: list[View] = []

    def prepare(self) -> None:
        if self._connection.dialect.name == "postgresql":
            self._views = views_on(self._connection, [table.name for table in self._plan.tables])
        for table in reversed(self._plan.tables):
            if table.current is not None:
                self._attachments[:0] = self._move_away(table, table.current)
        self._free_names()
        targets = [table.target for table in self._plan.tables]
        targets[0].metadata.create_all(self._connection, tables=targets)
        self.new = {table.name: table for table in targets}

    def finish(self) -> None:
        mend_references(self._connection)
        put_on(self._connection, self._attachments)
        make_anew(self._connection, self._views)

    def _move_away(self, table: TablePlan, current: Table) -> list[Attachment]:
        attachments = attached_to(self._connection, current, table.target)
        for attachment in attachments:
            if attachment.drop is not None:
                self._run(attachment.drop)
        place, name = table.backup, self._name(table.name)
        if self._connection.dialect.name == "sqlite" and current.foreign_keys:
            # A key on the backup would forbid to delete the trades that it refers to.
            self._run(f"CREATE TABLE {self._name(place)} AS SELECT * FROM {name}")  # noqa: S608 - names, quoted
            self._run(f"DROP TABLE {name}")
        else:
            self._run(f"ALTER TABLE {name} RENAME TO {self._name(place)}")
        self.places[table.name] = reflected(self._connection, place)
        return attachments

    def _free_names(self) -> None:
        """Give what an earlier upgrade left on its backups other names: indexes, keys and sequences have ours."""
        targets = [table.target for table in self._plan.tables]
        if self._connection.dialect.name == "sqlite":
            wanted = {str(index.name) for target in targets for index in target.indexes}
            query = text("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
            for name in wanted & set(self._connection.scalars(query)):
                self._run(f"DROP INDEX {self._name(name)}")
            return
        for kind, name, owner in self._connection.execute(_POSTGRESQL_NAMES).all():
            if any(_is_name_of(target, name) for target in targets):
                self._run(f"ALTER {kind} {self._name(name)} RENAME TO {self._name(f'{owner}_{name}'[:59] + '_bak')}")


_POSTGRESQL_NAMES: Final = text(
    "SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'INDEX' END, c.relname, t.relname "
    "FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid "
    "LEFT JOIN pg_depend d ON c.relkind = 'S' AND d.objid = c.oid AND d.deptype IN ('a', 'i') "
    "AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass "
    "JOIN pg_class t ON t.oid = coalesce(i.indrelid, d.refobjid) "
    "WHERE c.relkind IN ('i', 'S') AND c.relnamespace = current_schema()::regnamespace"
)


def _is_name_of(target: Table, name: str) -> bool:
    made = {str(index.name) for index in target.indexes} | {str(key.name) for key in target.constraints}
    return name in made | {f"{target.name}_pkey", f"{target.name}_id_seq"}


class _BesideIt(Placing):
    """For MariaDB and MySQL."""

    def __init__(self, connection: Connection, plan: AdoptionPlan) -> None:
        super().__init__(connection, plan)
        self._moves: list[tuple[str, str]] = []
        self._checksums: Sequence[Any] = ()
        self._before = set(_tables(connection))

    def prepare(self) -> None:
        metadata = MetaData()
        event.listen(metadata, "before_create", compare_every_letter)
        names = {table.name: NEW + table.name for table in self._plan.tables}
        # There, a foreign key's name is the whole database's: one that was built anew before has it, or its backup.
        present = inspect(self._connection).get_multi_foreign_keys().values()
        used = {str(key["name"]) for keys in present for key in keys}
        for table in self._plan.tables:
            self.new[table.name] = _twin(table.target, metadata, names, used)
            if table.current is not None:
                add_user_indexes(self._connection, table.current, self.new[table.name])
        self._checksums = self._sum_up([table.current.name for table in self._plan.tables if table.current is not None])
        metadata.create_all(self._connection, tables=list(self.new.values()))

    def finish(self) -> None:
        kept = {table.name: table.backup for table in self._plan.tables if table.current is not None}
        moves = []
        for table in self._plan.tables:
            if table.name in kept:
                moves.append((table.name, kept[table.name]))
            moves.append((NEW + table.name, table.name))
        self._rename(moves)
        self._moves = moves
        if self._sum_up(list(kept.values())) != self._checksums:
            msg = "Another program wrote to the database while its tables were built anew: stop it, then start again."
            raise MigrationError(msg)
        mend_references(self._connection)

    def undo(self) -> None:
        if self._connection.invalidated:
            return  # The next start finds what is left.
        if self._moves:
            self._rename([(new, old) for old, new in reversed(self._moves)])
            mend_references(self._connection)
        # Nobody else's table, even if it came only now.
        ours = {NEW + name for name in self.new} | {VERSION_TABLE, *self._plan.tables[0].target.metadata.tables}
        for name, _ in reversed(inspect(self._connection).get_sorted_table_and_fkc_names()):
            if name in ours - self._before:
                self._run(f"DROP TABLE {self._name(str(name))}")

    def _rename(self, moves: Sequence[tuple[str, str]]) -> None:
        self._run("RENAME TABLE " + ", ".join(f"{self._name(old)} TO {self._name(new)}" for old, new in moves))

    def _sum_up(self, tables: Sequence[str]) -> Sequence[Any]:
        if not tables:
            return []
        names = ", ".join(self._name(name) for name in tables)
        found = self._connection.exec_driver_sql(f"CHECKSUM TABLE {names}", execution_options={"no_parameters": True})
        return [checksum for _, checksum in found]


def _twin(target: Table, metadata: MetaData, names: Mapping[str, str], used: Collection[str]) -> Table:
    """Return a table like another one, under another name, that refers to the others by their other names."""
    columns = [Column(each.name, each.type, primary_key=each.primary_key, nullable=each.nullable) for each in target.c]
    twin = Table(names[target.name], metadata, *columns)
    for constraint in target.constraints:
        of = [column.name for column in getattr(constraint, "columns", ())]
        if isinstance(constraint, UniqueConstraint):
            twin.append_constraint(UniqueConstraint(*of, name=constraint.name))
        elif isinstance(constraint, ForeignKeyConstraint):
            referred = [(each.column.table.name, each.column.name) for each in constraint.elements]
            for name in {name for name, _ in referred} - names.keys() - metadata.tables.keys():
                Table(name, metadata, *(Column(column, Integer) for each, column in referred if each == name))
            places = [f"{names.get(name, name)}.{column}" for name, column in referred]
            twin.append_constraint(ForeignKeyConstraint(of, places, name=free_name(str(constraint.name), used)))
    for index in target.indexes:
        Index(index.name, *(twin.c[column.name] for column in index.columns), unique=index.unique)
    return twin


def mend_references(connection: Connection) -> None:
    """Let what hangs on backups hang on the tables themselves; SQLite goes by names, so it has nothing to mend."""
    if connection.dialect.name == "sqlite":
        return
    backups = {NEW + name: name for name in CORE_TABLES}
    backups |= {match[0]: match[1] for name in _tables(connection) if (match := BACKUP_NAMES.fullmatch(name))}
    repoint_foreign_keys(connection, backups)
    if connection.dialect.name != "postgresql":
        move_mariadb_triggers(connection, backups)


def remove_leftovers(connection: Connection, metadata: MetaData) -> None:
    """Drop what an adoption that was killed has left of its own; nothing in it is needed by then.

    Where a rollback undoes changes of tables, none is ever left, and a table of such a name is somebody else's.

    Raises:
        MigrationError: If a table is in the way that no adoption made.
    """
    if connection.dialect.name in _UNDO_TABLES:
        return
    names = set(_tables(connection))
    for name in reversed([each for each in CORE_TABLES if NEW + each in names]):
        if {column["name"] for column in inspect(connection).get_columns(NEW + name)} != set(
            metadata.tables[name].c.keys()
        ):
            msg = (
                f"A table {NEW + name!r} is there that was not made by tradestore, which needs the name. Nothing was "
                "changed: give it another name, then start again."
            )
            raise MigrationError(msg)
        run_statement(connection, f"DROP TABLE {quoted(connection, NEW + name)}")


def placing_for(connection: Connection, plan: AdoptionPlan) -> Placing:
    """Return the way to replace tables that the engine of a database allows."""
    kind = _InPlace if connection.dialect.name in _UNDO_TABLES else _BesideIt
    return kind(connection, plan)


def _tables(connection: Connection) -> list[str]:
    return inspect(connection).get_table_names()
