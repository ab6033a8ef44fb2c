"""``python -m tradestore.compat [--package X] BOT_COMMAND ARGS…``: a bot's own command, on tradestore.

The command runs in this process, as if it had been started directly: with its own arguments, module path, exit code and
tracebacks. Processes that it starts are mapped as well.
"""

import atexit
import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from tradestore.compat._children import PACKAGE_VARIABLE
from tradestore.compat._installing import install, is_waiting, wait_for
from tradestore.exceptions import CompatError

__all__ = ["main"]

_USAGE = """\
usage: python -m tradestore.compat [--package X] COMMAND [ARGUMENT ...]
       python -m tradestore.compat [--package X] -m MODULE [ARGUMENT ...]

Runs a bot on tradestore: what it imports from X.persistence is this library.

  COMMAND      a console script that is installed here, such as freqtrade or pytest, or the path of a Python script
  -m MODULE    a module or package to run, as python -m does
  --package X  the bot's package; by default what TRADESTORE_COMPAT_PACKAGE says, or freqtrade
  -h, --help   show this text and end

Whatever follows the command is handed on to it."""

_ERROR, _BAD_USAGE = 1, 2


class _UsageError(Exception):
    """What was asked for cannot be run."""


@dataclass(frozen=True)
class _Call:
    """What was asked for.

    Attributes:
        package: The bot's.
        command: A console script or a path, unless it is a module.
        module: To run as ``python -m`` does.
        arguments: Of the command.
    """

    package: str
    command: str | None
    module: str | None
    arguments: list[str]


def main() -> None:
    """Run what the process was started with."""
    atexit.register(_end_as_interrupted)
    try:
        call = _read(sys.argv[1:])
        run = _prepare(call)
        _map(call.package)
    except _UsageError as e:
        print(f"tradestore.compat: {e}", file=sys.stderr)  # noqa: T201 - a command's error
        sys.exit(_BAD_USAGE)
    except CompatError as e:
        print(f"tradestore.compat: {e}", file=sys.stderr)  # noqa: T201 - a command's error
        sys.exit(_ERROR)
    try:
        run()
    except Exception as e:  # noqa: BLE001 - every error is shown as Python shows it, and ends the process
        _show(e)
        sys.exit(_ERROR)
    except KeyboardInterrupt as e:
        _show(e)
        _interrupted.append(True)
        sys.exit(128 + signal.SIGINT)


def _read(words: Sequence[str]) -> _Call:
    package = os.environ.get(PACKAGE_VARIABLE) or "freqtrade"
    left = iter(words)
    for word in left:
        if word in {"-h", "--help"}:
            print(_USAGE)  # noqa: T201 - what was asked for
            sys.exit(0)
        if word == "--package" or word.startswith("--package="):
            package = word.partition("=")[2] or _next(left, "--package", "the name of the bot's package")
        elif word == "-m":
            module = _next(left, "-m", "the name of a module")
            return _Call(package, None, module, list(left))
        elif word.startswith("-") and word != "-":
            msg = f"the option {word} is unknown; options of the bot's go behind its command. Try --help."
            raise _UsageError(msg)
        else:
            return _Call(package, word, None, list(left))
    msg = "what is to be run? Expected a command, such as: python -m tradestore.compat freqtrade trade. Try --help."
    raise _UsageError(msg)


def _next(words: Iterator[str], option: str, meaning: str) -> str:
    word = next(words, "")
    if not word:
        msg = f"{option} needs {meaning}."
        raise _UsageError(msg)
    return word


def _prepare(call: _Call) -> Callable[[], object]:
    """Set arguments and module path as they are where Python starts the command itself; return what runs it."""
    if call.module is not None:
        sys.argv[:] = [call.module, *call.arguments]
        return lambda: _run_module(str(call.module))
    command = str(call.command)
    script = _entry_point(command)
    if script is None or os.sep in command:
        return _prepare_path(command, call.arguments)
    path = shutil.which(command) or command
    sys.argv[:] = [path, *call.arguments]
    _start_path_with(Path(path).resolve().parent)
    return lambda: sys.exit(script.load()())


def _entry_point(command: str) -> EntryPoint | None:
    return next(iter(entry_points(group="console_scripts", name=command)), None)


def _prepare_path(command: str, arguments: Sequence[str]) -> Callable[[], object]:
    path = Path(command)
    if not path.exists():
        msg = (
            f"{command} is neither a console script that is installed here nor the path of a Python script; "
            "a module is run by -m."
        )
        raise _UsageError(msg)
    sys.argv[:] = [command, *arguments]
    # runpy puts a folder or an archive on the path itself.
    _start_path_with(path.resolve().parent if path.is_file() and path.suffix != ".zip" else None)
    return lambda: runpy.run_path(command, run_name="__main__")


def _start_path_with(folder: Path | None) -> None:
    if not sys.flags.safe_path:
        sys.path[:1] = [] if folder is None else [str(folder)]


def _run_module(module: str) -> None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError as e:
        if e.name is None or not f"{module}.".startswith(f"{e.name}."):
            raise
        spec = None
    if spec is None:
        print(f"{sys.executable}: No module named {module}", file=sys.stderr)  # noqa: T201 - as Python says it
        sys.exit(_BAD_USAGE)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _map(package: str) -> None:
    if _is_there(package):
        install(package, child_processes=True)
        return
    # The command may find it: pytest, say, puts folders of its own on the path.
    wait_for(package, child_processes=True)
    atexit.register(_tell_what_never_came, package)


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _tell_what_never_came(package: str) -> None:
    if is_waiting():
        told = f"tradestore.compat: nothing was mapped: {package} was not imported. --package names the bot's package."
        print(told, file=sys.stderr)  # noqa: T201 - a command's warning


def _show(error: BaseException) -> None:
    """Show an error as Python does, from the bot's first line on."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)


def _is_ours(trace: TracebackType) -> bool:
    names = trace.tb_frame.f_globals
    return names is globals() or str(names.get("__name__")).partition(".")[0] in {"runpy", "importlib"}


_interrupted: list[bool] = []


def _end_as_interrupted() -> None:
    """Let whoever started an interrupted process see that it was: registered first, this runs last."""
    if _interrupted and os.name == "posix":
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main()
