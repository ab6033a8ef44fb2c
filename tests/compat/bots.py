"""Small bots, written to a folder, and what the interpreter looks like around them."""

import logging
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import tradestore
from tradestore import enums, exceptions

GRIDBOT = Path(__file__).parents[1] / "data" / "gridbot"
"""The folder of a whole bot, with tests of its own."""
SOURCE = Path(tradestore.__file__).parents[1]
SECONDS = 120

ENUMS = """
from enum import Enum

class TradingMode(str, Enum):
    SPOT = "spot"
    MARGIN = "margin"
    FUTURES = "futures"

class ExitType(str, Enum):
    ROI = "roi"
    NEWER = "newer"
"""
EXCEPTIONS = """
class BotError(Exception): pass
class OperationalException(BotError): pass
class ConfigurationError(OperationalException): pass
class DependencyException(BotError): pass
class ExchangeError(DependencyException): pass
class TemporaryError(ExchangeError): pass
"""
NEVER_RUN = "raise RuntimeError('the bot own persistence was executed')"

_STANDARD = {
    "__init__.py": "",
    "enums/__init__.py": "from {name}.enums.words import ExitType, TradingMode",
    "enums/words.py": ENUMS,
    "exceptions.py": EXCEPTIONS,
    "persistence/__init__.py": NEVER_RUN,
    "persistence/models.py": NEVER_RUN,
}


def write_bot(folder: Path, name: str, files: dict[str, str | None] | None = None) -> None:
    """Write a bot's package; `files` replace or, by None, leave out the standard ones."""
    for path, text in {**_STANDARD, **(files or {})}.items():
        if text is not None:
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.replace("{name}", name) + "\n", encoding="utf-8")


def interpreter() -> dict[str, Any]:
    """Return all that a mapping may change, but for a bot's modules."""
    return {
        "meta_path": list(sys.meta_path),
        "environment": dict(os.environ),
        "module": dict(vars(tradestore)),
        "specs": {name: module.__spec__ for name, module in sys.modules.items() if name.startswith("tradestore")},
        "enums": [_contents(cls) for cls in (enums.TradingMode, enums.ExitType)],
        "bases": [getattr(exceptions, name).__bases__ for name in exceptions.__all__],
        "logger": (logging.getLogger("tradestore").parent, logging.getLogger("tradestore").level),
        "mro": [getattr(exceptions, name).__mro__ for name in exceptions.__all__],
    }


def _contents(cls: type[Enum]) -> dict[str, Any]:
    contents = {name: value.copy() if hasattr(value, "copy") else value for name, value in vars(cls).items()}
    return contents | {"attributes": [dict(vars(member)) for member in cls]}


def modules_of(package: str) -> set[str]:
    """Return the names of a package's loaded modules."""
    return {name for name in sys.modules if name == package or name.startswith(f"{package}.")}


def run_python(
    *words: str, folder: Path, path: Path | None = None, **settings: str
) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder, with tradestore and perhaps another folder on its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TRADESTORE"))}
    paths = [str(SOURCE), *([] if path is None else [str(path)])]
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", **settings}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def run_gridbot(*words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command on tradestore where the whole bot is installed."""
    command = ("-W", "error", "-m", "tradestore.compat", "--package", "gridbot", *words)
    return run_python(*command, folder=GRIDBOT, path=GRIDBOT, **settings)
