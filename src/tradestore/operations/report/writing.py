"""Writing a report: files that appear as a whole or not at all, and that nobody else may read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tradestore.exceptions import OperationalException
from tradestore.operations._private_files import private_file
from tradestore.operations.report.figures import ReportFigures
from tradestore.operations.report.page import html_of
from tradestore.operations.report.picture import png_of

__all__ = ["refuse_unwritable", "write_report"]


def write_report(
    figures: ReportFigures,
    *,
    html: Path | None = None,
    png: Path | None = None,
    title: str = "Trading report",
    overwrite: bool = False,
) -> None:
    """Write a report as files; what cannot be made or written leaves none of them.

    Args:
        figures: To show.
        html: The file with all of them, None for none.
        png: The picture, None for none.
        title: Above them.
        overwrite: Whether files that are there may be replaced.

    Raises:
        OperationalException: If a file is there, or cannot be written.
        MissingPackage: If plotly (for the file) or matplotlib (for the picture) is not installed.
    """
    for path in filter(None, (html, png)):
        refuse_unwritable(path, overwrite=overwrite)
    contents: dict[Path, bytes] = {}
    if html is not None:
        contents[html] = html_of(figures, title).encode("utf-8", "replace")
    if png is not None:
        contents[png] = png_of(figures, title)
    parts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in contents}
    try:
        for path, content in contents.items():
            with _told(path), private_file(parts[path]) as stream:
                stream.write(content)
        for path, part in parts.items():
            with _told(path):
                _place(part, path, overwrite=overwrite)
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()


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


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise _present(path) from None
    except OSError as e:
        msg = f"{path} cannot be written ({e.strerror or e}): check the folder, its rights and the room on the disk."
        raise OperationalException(msg) from e


def _place(part: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(path)
    else:
        # Unlike a renaming, a second name never replaces what somebody put there meanwhile.
        os.link(part, path)


def _present(path: Path) -> OperationalException:
    return OperationalException(
        f"{path} is there already. Nothing was written: give another name, or ask for it to be replaced (--force)."
    )
