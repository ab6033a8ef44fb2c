"""Files that appear as a whole or not at all, and that nobody else may read."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from tradestore._disk import sync_path
from tradestore.exceptions import ExportError, TradeStoreError
from tradestore.operations._private_files import private_file

__all__ = ["new_file", "new_folder"]

_PART: Final = ".part"
_OLD: Final = ".old"


@contextmanager
def new_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Return what a file is written by; it has its name when the block has ended well, and else does not exist.

    Args:
        path: Its name.
        overwrite: Whether it may replace a file.

    Raises:
        ExportError: If the file is there, or cannot be written.
    """
    _refuse_present(path, overwrite=overwrite)
    part = path.with_name(path.name + _PART)
    with _told(path):
        try:
            part.unlink(missing_ok=True)
            with private_file(part) as stream:
                yield stream
            part.replace(path)
            sync_path(path.parent)
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise


@contextmanager
def new_folder(path: Path, *, overwrite: bool, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Return the folder to write into; it has its name when the block has ended well, and else does not exist.

    Args:
        path: Its name.
        overwrite: Whether it may replace a folder of an earlier export.
        suffixes: What the names of an export's files end in.

    Raises:
        ExportError: If the folder is there, or has other files, or cannot be written.
    """
    if path.is_dir() and overwrite:
        _refuse_foreign(path, suffixes)
    elif not (path.is_dir() and not any(path.iterdir())):
        _refuse_present(path, overwrite=False)
    part, old = path.with_name(path.name + _PART), path.with_name(path.name + _OLD)
    with _told(path):
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(mode=0o700)
            yield part
            sync_path(part)
            if path.is_dir():
                path.rename(old)
            part.rename(path)
            sync_path(path.parent)
        except BaseException:
            if old.is_dir() and not path.exists():
                old.rename(path)
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if isinstance(e, TradeStoreError):
            # A database may be busy, away or full, too.
            raise
        msg = (
            f"{path} cannot be written ({e.strerror or e}). Nothing was left there: check the folder, its rights and "
            "the room on the disk."
        )
        raise ExportError(msg) from e


def _refuse_present(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        msg = f"{path} is a folder: give the name of a new file or folder, or an empty folder."
        raise ExportError(msg)
    if path.exists() and not overwrite:
        msg = f"{path} is there already. Nothing was written: give another name, or ask for it to be replaced."
        raise ExportError(msg)


def _refuse_foreign(path: Path, suffixes: tuple[str, ...]) -> None:
    foreign = sorted(each.name for each in path.iterdir() if not each.name.endswith(suffixes) or not each.is_file())
    if foreign:
        msg = f"{path} has other files than an export's ({foreign[0]}). Nothing was written: give another folder."
        raise ExportError(msg)
