"""Classes of a bot that become ours in the moment of their definition, so that nothing of the bot ever holds its own.

A default of a parameter, a key of a dictionary, or a model that validates members would keep the bot's class otherwise.
"""

import builtins
from collections.abc import Callable
from contextlib import ExitStack
from enum import Enum
from types import ModuleType
from typing import Any

from tradestore.compat._enums import ENUMS, bridge_enum
from tradestore.compat._exceptions import EXCEPTIONS, bridge_exception

__all__ = ["Definitions"]


class Definitions:
    """Runs modules of a bot, and puts ours in the place of classes that they define.

    Attributes:
        told: What could not be mapped, in words.
    """

    def __init__(self, undo: ExitStack) -> None:
        """Watch nothing yet.

        Args:
            undo: Gets what gives the bot its own classes back.
        """
        self.told: list[str] = []
        self._undo = undo

    def run_module(self, module: ModuleType, run: Callable[[], None]) -> None:
        """Run a module; its class statements give our classes, where both have one.

        Raises:
            CompatError: If a class of the bot's contradicts ours.
        """
        # A class statement calls this builtin of its own module's. An interpreter that doesn't leaves the exchange
        # to what follows the import.
        vars(module)["__builtins__"] = vars(builtins) | {"__build_class__": self._build_class}
        try:
            run()
        finally:
            vars(module)["__builtins__"] = vars(builtins)

    def _build_class(self, body: Callable[[], Any], name: str, /, *bases: Any, **options: Any) -> Any:
        cls = builtins.__build_class__(body, name, *bases, **options)
        if getattr(cls, "__qualname__", None) != name:
            return cls
        if name in ENUMS and issubclass(cls, Enum):
            self.told += bridge_enum(cls, ENUMS[name], self._undo)
            return ENUMS[name]
        if name in EXCEPTIONS and issubclass(cls, Exception):
            bridge_exception(cls, EXCEPTIONS[name], self._undo)
            return EXCEPTIONS[name]
        return cls
