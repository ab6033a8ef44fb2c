"""What a store stands on: the clock, the disk, the folders around its file, and the engine's version and settings."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from tradestore._clock import utc_now

__all__ = ["EngineFacts", "Surroundings", "read_engine_facts"]

_MOUNTS: Final = Path("/proc/self/mounts")
_LEADING_NUMBERS: Final = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)(?:\.(\d+))?")

_MARIADB_SETTINGS: Final = (
    "SELECT variable_name, variable_value FROM information_schema.global_variables WHERE variable_name IN "
    "('INNODB_FLUSH_LOG_AT_TRX_COMMIT', 'INNODB_DOUBLEWRITE', 'LOG_BIN', 'SYNC_BINLOG', 'TIME_ZONE', "
    "'SYSTEM_TIME_ZONE')"
)
_MYSQL_SETTINGS: Final = _MARIADB_SETTINGS.replace("information_schema.global", "performance_schema.global")
_POSTGRESQL_SETTINGS: Final = (
    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'log_timezone')"
)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself.

    Attributes:
        product: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``: which program it is, whatever the URL says.
        version: Its three numbers.
        settings: Those that decide whether a commit lasts, by lower-case name.
    """

    product: str
    version: tuple[int, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


def read_engine_facts(connection: Connection) -> EngineFacts:
    """Ask an engine what it is and how it is set.

    Args:
        connection: To it.
    """
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return EngineFacts("sqlite", _numbers(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()))
    if dialect == "postgresql":
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        return EngineFacts("postgresql", _numbers(version), _settings(connection, _POSTGRESQL_SETTINGS))
    version = str(connection.exec_driver_sql("SELECT version()").scalar_one())
    product = "mariadb" if "mariadb" in version.lower() else "mysql"
    question = _MARIADB_SETTINGS if product == "mariadb" else _MYSQL_SETTINGS
    return EngineFacts(product, _numbers(version), _settings(connection, question))


def _numbers(version: str) -> tuple[int, ...]:
    found = _LEADING_NUMBERS.match(version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _settings(connection: Connection, question: str) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in connection.exec_driver_sql(question)}


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a store is looked at: each part can be given, so that a look can be repeated or tried out.

    Attributes:
        now: The present (UTC).
        mounts: The file in which the system lists what is mounted where.
        free_bytes: Tells how much room the disk of a folder has left.
        engine_facts: Asks the engine what it is.
    """

    now: Callable[[], datetime] = utc_now
    mounts: Path = _MOUNTS
    free_bytes: Callable[[Path], int] = _free_bytes
    engine_facts: Callable[[Connection], EngineFacts] = read_engine_facts
