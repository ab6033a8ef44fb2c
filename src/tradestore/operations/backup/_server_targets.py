"""A server's database filled with what was restored and compared: all of it, or nothing has changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, func, inspect, select, text

from tradestore._engine import masked
from tradestore._errors import refusals_told
from tradestore.exceptions import BackupError
from tradestore.models import open_engine
from tradestore.operations._endpoints import family
from tradestore.operations.backup._scratch import scratch_database
from tradestore.operations.views import views_set_aside

__all__ = ["beside", "take_over"]

_SCHEMA: Final = "tradestore_restore"
_ENUMS: Final = text(
    "SELECT t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
    "WHERE t.typtype = 'e' AND n.nspname = :schema"
)


@contextmanager
def beside(target: Engine) -> Iterator[Engine]:
    """Yield the engine of an empty place on the same server, from which tables can be moved into the target.

    Raises:
        BackupError: If the user may not make one.
    """
    if family(target) == "postgresql":
        with _schema_beside(target) as engine:
            yield engine
        return
    with scratch_database(target) as engine:
        if engine is None:
            msg = (
                f"No database can be made beside {masked(target.url)}, which is needed to replace its tables at once. "
                f"Nothing was changed: grant the user all rights on `{target.url.database}_scratch_%`.*, or restore "
                "into a database without tables from a portable backup."
            )
            raise BackupError(msg)
        yield engine


def take_over(target: Engine, place: Engine) -> None:
    """Let the tables of a place be those of the target, in one step; those of the same names are dropped."""
    with refusals_told(_not_replaced):
        if family(target) == "postgresql":
            _move_between_schemas(target)
        else:
            _move_between_databases(target, place)


def _not_replaced(cause: object) -> BackupError:
    reason = " ".join(str(cause).split())
    return BackupError(
        f"The tables could not be replaced ({reason}). Nothing was changed: drop what depends on them, such as "
        "views and triggers, restore, and make it again."
    )


@contextmanager
def _schema_beside(target: Engine) -> Iterator[Engine]:
    drop = f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"
    with target.begin() as connection:
        connection.exec_driver_sql(drop)
        connection.exec_driver_sql(f"CREATE SCHEMA {_SCHEMA}")
    given = target.url.query.get("options")
    options = f"{given or ''} -csearch_path={_SCHEMA}".strip()
    url = target.url.update_query_dict({"options": options})
    engine = open_engine(url.render_as_string(hide_password=False), answer_timeout=None)
    try:
        yield engine
    finally:
        engine.dispose()
        with target.begin() as connection:
            connection.exec_driver_sql(drop)


def _move_between_schemas(target: Engine) -> None:
    with target.begin() as connection, views_set_aside(connection):
        schema = str(connection.scalar(select(func.current_schema())))
        names = inspect(connection).get_table_names(schema=_SCHEMA)
        enums = connection.scalars(_ENUMS, {"schema": _SCHEMA}).all()
        old = set(names) & set(inspect(connection).get_table_names())
        if old:
            connection.exec_driver_sql(f"DROP TABLE {_listed(connection, sorted(old), schema)}")
        for name in enums:
            connection.exec_driver_sql(f"DROP TYPE IF EXISTS {_named(connection, schema, name)}")
            connection.exec_driver_sql(_to_schema(connection, "TYPE", name, schema))
        for name in names:
            connection.exec_driver_sql(_to_schema(connection, "TABLE", name, schema))


def _to_schema(connection: Connection, kind: str, name: str, schema: str) -> str:
    quoted = connection.dialect.identifier_preparer.quote_identifier(schema)
    return f"ALTER {kind} {_named(connection, _SCHEMA, name)} SET SCHEMA {quoted}"


def _move_between_databases(target: Engine, place: Engine) -> None:
    ours, theirs = str(target.url.database), str(place.url.database)
    with scratch_database(target) as grave, target.connect() as connection, place.connect() as other:
        if grave is None:
            msg = (
                f"No second database can be made beside {masked(target.url)}. Nothing was changed: look at its limits."
            )
            raise BackupError(msg)
        names = inspect(other).get_table_names()
        old = sorted(set(names) & set(inspect(connection).get_table_names()))
        other.rollback()
        moves = [(ours, name, str(grave.url.database)) for name in old] + [(theirs, name, ours) for name in names]
        renamed = [
            f"{_named(connection, here, name)} TO {_named(connection, there, name)}" for here, name, there in moves
        ]
        # One statement: nobody ever sees a part of it, and the server undoes a part of it after a crash.
        connection.exec_driver_sql(f"RENAME TABLE {', '.join(renamed)}")


def _listed(connection: Connection, names: Sequence[str], schema: str) -> str:
    return ", ".join(_named(connection, schema, name) for name in names)


def _named(connection: Connection, schema: str, name: str) -> str:
    quote = connection.dialect.identifier_preparer.quote_identifier
    return f"{quote(schema)}.{quote(name)}"
