"""The base of plain classes whose annotated attributes are their fields."""

import copy
from collections.abc import Mapping
from datetime import datetime
from inspect import get_annotations
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin

from tradestore.constants import TAG_LENGTH
from tradestore.enums import TradingMode

_UNCHANGING = frozenset({bool, datetime, float, int, str, type(None), TradingMode})
"""Types of values that a copy may share."""


class PlainRecord:
    """A class whose public annotated attributes are given by keyword; anything else raises ``TypeError``.

    Defaults stand in the class, so an object costs only what was set on it.
    """

    _fields: ClassVar[frozenset[str]] = frozenset()
    shared_by_copies: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the fields, a subclass' own ones included."""
        super().__init_subclass__(**kwargs)
        hints: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            if issubclass(base, PlainRecord):
                # What a class overrides keeps its kind: a class variable is no field.
                hints = {**_plain_attributes(base), **hints, **get_annotations(base)}
        hints = {name: hint for name, hint in hints.items() if not _is_class_variable(hint)}
        cls._fields = frozenset(name for name in hints if not name.startswith("_"))
        cls.shared_by_copies = frozenset(name for name, hint in hints.items() if _never_changes(hint))

    def __init__(self, **values: Any) -> None:
        """Set the given fields; the others keep the defaults of the class."""
        self._take_fields(values)

    def _take_fields(self, values: Mapping[str, Any]) -> None:
        if not self._fields.issuperset(values):
            self._refuse_unknown(values)
        for name, value in values.items():
            setattr(self, name, value)

    def _refuse_unknown(self, values: Mapping[str, Any]) -> None:
        names = ", ".join(sorted(values.keys() - self._fields))
        msg = f"{type(self).__name__}() does not know the keyword argument(s) {names}."
        raise TypeError(msg)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent copy; strategies get one before every callback, so it must be cheap.

        Fields that hold a number, a text or a date are copied at once; only the others are looked into, and what was
        set without being a field.
        """
        twin = memo[id(self)] = object.__new__(type(self))
        fields = twin.__dict__ = self.__dict__.copy()
        for name in fields.keys() - self.shared_by_copies:
            fields[name] = copy.deepcopy(fields[name], memo)
        return twin


def _plain_attributes(base: type) -> dict[str, Any]:
    """Return the class attributes that hold values: a bot's subclass may add some without an annotation."""
    return {name: Any for name, value in vars(base).items() if not hasattr(value, "__get__")}


def _is_class_variable(hint: object) -> bool:
    return get_origin(hint) is ClassVar or str(hint).removeprefix("typing.").startswith("ClassVar")


def _never_changes(hint: object) -> bool:
    try:
        return _UNCHANGING.issuperset(get_args(hint) if isinstance(hint, UnionType) else (hint,))
    except TypeError:  # Some hints cannot be members of a set.
        return False


class CutText:
    """A text field that keeps its first 255 characters: tags and reasons are notes, not worth refusing a trade for."""

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember under which name the text is kept."""
        self._name = name

    def __get__(self, record: object, owner: type | None = None) -> str | None:
        """Return the text, None while it was never set."""
        if record is None:
            return None
        return record.__dict__.get(self._name)

    def __set__(self, record: object, text: str | None) -> None:
        """Keep the start of the text."""
        record.__dict__[self._name] = cut(text)


def cut(text: str | None) -> str | None:
    """Return the text without what its column has no room for; what is no text is left to be refused when stored."""
    return text[:TAG_LENGTH] if isinstance(text, str) else text
