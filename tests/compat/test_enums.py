"""A bot's enums are ours, with the members, methods and texts of both."""

import builtins
import importlib
import json
import pickle
import subprocess
import sys
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import tradestore
from tests.compat.bots import ENUMS, interpreter, modules_of, run_python, write_bot
from tradestore import ExitType, Trade, TradingMode, enums
from tradestore.compat import install, uninstall
from tradestore.exceptions import CompatError

STYLES = {
    "text and Enum": ENUMS,
    "StrEnum": ENUMS.replace("str, Enum", "StrEnum").replace("import Enum", "import StrEnum"),
    "Enum": ENUMS.replace("str, Enum", "Enum"),
}


@pytest.fixture(params=STYLES)
def styled(request: pytest.FixtureRequest, tinybot) -> str:
    """Return the name of a bot whose enums are of one style."""
    name: str = tinybot({"enums/words.py": STYLES[request.param]})
    return name


def _enums_of(bot: str) -> list[ModuleType]:
    return [importlib.import_module(f"{bot}.enums"), importlib.import_module(f"{bot}.enums.words")]


def test_both_packages_have_the_same_classes_and_members(styled: str) -> None:
    report = install(styled)
    space: dict[str, object] = {}
    exec(f"from {styled}.enums import *", space)

    for module in _enums_of(styled):
        assert module.TradingMode is enums.TradingMode is tradestore.TradingMode is space["TradingMode"]
        assert module.ExitType is enums.ExitType is tradestore.ExitType
        assert module.TradingMode.FUTURES is TradingMode.FUTURES
        assert module.TradingMode("spot") is TradingMode["SPOT"]
    assert report.enums == ("TradingMode", "ExitType")


def test_a_member_that_ours_lacks_is_a_member_of_both(styled: str) -> None:
    before = list(ExitType)
    theirs = _enums_of(styled)[0].ExitType
    expected = str(theirs.NEWER), f"{theirs.NEWER}", repr(theirs.NEWER), f"{theirs.NEWER:>20}"
    install(styled)
    theirs = _enums_of(styled)[0].ExitType
    newer = theirs("newer")

    assert newer is ExitType("newer") is ExitType["NEWER"] is theirs.NEWER
    assert (newer.name, newer.value, newer) == ("NEWER", "newer", "newer")
    assert hash(newer) == hash("newer")
    assert isinstance(newer, ExitType)
    assert newer in ExitType
    assert "newer" in {member.value for member in ExitType}
    assert list(ExitType) == [*before, newer]
    assert ExitType.__members__["NEWER"] is newer
    assert len(ExitType) == len(before) + 1
    assert pickle.loads(pickle.dumps(newer)) is newer
    assert json.dumps({newer: newer}) == '{"newer": "newer"}'
    assert {ExitType.ROI: 1, newer: 2}["newer"] == 2
    assert (str(newer), f"{newer}", repr(newer), f"{newer:>20}") == expected
    match newer:
        case ExitType.ROI:
            pytest.fail("matched another member")
        case theirs.NEWER:
            pass
        case _:
            pytest.fail("matched nothing")

    uninstall(styled)
    assert list(ExitType) == before
    assert not hasattr(ExitType, "NEWER")
    with pytest.raises(ValueError, match="newer"):
        ExitType("newer")


def test_members_print_as_the_bot_has_them(styled: str) -> None:
    theirs = _enums_of(styled)[0].TradingMode.SPOT
    expected = (str(theirs), f"{theirs}", repr(theirs))
    ours = str(TradingMode.SPOT)
    install(styled)
    assert (str(TradingMode.SPOT), f"{TradingMode.SPOT}", repr(TradingMode.SPOT)) == expected
    assert "as " + TradingMode.SPOT == "as spot"
    uninstall(styled)
    assert str(TradingMode.SPOT) == ours == "spot"


def test_an_explained_trade_names_its_mode_by_its_value(bot: str) -> None:
    install(bot)
    trade = tradestore.LocalTrade(pair="LTC/USDT", exchange="kucoin", open_rate=1.0, amount=1.0, trading_mode="futures")
    assert "futures on kucoin" in str(trade.explain())


def test_methods_and_lookups_of_the_bot_are_taken_over(tinybot) -> None:
    bot = tinybot(
        {
            "enums/words.py": ENUMS
            + """
    def __str__(self): return f"<{self.value}>"
    @property
    def is_new(self): return self is ExitType.NEWER
    @classmethod
    def known(cls): return [member.name for member in cls]
    @staticmethod
    def answer(): return self_made()
    @classmethod
    def _missing_(cls, value): return cls(value.lower()) if value != value.lower() else None

def self_made(): return 42
"""
        }
    )
    install(bot)
    theirs = importlib.import_module(f"{bot}.enums").ExitType
    assert [theirs.NEWER.is_new, theirs.ROI.is_new] == [True, False]
    assert "LIQUIDATION" in theirs.known()
    assert theirs.answer() == 42
    assert ExitType("ROI") is ExitType.ROI
    assert str(ExitType.ROI) == "<roi>"
    assert theirs is ExitType
    uninstall(bot)
    assert not hasattr(ExitType, "is_new")
    assert str(ExitType.ROI) == "roi"


def test_what_calls_super_is_told_and_left(tinybot) -> None:
    bot = tinybot({"enums/words.py": ENUMS + "\n    def loud(self): return super().upper()"})
    report = install(bot)
    assert report.not_mapped == ("ExitType.loud is not taken over from the bot: it calls super().",)
    assert not hasattr(ExitType, "loud")


ATTRIBUTES = """
    def __init__(self, text): self.label = text.title()
    def __bool__(self): return self.value != "newer"
    def __lt__(self, other): return self.value > other.value
    def __eq__(self, other): return self is other
    def __hash__(self): return 1
"""


def test_attributes_and_operators_of_members_are_taken_over(tinybot) -> None:
    report = install(tinybot({"enums/words.py": ENUMS + ATTRIBUTES}))
    assert [ExitType["NEWER"].__dict__["label"], vars(ExitType.ROI)["label"]] == ["Newer", "Roi"]
    assert [bool(ExitType("newer")), bool(ExitType.ROI)] == [False, True]
    assert min(ExitType.ROI, ExitType.LIQUIDATION) is ExitType.ROI
    assert {"roi": 1}[ExitType.ROI] == 1
    assert report.not_mapped == tuple(
        f"ExitType.{name} is not taken over from the bot: members compare as their texts."
        for name in ("__eq__", "__hash__")
    )


HOLDERS = """
from typing import Literal, get_args, get_type_hints

FINAL = {ExitType.ROI}
COUNTS = {ExitType.NEWER: 1}
Kept = Literal[ExitType.ROI]

class ExitCheckTuple:
    reasons = (ExitType.ROI,)
    def __init__(self, exit_type: ExitType = ExitType.NEWER): self.exit_type = exit_type

def hint(): return get_type_hints(ExitCheckTuple.__init__)["exit_type"]
def kept(): return get_args(Kept)[0]
"""


@pytest.mark.parametrize(
    ("defined", "held"), [("words", HOLDERS), ("checks", "from {name}.enums.words import *\n" + HOLDERS)]
)
def test_what_the_bots_enums_hold_of_each_other_is_ours(styled: str, defined: str, held: str) -> None:
    folder = Path(find_spec(styled).origin).parent / "enums"  # type: ignore[union-attr, arg-type]  # it was just written
    with (folder / f"{defined}.py").open("a", encoding="utf-8") as file:
        file.write(held.replace("{name}", styled))
    with (folder / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(f"from {styled}.enums import {defined}\n")
    install(styled)
    module = importlib.import_module(f"{styled}.enums.{defined}")
    assert ExitType.ROI in module.FINAL
    assert module.COUNTS[ExitType("newer")] == 1
    assert module.ExitCheckTuple.reasons[0] is module.kept() is ExitType.ROI
    assert module.ExitCheckTuple().exit_type is ExitType("newer")
    assert module.hint() is ExitType
    assert vars(module)["__builtins__"] is vars(builtins)


def test_an_enum_that_is_imported_anew_is_ours_again(bot: str) -> None:
    install(bot)
    for name in modules_of(bot):
        del sys.modules[name]
    assert importlib.import_module(f"{bot}.enums").ExitType is ExitType


def test_another_name_for_a_value_is_an_alias(tinybot) -> None:
    install(tinybot({"enums/words.py": ENUMS + "\n    PROFIT = 'roi'\n    STOPPED = 'stop_loss'"}))
    assert ExitType["STOPPED"] is ExitType["PROFIT"].__class__.STOP_LOSS
    assert ExitType["STOPPED"].name == "STOP_LOSS"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "    STOP_LOSS = 'stopped'",
            r"ExitType.STOP_LOSS is 'stopped', but tradestore.ExitType.STOP_LOSS is 'stop_loss'",
        ),
        ("class TradingMode(Enum):\n    SPOT = 1", r"TradingMode.SPOT is 1: expected a text"),
        ("class ExitType(Enum):\n    OTHER = ('other', 2)", r"ExitType.OTHER is \('other', 2\): expected a text"),
    ],
)
def test_a_contradiction_is_refused_by_name(tinybot, line: str, message: str) -> None:
    bot = tinybot({"enums/words.py": f"{ENUMS}\n{line}"})
    before = interpreter()
    with pytest.raises(CompatError, match=message):
        install(bot)
    assert interpreter() == before


@pytest.mark.parametrize(
    ("files", "bridged", "told"),
    [
        ({"enums/__init__.py": None, "enums/words.py": None}, (), "tinybot.enums does not exist"),
        ({"enums/__init__.py": "from {name}.enums.words import ExitType"}, ("ExitType",), "no enum TradingMode"),
        ({"enums/__init__.py": "ExitType = TradingMode = str"}, (), "no enum ExitType"),
    ],
)
def test_an_enum_that_the_bot_lacks_is_told(tinybot, files, bridged: tuple[str, ...], told: str) -> None:
    report = install(tinybot(files))
    assert report.enums == bridged
    assert any(told in sentence for sentence in report.not_mapped)


def test_members_that_a_module_holds_are_exchanged(tinybot) -> None:
    bot = tinybot({"worker.py": "from {name}.enums import ExitType\nDEFAULT = ExitType.NEWER\nOTHER = 'newer'"})
    worker = importlib.import_module(f"{bot}.worker")
    install(bot)
    assert worker.DEFAULT is ExitType("newer")
    assert worker.OTHER == "newer"
    assert not isinstance(worker.OTHER, Enum)


def test_a_mode_that_nobody_can_compute_is_told_and_stays_out_of_the_tables(tinybot) -> None:
    bot = tinybot(
        {"enums/words.py": ENUMS.replace('FUTURES = "futures"', 'FUTURES = "futures"\n    OPTIONS = "options"')}
    )
    report = install(bot)
    assert TradingMode("options").name == "OPTIONS"
    assert report.not_mapped == ("TradingMode.OPTIONS is nothing that tradestore can compute or store.",)
    assert Trade.__table__.c.trading_mode.type.enums == ["SPOT", "MARGIN", "FUTURES"]


FRESH = """
from tradestore.compat import install
install("tinybot")
from tinybot.persistence import Trade, init_db
assert Trade.__table__.c.trading_mode.type.enums == ["SPOT", "MARGIN", "FUTURES"]
init_db("sqlite://")
"""


def test_a_new_mode_stays_out_of_tables_that_are_loaded_later(tmp_path) -> None:
    files: dict[str, str | None] = {"enums/words.py": ENUMS.replace("MARGIN", "OPTIONS = 'options'\n    MARGIN")}
    write_bot(tmp_path, "tinybot", files)
    ended: subprocess.CompletedProcess[str] = run_python("-c", FRESH, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
