"""A folder that all workers of a test run share, and take turns with: what is dear is made in it once."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["shared_folder"]


@contextmanager
def shared_folder(name: str, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Path]:
    """Return a folder of this run, for nobody else as long as the block lasts; it is empty for the first one."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / name
    folder.mkdir(exist_ok=True)
    with folder.with_suffix(".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield folder
