"""A file for what the library logs, that never grows beyond its size and that several processes may share."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from tradestore.exceptions import InvalidValue, OperationalException

if sys.platform != "win32":
    import fcntl

__all__ = ["begin_file_log", "end_file_log"]

LARGEST: Final = 10_000_000
"""Bytes of a file, before it is put aside."""
KEPT: Final = 5
"""How many files that were put aside are kept: ``<file>.1`` is the newest."""

_LOGGER: Final = logging.getLogger("tradestore")
_FORMAT: Final = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(process)d %(message)s"
_OWN_FILES: Final = ("", "-wal", "-shm", "-journal")


class _SharedFile(RotatingFileHandler):
    """Lines appended to a file that another process may put aside at any time."""

    def _open(self) -> Any:
        # Whoever may not read the trades may not read of them either.
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._is_aside():
                self._reopen()
        except OSError:
            self.handleError(record)
        super().emit(record)

    def doRollover(self) -> None:  # noqa: N802 - logging's name
        """Put the file aside, unless another process has done so meanwhile."""
        with self._alone():
            if self._is_aside():
                self._reopen()
            else:
                super().doRollover()

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, whatever the message and its traceback are."""
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")

    def _is_aside(self) -> bool:
        if self.stream is None:
            return False
        try:
            there = Path(self.baseFilename).stat()
        except FileNotFoundError:
            return True
        ours = os.fstat(self.stream.fileno())
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)

    def _reopen(self) -> None:
        # Where it cannot be opened there is none, and the next line tries again.
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()
        self.stream = self._open()
        self.stream.seek(0, os.SEEK_END)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(f"{self.baseFilename}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


_lock: Final = threading.Lock()
_files: Final[WeakKeyDictionary[Engine, _SharedFile]] = WeakKeyDictionary()


def begin_file_log(engine: Engine, log_file: str | os.PathLike[str] | None) -> None:
    """Let what the library logs go to a file as well, until :func:`end_file_log`.

    Levels are as they are set for the logger ``tradestore``: warnings and errors, unless somebody wants more.

    Args:
        engine: Of the store that is being opened.
        log_file: The file, which is made if it is not there; None for none.

    Raises:
        InvalidValue: If it is the database itself.
        OperationalException: If it cannot be written to.
    """
    if log_file is None:
        return
    file = Path(log_file).resolve()
    if engine.dialect.name == "sqlite" and engine.url.database:
        database = Path(engine.url.database).absolute()
        if file in {database.with_name(database.name + suffix).resolve() for suffix in _OWN_FILES}:
            msg = f"The option log_file is {os.fspath(log_file)!r}, which is the database: give another name."
            raise InvalidValue(msg)
    with _lock:
        try:
            handler = _present(file) or _SharedFile(file, maxBytes=LARGEST, backupCount=KEPT, encoding="utf-8")
        except OSError as e:
            msg = f"The log_file {file} cannot be written to ({e.strerror}): give a file in a folder of yours."
            raise OperationalException(msg) from e
        if handler not in _LOGGER.handlers:
            formatter = logging.Formatter(_FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
            formatter.converter = time.gmtime
            handler.setFormatter(formatter)
            _LOGGER.addHandler(handler)
        _files[engine] = handler


def end_file_log(engine: Engine) -> None:
    """Close the file of a store, unless another store that is open logs to it."""
    with _lock:
        handler = _files.pop(engine, None)
        if handler is None or handler in _files.values():
            return
        _LOGGER.removeHandler(handler)
    handler.close()


def _present(file: Path) -> _SharedFile | None:
    return next((each for each in _files.values() if each.baseFilename == str(file)), None)
