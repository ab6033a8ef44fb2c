"""The private servers of `tradestore.testing`, by the name that our own suite imports them by."""

from tradestore.testing.servers import (
    ADMIN,
    DATABASE,
    PASSWORD,
    USER,
    MariaDBServer,
    PostgresServer,
    Server,
    ServerError,
)

__all__ = [
    "ADMIN",
    "DATABASE",
    "PASSWORD",
    "USER",
    "MariaDBServer",
    "PostgresServer",
    "Server",
    "ServerError",
]
