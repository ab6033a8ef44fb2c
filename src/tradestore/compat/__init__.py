"""Running a bot on tradestore without a change: its own persistence package is this library.

Call :func:`install` before the bot is imported, start the bot by ``python -m tradestore.compat``, or its tests by
``pytest -p tradestore.compat.plugin``.
"""

from tradestore.compat._installing import install, installed, uninstall, wait_for
from tradestore.compat._report import Installation

__all__ = ["Installation", "install", "installed", "uninstall", "wait_for"]
