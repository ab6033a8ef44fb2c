"""Files of SQLite: made so that nobody but their owner can read them, and opened past an engine with its key."""

import os
import re
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine, event

from tradestore._fork import in_every_child

__all__ = [
    "SqliteDriver",
    "create_private",
    "create_privately",
    "driver_errors",
    "driver_of",
    "is_encrypted",
    "key_of",
    "quoted",
    "url_of",
    "with_quoted_key",
]

_CIPHER: Final = "pysqlcipher"
_NOT_A_FILE: Final = re.compile(r"[?&](?:mode=(?:memory|ro|rw)|immutable=1|vfs=[^&]*)(?:&|$)")
"""What of a URI keeps SQLite from making a file, or from making it where the path says."""


class _Creation:
    """Whose turn it is to make a file; in a process that was forked, nobody has it."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Let everybody have a turn."""
        self.turn = threading.Lock()


_creation: Final = _Creation()
in_every_child(_creation.renew)


def is_encrypted(url: URL) -> bool:
    """Tell whether the URL means a file that SQLCipher encrypts."""
    return url.drivername.partition("+")[2] == _CIPHER


class _Listener:
    """Stands for a connection, to hear what a dialect tells each of them."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def cursor(self) -> Self:
        """Return what hears statements."""
        return self

    def execute(self, statement: str) -> None:
        """Hear one."""
        self.heard.append(statement)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def with_quoted_key(url: URL) -> URL:
    """Return a URL whose key the dialect hands over as it is.

    Older releases of SQLAlchemy put it into a statement without quoting it, so that a part of it could be shown by an
    error: there it is quoted in the URL.

    Raises:
        ImportError: If SQLCipher is not installed.
    """
    if not is_encrypted(url) or '"' not in (url.password or "") or _dialect_quotes(url):
        return url
    return url.set(password=str(url.password).replace('"', '""'))


def key_of(engine: Engine) -> str | None:
    """Return the key of an engine's file as its owner knows it; None if the file is not encrypted."""
    if not is_encrypted(engine.url):
        return None
    key = str(engine.url.password)
    return key.replace('""', '"') if '"' in key and not _dialect_quotes(engine.url) else key


def url_of(file: Path, key: str | None) -> URL:
    """Return the URL of a file.

    Args:
        file: Its path.
        key: With which SQLCipher encrypts it; None for a plain one.
    """
    if key is None:
        return URL.create("sqlite", database=str(file))
    # Without a name, even an empty one, SQLAlchemy would write the URL without its password.
    return URL.create("sqlite+pysqlcipher", username="", password=key, database=str(file))


def driver_errors() -> tuple[type[Exception], ...]:
    """Return what the drivers raise that are in use: SQLCipher's errors are no kind of Python's own."""
    cipher: Any = sys.modules.get("sqlcipher3")
    return (sqlite3.Error,) if cipher is None else (sqlite3.Error, cipher.Error)


def _dialect_quotes(url: URL) -> bool:
    kind: Any = url.get_dialect()
    listener = _Listener()
    kind(dbapi=kind.import_dbapi()).on_connect_url(url.set(password='"'))(listener)  # noqa: S106 - any
    return any('""""' in statement for statement in listener.heard)


def quoted(text: str) -> str:
    """Return a name, or a key, as it stands in a statement of SQLite."""
    return '"' + text.replace('"', '""') + '"'


def create_private(file: Path) -> None:
    """Make an empty file that its owner alone may read and write, whatever the umask; one that is there stays as it is.

    Nothing is made where it cannot be, and nothing is said: whoever opens the file is told better.

    Args:
        file: SQLite gives its mode to the logs beside it, too. Links are followed, as SQLite does.
    """
    if os.name != "posix":
        return
    with suppress(OSError):
        descriptor = os.open(os.path.realpath(file), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)


def create_privately(engine: Engine) -> None:
    """Let an engine of SQLite make its file by :func:`create_private`.

    Closing a file gives up the locks that SQLite holds on it in this process. So nobody connects by such an engine
    while a file is being made: there can be no lock on it yet.

    Args:
        engine: Of a file.
    """

    def before_connect(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        file = _file_to_make(str(arguments[0]), is_uri=bool(options.get("uri")))
        if file is not None:
            with _creation.turn:
                create_private(file)

    event.listen(engine, "do_connect", before_connect)


@dataclass(frozen=True, slots=True)
class SqliteDriver:
    """How files are opened beside an engine: with its driver, and with its key if they are encrypted.

    Attributes:
        error: What the driver raises.
    """

    error: type[Exception]
    _connect: Callable[..., Any] = field(repr=False)
    _unlock: Callable[[Any], None] = field(repr=False)

    def open(self, path: Path, options: str) -> Any:
        """Return a connection of the driver that opens transactions only on request.

        Args:
            path: Of the file. It is not opened by ``open()``: closing it there would give up the locks that SQLite
                holds on it in this process.
            options: Of an SQLite URI, such as ``mode=ro``.
        """
        connection = self._connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
        try:
            self._unlock(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def driver_of(engine_or_connection: Engine | Connection, url: URL | None = None) -> SqliteDriver:
    """Return how files are opened as an engine opens its own.

    Args:
        engine_or_connection: Of SQLite, or SQLCipher.
        url: Another one for the same driver, such as one with another key.
    """
    dialect: Any = engine_or_connection.dialect
    # That of an engine is as its dialect wants it already.
    url = engine_or_connection.engine.url if url is None else with_quoted_key(url)
    dbapi = dialect.loaded_dbapi
    prepare = dialect.on_connect_url(url) if is_encrypted(url) and url.password else None
    return SqliteDriver(dbapi.Error, dbapi.connect, _quietly(prepare) if is_encrypted(url) else _nothing)


def _quietly(prepare: Callable[[Any], None] | None) -> Callable[[Any], None]:
    def unlock(connection: Any) -> None:
        # It would write its findings to standard error; they are raised as errors as well.
        connection.execute("PRAGMA cipher_log_level = NONE")
        if prepare is not None:
            prepare(connection)

    return unlock


def _nothing(_connection: Any) -> None:
    pass


def _file_to_make(name: str, *, is_uri: bool) -> Path | None:
    """Return the file that SQLite would make for a name, None if it would make none."""
    if not is_uri or not name.startswith("file:"):
        return Path(name)
    if _NOT_A_FILE.search(name):
        return None
    path = re.split("[?#]", name.removeprefix("file:"), maxsplit=1)[0]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    path = unquote(path)
    return Path(path) if path and path != ":memory:" else None
