"""Files that nobody but their owner may read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["private_file"]


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Return what a new file is written by, of which all is on the disk when the block has ended well.

    Args:
        path: Its name, which nothing has yet.

    Raises:
        FileExistsError: If something has it.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        yield stream
        stream.flush()
        os.fsync(descriptor)
