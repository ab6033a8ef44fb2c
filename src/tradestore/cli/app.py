"""All commands, and what happens when one fails: a line that says what to do, and an honest exit code."""

import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from importlib.metadata import version as version_of
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tradestore.cli._answers import console, tell
from tradestore.cli.commands import doctor, edits, repair, status
from tradestore.exceptions import CommitOutcomeUnknown, DatabaseBusy, TradeStoreError

__all__ = ["ExitCode", "app", "run"]


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    """It did what it was asked for, and found nothing wrong."""
    FOUND = 1
    """It did what it was asked for, and found something that a person should look at; or the question was denied."""
    USAGE = 2
    """Its words are off."""
    REFUSED = 3
    """It could not do it; the message says what to do. Nothing was changed, or the message says what was."""
    BUSY = 4
    """Others kept the database locked, or it was away: the same may work later."""
    BUG = 70
    """It failed in a way that nobody thought of."""
    INTERRUPTED = 130
    """Somebody pressed Ctrl-C."""
    PIPE_CLOSED = 141
    """Whoever read the answer went away."""


class _Commands(TyperGroup):
    """All commands, whose failures end as a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            tell("Interrupted: what was not finished was undone.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except (DatabaseBusy, CommitOutcomeUnknown) as e:
            _end(e, ExitCode.BUSY)
        except TradeStoreError as e:
            _end(e, ExitCode.REFUSED)
        except OSError as e:
            if e.errno == errno.EPIPE:
                # Python would complain once more when it closes the stream.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(ExitCode.PIPE_CLOSED) from None
            _end(e, ExitCode.REFUSED)
        except (typer.Abort, typer.Exit):
            raise
        except Exception as e:
            if hasattr(e, "exit_code"):
                # One of typer's about the words of a command: their base has no public name.
                raise
            _end(e, ExitCode.BUG)


app = typer.Typer(
    name="tradestore",
    cls=_Commands,
    help="Look after the database that a trading bot keeps its trades in.",
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command("close-trade")(edits.close_trade)
app.command("delete-order")(edits.delete_order)
app.command("delete-trade")(edits.delete_trade)
app.command("doctor")(doctor.doctor)
app.command("edit-order")(edits.edit_order)
app.command("edit-trade")(edits.edit_trade)
app.command("rename-pair")(edits.rename_pair)
app.command("reopen-trade")(edits.reopen_trade)
app.command("repair")(repair.repair)
app.command("repair-log")(repair.repair_log)
app.command("repair-undo")(repair.repair_undo)
app.command("status")(status.status)


@app.callback()
def _all_commands(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    if version:
        console().print(version_of("tradestore"))
        raise typer.Exit


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after the program's name; by default those that it was started with.

    Returns:
        The exit code.
    """
    try:
        app(arguments)
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else int(e.code is not None)
    return ExitCode.DONE


def _end(error: Exception, code: ExitCode) -> NoReturn:
    if os.environ.get("TRADESTORE_TRACEBACK"):
        raise error
    text = " ".join(str(error).split())
    if code is ExitCode.BUG:
        text = f"{type(error).__name__}: {text} (a bug: please report it, with TRADESTORE_TRACEBACK=1 for all of it)"
    tell(f"Error: {text}")
    raise typer.Exit(code) from None
