"""Writing a report: files that appear as a whole or not at all, and that nobody else may read."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tradestore.exceptions import OperationalException
from tradestore.operations.report.figures import ReportFigures
from tradestore.operations.report.page import html_of
from tradestore.operations.report.picture import png_of

__all__ = ["refuse_unwritable", "write_html", "write_png"]


def write_html(figures: ReportFigures, to: Path, *, title: str, overwrite: bool = False) -> None:
    """Write a report as one HTML file.

    Args:
        figures: To show.
        to: The file.
        title: Above them.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        OperationalException: If the file is there, or cannot be written; nothing was left there.
        MissingPackage: If plotly is not installed.
    """
    _write(to, lambda: html_of(figures, title).encode("utf-8", "replace"), overwrite=overwrite)


def write_png(figures: ReportFigures, to: Path, *, title: str, overwrite: bool = False) -> None:
    """Write a report as a picture; arguments and errors as those of :func:`write_html`, with matplotlib."""
    _write(to, lambda: png_of(figures, title), overwrite=overwrite)


def refuse_unwritable(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that would not be written anyway, before any work is done.

    Raises:
        OperationalException: If it is there and may not be replaced, or its folder is none.
    """
    if path.is_dir():
        msg = f"{path} is a folder: give the name of a file in it."
        raise OperationalException(msg)
    if not path.absolute().parent.is_dir():
        msg = f"There is no folder {path.absolute().parent}: correct the path."
        raise OperationalException(msg)
    if path.exists() and not overwrite:
        raise _present(path)


def _write(path: Path, content: Callable[[], bytes], *, overwrite: bool) -> None:
    refuse_unwritable(path, overwrite=overwrite)
    written = content()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _write_private(part, written)
        if overwrite:
            part.replace(path)
        else:
            # Unlike a renaming, a second name never replaces what somebody put there meanwhile.
            os.link(part, path)
    except FileExistsError:
        raise _present(path) from None
    except OSError as e:
        msg = f"{path} cannot be written ({e.strerror or e}): check the folder, its rights and the room on the disk."
        raise OperationalException(msg) from e
    finally:
        with suppress(OSError):
            part.unlink()


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def _present(path: Path) -> OperationalException:
    return OperationalException(
        f"{path} is there already. Nothing was written: give another name, or ask for it to be replaced (--force)."
    )
