"""A database beside another one on the same server, for as long as something is tried in it."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from tradestore.models import open_engine
from tradestore.operations._endpoints import family

__all__ = ["scratch_database"]

_LONGEST_NAME: Final = 40
_NAMES: Final = {
    "postgresql": text("SELECT datname FROM pg_database"),
    "mysql": text("SELECT schema_name FROM information_schema.schemata"),
}
_LOCKS: Final[dict[str, Any]] = {
    "postgresql": lambda name: select(func.pg_try_advisory_lock(func.hashtext(name))),
    "mysql": lambda name: select(func.get_lock(name, 0)),
}
_UNLOCKS: Final[dict[str, Any]] = {
    "postgresql": lambda name: select(func.pg_advisory_unlock(func.hashtext(name))),
    "mysql": lambda name: select(func.release_lock(name)),
}


@contextmanager
def scratch_database(engine: Engine) -> Iterator[Engine | None]:
    """Make an empty database beside that of an engine, and drop it after the block.

    Those that killed runs have left behind are dropped as well.

    Yields:
        Its engine; None if the user may make no databases.
    """
    stem = f"{str(engine.url.database)[:_LONGEST_NAME]}_scratch_"
    name = f"{stem}{secrets.token_hex(4)}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            _drop_abandoned(connection, stem)
            # Tells others that somebody is at work in it; it goes with the connection.
            connection.scalar(_LOCKS[family(engine)](name))
            if not _is_made(connection, engine, name):
                yield None
                return
            scratch = open_engine(
                engine.url.set(database=name).render_as_string(hide_password=False), answer_timeout=None
            )
            try:
                _make_schema(engine, scratch)
                yield scratch
            finally:
                scratch.dispose()
                _drop(connection, name)
        finally:
            connection.invalidate()


def _is_made(connection: Connection, engine: Engine, name: str) -> bool:
    # Another template might have somebody in it, or tables of its own.
    template = " TEMPLATE template0" if family(engine) == "postgresql" else ""
    try:
        connection.exec_driver_sql(f"CREATE DATABASE {_quoted(connection, name)}{template}")
    except DBAPIError:
        return False
    return True


def _make_schema(engine: Engine, scratch: Engine) -> None:
    """Let the tables have the schema in the new database that they have in the old one."""
    if family(engine) != "postgresql":
        return
    with engine.connect() as connection, scratch.begin() as other:
        schema = connection.scalar(select(func.current_schema()))
        if schema not in inspect(other).get_schema_names():
            other.exec_driver_sql(f"CREATE SCHEMA {_quoted(other, str(schema))}")


def _drop_abandoned(connection: Connection, stem: str) -> None:
    kind = family(connection)
    pattern = re.compile(f"{re.escape(stem)}[0-9a-f]{{8}}", re.IGNORECASE)
    for name in [each for each in connection.scalars(_NAMES[kind]) if pattern.fullmatch(each)]:
        if connection.scalar(_LOCKS[kind](name)):
            # The session of one that was killed a moment ago may not have ended yet: the next run drops it.
            with suppress(DBAPIError):
                _drop(connection, name)
            connection.scalar(_UNLOCKS[kind](name))


def _drop(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {_quoted(connection, name)}")


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)
