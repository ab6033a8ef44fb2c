"""Waiting for the disk, so that a power cut takes nothing of what was said to be there."""

import os
from pathlib import Path

__all__ = ["sync_path"]


def sync_path(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Args:
        path: Of the file or folder; a new name is on the disk when its folder is.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
