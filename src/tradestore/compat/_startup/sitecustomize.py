"""Run by Python when a process starts that a mapped bot started: waits for the bot, then maps it there too.

Nothing is loaded before the bot is imported, so that other programs cost nothing. A ``sitecustomize`` of somebody else
is run as it would be without this one.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from typing import Any


class _Waiting:
    """Waits on ``sys.meta_path`` until the bot is imported for the first time."""

    def __init__(self, package: str, plain_orders: list[str]) -> None:
        self._package = package
        self._plain_orders = plain_orders

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Let the finder of tradestore.compat answer for the bot."""
        if fullname != self._package:
            return None
        sys.meta_path.remove(self)
        import_module("tradestore.compat._installing").wait_in_child(fullname, self._plain_orders)
        spec: ModuleSpec | None = sys.meta_path[0].find_spec(fullname, path, target)
        return spec


def _wait() -> None:
    # The names of tradestore.compat._children, which takes too long to import here.
    package = os.environ.get("TRADESTORE_COMPAT_PACKAGE")
    if package:
        names = os.environ.get("TRADESTORE_COMPAT_PLAIN_ORDERS", "").split(",")
        sys.meta_path.insert(0, _Waiting(package, [name for name in names if name]))


def _run_the_next_one() -> None:
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib takes longer than all the rest
    sys.path[:] = [path for path in sys.path if path != here]
    this = sys.modules.pop(__name__)
    try:
        import_module(__name__)
    except ModuleNotFoundError as e:
        if e.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, this)


if __name__ == "sitecustomize":
    _wait()
    _run_the_next_one()
