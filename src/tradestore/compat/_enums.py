"""Enums of a bot that become ours: one class under both names, with the members and methods of both.

Ours is the class that stays, since the columns of the tables know it.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from enum import Enum, StrEnum
from importlib import import_module
from inspect import getattr_static
from types import FunctionType
from typing import Any, Final

from tradestore.compat._loaded import import_if_there, replace_everywhere
from tradestore.enums import ExitType, TradingMode
from tradestore.exceptions import CompatError

__all__ = ["ENUMS", "bridge_enum", "bridge_enums"]

ENUMS: Final[Mapping[str, type[StrEnum]]] = {ours.__name__: ours for ours in (TradingMode, ExitType)}
"""Those that both packages have, by name."""

_BOOKS: Final = ("_member_names_", "_member_map_", "_value2member_map_", "_hashable_values_")
"""Where Python's enums keep their members; the last one is of later versions."""
_TEXTS: Final = ("__str__", "__format__", "__repr__")
_COMPARISONS: Final = frozenset({"__eq__", "__ne__", "__hash__"})
_CONSTRUCTION: Final = frozenset({"__new__", "__new_member__", "__init__", "__init_subclass__"})


def bridge_enums(package: str, undo: ExitStack) -> tuple[list[str], list[str]]:
    """Make a bot's enums ours.

    Args:
        package: The bot's.
        undo: Gets what makes it undone.

    Returns:
        The names of the enums, and what could not be mapped, in words.

    Raises:
        CompatError: If a member of the bot's contradicts one of ours, or has a value that is no text.
    """
    module = import_if_there(f"{package}.enums")
    if module is None:
        return [], [f"{package}.enums does not exist: enums are tradestore's own."]
    bridged: list[str] = []
    told: list[str] = []
    for name, ours in ENUMS.items():
        theirs = getattr(module, name, None)
        if not isinstance(theirs, type) or not issubclass(theirs, Enum):
            told.append(f"{package}.enums has no enum {name}.")
            continue
        if theirs is not ours:
            told += bridge_enum(theirs, ours, undo)
        bridged.append(name)
    return bridged, told


def bridge_enum(theirs: type[Enum], ours: type[StrEnum], undo: ExitStack) -> list[str]:
    """Make one enum of a bot's ours, in every module that is loaded.

    Args:
        theirs: The bot's.
        ours: What stays.
        undo: Gets what makes it undone.

    Returns:
        What could not be mapped, in words.

    Raises:
        CompatError: If a member of the bot's contradicts one of ours, or has a value that is no text.
    """
    _refuse_contradictions(theirs, ours)
    known = {member.value for member in ours}
    added = {name: member.value for name, member in theirs.__members__.items() if name not in ours.__members__}
    if added and ours is TradingMode:
        # The columns keep the members that they were made with: what a bot adds must not get into new databases.
        import_module("tradestore.models")
    for name, value in added.items():
        _add_member(ours, name, value, undo)
    for member in theirs:
        _take_over_attributes(member, ours(member.value), undo)
    told = [f"{ours.__name__}.{name} {reason}" for name, reason in _take_over_methods(theirs, ours, undo).items()]
    if ours is TradingMode:
        told += [
            f"{ours.__name__}.{member.name} is nothing that tradestore can compute or store."
            for member in ours
            if member.value not in known
        ]

    def replacement_of(value: Any) -> Any:
        if value is theirs:
            return ours
        return ours(value.value) if type(value) is theirs else value

    replace_everywhere(replacement_of, undo)
    return told


def _refuse_contradictions(theirs: type[Enum], ours: type[StrEnum]) -> None:
    for name, member in theirs.__members__.items():
        where = f"{theirs.__module__}.{theirs.__qualname__}.{name}"
        if not isinstance(member.value, str):
            msg = f"{where} is {member.value!r}: expected a text, as tradestore.{ours.__name__} has."
            raise CompatError(msg)
        known = ours.__members__.get(name)
        if known is not None and known.value != member.value:
            msg = f"{where} is {member.value!r}, but tradestore.{ours.__name__}.{name} is {known.value!r}."
            raise CompatError(msg)


def _add_member(ours: type[StrEnum], name: str, value: str, undo: ExitStack) -> None:
    # Enums refuse new members: their class's own books are written, and put back as they were.
    books: dict[str, Any] = {book: vars(ours)[book] for book in _BOOKS if book in vars(ours)}
    for book in books.values():
        undo.callback(_restore_book, book, book.copy())
    member = books["_value2member_map_"].get(value)
    if member is None:
        member = str.__new__(ours, value)
        for attribute, content in (
            ("_name_", name),
            ("_value_", value),
            ("__objclass__", ours),
            ("_sort_order_", len(books["_member_names_"])),
        ):
            setattr(member, attribute, content)
        books["_member_names_"].append(name)
        books["_value2member_map_"][value] = member
        if "_hashable_values_" in books:
            books["_hashable_values_"].append(value)
    books["_member_map_"][name] = member
    _set_attribute(ours, name, member, undo)


def _take_over_attributes(theirs: Enum, ours: StrEnum, undo: ExitStack) -> None:
    for name, value in vars(theirs).items():
        if name not in vars(ours) and not _is_of_enums(name):
            undo.callback(vars(ours).pop, name, None)
            vars(ours)[name] = value


def _is_of_enums(name: str) -> bool:
    """Tell whether a name is one that Python's enums keep something under."""
    return name.startswith("_") and name.endswith("_")


def _restore_book(book: Any, before: Any) -> None:
    book.clear()
    if isinstance(book, dict):
        book.update(before)
    else:
        book.extend(before)


def _set_attribute(ours: type, name: str, value: Any, undo: ExitStack) -> None:
    # Past the enum's own __setattr__ and __delattr__, which guard its members.
    if name in vars(ours):
        undo.callback(type.__setattr__, ours, name, vars(ours)[name])
    else:
        undo.callback(type.__delattr__, ours, name)
    type.__setattr__(ours, name, value)


def _take_over_methods(theirs: type[Enum], ours: type[StrEnum], undo: ExitStack) -> dict[str, str]:
    """Give ours the methods that it lacks, and the way in which the bot's members print themselves."""
    refused: dict[str, str] = {}
    for name, method in {**_own_methods(theirs, ours), **_text_methods(theirs)}.items():
        if _needs_its_class(method):
            refused[name] = "is not taken over from the bot: it calls super()."
        elif name in _COMPARISONS:
            refused[name] = "is not taken over from the bot: members compare as their texts."
        elif getattr_static(ours, name, None) is not method:
            _set_attribute(ours, name, method, undo)
    return refused


def _own_methods(theirs: type[Enum], ours: type[StrEnum]) -> dict[str, Any]:
    return {
        name: value
        for owner in reversed(theirs.__mro__)
        if owner.__module__ not in {"builtins", "enum"}
        for name, value in vars(owner).items()
        if name not in vars(ours) and name not in theirs.__members__
        if name == "_missing_" or not _is_of_enums(name) or _is_operator(name, value)
    }


def _is_operator(name: str, value: Any) -> bool:
    """Tell whether a bot defines by itself what Python calls for its members, such as ``__bool__`` or ``__lt__``."""
    is_own = isinstance(value, FunctionType) and value.__module__ != "enum"
    return is_own and name.startswith("__") and name not in _CONSTRUCTION


def _text_methods(theirs: type[Enum]) -> Mapping[str, Any]:
    # A bot's log lines, messages and the tests of them have its members as its own class prints them.
    return {name: getattr_static(theirs, name) for name in _TEXTS}


def _needs_its_class(method: Any) -> bool:
    function = getattr(method, "__func__", getattr(method, "fget", method))
    return isinstance(function, FunctionType) and "__class__" in function.__code__.co_freevars
