"""`python -m tradestore.compat`: a bot's own command runs as if it had been started directly."""

import re
import signal
import sys
from pathlib import Path

import pytest

from tests.compat.bots import GRIDBOT, run_gridbot, run_python, write_bot

GAP = "gridbot.persistence.rate_cache is no module of tradestore's: importing it is an error."
ONLY_NAMED_PLUGINS = "1"
"""Others take longer to load than all of this."""


def test_a_bot_trades_and_is_told_what_is_missing() -> None:
    ended = run_gridbot("gridbot", "trade", "sqlite://")
    assert (ended.returncode, ended.stdout) == (0, "tradestore.trade_model 19.58\n")
    assert ended.stderr == f"Of gridbot, this is not mapped to tradestore: {GAP}\n"


@pytest.mark.parametrize("command", [["-m", "gridbot.__main__"], ["gridbot/__main__.py"]])
def test_a_bot_is_run_by_module_or_path(command: list[str]) -> None:
    ended = run_gridbot(*command, "environment")
    assert (ended.returncode, ended.stdout.split()[-1]) == (0, "gridbot.main"), ended.stderr
    assert ended.stderr == f"Of gridbot, this is not mapped to tradestore: {GAP}\n"


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_processes_that_a_bot_starts_are_mapped(method: str) -> None:
    ended = run_gridbot("gridbot", "backtest", method)
    assert (ended.returncode, ended.stdout) == (0, "19.58 ['LocalOrder'] tradestore\n")
    assert ended.stderr.count(GAP) == 1


CHILD = """
import multiprocessing, subprocess, sys
from pathlib import Path

def module_of_trade(_=None):
    from tinybot.persistence import LocalTrade
    return LocalTrade.__module__

if __name__ == "__main__":
    print(module_of_trade())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(module_of_trade, [1]))
    if len(sys.argv) == 1:
        print(subprocess.run([sys.executable, __file__, "--child"], capture_output=True, text=True).stdout)
    print(sys.argv[1:], Path(sys.path[0]).name, __name__, Path(__file__).name)
"""


def test_functions_of_a_script_itself_run_in_its_processes(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    write_bot(tmp_path / "home", "tinybot")
    (tmp_path / "home" / "start.py").write_text(CHILD)
    ended = run_python("-m", "tradestore.compat", "--package=tinybot", "home/start.py", folder=tmp_path)
    child = "tradestore.local_trade\n['tradestore.local_trade']\n"
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{child}{child}['--child'] home __main__ start.py\n\n[] home __main__ start.py\n"


CUSTOMIZED = """
import subprocess, sys
child = "import sys, sitecustomize as s; print(sys.customized == s.__file__, any('_startup' in p for p in sys.path))"
subprocess.run([sys.executable, "-c", child], check=True)
"""


def test_the_customization_of_somebody_else_is_run_in_processes_too(tmp_path: Path) -> None:
    write_bot(tmp_path, "tinybot")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.customized = __file__\n")
    (tmp_path / "start.py").write_text(CUSTOMIZED)
    ended = run_python("-m", "tradestore.compat", "--package", "tinybot", "start.py", folder=tmp_path, path=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "True False\n"), ended.stderr


def test_arguments_and_path_are_those_of_the_command(tmp_path: Path) -> None:
    script = tmp_path / "gridbot"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    by_script = run_gridbot("gridbot", "environment", PATH=str(tmp_path))
    by_module = run_gridbot("-m", "gridbot", "environment")
    assert by_script.stdout == f"'{script}' '{tmp_path}' gridbot.main\n"
    assert by_module.stdout == f"'{GRIDBOT / 'gridbot' / '__main__.py'}' '{GRIDBOT}' gridbot.main\n"


@pytest.mark.parametrize(
    ("words", "code", "last_line"),
    [
        (["exit", "7"], 7, GAP),
        (["trade", "sqlite:///"], 2, "InvalidDatabaseUrl: Bad db-url sqlite:///: it names no file."),
        (["fail"], 1, "ValueError: a bug of the bot's"),
        (["interrupt"], -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_a_command_ends_as_it_would(words: list[str], code: int, last_line: str) -> None:
    ended = run_gridbot("gridbot", *words)
    assert ended.returncode == code
    assert last_line in ended.stderr.splitlines()[-1]
    assert "Of gridbot" in ended.stderr.splitlines()[0]


def test_a_traceback_begins_with_the_bots_own_line() -> None:
    lines = run_gridbot("gridbot", "fail").stderr.splitlines()
    assert lines[1] == "Traceback (most recent call last):"
    assert re.fullmatch(r'  File ".*gridbot/main.py", line \d+, in main', lines[2])
    assert not [line for line in lines if "runpy" in line or "tradestore/compat" in line]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no_such_command"], "no_such_command is neither a console script that is installed here nor the path of a"),
        (["-m", "no_such_module.part"], f"{sys.executable}: No module named no_such_module.part"),
        ([], "what is to be run? Expected a command"),
        (["-m"], "-m needs the name of a module"),
        (["--package"], "--package needs the name of the bot's package"),
        (["--verbose", "gridbot"], "the option --verbose is unknown"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(words: list[str], told: str) -> None:
    ended = run_gridbot(*words)
    assert ended.returncode == 2
    assert [line for line in ended.stderr.splitlines() if told in line]
    assert "Traceback" not in ended.stderr


def test_help_tells_how_to_call_it() -> None:
    ended = run_gridbot("--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith("usage: python -m tradestore.compat [--package X] COMMAND")


def test_a_bot_that_contradicts_is_refused_in_one_line(tmp_path: Path) -> None:
    write_bot(
        tmp_path, "tinybot", {"enums/words.py": "import enum\nTradingMode = ExitType = enum.Enum('E', {'SPOT': '1'})"}
    )
    (tmp_path / "start.py").write_text("print('never')")
    ended = run_python("-m", "tradestore.compat", "--package", "tinybot", "start.py", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("tradestore.compat: tinybot.enums.words.E.SPOT is '1'")
    assert ended.stderr.count("\n") == 1


def test_a_bot_that_was_never_imported_is_told(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text("print('done')")
    ended = run_python("-m", "tradestore.compat", "start.py", folder=tmp_path, TRADESTORE_COMPAT_PACKAGE="nobot")
    assert (ended.returncode, ended.stdout) == (0, "done\n")
    assert ended.stderr == (
        "tradestore.compat: nothing was mapped: nobot was not imported. --package names the bot's package.\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "tradestore.compat", "--package", "gridbot", "pytest", "-n", "1"],
        ["-m", "pytest", "-p", "tradestore.compat.plugin", "-n", "1", "-o", "tradestore_compat_package=gridbot"],
        ["-m", "tradestore.compat", "--package=gridbot", "pytest", "-p", "tradestore.compat.plugin"],
    ],
    ids=["command with workers", "plugin with workers", "both"],
)
def test_a_bots_own_tests_pass(words: list[str]) -> None:
    named = "gridbot" if "--package=gridbot" in words else ""
    words = [*words, "-q", "-p", "xdist", "-p", "no:cacheprovider"]
    ended = run_python(
        *words, folder=GRIDBOT, TRADESTORE_COMPAT_PACKAGE=named, PYTEST_DISABLE_PLUGIN_AUTOLOAD=ONLY_NAMED_PLUGINS
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "9 passed" in ended.stdout


def test_a_bot_that_cannot_be_mapped_stops_its_tests_with_the_reason(tmp_path: Path) -> None:
    write_bot(
        tmp_path, "tinybot", {"enums/words.py": "import enum\nTradingMode = ExitType = enum.Enum('E', {'SPOT': '1'})"}
    )
    (tmp_path / "test_it.py").write_text("import tinybot\ndef test_it(): pass\n")
    words = ["-m", "pytest", "-p", "tradestore.compat.plugin", "-p", "no:cacheprovider"]
    ended = run_python(
        *words, folder=tmp_path, TRADESTORE_COMPAT_PACKAGE="tinybot", PYTEST_DISABLE_PLUGIN_AUTOLOAD=ONLY_NAMED_PLUGINS
    )
    assert ended.returncode == 2
    assert "CompatError: tinybot.enums.words.E.SPOT is '1'" in ended.stdout
