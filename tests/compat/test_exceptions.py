"""A bot's exceptions are ours: whichever is raised, whichever is caught."""

import importlib
import pickle
from pathlib import Path
from types import ModuleType

import pytest

from tests.compat.bots import EXCEPTIONS, interpreter, run_python, write_bot
from tradestore import exceptions
from tradestore._order_model import UnpricedOrder
from tradestore.compat import install, uninstall
from tradestore.exceptions import CompatError, DependencyException, OperationalException, TradeStoreError

FLAT = EXCEPTIONS.replace("class BotError(Exception): pass\n", "").replace("(BotError)", "(Exception)")
ONE_BELOW_THE_OTHER = EXCEPTIONS.replace("DependencyException(BotError)", "DependencyException(OperationalException)")
SHAPES = {"one root": EXCEPTIONS, "no root": FLAT, "one below the other": ONE_BELOW_THE_OTHER}


@pytest.fixture(params=SHAPES)
def theirs(request: pytest.FixtureRequest, tinybot) -> ModuleType:
    """Return the exceptions of a mapped bot, of one shape."""
    bot = tinybot({"exceptions.py": SHAPES[request.param]})
    report = install(bot)
    assert report.exceptions == ("OperationalException", "DependencyException")
    return importlib.import_module(f"{bot}.exceptions")


def _instances() -> list[TradeStoreError]:
    classes = [getattr(exceptions, name) for name in exceptions.__all__]
    return [cls("why") for cls in classes] + [UnpricedOrder("why")]


def test_both_packages_have_the_same_classes(theirs: ModuleType) -> None:
    assert theirs.OperationalException is OperationalException
    assert theirs.DependencyException is DependencyException


def test_what_the_bot_raises_is_caught_as_ours(theirs: ModuleType) -> None:
    for cls in (theirs.OperationalException, theirs.ConfigurationError):
        with pytest.raises(OperationalException, match="why"):
            raise cls("why")
    for cls in (theirs.DependencyException, theirs.ExchangeError, theirs.TemporaryError):
        with pytest.raises(DependencyException, match="why"):
            raise cls("why")
    assert theirs.TemporaryError.__bases__ == (theirs.ExchangeError,)


def test_what_we_raise_is_caught_as_the_bots(theirs: ModuleType) -> None:
    for error in _instances():
        if isinstance(error, OperationalException | DependencyException):
            with pytest.raises((theirs.OperationalException, theirs.DependencyException)):
                raise error
        if hasattr(theirs, "BotError") and type(error) is not TradeStoreError:
            with pytest.raises(theirs.BotError):
                raise error


def test_ours_are_still_what_they_were(theirs: ModuleType) -> None:
    for error in _instances():
        assert str(error) == "why"
        copied = pickle.loads(pickle.dumps(error))
        assert (type(copied), str(copied)) == (type(error), "why")
    assert issubclass(exceptions.InvalidDatabaseUrl, ValueError)
    assert issubclass(exceptions.DatabaseBusy, TimeoutError)
    assert not issubclass(OperationalException, DependencyException)


def test_one_that_is_defined_later_is_caught_too(theirs: ModuleType) -> None:
    class LaterError(theirs.ConfigurationError): ...  # type: ignore[name-defined, misc]  # a module made at run time

    with pytest.raises(OperationalException):
        raise LaterError


def test_classes_that_somebody_still_holds_catch_everything(tinybot) -> None:
    bot = tinybot({"worker.py": "from {name}.exceptions import *\nRETRY = (DependencyException,)"})
    worker = importlib.import_module(f"{bot}.worker")
    raised_before = worker.DependencyException("before")
    install(bot)

    for error in (DependencyException("ours"), worker.TemporaryError("the bot's"), raised_before):
        with pytest.raises(worker.RETRY):
            raise error
    assert worker.DependencyException is DependencyException


def test_uninstalled_they_are_strangers_again(bot: str) -> None:
    theirs = importlib.import_module(f"{bot}.exceptions")
    own = theirs.OperationalException
    install(bot)
    uninstall(bot)
    assert theirs.OperationalException is own
    assert not issubclass(theirs.ConfigurationError, OperationalException)
    assert theirs.ConfigurationError.__mro__[1:3] == (own, theirs.BotError)
    assert not issubclass(OperationalException, theirs.BotError)


def test_what_the_bots_exceptions_hold_of_each_other_is_ours(tinybot) -> None:
    text = EXCEPTIONS.replace("DependencyException(BotError)", "DependencyException(BotError, RuntimeError)")
    bot = tinybot({"exceptions.py": text + "CODES = {OperationalException: 2}\nRETRY = (DependencyException, OSError)"})
    install(bot)
    module = importlib.import_module(f"{bot}.exceptions")
    assert module.CODES[OperationalException] == 2
    assert module.RETRY[0] is DependencyException
    assert module.ExchangeError.__bases__ == (DependencyException,)
    assert issubclass(exceptions.InvalidOrder, RuntimeError)
    assert issubclass(exceptions.DatabaseBusy, module.BotError)


OWN_CONSTRUCTOR = """
class OperationalException(BotError):
    def __init__(self, text, code{default}):
        super().__init__(text)
        self.code = code
"""

CONSTRUCTED = """
from tradestore.compat import install
from tradestore.exceptions import InvalidDatabaseUrl
install("tinybot")
from tinybot.exceptions import ConfigurationError, OperationalException
assert OperationalException("x", code=3).code == 3
assert ConfigurationError("x", 4).code == 4
assert InvalidDatabaseUrl("x").code == 1
"""

REFUSED = """
from tradestore import exceptions
from tradestore.compat import install
before = exceptions.OperationalException.__bases__
try:
    install("tinybot")
except exceptions.CompatError as e:
    print(e)
assert exceptions.OperationalException.__bases__ == before
"""


DEFINED_ANEW = """
import importlib, os
from tradestore import exceptions
from tradestore.compat import install, installed
os.rename("tinybot/exceptions.py", "wrong")
open("tinybot/exceptions.py", "w").write("class BotError(Exception): ...")
report = install("tinybot")
bases = exceptions.OperationalException.__bases__
os.rename("wrong", "tinybot/exceptions.py")
try:
    importlib.reload(importlib.import_module("tinybot.exceptions"))
except exceptions.CompatError as e:
    print(e)
assert exceptions.OperationalException.__bases__ == bases
assert installed() is report
assert importlib.import_module("tinybot.persistence").__name__ == "tradestore"
"""


@pytest.mark.parametrize(
    ("default", "script", "told"),
    [
        ("=1", CONSTRUCTED, ""),
        ("", REFUSED, "tinybot.exceptions.OperationalException cannot be raised with a message"),
        ("", DEFINED_ANEW, "tinybot.exceptions.OperationalException cannot be raised with a message"),
    ],
)
def test_a_constructor_of_the_bots_own_works_if_a_message_is_enough(
    tmp_path: Path, default: str, script: str, told: str
) -> None:
    # In a process of its own: the suite's watch over passwords has a constructor too.
    own = OWN_CONSTRUCTOR.format(default=default)
    files = {"exceptions.py": EXCEPTIONS.replace("class OperationalException(BotError): pass\n", own)}
    write_bot(tmp_path, "tinybot", {**files})
    ended = run_python("-c", script, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert told in ended.stdout
    assert bool(told) is bool(ended.stdout)


@pytest.mark.parametrize(
    ("builtin", "message"),
    [
        (
            "OSError",
            "cannot be put below tradestore.exceptions.TradeStoreError, tinybot.exceptions.DependencyException",
        ),
        ("RuntimeError", "tinybot.exceptions.ExchangeError cannot be put below tradestore.exceptions.Dependency"),
    ],
)
def test_what_cannot_be_bridged_is_refused_by_name(tinybot, builtin: str, message: str) -> None:
    text = EXCEPTIONS.replace("DependencyException(BotError)", f"DependencyException({builtin})")
    bot = tinybot({"exceptions.py": text})
    importlib.import_module(f"{bot}.exceptions")  # Otherwise what is below is defined as below ours.
    before = interpreter()
    with pytest.raises(CompatError, match=message):
        install(bot)
    assert interpreter() == before


@pytest.mark.parametrize(
    ("text", "bridged", "told"),
    [
        (None, (), "tinybot.exceptions does not exist"),
        (
            "class OperationalException(Exception): pass",
            ("OperationalException",),
            "has no exception DependencyException",
        ),
        ("OperationalException = 'no class'", (), "has no exception OperationalException"),
    ],
)
def test_an_exception_that_the_bot_lacks_is_told(
    tinybot, text: str | None, bridged: tuple[str, ...], told: str
) -> None:
    report = install(tinybot({"exceptions.py": text}))
    assert report.exceptions == bridged
    assert any(told in sentence for sentence in report.not_mapped)


def test_a_bot_that_takes_our_exceptions_itself_needs_no_bridge(tinybot) -> None:
    text = "from tradestore.exceptions import DependencyException, OperationalException"
    before = interpreter()["bases"]
    report = install(tinybot({"exceptions.py": text}))
    assert report.exceptions == ("OperationalException", "DependencyException")
    assert interpreter()["bases"] == before
