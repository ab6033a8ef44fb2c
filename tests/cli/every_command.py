"""All commands that there are, and the fewest words that each of them does its work with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from tradestore.cli.app import app

__all__ = ["ENTRIES", "Entry", "command_names", "command_tree"]


@dataclass(frozen=True)
class Entry:
    """How a command is tried.

    Attributes:
        words: Behind its name. ``{url}`` stands for the database, which the environment names as well; ``{folder}``
            for a folder of its own.
        opens: Whether it opens a database that is there.
        changes: Whether it changes that database.
        older: Whether a database of an older revision will do.
        any_content: Whether any file of SQLite will do, whatever its tables are.
        answers: Whether a database that nobody can work with is an answer like another, with exit code 1.
        in_steps: Whether it changes no row, and ends each of its steps by itself.
        works_on: The database that it has something to do with: ``good``, ``encrypted``, or one of
            :mod:`tests.cli.bad_databases`.
        before: The commands that bring about what it has something to do with.
    """

    words: tuple[str, ...] = ()
    opens: bool = True
    changes: bool = False
    older: bool = False
    any_content: bool = False
    answers: bool = False
    in_steps: bool = False
    works_on: str = "good"
    before: tuple[str, ...] = ()

    def url(self, file: Path) -> str:
        """Return the URL of the database, without its key."""
        return f"sqlite{'+pysqlcipher' if self.works_on == 'encrypted' else ''}:///{file}"


_BACKUP = "backup --to {folder}/backups"
_ARCHIVE = "archive --before 2026-03-02 --to {folder}/archive.sqlite --yes"
_EDIT = "edit-trade 1 strategy=Other --yes"

ENTRIES: dict[str, Entry] = {
    "archive": Entry(("--before", "2026-03-02", "--to", "{folder}/archive.sqlite", "--yes"), changes=True),
    "backup": Entry(("--to", "{folder}/backups"), older=True),
    "backup-verify": Entry(("{folder}/backups",), opens=False, before=(_BACKUP,)),
    "backups": Entry(("{folder}/backups",), opens=False, before=(_BACKUP,)),
    "close-trade": Entry(("2", "--rate", "25", "--yes"), changes=True),
    "copy": Entry(("{url}", "sqlite:///{folder}/copy.sqlite")),
    "custom-data delete": Entry(("2", "target", "--yes"), changes=True),
    "custom-data get": Entry(("2", "target")),
    "custom-data list": Entry(("2",)),
    "custom-data set": Entry(("2", "target", "26.5", "--yes"), changes=True),
    "decrypt": Entry(("{folder}/plain.sqlite",), works_on="encrypted"),
    "delete-order": Entry(("9", "--yes"), changes=True),
    "delete-trade": Entry(("1", "--yes"), changes=True),
    "doctor": Entry(),
    "downgrade": Entry(("0004", "--yes"), changes=True, older=True),
    "edit-order": Entry(("1", "ft_order_tag=first", "--yes"), changes=True),
    "edit-trade": Entry(("1", "strategy=Other", "--yes"), changes=True),
    "encrypt": Entry(("{folder}/secret.sqlite",), older=True, any_content=True),
    "export": Entry(("--to", "{folder}/trades.jsonl", "--force")),
    "grants": Entry(("--engine", "postgresql", "--role", "reader"), opens=False),
    "health": Entry(answers=True),
    "history": Entry(older=True),
    "import": Entry(
        ("{folder}/trades.jsonl", "--skip-existing", "--yes"),
        changes=True,
        # The others have the same pair, side and date of opening, by which an import knows a trade.
        before=("export --to {folder}/trades.jsonl", "delete-trade 3 --yes"),
    ),
    "kv delete": Entry(("bot_start_time", "--yes"), changes=True),
    "kv get": Entry(("bot_start_time",)),
    "kv list": Entry(),
    "kv set": Entry(("bot_start_time", "2026-02-01", "--yes"), changes=True),
    "locks": Entry(),
    "optimize": Entry(("--vacuum", "--reindex"), changes=True, in_steps=True),
    "performance": Entry(),
    "rekey": Entry(("--yes",), changes=True, works_on="encrypted"),
    "rename-pair": Entry(("ADA/USDT", "ADX/USDT", "--yes"), changes=True),
    "reopen-trade": Entry(("2", "--drop-exit", "--yes"), changes=True, before=("close-trade 2 --rate 25 --yes",)),
    "repair": Entry(("--apply", "--yes"), changes=True, works_on="defective"),
    "repair-log": Entry(before=(_EDIT,)),
    "repair-undo": Entry(("--yes",), changes=True, before=(_EDIT,)),
    "report": Entry(("--to", "{folder}/report.html", "--force")),
    "restore": Entry(
        ("{folder}/backups", "--trade", "1", "--yes"), changes=True, before=(_BACKUP, "delete-trade 1 --yes")
    ),
    "status": Entry(),
    "trade": Entry(("2",)),
    "trades": Entry(),
    "unarchive": Entry(("--from", "{folder}/archive.sqlite", "--yes"), changes=True, before=(_ARCHIVE,)),
    "unlock": Entry(("1", "--yes"), changes=True),
    "upgrade": Entry(("--yes",), changes=True, older=True, works_on="older"),
    "views create": Entry(changes=True),
    "views drop": Entry(("--yes",), changes=True, before=("views create",)),
    "views list": Entry(),
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
