"""Where commands take a database's URL and password from, so that no password stands in the words of a command.

Other users of a machine can read the words of every process. Each command with ``--db-url`` gets ``--db-url-file`` and
``--password-file`` besides, without having to know of them: they end in the URL that it is called with.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from tradestore._engine import read_url
from tradestore._sqlite_files import is_encrypted
from tradestore.cli._answers import tell
from tradestore.exceptions import InvalidValue
from tradestore.operations.passwords import (
    has_password,
    is_readable_by_others,
    read_secret,
    takes_password,
    url_with_password,
)

__all__ = [
    "NewKeyFile",
    "StoreKeyFile",
    "add_password_options",
    "new_key",
    "store_key",
    "url_with_its_password",
    "url_with_password_of",
    "warn_of_visible_passwords",
    "without_passwords",
]

_URL: Final = "db_url"
_URL_OF_FILE: Final = "tradestore.url_of_file"
_PASSWORD: Final = "tradestore.password"  # noqa: S105 - where it is kept
_PASSWORD_VARIABLE: Final = "TRADESTORE_DB_PASSWORD"  # noqa: S105 - its name
_NEW_KEY_VARIABLE: Final = "TRADESTORE_NEW_PASSWORD"
_STORE_KEY_VARIABLE: Final = "TRADESTORE_STORE_KEY"
_VISIBLE: Final = re.compile(
    r"(?<=://)(?![^\s:/]*:(?:\*\*\*|KEY|password)@)[^\s/:]*:\S+@|(?<=[?&])(?:password|passwd|sslpassword)=[^&\s]+",
    re.IGNORECASE,
)
"""A URL's user and password, up to the last @, since nobody may have escaped them; not those of examples."""

NewKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--new-password-file",
        metavar="FILE",
        help="A file whose only line is the new key; - asks for it, or reads it from a pipe. Without it: "
        f"{_NEW_KEY_VARIABLE}.",
    ),
]
StoreKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--store-key-file",
        metavar="FILE",
        help="A file whose only line is the key of the encrypted store that was backed up; - asks for it, or reads it "
        f"from a pipe. Without it: {_STORE_KEY_VARIABLE}, else the key of the URL.",
    ),
]


def add_password_options(commands: Mapping[str, Any]) -> None:
    """Give each command that takes the URL of a database the options that keep its password secret."""
    for command in commands.values():
        if hasattr(command, "commands"):
            add_password_options(command.commands)
        places = [place for place, each in enumerate(command.params, start=1) if each.name == _URL]
        if places:
            command.params[places[0] : places[0]] = _options()


def url_with_its_password(context: typer.Context, value: str | None) -> str | None:
    """Return the URL that a command is called with: from a file if there is one, and with the password besides.

    Args:
        context: Of the command.
        value: Of ``--db-url``, or of its variable; None where a command needs none.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be read, or takes no password.
    """
    url = context.meta.get(_URL_OF_FILE, value)
    if _URL_OF_FILE in context.meta and "COMMANDLINE" in str(context.get_parameter_source(_URL)):
        msg = "--db-url and --db-url-file cannot both be given."
        raise typer.BadParameter(msg)
    if url is None:
        return None
    given, variable = context.meta.get(_PASSWORD), os.environ.get(_PASSWORD_VARIABLE)
    if given is not None:
        return url_with_password(url, given)
    # The variable may be meant for another command.
    if variable and takes_password(url) and not has_password(url):
        return url_with_password(url, variable)
    return str(url)


def new_key(file: Path | None) -> str:
    """Return a key to be used from now on.

    Args:
        file: Where it stands; None for the variable, or for asking if there is somebody.

    Raises:
        InvalidValue: If there is none.
        OSError: If the file cannot be read.
    """
    if file is None and (found := os.environ.get(_NEW_KEY_VARIABLE)):
        return found
    if file is None and not sys.stdin.isatty():
        msg = f"There is no new key: give --new-password-file, or set {_NEW_KEY_VARIABLE}."
        raise InvalidValue(msg)
    return _secret_of(file or Path("-"), "New key", twice=True)


def store_key(file: Path | None, db_url: str | None) -> str | None:
    """Return the key of the store that a backup is of.

    Args:
        file: Where it stands; None for the variable, or for asking if there is somebody.
        db_url: With a key that will do as well.

    Returns:
        The key; None for that of the URL.

    Raises:
        InvalidValue: If there is none.
        OSError: If the file cannot be read.
    """
    if file is None and (found := os.environ.get(_STORE_KEY_VARIABLE)):
        return found
    if file is None and db_url is not None and is_encrypted(read_url(db_url)):
        return None
    if file is None and not sys.stdin.isatty():
        msg = f"The backup is of an encrypted store: give --store-key-file, or set {_STORE_KEY_VARIABLE}."
        raise InvalidValue(msg)
    return _secret_of(file or Path("-"), "Key of the store that was backed up")


def url_with_password_of(url: str, file: Path | None, whose: str) -> str:
    """Return a database URL with the password, or the key, that a file has.

    Args:
        url: Of the database.
        file: None for the URL as it is; ``-`` asks, or reads a line of a pipe.
        whose: What is asked for.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be read, or takes no password.
        InvalidValue: If there is none.
        OSError: If the file cannot be read.
    """
    return url if file is None else url_with_password(url, _secret_of(file, f"Password of {whose}"))


def without_passwords(text: str) -> str:
    """Return a message without the passwords of URLs that it quotes, such as the words of a command."""
    return _VISIBLE.sub("***@", text)


def warn_of_visible_passwords() -> None:
    """Say so if a password stands in the words that this process was started with."""
    if any(_VISIBLE.search(word) for word in sys.argv[1:]):
        tell(
            "Warning: other users of this machine can read the password in this command. Leave it out of the URL and "
            f"use --password-file or {_PASSWORD_VARIABLE}, or --db-url-file or TRADESTORE_DB_URL for the whole URL."
        )


def _options() -> list[Any]:
    """Return the options as typer makes them, each time new ones."""
    scratch = typer.Typer(add_completion=False)
    scratch.command()(_describe_options)
    return [each for each in get_command(scratch).params if each.name != "help"]


def _take_url(context: typer.Context, value: Path | None) -> None:
    if value is not None:
        context.meta[_URL_OF_FILE] = url = _secret_of(value, "Database URL")
        # It is as good as --db-url, which would be missed otherwise.
        context.default_map = {**(context.default_map or {}), _URL: url}


def _take_password(context: typer.Context, value: Path | None) -> None:
    if value is not None:
        context.meta[_PASSWORD] = _secret_of(value, "Password")


def _describe_options(
    db_url_file: Annotated[
        Path | None,
        typer.Option(
            "--db-url-file",
            metavar="FILE",
            help="A file whose only line is the URL, instead of --db-url.",
            callback=_take_url,
            is_eager=True,
            expose_value=False,
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            metavar="FILE",
            help="A file whose only line is the password, or the key of an encrypted file; - asks for it, or reads it "
            f"from a pipe. Without it: {_PASSWORD_VARIABLE}.",
            callback=_take_password,
            is_eager=True,
            expose_value=False,
        ),
    ] = None,
) -> None: ...


def _secret_of(file: Path, what: str, *, twice: bool = False) -> str:
    if str(file) != "-":
        if is_readable_by_others(file):
            tell(f"Warning: others may read {file}: run chmod 600 {file}")
        return read_secret(file)
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, confirmation_prompt=twice, err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        msg = f"{what}: there was nothing to read."
        raise InvalidValue(msg)
    return line
