"""Servers that take no changes for a while, as those do that another one has replaced."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch

from sqlalchemy import create_engine, text

from tests.servers import MariaDBServer, PostgresServer, Server

__all__ = ["read_only"]


@singledispatch
@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """Let the server refuse the ordinary user's changes during the block, on connections that are open as well."""
    raise NotImplementedError
    yield


@read_only.register
@contextmanager
def _(server: PostgresServer) -> Iterator[None]:
    def set_to(value: str) -> None:
        server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        server.execute("SELECT pg_reload_conf()")
        # A new connection comes from a process that has told its children before.
        engine = create_engine(server.url(server.scheme, "postgres"))
        found = ""
        for _ in range(200):
            with engine.connect() as connection:
                found = connection.scalar(text("SHOW default_transaction_read_only"))
            engine.dispose()
            if found == value:
                break
            time.sleep(0.02)
        assert found == value

    set_to("on")
    try:
        yield
    finally:
        set_to("off")


@read_only.register
@contextmanager
def _(server: MariaDBServer) -> Iterator[None]:
    server.execute("SET GLOBAL read_only = 1")
    try:
        yield
    finally:
        server.execute("SET GLOBAL read_only = 0")
