"""Disks that are full: small file systems of memory where mounting is allowed, and limits that need no rights."""

import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import singledispatch
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from tests.servers import USER, MariaDBServer, PostgresServer, Server

__all__ = ["SMALL", "files_limited", "filled", "mounted", "small_database"]

SMALL = "tradestore_small"
"""A database of the servers, on a small disk; every other one stays where it is."""


@contextmanager
def mounted(folder: Path, size: int, owner: str | None = None) -> Iterator[None]:
    """Let a folder be a file system of so many bytes during the block; skip the test where that is not allowed."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        if owner is not None:
            shutil.chown(folder, owner, owner)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Take all the room that the file system of a folder has, and give it back at the end of the block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def files_limited(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size during the block."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, before)


@singledispatch
@contextmanager
def small_database(server: Server) -> Iterator[Path]:
    """Let the server have a database on a disk of its own, and return a folder there."""
    raise NotImplementedError
    yield server.folder


@small_database.register
@contextmanager
def _(server: PostgresServer) -> Iterator[Path]:
    place = server.folder / "small"
    place.mkdir()
    with mounted(place, 24 << 20, server.account):
        table_space = place / "space"
        table_space.mkdir()
        shutil.chown(table_space, server.account, server.account)
        server.execute(f"CREATE TABLESPACE small LOCATION '{table_space}'")
        server.execute(f"CREATE DATABASE {SMALL} OWNER {USER} TABLESPACE small")
        try:
            yield place
        finally:
            server.disconnect(SMALL)
            server.execute(f"DROP DATABASE {SMALL}")
            server.execute("DROP TABLESPACE small")
    place.rmdir()


@small_database.register
@contextmanager
def _(server: MariaDBServer) -> Iterator[Path]:
    server.create_database(SMALL)
    place = server.data / SMALL
    with mounted(place, 24 << 20, server.account):
        try:
            yield place
        finally:
            server.disconnect(SMALL)
            with suppress(DBAPIError):  # The tables go, but not the folder, which is in use.
                server.execute(f"DROP DATABASE {SMALL}")
    server.execute(f"DROP DATABASE IF EXISTS {SMALL}")
