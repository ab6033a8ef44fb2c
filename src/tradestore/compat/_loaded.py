"""The modules of a bot that are loaded: exchanging what they hold, and forgetting them again."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["forget_since", "import_if_there", "is_in", "loaded_of", "replace_everywhere"]


def is_in(name: str, package: str) -> bool:
    """Tell whether a module is a package, or in it."""
    return name == package or name.startswith(f"{package}.")


def loaded_of(package: str) -> set[str]:
    """Return the names of a package's loaded modules, its own one included."""
    return {name for name in sys.modules if is_in(name, package)}


def import_if_there(name: str) -> ModuleType | None:
    """Import a module, None if there is none of that name; what it raises itself is raised."""
    try:
        return import_module(name)
    except ModuleNotFoundError as e:
        if e.name != name:
            raise
        return None


def replace_everywhere(replacement_of: Callable[[Any], Any], undo: ExitStack) -> None:
    """Exchange values in the global names of every loaded module.

    Args:
        replacement_of: Given a value, returns what stands in its place: most often the value itself.
        undo: Gets what puts the old values back.
    """
    for space in list(_namespaces()):
        for name, old in list(space.items()):
            new = replacement_of(old)
            if new is not old:
                undo.callback(_put_back, space, name, new, old)
                space[name] = new


def _namespaces() -> Iterator[dict[str, Any]]:
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            yield vars(module)


def _put_back(space: dict[str, Any], name: str, new: Any, old: Any) -> None:
    if space.get(name) is new:
        space[name] = old


def forget_since(package: str, persistence: str, before: set[str]) -> None:
    """Forget the modules of a package that were loaded meanwhile, so that whoever imports them gets new ones.

    Args:
        package: Whose modules.
        persistence: The part of it that is modules of ours, which stay.
        before: Those that stay loaded.
    """
    for name in sorted(loaded_of(package) - before):
        module = sys.modules.pop(name)
        parent, _, child = name.rpartition(".")
        owner = sys.modules.get(parent)
        is_ours = name.startswith(f"{persistence}.")
        if owner is not None and not is_ours and vars(owner).get(child) is module:
            delattr(owner, child)
