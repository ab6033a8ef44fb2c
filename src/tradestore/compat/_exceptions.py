"""Exceptions of a bot that become ours: whichever name is raised, whichever name is caught.

Ours takes the place of the bot's class and is put below it, and the bot's own subclasses are put below ours. So ours is
caught wherever the bot's class, or a base of it, is still held; and what the bot raises is caught as ours.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

from tradestore.compat._loaded import import_if_there, replace_everywhere
from tradestore.exceptions import CompatError, DependencyException, OperationalException, TradeStoreError

__all__ = ["EXCEPTIONS", "bridge_exception", "bridge_exceptions"]

EXCEPTIONS: Final[Mapping[str, type[TradeStoreError]]] = {
    ours.__name__: ours for ours in (OperationalException, DependencyException)
}
"""Those that both packages have, by name."""


def bridge_exceptions(package: str, undo: ExitStack) -> tuple[list[str], list[str]]:
    """Make a bot's exceptions ours.

    Args:
        package: The bot's.
        undo: Gets what makes it undone.

    Returns:
        The names of the exceptions, and what could not be mapped, in words.

    Raises:
        CompatError: If a class of the bot's cannot stand above or below ours.
    """
    module = import_if_there(f"{package}.exceptions")
    if module is None:
        return [], [f"{package}.exceptions does not exist: exceptions are tradestore's own."]
    bridged: list[str] = []
    told: list[str] = []
    for name, ours in EXCEPTIONS.items():
        theirs = getattr(module, name, None)
        if not isinstance(theirs, type) or not issubclass(theirs, Exception):
            told.append(f"{package}.exceptions has no exception {name}.")
            continue
        if theirs is not ours:
            bridge_exception(theirs, ours, undo)
        bridged.append(name)
    root = next(filter(None, map(_root_above, EXCEPTIONS.values())), None)
    if root is not None:
        _put_the_others_below(root, undo)
    return bridged, told


def _root_above(ours: type) -> type | None:
    """Return the highest class above the bot's exception that is the bot's own, None without one."""
    theirs = next((base for base in ours.__bases__ if base.__module__ != ours.__module__), None)
    above = () if theirs is None else theirs.__mro__[1:]
    return next((base for base in reversed(above) if base.__module__ not in {"builtins", ours.__module__}), None)


def bridge_exception(theirs: type[Exception], ours: type[TradeStoreError], undo: ExitStack) -> None:
    """Make one exception of a bot's ours, in every module that is loaded.

    Args:
        theirs: The bot's.
        ours: What stays.
        undo: Gets what makes it undone.

    Raises:
        CompatError: If the bot's class cannot stand above ours, or one below it not below ours.
    """
    children: list[type] = type.__subclasses__(theirs)
    before = ours.__bases__
    _set_bases(ours, (*(base for base in before if not issubclass(theirs, base)), theirs), undo)
    try:
        ours("a message")
    except Exception as e:
        # While the bot's constructor is ours, nothing of ours can be raised.
        ours.__bases__ = before
        msg = f"{_named(theirs)} cannot be raised with a message alone, as tradestore raises it: {e}"
        raise CompatError(msg) from e
    for child in children:
        _set_bases(child, tuple(ours if base is theirs else base for base in child.__bases__), undo)
    replace_everywhere(lambda value: ours if value is theirs else value, undo)


def _put_the_others_below(root: type, undo: ExitStack) -> None:
    """Let whoever catches every error of the bot's catch ours too, those included that the bot has no word for."""
    for ours in type.__subclasses__(TradeStoreError):
        if ours.__module__ == TradeStoreError.__module__ and not issubclass(ours, root):
            first, *rest = ours.__bases__
            _set_bases(ours, (first, root, *rest), undo)


def _set_bases(cls: Any, bases: tuple[type, ...], undo: ExitStack) -> None:
    before = cls.__bases__
    try:
        cls.__bases__ = bases
    except TypeError as e:
        msg = f"{_named(cls)} cannot be put below {', '.join(map(_named, bases))}: {e}"
        raise CompatError(msg) from e
    undo.callback(setattr, cls, "__bases__", before)


def _named(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
