"""Passwords that come by themselves, such as from a file, so that no URL has to hold one where others see it."""

import os
import stat
from pathlib import Path

from tradestore._engine import masked, read_url
from tradestore._sqlite_files import is_encrypted
from tradestore.exceptions import InvalidDatabaseUrl, InvalidValue

__all__ = ["has_password", "is_readable_by_others", "read_secret", "takes_password", "url_with_password"]


def url_with_password(db_url: str, password: str) -> str:
    """Return a database URL with another password, or with the key of a file that SQLCipher encrypts.

    Args:
        db_url: With a password or without; it wins over one among its options.
        password: As it is: what a URL needs escaped is escaped here.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be read, or means what has no password.
        InvalidValue: If the password is empty.
    """
    if not password:
        msg = "A password, or a key, has to have at least one character."
        raise InvalidValue(msg)
    url = read_url(db_url)
    if not takes_password(db_url):
        msg = f"{masked(url)} has no password: leave it out, or use sqlite+pysqlcipher:/// for an encrypted file."
        raise InvalidDatabaseUrl(msg)
    # Without a name, even an empty one, SQLAlchemy would write the URL without its password.
    return url.set(username=url.username or "", password=password).render_as_string(hide_password=False)


def takes_password(db_url: str) -> bool:
    """Tell whether a URL means what a password, or a key, opens: a server, or an encrypted file.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be read.
    """
    url = read_url(db_url)
    return is_encrypted(url) or url.get_backend_name() != "sqlite"


def has_password(db_url: str) -> bool:
    """Tell whether a URL has a password itself.

    Raises:
        InvalidDatabaseUrl: If it cannot be read.
    """
    return bool(read_url(db_url).password)


def read_secret(file: Path) -> str:
    """Return the only line of a file, without its end.

    Args:
        file: In UTF-8.

    Raises:
        InvalidValue: If it is empty, has more lines, or is no text; what is in it is not told.
        OSError: If it cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r").split("\n")
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 1 or not lines[0]:
        msg = f"{file} has to have one line, in UTF-8, with nothing else in it."
        raise InvalidValue(msg)
    return lines[0]


def is_readable_by_others(file: Path) -> bool:
    """Tell whether other users of the machine may read, or change, what is in a file."""
    found = file.stat()
    return os.name == "posix" and stat.S_ISREG(found.st_mode) and bool(found.st_mode & 0o077)
