"""All commands, and what happens when one fails: a line that says what to do, and an honest exit code."""

import errno
import os
import sys
from collections.abc import Sequence
from enum import IntEnum
from importlib.metadata import version as version_of
from typing import Annotated, Any, NoReturn

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
        """Write the list of commands by name, each with the whole first sentence of its description."""
        found = [(name, self.get_command(ctx, name)) for name in sorted(self.list_commands(ctx))]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_LONGEST_SENTENCE)) for name, each in found if each])

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
app.command("archive")(archive.archive)
app.command("backup")(backup.backup)
app.command("backup-verify")(backup.backup_verify)
app.command("backups")(backup.backups)
app.command("close-trade")(edits.close_trade)
app.command("copy")(copy.copy)
app.add_typer(custom_data.app, name="custom-data")
app.command("decrypt")(encryption.decrypt)
app.command("delete-order")(edits.delete_order)
app.command("delete-trade")(edits.delete_trade)
app.command("doctor")(doctor.doctor)
app.command("downgrade")(schema.downgrade)
app.command("edit-order")(edits.edit_order)
app.command("edit-trade")(edits.edit_trade)
app.command("encrypt")(encryption.encrypt)
app.command("export")(export.export)
app.command("grants")(grants.grants)
app.command("health")(health.health)
app.command("history")(schema.history)
app.command("import")(export.import_export)
app.add_typer(kv.app, name="kv")
app.command("locks")(locks.locks)
app.command("optimize")(optimize.optimize)
app.command("performance")(performance.performance)
app.command("rekey")(encryption.rekey)
app.command("rename-pair")(edits.rename_pair)
app.command("reopen-trade")(edits.reopen_trade)
app.command("repair")(repair.repair)
app.command("repair-log")(repair.repair_log)
app.command("repair-undo")(repair.repair_undo)
app.command("report")(report.report)
app.command("restore")(backup.restore_backup)
app.command("status")(status.status)
app.command("trade")(trades.trade)
app.command("trades")(trades.trades)
app.command("unarchive")(archive.unarchive)
app.command("unlock")(locks.unlock)
app.command("upgrade")(schema.upgrade)
app.add_typer(views.app, name="views")


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
