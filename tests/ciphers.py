"""SQLCipher in tests: it takes its time for each connection on purpose, which proves nothing here."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import sqlcipher3

__all__ = ["QUICKLY", "quick_keys"]

QUICKLY: Final = "PRAGMA cipher_default_kdf_iter = 1000"
"""Holds for all connections that a process opens afterwards."""


@contextmanager
def quick_keys() -> Iterator[None]:
    """Let files be encrypted, and opened, a few hundred times quicker during the block."""
    connection: Any
    with closing(sqlcipher3.connect(":memory:")) as connection:
        before = connection.execute("PRAGMA cipher_default_kdf_iter").fetchone()[0]
        connection.execute(QUICKLY)
        try:
            yield
        finally:
            connection.execute(f"PRAGMA cipher_default_kdf_iter = {before}")
