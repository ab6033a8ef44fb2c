"""Processes that a bot starts: whatever starts them, they are Python with our folder on its path.

Python imports ``sitecustomize`` when it starts. The one in our folder waits until the bot is imported, then maps it.
"""

import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

__all__ = ["PACKAGE_VARIABLE", "map_child_processes"]

PACKAGE_VARIABLE: Final = "TRADESTORE_COMPAT_PACKAGE"
PLAIN_ORDERS_VARIABLE: Final = "TRADESTORE_COMPAT_PLAIN_ORDERS"

_STARTUP: Final = str(Path(__file__).with_name("_startup"))


def map_child_processes(package: str, plain_orders: Iterable[str], undo: ExitStack) -> None:
    """Let every Python that is started from here on map the bot.

    Args:
        package: The bot's.
        plain_orders: Its packages that get plain orders.
        undo: Gets what ends it.
    """
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != _STARTUP]
    _set("PYTHONPATH", os.pathsep.join([_STARTUP, *paths]), undo)
    _set(PACKAGE_VARIABLE, package, undo)
    _set(PLAIN_ORDERS_VARIABLE, ",".join(plain_orders), undo)


def _set(variable: str, value: str, undo: ExitStack) -> None:
    before = os.environ.get(variable)
    if before is None:
        undo.callback(os.environ.pop, variable, None)
    else:
        undo.callback(os.environ.__setitem__, variable, before)
    os.environ[variable] = value
