"""``tradestore encrypt``, ``decrypt`` and ``rekey``: files that SQLCipher encrypts."""

from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument

from tradestore.cli._answers import answer, confirmed
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes
from tradestore.cli._passwords import NewKeyFile, new_key
from tradestore.operations import encryption
from tradestore.operations.encryption import Encryption

__all__ = ["decrypt", "encrypt", "rekey"]

_Target = Annotated[Path, Argument(metavar="TARGET", help="The file to make. Nothing may be there.")]


def encrypt(
    target: _Target, db_url: DatabaseUrl, new_password_file: NewKeyFile = None, as_json: AsJson = False
) -> None:
    """Write an encrypted copy of a plain SQLite file. The plain file stays: remove it yourself. Stop the bot first.

    Example: tradestore encrypt secret.sqlite --db-url sqlite:///tradesv3.sqlite --new-password-file key.txt
    """
    found = encryption.encrypt(db_url, target, new_key(new_password_file))
    _answer("encrypt", found, f"{found.target} has all that is in {found.source}", as_json=as_json)


def decrypt(target: _Target, db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Write a plain copy of an encrypted file. The encrypted file stays. Stop the bot first.

    Example: tradestore decrypt plain.sqlite --db-url sqlite+pysqlcipher:///secret.sqlite --password-file key.txt
    """
    found = encryption.decrypt(db_url, target)
    _answer("decrypt", found, f"{found.target} has all that is in {found.source}", as_json=as_json)


def rekey(db_url: DatabaseUrl, new_password_file: NewKeyFile = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give an encrypted file another key, all of it or nothing. Stop the bot first.

    Example: tradestore rekey -d sqlite+pysqlcipher:///secret.sqlite --password-file old --new-password-file new --yes
    """
    key = new_key(new_password_file)
    steps = ("copy the file under its old key, and compare the copy", "encrypt the file with the new key")
    confirmed([*steps, "compare every row with the copy, then remove it: the old key opens nothing any more"], yes=yes)
    found = encryption.rekey(db_url, key)
    _answer("rekey", found, f"{found.target} has another key", as_json=as_json)


def _answer(command: str, found: Encryption, done: str, *, as_json: bool) -> None:
    def show(console: Console) -> None:
        console.print(f"{done}: {found.rows} rows of {found.tables} tables were compared.", markup=False)

    answer(command, found, show, as_json=as_json)
