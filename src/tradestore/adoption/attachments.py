"""What users have hung on a table: indexes, triggers, settings, and keys of their own tables.

A table that is replaced by another one of its name leaves them on the old one, or loses them. They are read from the
database's own catalogue before, and put on the new table after.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from sqlalchemy import Connection, Index, Table, bindparam, column, exists, inspect, select, text
from sqlalchemy import table as sql_table
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import ColumnCollectionConstraint

from tradestore._revisions import operations
from tradestore.adoption.table_settings import settings_on
from tradestore.exceptions import MigrationError

__all__ = [
    "Attachment",
    "add_user_indexes",
    "attached_to",
    "free_name",
    "move_mariadb_triggers",
    "put_on",
    "quoted",
    "repoint_foreign_keys",
    "run_statement",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something that hangs on a table.

    Attributes:
        what: Kind and name, for a message.
        create: The statement that makes it.
        drop: The statement that removes it from the old table, None if it may stay there.
        trials: Statements that change nothing, and fail where what it asks for is gone.
    """

    what: str
    create: str
    drop: str | None
    trials: Sequence[str] = ()


_MOVED: Final = "tradestore_"
"""What stands before a trigger's name for as long as it is moved."""

_DENIED: Final = 1142
"""MariaDB: no right to do that."""

_OBSOLETE: Final = "ix_trades_stoploss_order_id"
"""An index of older versions, on a column that is gone."""

_SQLITE: Final = text(
    "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger') "
    "AND sql IS NOT NULL ORDER BY type, name"
)
_POSTGRESQL_INDEXES: Final = text(
    "SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indrelid = CAST(:name AS regclass) "
    "AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')) "
    "ORDER BY c.relname"
)
_POSTGRESQL_TRIGGERS: Final = text(
    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger "
    "WHERE tgrelid = CAST(:name AS regclass) AND NOT tgisinternal ORDER BY tgname"
)
_POSTGRESQL_KEYS: Final = text(
    "SELECT CAST(CAST(k.conrelid AS regclass) AS text), k.conname, t.relname, pg_get_constraintdef(k.oid) "
    "FROM pg_constraint k JOIN pg_class t ON t.oid = k.confrelid WHERE k.contype = 'f' AND t.relname IN :names "
    "AND pg_table_is_visible(t.oid) AND NOT pg_table_is_visible(k.conrelid) ORDER BY k.oid"
).bindparams(bindparam("names", expanding=True))
_MARIADB_TRIGGERS: Final = text(
    "SELECT trigger_name AS trigger_name, action_timing AS action_timing, event_manipulation AS event_manipulation, "
    "event_object_table AS event_object_table, action_statement AS action_statement "
    "FROM information_schema.triggers WHERE trigger_schema = database() AND event_object_table IN :names "
    "ORDER BY event_object_table, action_order"
).bindparams(bindparam("names", expanding=True))


def quoted(connection: Connection, name: str) -> str:
    """Return a name as the engine wants it in a statement that :func:`run_statement` runs."""
    written = connection.dialect.identifier_preparer.quote(name)
    # Elsewhere SQLAlchemy's statements have parameters, where a % has to stand twice with such drivers.
    return written.replace("%%", "%") if connection.dialect.paramstyle in {"format", "pyformat"} else written


def run_statement(connection: Connection, statement: str) -> None:
    """Run a statement from the database's own catalogue as it stands there, with no sign in it read as a parameter."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def attached_to(connection: Connection, table: Table, target: Table) -> list[Attachment]:
    """Return what hangs on a table that is to be replaced, in the order in which it can be made again.

    Args:
        connection: To an SQLite or PostgreSQL database.
        table: The one to be replaced.
        target: What replaces it; its own indexes are made with it.
    """
    own = {_OBSOLETE, *(index.name for index in target.indexes)}
    if connection.dialect.name == "sqlite":
        return [
            Attachment(
                f"{kind} {name}",
                "" if name in own else create,
                f"DROP {kind.upper()} {quoted(connection, name)}",
                _trials(connection, target) if kind == "trigger" else (),
            )
            for kind, name, create in connection.execute(_SQLITE, {"name": table.name})
        ]
    name = quoted(connection, table.name)
    indexes = connection.execute(_POSTGRESQL_INDEXES, {"name": name}).all()
    triggers = connection.execute(_POSTGRESQL_TRIGGERS, {"name": name}).all()
    return [
        *(
            Attachment(f"index {each}", "" if each in own else create, f"DROP INDEX {quoted(connection, each)}")
            for each, create in indexes
        ),
        *(
            Attachment(f"trigger {each}", create, f"DROP TRIGGER {quoted(connection, each)} ON {name}")
            for each, create in triggers
        ),
        *(Attachment(f"setting of {table.name}", setting, None) for setting in settings_on(connection, name)),
    ]


def _trials(connection: Connection, table: Table) -> Sequence[str]:
    """Return what lets SQLite read the triggers of a table, which it does not when they are made."""
    name = quoted(connection, table.name)
    same = ", ".join(f"{column} = {column}" for column in (quoted(connection, each.name) for each in table.columns))
    # Of no row: nothing is changed. EXPLAIN would do, but a driver that remembers statements takes an older answer.
    return (
        f"INSERT INTO {name} SELECT * FROM {name} WHERE 0",  # noqa: S608 - names, quoted
        f"UPDATE {name} SET {same} WHERE 0",  # noqa: S608
        f"DELETE FROM {name} WHERE 0",  # noqa: S608
    )


def put_on(connection: Connection, attachments: Iterable[Attachment]) -> None:
    """Make them again on the new table; what asks for a column that is gone is named in the log and left out."""
    for attachment in attachments:
        if not attachment.create:
            continue
        try:
            with connection.begin_nested():
                for statement in (attachment.create, *attachment.trials):
                    run_statement(connection, statement)
        except DBAPIError as e:
            _warn_of_loss(attachment.what, e)


def _warn_of_loss(what: str, error: DBAPIError) -> None:
    logger.warning(
        "The %s could not be carried over to the new table (%s): make it again by hand if you need it.",
        what,
        str(error.orig).strip(),
    )


def add_user_indexes(connection: Connection, table: Table, new: Table) -> None:
    """Give a table that is still to be made the indexes that users have made on the one that it replaces."""
    own = {index.name for index in new.indexes}
    for index in inspect(connection).get_indexes(table.name):
        columns = [str(column) for column in index["column_names"]]
        if index["name"] not in own and all(column in new.c for column in columns) and not _is_key(new, columns):
            Index(index["name"], *(new.c[column] for column in columns), unique=index["unique"])


def _is_key(table: Table, columns: Sequence[str]) -> bool:
    """Return whether the columns are a unique key or a foreign key of the table, which bring an index of their own."""
    keys = [constraint for constraint in table.constraints if isinstance(constraint, ColumnCollectionConstraint)]
    return any([column.name for column in key.columns] == list(columns) for key in keys)


def move_mariadb_triggers(connection: Connection, backups: dict[str, str]) -> None:
    """Give the new tables the triggers that went with the old ones; one that asks for a column that is gone stays.

    Each is made under a name of its own first: one that the new table refuses stays where it is, and a kill in between
    loses none.

    Args:
        connection: To MariaDB or MySQL.
        backups: Of each backup's name the name of its table.
    """
    if not backups:
        return
    tables = list({*backups, *backups.values()})
    present = {each.trigger_name: each for each in connection.execute(_MARIADB_TRIGGERS, {"names": tables})}
    for name, half_moved in present.items():
        if name.startswith(_MOVED):
            if (final := name.removeprefix(_MOVED)) not in present:
                _create_trigger(connection, final, half_moved, half_moved.event_object_table)
            run_statement(connection, f"DROP TRIGGER {quoted(connection, name)}")
    for trigger in connection.execute(_MARIADB_TRIGGERS, {"names": list(backups)}).all():
        _move_trigger(connection, trigger, backups[trigger.event_object_table])


def _move_trigger(connection: Connection, trigger: Any, place: str) -> None:
    name = trigger.trigger_name
    if not trigger.action_statement:
        msg = (
            f"The trigger {name!r} cannot be moved to the new {place}: its text is not shown to this user. Nothing was "
            "changed: give the user the right TRIGGER, then start again."
        )
        raise MigrationError(msg)
    try:
        _create_trigger(connection, _MOVED + name, trigger, place)
    except DBAPIError as e:
        if e.orig is not None and e.orig.args[:1] == (_DENIED,):
            raise
        logger.warning(
            "The trigger %s stays on the backup, since it cannot be made on the new %s (%s): make it anew by hand.",
            name,
            place,
            str(e.orig).strip(),
        )
        return
    run_statement(connection, f"DROP TRIGGER {quoted(connection, name)}")
    _create_trigger(connection, name, trigger, place)
    run_statement(connection, f"DROP TRIGGER {quoted(connection, _MOVED + name)}")


def _create_trigger(connection: Connection, name: str, like: Any, place: str) -> None:
    when = f"{like.action_timing} {like.event_manipulation} ON {quoted(connection, place)}"
    run_statement(connection, f"CREATE TRIGGER {quoted(connection, name)} {when} FOR EACH ROW {like.action_statement}")


def repoint_foreign_keys(connection: Connection, backups: dict[str, str]) -> None:
    """Let tables that refer to a backup refer to the table itself, which has all of its rows.

    Args:
        connection: To a server; SQLite goes by names.
        backups: Of each backup's name the name of its table.
    """
    if connection.dialect.name == "postgresql":
        _repoint_from_other_schemas(connection, backups)
    alembic = operations(connection)
    inspector = inspect(connection)
    for name in set(inspector.get_table_names()) - backups.keys():
        for key in inspector.get_foreign_keys(name):
            referred = backups.get(key["referred_table"])
            if key["name"] is None or referred is None or not _holds(connection, name, key, referred):
                continue
            # The new key first: where each change commits by itself, a kill in between must not leave the table bare.
            if not any(_means_the_same(other, key, referred) for other in inspector.get_foreign_keys(name)):
                alembic.create_foreign_key(
                    free_name(
                        "_".join((name, *key["constrained_columns"], "fkey")),
                        [other["name"] for other in inspector.get_foreign_keys(name)],
                    ),
                    name,
                    referred,
                    key["constrained_columns"],
                    key["referred_columns"],
                    **key.get("options", {}),
                )
            alembic.drop_constraint(key["name"], name, type_="foreignkey")


def _repoint_from_other_schemas(connection: Connection, backups: Mapping[str, str]) -> None:
    """Do so for tables that are not on the search path: by what PostgreSQL itself writes, under the names they have."""
    for owner, name, backup, definition in connection.execute(_POSTGRESQL_KEYS, {"names": list(backups)}).all():
        old, new = (f" REFERENCES {quoted(connection, each)}(" for each in (backup, backups[backup]))
        key = quoted(connection, name)
        alteration = f"ALTER TABLE {owner} DROP CONSTRAINT {key}, ADD CONSTRAINT {key} {definition.replace(old, new)}"
        try:
            with connection.begin_nested():
                run_statement(connection, alteration)
        except DBAPIError as e:
            logger.warning(
                "The foreign key %s of %s still refers to the backup %s (%s): make it anew by hand.",
                name,
                owner,
                backup,
                str(e.orig).strip(),
            )


def _means_the_same(one: ReflectedForeignKeyConstraint, other: ReflectedForeignKeyConstraint, referred: str) -> bool:
    return (one["constrained_columns"], one["referred_table"], one["referred_columns"]) == (
        other["constrained_columns"],
        referred,
        other["referred_columns"],
    )


def free_name(name: str, used: Collection[str | None]) -> str:
    """Return a name, with a number where it is taken."""
    return next(each for each in chain([name], (f"{name}{number}" for number in count(1))) if each not in used)


def _holds(connection: Connection, name: str, key: ReflectedForeignKeyConstraint, referred: str) -> bool:
    """Return whether every row of a table would find what it refers to in another one."""
    columns = [*key["constrained_columns"]]
    owner = sql_table(name, *map(column, columns))
    place = sql_table(referred, *map(column, key["referred_columns"])).alias()
    pairs = [owner.c[mine] == place.c[theirs] for mine, theirs in zip(columns, key["referred_columns"], strict=True)]
    lost = select(owner).where(*(owner.c[each].is_not(None) for each in columns), ~exists().where(*pairs)).limit(1)
    if connection.execute(lost).first() is None:
        return True
    logger.warning(
        "The foreign key %s of %s still refers to the backup %s: it has rows for which %s has none. Delete them, then "
        "make the key anew.",
        key["name"],
        name,
        key["referred_table"],
        referred,
    )
    return False
