"""Packages that only some users need: loaded when they are first used, and named with their command if missing."""

from importlib import import_module
from typing import Any

from tradestore.exceptions import MissingPackage

__all__ = ["load_extra"]


def load_extra(module: str, extra: str) -> Any:
    """Return a module of a package that is installed with an extra of this one.

    Args:
        module: Its full name, such as ``pyarrow.parquet``.
        extra: The extra's name.

    Raises:
        MissingPackage: If it is not installed.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or e.name.partition(".")[0] != package:
            raise
        msg = f"This needs {package}, which is not installed: run pip install 'tradestore[{extra}]'."
        raise MissingPackage(msg) from e
