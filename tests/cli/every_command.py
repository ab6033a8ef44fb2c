"""All commands that there are, and the fewest words that each of them does its work with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from tradestore.cli.app import app

__all__ = ["ENTRIES", "Entry", "command_names", "command_tree"]


@dataclass(frozen=True)
class Entry:
    """How a command is tried.

    Attributes:
        words: Behind its name. ``{url}`` stands for the database, which the environment names as well; ``{folder}``
            for an empty one of its own.
        opens: Whether it opens a database that is there.
        changes: Whether it changes that database.
        older: Whether a database of an older revision will do.
        works_on: The database that it has something to do with: ``good``, or one of :mod:`tests.cli.bad_databases`.
    """

    words: tuple[str, ...] = ()
    opens: bool = True
    changes: bool = False
    older: bool = False
    works_on: str = "good"


ENTRIES: dict[str, Entry] = {
    "copy": Entry(("{url}", "sqlite:///{folder}/copy.sqlite")),
    "custom-data delete": Entry(("2", "target", "--yes"), changes=True),
    "custom-data get": Entry(("2", "target")),
    "custom-data list": Entry(("2",)),
    "custom-data set": Entry(("2", "target", "26.5", "--yes"), changes=True),
    "downgrade": Entry(("0004", "--yes"), changes=True, older=True),
    "history": Entry(older=True),
    "kv delete": Entry(("bot_start_time", "--yes"), changes=True),
    "kv get": Entry(("bot_start_time",)),
    "kv list": Entry(),
    "kv set": Entry(("bot_start_time", "2026-02-01", "--yes"), changes=True),
    "locks": Entry(),
    "performance": Entry(),
    "report": Entry(("--to", "{folder}/report.html", "--force")),
    "status": Entry(),
    "trade": Entry(("2",)),
    "trades": Entry(),
    "unlock": Entry(("1", "--yes"), changes=True),
    "upgrade": Entry(("--yes",), changes=True, older=True, works_on="older"),
}
"""One for each command: with it, the command is tried in a terminal, in a pipe, and with all that may be wrong."""


def command_tree() -> Iterator[tuple[str, Any]]:
    """Yield each command with its name, words of groups first."""
    yield from _walk("", typer.main.get_command(app))


def command_names() -> list[str]:
    """Return the names of all commands."""
    return sorted(name for name, _ in command_tree())


def _walk(prefix: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, each in command.commands.items():
        full = f"{prefix} {name}".strip()
        if hasattr(each, "commands"):
            yield from _walk(full, each)
        else:
            yield full, each
