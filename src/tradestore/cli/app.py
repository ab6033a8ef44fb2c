"""All commands, and what happens when one fails: a line that says what to do, and an honest exit code."""

import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from importlib.metadata import version as version_of
from typing import Annotated, Any, Final, NoReturn

import typer
from sqlalchemy.exc import DBAPIError
from typer.core import TyperGroup

from tradestore._sqlite_files import driver_errors
from tradestore.cli._answers import console, tell
from tradestore.cli._passwords import add_password_options, warn_of_visible_passwords, without_passwords
from tradestore.cli.commands import (
    archive,
    backup,
    copy,
    custom_data,
    doctor,
    edits,
    encryption,
    export,
    grants,
    health,
    kv,
    locks,
    optimize,
    performance,
    repair,
    report,
    schema,
    status,
    trades,
    views,
)
from tradestore.exceptions import CommitOutcomeUnknown, DatabaseBusy, TradeStoreError

__all__ = ["ExitCode", "app", "run"]

_LONGEST_SENTENCE = 200


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

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands by what they are for, each with the whole first sentence of its description."""
        width = max(map(len, self.commands))
        for section, names in _SECTIONS.items():
            with formatter.section(section):
                found = [(name.ljust(width), self.commands[name]) for name in names]
                formatter.write_dl([(name, each.get_short_help_str(_LONGEST_SENTENCE)) for name, each in found])

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Let every command take a password from where nobody else can read it."""
        super().__init__(*args, **settings)
        add_password_options(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _interrupted()
        except (DatabaseBusy, CommitOutcomeUnknown) as e:
            _end(e, ExitCode.BUSY)
        except TradeStoreError as e:
            _end(e, ExitCode.REFUSED)
        except _database_errors() as e:
            # What has no meaning of its own in our terms, such as a damaged file; the statement would fill the screen.
            _end(getattr(e, "orig", None) or e, ExitCode.REFUSED)
        except OSError as e:
            if e.errno == errno.EPIPE:
                _silence_output()
                raise typer.Exit(ExitCode.PIPE_CLOSED) from None
            _end(e, ExitCode.REFUSED)
        except (typer.Abort, typer.Exit):
            raise
        except Exception as e:
            if hasattr(e, "exit_code"):
                # One of typer's about the words of a command, which it quotes: their base has no public name.
                complaint: Any = e
                complaint.message = without_passwords(getattr(e, "message", ""))
                raise
            _end(e, ExitCode.BUG)


app = typer.Typer(
    name="tradestore",
    cls=_Commands,
    help="Look after the database that a trading bot keeps its trades in.",
    invoke_without_command=True,
    add_completion=False,
    # Frames would be torn by a narrow terminal, and are in the way of whoever searches a pipe.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
_SECTIONS: Final[dict[str, dict[str, Any]]] = {
    "See what is there": {
        "status": status.status,
        "trades": trades.trades,
        "trade": trades.trade,
        "performance": performance.performance,
        "report": report.report,
        "locks": locks.locks,
        "unlock": locks.unlock,
        "kv": kv.app,
        "custom-data": custom_data.app,
    },
    "Find and repair what is wrong": {
        "health": health.health,
        "doctor": doctor.doctor,
        "repair": repair.repair,
        "repair-log": repair.repair_log,
        "repair-undo": repair.repair_undo,
        "close-trade": edits.close_trade,
        "reopen-trade": edits.reopen_trade,
        "edit-trade": edits.edit_trade,
        "edit-order": edits.edit_order,
        "delete-trade": edits.delete_trade,
        "delete-order": edits.delete_order,
        "rename-pair": edits.rename_pair,
    },
    "Keep it safe": {
        "backup": backup.backup,
        "backups": backup.backups,
        "backup-verify": backup.backup_verify,
        "restore": backup.restore_backup,
        "encrypt": encryption.encrypt,
        "decrypt": encryption.decrypt,
        "rekey": encryption.rekey,
        "grants": grants.grants,
    },
    "Keep it up to date, quick and small": {
        "upgrade": schema.upgrade,
        "downgrade": schema.downgrade,
        "history": schema.history,
        "optimize": optimize.optimize,
        "archive": archive.archive,
        "unarchive": archive.unarchive,
    },
    "Take it elsewhere": {
        "copy": copy.copy,
        "export": export.export,
        "import": export.import_export,
        "views": views.app,
    },
}
"""All commands, by what they are for, in the order of the list that ``--help`` prints."""

for _commands in _SECTIONS.values():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name)
        else:
            app.command(_name)(_command)


@app.callback()
def _all_commands(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    if version:
        console().print(version_of("tradestore"))
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        console().print(ctx.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after the program's name; by default those that it was started with.

    Returns:
        The exit code.
    """
    warn_of_visible_passwords()
    code = _run(arguments)
    try:
        sys.stdout.flush()
    except OSError as e:
        _silence_output()
        if e.errno == errno.EPIPE:
            return ExitCode.PIPE_CLOSED
        if code == ExitCode.DONE:
            tell(f"Error: {e.strerror}")
            return ExitCode.REFUSED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(arguments, standalone_mode=False, prog_name="tradestore")
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except typer.Exit as e:
        return e.exit_code
    except typer.Abort:
        tell("Interrupted: nothing was changed.")
        return ExitCode.INTERRUPTED
    except Exception as e:
        if not hasattr(e, "format_message"):
            raise
        context = getattr(e, "ctx", None)
        command = "tradestore" if context is None else context.command_path
        tell(f"Error: {' '.join(e.format_message().split())} See: {command} --help")
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.DONE


def _interrupted() -> NoReturn:
    tell("Interrupted: what was not finished was undone.")
    raise typer.Exit(ExitCode.INTERRUPTED) from None


def _silence_output() -> None:
    """Drop what is left to be printed: Python would complain about it once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _database_errors() -> tuple[type[Exception], ...]:
    return (DBAPIError, *driver_errors())


def _end(error: BaseException, code: ExitCode) -> NoReturn:
    if os.environ.get("TRADESTORE_TRACEBACK"):
        raise error
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = ": ".join([error.strerror, *([str(error.filename)] if error.filename else [])])
    text = without_passwords(" ".join(text.split()))
    if code is ExitCode.BUG:
        text = f"{type(error).__name__}: {text} (a bug: please report it, with TRADESTORE_TRACEBACK=1 for all of it)"
    tell(f"Error: {text}")
    raise typer.Exit(code) from None
