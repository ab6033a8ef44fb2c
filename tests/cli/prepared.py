"""Folders in which a command has what it needs: the database, and what other commands have made of it before."""

import shutil
from pathlib import Path

import pytest

from tests.cli.bad_databases import KEY, NEW_KEY
from tests.cli.every_command import Entry
from tradestore.cli.app import run

__all__ = ["DATABASE", "Preparations", "use", "words_of"]

DATABASE = "tradesv3.sqlite"


class Preparations:
    """What commands need, each made once."""

    def __init__(self, databases: Path, folder: Path) -> None:
        """Make nothing yet.

        Args:
            databases: A folder for each kind of database, with one in it.
            folder: For what is made.
        """
        self._databases = databases
        self._folder = folder

    def put(self, name: str, entry: Entry, folder: Path) -> Path:
        """Put what a command needs into a folder, and return that."""
        made = self._folder / name.replace(" ", "-")
        if not made.exists():
            shutil.copytree(self._databases / entry.works_on, made)
            for command in entry.before:
                with pytest.MonkeyPatch.context() as patched:
                    use(entry, made, patched)
                    code = run(_filled(command.split(), entry, made))
                assert code == 0, command
        return Path(shutil.copytree(made, folder, dirs_exist_ok=True))


def use(entry: Entry, folder: Path, patched: pytest.MonkeyPatch) -> None:
    """Let commands find the database of a folder, and keys."""
    patched.setenv("TRADESTORE_DB_URL", _url(entry, folder))
    patched.setenv("TRADESTORE_DB_PASSWORD", KEY)
    patched.setenv("TRADESTORE_NEW_PASSWORD", NEW_KEY)


def words_of(name: str, entry: Entry, folder: Path) -> list[str]:
    """Return the words of a command that works in a folder."""
    return [*name.split(), *_filled(entry.words, entry, folder)]


def _filled(words: list[str] | tuple[str, ...], entry: Entry, folder: Path) -> list[str]:
    return [word.format(url=_url(entry, folder), folder=folder) for word in words]


def _url(entry: Entry, folder: Path) -> str:
    """Return the URL of a database that is not waited for, in processes that know of no quick keys as well."""
    return f"{entry.url(folder / DATABASE)}?busy_timeout=0.05{'&kdf_iter=1000' * (entry.works_on == 'encrypted')}"
