"""Dumps of PostgreSQL, by its own programs: of the very snapshot whose content was hashed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, func, select

from tradestore.exceptions import BackupError
from tradestore.operations.backup._programs import feed, output_of, program, version_of, write_secret

__all__ = ["dumped", "load", "read_through"]

_OWN_NAMES: Final = {"database": "dbname", "username": "user"}
_ENDING: Final = "could not be used"


@contextmanager
def dumped(reading: Connection, secrets: Path) -> Iterator[Iterator[bytes]]:
    """Yield a dump of what a snapshot sees, in the schema that its connection uses.

    Args:
        reading: A transaction that reads only, at the level REPEATABLE READ.
        secrets: A folder for the file with the password.
    """
    dump = program("pg_dump")
    _refuse_older(dump, reading)
    words = [
        dump,
        "--format=custom",
        "--compress=0",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={reading.scalar(select(func.pg_export_snapshot()))}",
        f"--schema={_exactly(reading.scalar(select(func.current_schema())))}",
        "--lock-wait-timeout=10s",
        *_dbname(),
    ]
    with output_of(words, _variables(reading.engine, secrets)) as output:
        yield output.chunks()


def load(engine: Engine, chunks: Iterable[bytes], secrets: Path, *, replacing: bool) -> None:
    """Fill a database from a dump, in one transaction: all of it is there at the end, or nothing has changed.

    Args:
        engine: Of the database.
        chunks: Of the dump.
        secrets: A folder for the file with the password.
        replacing: Whether tables of the dump that are there are dropped first.

    Raises:
        BackupError: If it fails.
    """
    with engine.connect() as connection:
        schema = connection.scalar(select(func.current_schema()))
    words = [
        program("pg_restore"),
        "--single-transaction",
        "--no-owner",
        "--no-privileges",
        f"--schema={schema}",
        *(["--clean", "--if-exists"] if replacing else []),
        *_dbname(),
    ]
    feed(words, _variables(engine, secrets), chunks)


def read_through(chunks: Iterable[bytes]) -> None:
    """Read a dump from its beginning to its end, without a server.

    Raises:
        BackupError: If it cannot be read.
    """
    feed([program("pg_restore"), "--file=/dev/null"], {}, chunks)


def _dbname() -> list[str]:
    return ["--no-password", "--dbname=service=tradestore"]


def _variables(engine: Engine, secrets: Path) -> dict[str, str]:
    """Return an environment in which the programs find the database and the password."""
    _, arguments = engine.dialect.create_connect_args(engine.url)
    given: dict[str, Any] = {_OWN_NAMES.get(name, name): value for name, value in arguments.items()}
    password = str(given.pop("password", "") or "")
    lines = [f"{name}={value}" for name, value in given.items() if value is not None]
    if any("\n" in part for part in (*lines, password)):
        msg = f"The database URL has a line break in it, which pg_dump cannot be given: it {_ENDING}."
        raise BackupError(msg)
    service = write_secret(secrets, "\n".join(["[tradestore]", *lines, ""]))
    variables = {"PGSERVICEFILE": str(service), "PGTZ": "UTC", "PGAPPNAME": "tradestore backup"}
    if password:
        escaped = password.replace("\\", "\\\\").replace(":", "\\:")
        variables["PGPASSFILE"] = str(write_secret(secrets, f"*:*:*:*:{escaped}\n"))
    return variables


def _refuse_older(dump: str, reading: Connection) -> None:
    dialect: Any = reading.dialect
    ours, theirs = version_of(dump), dialect.server_version_info[0]
    if ours is not None and ours < theirs:
        msg = (
            f"{dump} is of version {ours}, and the server of version {theirs}, which it cannot dump: install "
            f"postgresql-client-{theirs}, or use the portable format (--format portable)."
        )
        raise BackupError(msg)


def _exactly(schema: str | None) -> str:
    # A pattern, in which quotes keep every letter as it is.
    return '"{}"'.format((schema or "public").replace('"', '""'))
