"""Every documented name exists where the documents say, is what they say, and is called as they say."""

import contextvars
import importlib
import inspect
import re
from collections.abc import Callable
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy.orm import InstrumentedAttribute, class_mapper, scoped_session

import tradestore
from tests.compat.names import COLUMNS, NAMES, NO_NAMES, WORDS_OF_RULES, Kind, Name
from tests.conftest import NOTE_PROPERTY
from tradestore import LocalTrade, ModelBase, Trade
from tradestore.accounting.profit import ProfitStruct
from tradestore.enums import ExitType, TradingMode

SPEC = Path(__file__).parents[1] / "data" / "spec"


def _place(name: Name) -> Any:
    """Return the module or class that should have the name."""
    module = importlib.import_module(f"tradestore.{name.module}" if name.module else "tradestore")
    return getattr(module, name.owner) if name.owner else module


def _object(name: Name) -> Any:
    """Return an object as its owner makes it without being told anything."""
    kind = _place(name)
    return kind(1.0, 0.5, 1.0, 0.5) if kind is ProfitStruct else kind()


def _is_session(found: Any, _static: Any, _name: Name) -> bool:
    return isinstance(found, scoped_session) and found is ModelBase.session


def _is_field(_found: Any, _static: Any, name: Name) -> bool:
    made = _object(name)
    before = getattr(made, name.name)
    if isinstance(made, ProfitStruct):
        return isinstance(before, float)
    setattr(made, name.name, before)
    return name.name in vars(made)


KINDS: Final[dict[Kind, Callable[[Any, Any, Name], bool]]] = {
    Kind.CLASS: lambda found, _, __: inspect.isclass(found),
    Kind.FUNCTION: lambda found, _, __: inspect.isfunction(found),
    Kind.METHOD: lambda _, static, __: inspect.isfunction(static),
    # Whoever calls it on the class, or on an object, cannot tell which of the two it is.
    Kind.STATIC: lambda _, static, __: isinstance(static, staticmethod | classmethod),
    Kind.CLASS_METHOD: lambda _, static, __: isinstance(static, classmethod),
    Kind.PROPERTY: lambda _, static, __: isinstance(static, property),
    Kind.COLUMN: lambda found, _, name: (
        isinstance(found, InstrumentedAttribute) and name.name in class_mapper(_place(name)).columns
    ),
    Kind.RELATIONSHIP: lambda found, _, name: (
        isinstance(found, InstrumentedAttribute) and name.name in class_mapper(_place(name)).relationships
    ),
    Kind.FIELD: _is_field,
    Kind.ATTRIBUTE: lambda found, _, __: isinstance(found, bool | str | int | float | list | tuple | dict),
    Kind.SESSION: _is_session,
    Kind.CONTEXT_VARIABLE: lambda found, _, __: isinstance(found, contextvars.ContextVar),
    Kind.ALIAS: lambda found, _, __: not inspect.isclass(found) and hasattr(found, "__args__"),
    Kind.MEMBER: lambda found, _, __: isinstance(found, Enum),
    Kind.TEXT: lambda found, _, __: isinstance(found, str) and bool(found),
}


def _wrong(name: Name) -> str | None:
    """Return what is wrong about a name, None if it is as documented."""
    place = _place(name)
    if not hasattr(place, name.name) and not (name.kind is Kind.FIELD and hasattr(_object(name), name.name)):
        return "is missing"
    found = getattr(place, name.name, None)
    if not KINDS[name.kind](found, inspect.getattr_static(place, name.name, None), name):
        return f"is not a {name.kind}, but {found!r}"
    if name.parameters is not None:
        return _wrong_call(found, name)
    return None


def _wrong_call(found: Any, name: Name) -> str | None:
    """Compare parameters: ours may be more than the documented ones if nobody has to pass them, or be optional."""
    documented = inspect.signature(eval(f"lambda {name.parameters}: None")).parameters
    ours = dict(inspect.signature(found).parameters)
    if name.kind is Kind.METHOD:
        ours.pop("self")
    positional = [each.name for each in ours.values() if each.kind is not each.KEYWORD_ONLY]
    for place, told in enumerate(documented.values()):
        own = ours.pop(told.name, None)
        if own is None:
            return f"has no parameter {told.name}"
        if told.kind is not told.KEYWORD_ONLY and positional[place : place + 1] != [told.name]:
            return f"does not take {told.name} in place {place}"
        if told.default not in {told.empty, own.default}:
            return f"takes {own.default!r} for a missing {told.name}, not {told.default!r}"
    asked_for = [each.name for each in ours.values() if each.default is each.empty and "VAR_" not in each.kind.name]
    return f"asks for {asked_for}, which nobody passes" if asked_for else None


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_documented_name_is_what_the_documents_say(name: Name) -> None:
    """It exists there, it is of that kind, and takes those parameters."""
    assert _wrong(name) is None


def test_every_documented_name_is_found(request: pytest.FixtureRequest) -> None:
    """The figure for the closing lines: names that are as documented, out of those that the documents list."""
    listed = {(name.module, name.owner, name.name) for name in NAMES}
    wrong = {(name.module, name.owner, name.name) for name in NAMES if _wrong(name)}
    line = f"{len(listed) - len(wrong)} found as documented, of {len(listed)} listed"
    request.node.user_properties.append((NOTE_PROPERTY, ("documented names", line)))
    assert wrong == set()


@pytest.mark.parametrize("name", [n for n in NAMES if n.parameters is not None or n.kind is Kind.CLASS], ids=str)
def test_documented_name_is_explained(name: Name) -> None:
    """Whoever asks for help about a class or a call gets a sentence."""
    text = inspect.getdoc(getattr(_place(name), name.name)) or ""
    assert text.split("\n")[0].endswith((".", ":")), text


def test_public_names_of_modules_are_in_all() -> None:
    """What is documented and has no underscore is what a star import brings."""
    for name in NAMES:
        if name.module and not name.owner and not name.name.startswith("_"):
            assert name.name in importlib.import_module(f"tradestore.{name.module}").__all__, str(name)


def _spans(document: str = "compat.md") -> list[str]:
    """Return what stands between back-ticks in a document, each on one line."""
    text = (SPEC / document).read_text(encoding="utf-8")
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def test_every_span_of_the_list_is_looked_at() -> None:
    """Each identifier between back-ticks is a name, a place or a parameter of the table, or said to be none of them."""
    unknown = {
        span: unknown
        for span in _spans()
        if span not in NO_NAMES and (unknown := set(re.findall(r"[^\W\d]\w*", span)) - _known())
    }
    assert unknown == {}


def test_every_name_among_the_rules_is_looked_at() -> None:
    """So is whatever in `behaviour.md` is called, or has an underscore."""
    words = {word for span in _spans("behaviour.md") for word in re.findall(r"[^\W\d]\w*\(?", span)}
    named = {word.removesuffix("(") for word in words if "_" in word or word.endswith("(")}
    assert named - _known() == set(WORDS_OF_RULES)


def _known() -> set[str]:
    known = {word for name in NAMES for word in (name.module, name.owner, name.name, "tradestore")}
    return known | {word for name in NAMES for word in re.findall(r"[A-Za-z_]\w*", name.parameters or "")}


def test_nothing_is_excused_that_is_not_in_the_list() -> None:
    """An excuse for a span that is gone would hide one that comes back."""
    assert set(NO_NAMES) <= set(_spans())


def test_columns_are_those_of_the_schema() -> None:
    """The table has every column that `schema.md` has, in its order."""
    text = (SPEC / "schema.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| (id Integer PK.*) \|$", text, re.MULTILINE)
    documented = [re.findall(r"(?:^|; )(\w+) (?!\()", columns.replace("unique(", "")) for _, columns in rows]
    ours = [[word.strip() for word in lines.split(",")] for lines in COLUMNS.values()]
    assert [name for name, _ in rows] == [
        "trades", "orders", "pairlocks", "trade_custom_data", "KeyValueStore", "wallet_history",
    ]  # fmt: skip
    assert ours == documented


# SQLAlchemy's own furniture of a mapped class, which an in-memory class must not load SQLAlchemy for.
FURNITURE = {"metadata", "registry", "type_annotation_map"}


@pytest.mark.parametrize("name", sorted(n for n in dir(Trade) if not n.startswith("_")))
def test_public_name_of_a_trade_is_one_of_a_trade_in_memory(name: str) -> None:
    """What a bot asks `Trade` for it may ask `LocalTrade` for; what needs a database may refuse when it is called."""
    assert hasattr(LocalTrade, name) is (name not in FURNITURE)


def test_members_of_enums_are_their_texts() -> None:
    """They compare and hash as text, and so as another package's member of the same value."""
    kind: Any = StrEnum
    theirs = kind("theirs", {"FUTURES": "futures"})
    assert TradingMode.FUTURES == theirs.FUTURES
    assert len({TradingMode.FUTURES, theirs.FUTURES, "futures"}) == 1
    assert [(mode.name, mode.value) for mode in TradingMode] == [
        ("SPOT", "spot"),
        ("MARGIN", "margin"),
        ("FUTURES", "futures"),
    ]
    assert ExitType("") is ExitType.NONE
    expected = {
        "stoploss_on_exchange", "roi", "stop_loss", "trailing_stop_loss", "liquidation", "exit_signal", "force_exit",
        "emergency_exit", "custom_exit", "partial_exit", "solved", "",
    }  # fmt: skip
    assert expected <= {member.value for member in ExitType}


def test_the_package_says_what_it_has() -> None:
    """The names of the first row are in its `__all__`."""
    first_row = {name.name for name in NAMES if not name.module and not name.owner}
    assert first_row <= set(tradestore.__all__)
