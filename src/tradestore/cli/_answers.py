"""What a command prints: tables for people, one JSON document for scripts, questions and progress beside them.

Answers go to standard output and all else to standard error, so that a pipe gets the answer alone.
"""

import errno
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from textwrap import wrap
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = [
    "JSON_SCHEMA",
    "answer",
    "as_json_value",
    "bar_of",
    "confirmed",
    "console",
    "printable",
    "printable_lines",
    "tell",
]

JSON_SCHEMA: Final = 1
"""Counts up when a document loses or renames a field; one that gets a further field keeps its number."""

_ANY_WIDTH: Final = 10_000
"""Columns that a line of a pipe may have: more than any."""

_STEP: Final = "  * "

_PATIENCE: Final = 1.0
"""Seconds that something may take before its progress is shown."""


class _TerminalConsole(Console):
    """Prints for whoever reads, and leaves it to the command's end if they go away."""

    def on_broken_pipe(self) -> None:
        """Pass the error on, which would else end the program with a code that says nothing."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _PlainConsole(_TerminalConsole):
    """Prints for a pipe or a file: whole lines without colours, and tables as columns of blanks."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as ever, but tables without frames."""
        for table in (each for each in objects if isinstance(each, Table)):
            table.box, table.pad_edge = None, False
            for column in table.columns:
                column.no_wrap = True
        with self.capture() as captured:
            super().print(*objects, **options)
        lines = captured.get().removesuffix("\n").split("\n")
        self.file.writelines(f"{line.rstrip(' ')}\n" for line in lines)


def console() -> Console:
    """Return where answers go, as wide as the terminal; a pipe gets whole lines without colours or frames."""
    if sys.stdout.isatty():
        return _TerminalConsole(file=sys.stdout, highlight=False, markup=False, emoji=False)
    return _PlainConsole(
        file=sys.stdout,
        force_terminal=False,
        color_system=None,
        width=_ANY_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def answer(command: str, result: Any, show: Callable[[Console], None], *, as_json: bool) -> None:
    """Print what a command has found or done.

    Args:
        command: Its name, words apart by blanks.
        result: A dataclass, a mapping or a list of such, for the document.
        show: Prints the same for a person.
        as_json: Whether a document is wanted.
    """
    if as_json:
        document = {"command": command, "schema": JSON_SCHEMA, "result": as_json_value(result)}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    else:
        show(console())


def as_json_value(value: Any) -> Any:
    """Return a result in JSON's terms: moments in UTC, enums by value, numbers that are none as null."""
    result: Any
    match value:
        case Enum():
            result = as_json_value(value.value)
        case float() if not math.isfinite(value):
            result = None
        case None | bool() | int() | float() | str():
            result = value
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            result = aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            result = value.isoformat()
        case Mapping():
            result = {str(as_json_value(key)): as_json_value(each) for key, each in value.items()}
        case _ if is_dataclass(value):
            result = {field.name: as_json_value(getattr(value, field.name)) for field in fields(value)}
        case _ if hasattr(value, "_asdict"):
            result = as_json_value(value._asdict())
        case Iterable() if not isinstance(value, bytes):
            result = [as_json_value(each) for each in value]
        case _:
            result = str(value)
    return result


def tell(text: str) -> None:
    """Print what is not the answer, such as what is going on; a terminal breaks it at blanks, steps indented."""
    error = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    lines = printable_lines(text).split("\n")
    if error.is_terminal:
        lines = [part for line in lines for part in _broken(line, error.width)]
    error.print("\n".join(lines))


def _broken(line: str, width: int) -> list[str]:
    indent = " " * len(_STEP) if line.startswith(_STEP) else ""
    # A path that is too long is left to the terminal: with a break of ours, nobody could copy it.
    return wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [""]


def printable(text: str) -> str:
    """Return a text with its control characters spelled out: what is stored must not steer the terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def confirmed(plan: Iterable[str], *, yes: bool) -> None:
    """Show what would be changed, and go on only if that is wanted.

    Args:
        plan: A line for each step.
        yes: Whether it was wanted from the beginning.

    Raises:
        typer.Exit: If it is not wanted, or there is nobody to ask; nothing has been changed.
    """
    tell("\n".join(["This would be done:", *(f"{_STEP}{step}" for step in plan)]))
    if yes:
        return
    if not sys.stdin.isatty():
        tell("Nothing was changed: there is nobody to ask here. Add --yes to do it.")
        raise typer.Exit(2)
    if not typer.confirm("Do it?", err=True):
        tell("Nothing was changed.")
        raise typer.Exit(1)


def printable_lines(text: str) -> str:
    """Return a text of several lines with all other control characters spelled out."""
    return "\n".join(printable(line) for line in text.split("\n"))


@contextmanager
def bar_of(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show the progress of the block, if it takes longer than a second and somebody is there to see it.

    Args:
        what: Is being done.

    Yields:
        What is to be called with how much is done, and with how much there is, None where that is not known.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    error = Console(stderr=True)
    with Progress(*columns, console=error, transient=True, disable=not error.is_terminal) as progress:
        task: TaskID = progress.add_task(what, total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            is_late = (progress.tasks[0].elapsed or 0) > _PATIENCE
            progress.update(task, completed=done, total=total, visible=is_late)

        yield show
