"""What a commit promises: that it survives a power cut, or only the end of the process."""

import logging
from typing import Final

from sqlalchemy import Engine, text

from tradestore._options import Durability

__all__ = ["durability_statement", "warn_of_weak_server"]

logger = logging.getLogger(__name__)

_STATEMENTS: Final[dict[tuple[str, Durability], str]] = {
    ("sqlite", "full"): "PRAGMA synchronous = FULL",
    ("sqlite", "normal"): "PRAGMA synchronous = NORMAL",
    # What waits for more than the disk, such as for another server, is left as it is.
    (
        "postgresql",
        "full",
    ): "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    ("postgresql", "normal"): "SELECT set_config('synchronous_commit', 'off', false)",
}

_SERVER_WIDE: Final = {
    "postgresql": [("fsync", "on", text("SELECT current_setting('fsync')"))],
    "mysql": [
        ("innodb_flush_log_at_trx_commit", "1", text("SELECT @@innodb_flush_log_at_trx_commit")),
        # With a binary log, recovery undoes what that log has not.
        ("sync_binlog", "1", text("SELECT IF(@@log_bin, @@sync_binlog, 1)")),
    ],
}
"""What only the server's operator can set, what it should be, and how it is asked for."""


def durability_statement(backend: str, durability: Durability) -> str | None:
    """Return what a connection has to be told, None if it can't choose."""
    return _STATEMENTS.get((backend, durability))


def warn_of_weak_server(engine: Engine, durability: Durability) -> None:
    """Log a warning where a server is set to promise less than was asked for."""
    if durability != "full":
        return
    weak: list[str] = []
    with engine.connect() as connection:
        for name, expected, question in _SERVER_WIDE.get(_family(engine.dialect.name), ()):
            found = str(connection.scalar(question))
            if found != expected:
                weak.append(f"{name} = {found}, expected was {expected}")
    if weak:
        logger.warning(
            "The server has %s: after a power cut, the last commits may be missing. Let its operator set it, or open "
            "the database with durability='normal' if that is accepted.",
            "; ".join(weak),
        )


def _family(dialect: str) -> str:
    return "mysql" if dialect == "mariadb" else dialect
