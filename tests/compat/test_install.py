"""When a bot can be mapped, and what stays of it afterwards: nothing, if it failed or was taken back."""

import importlib
import logging
import logging.handlers
import os
import sys
from pathlib import Path

import pytest

import tradestore
from tests.compat.bots import interpreter, modules_of
from tradestore import compat
from tradestore.compat import _enums, _exceptions, _installing, install, installed, uninstall
from tradestore.exceptions import CompatError


def test_twice_is_once(bot: str) -> None:
    first = install(bot)
    finders = list(sys.meta_path)
    assert install(bot) is first
    assert sys.meta_path == finders


def test_too_late_is_refused(tinybot) -> None:
    bot = tinybot({"persistence/__init__.py": "Trade = 'the own one'", "persistence/models.py": ""})
    own = importlib.import_module(f"{bot}.persistence")
    before, modules = interpreter(), modules_of(bot)

    with pytest.raises(CompatError, match=f"{bot}.persistence is loaded already: map the bot before"):
        install(bot)

    assert interpreter() == before
    assert modules_of(bot) == modules
    assert sys.modules[f"{bot}.persistence"] is own
    assert installed() is None


@pytest.mark.parametrize("name", ["", "tradestore", "tradestore.cli", "no-name", "a..b", ".a"])
def test_what_is_no_name_of_a_bot_is_refused(name: str) -> None:
    before = interpreter()
    with pytest.raises(CompatError, match="is not the name of a bot's package"):
        install(name)
    assert interpreter() == before


@pytest.mark.parametrize("name", ["nobody_has_this_bot", "nobody.has.this"])
def test_a_bot_that_is_not_there_is_refused(name: str) -> None:
    before = interpreter()
    with pytest.raises(CompatError, match=f"{name} cannot be found"):
        install(name)
    assert interpreter() == before


def test_a_module_is_no_bot(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flatbot.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CompatError, match="flatbot is a module: expected the package"):
        install("flatbot")
    assert "flatbot" not in sys.modules


def test_one_process_maps_one_bot(bot: str) -> None:
    report = install(bot)
    with pytest.raises(CompatError, match=f"{bot} is mapped to tradestore already"):
        install("otherbot")
    with pytest.raises(CompatError, match=f"{bot} is mapped to tradestore already"):
        install(bot, plain_orders=())
    assert installed() is report


def test_the_bot_may_be_loaded_but_for_its_persistence(tinybot) -> None:
    bot = tinybot(
        {"worker.py": "from {name}.enums import *\nfrom {name}.exceptions import OperationalException as Stop"}
    )
    worker = importlib.import_module(f"{bot}.worker")
    before = dict(vars(worker))

    install(bot)
    assert worker.Stop is tradestore.exceptions.OperationalException
    assert worker.TradingMode is tradestore.TradingMode

    uninstall(bot)
    assert sys.modules[f"{bot}.worker"] is worker
    assert vars(worker) == before


@pytest.mark.parametrize("loaded_before", [False, True])
def test_uninstalled_the_bot_has_its_own_again(tinybot, loaded_before: bool) -> None:
    bot = tinybot(
        {"persistence/__init__.py": "Trade = 'the own one'", "worker.py": "from {name}.persistence import Trade"}
    )
    if loaded_before:
        importlib.import_module(f"{bot}.exceptions")
    before, modules = interpreter(), modules_of(bot)
    install(bot, child_processes=True)
    mapped = importlib.import_module(f"{bot}.worker")
    importlib.import_module(f"{bot}.persistence.models")
    assert mapped.Trade is tradestore.Trade

    uninstall(bot)

    assert interpreter() == before
    assert modules_of(bot) == modules
    assert importlib.import_module(f"{bot}.worker").Trade == "the own one"
    if loaded_before:
        theirs = importlib.import_module(f"{bot}.exceptions")
        assert theirs.OperationalException.__module__ == f"{bot}.exceptions"
        assert theirs.ConfigurationError.__bases__ == (theirs.OperationalException,)


def test_uninstalling_what_is_not_mapped_does_nothing(bot: str) -> None:
    report = install(bot)
    uninstall("otherbot")
    assert installed() is report


STEPS = [
    (_installing, "put_loggers_below", 1),
    (_installing, "map_child_processes", 1),
    (_installing, "_check_package", 1),
    (_installing, "import_if_there", 1),
    (_installing, "_missing_modules", 1),
    (_installing, "bridge_enums", 1),
    (_installing, "bridge_exceptions", 1),
    (_installing, "Installation", 1),
    (_enums, "import_if_there", 1),
    (_enums, "_add_member", 1),
    (_enums, "_set_attribute", 1),
    (_enums, "_set_attribute", 3),
    (_enums, "_take_over_methods", 1),
    (_enums, "replace_everywhere", 1),
    (_enums, "replace_everywhere", 2),
    (_exceptions, "import_if_there", 1),
    *((_exceptions, "_set_bases", number) for number in range(1, 7)),
    (_exceptions, "replace_everywhere", 1),
    (_exceptions, "replace_everywhere", 2),
    (_exceptions, "_put_the_others_below", 1),
]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize(("module", "step", "number"), STEPS)
def test_a_failure_at_any_step_leaves_nothing(
    bot: str, monkeypatch: pytest.MonkeyPatch, module, step: str, number: int, error: type[BaseException]
) -> None:
    importlib.import_module(f"{bot}.exceptions")
    before, loaded = interpreter(), {name: dict(vars(sys.modules[name])) for name in modules_of(bot)}
    original, calls = getattr(module, step), []

    def then_fail(*args: object, **kwargs: object) -> object:
        result = original(*args, **kwargs)
        calls.append(step)
        if len(calls) == number:
            raise error("injected")
        return result

    monkeypatch.setattr(module, step, then_fail)
    with pytest.raises(error, match="injected"):
        install(bot, child_processes=True)
    monkeypatch.undo()

    assert interpreter() == before
    assert {name: dict(vars(sys.modules[name])) for name in modules_of(bot)} == loaded
    assert installed() is None


@pytest.mark.parametrize("path", ["__init__.py", "enums/__init__.py", "enums/words.py", "exceptions.py"])
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import nobody_has_this", ModuleNotFoundError),
        ("from os import nobody_has_this", ImportError),
        ("this is (no Python", SyntaxError),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("raise SystemExit(3)", SystemExit),
    ],
)
def test_a_bot_that_cannot_be_imported_says_so_itself(
    tinybot, path: str, text: str, error: type[BaseException]
) -> None:
    bot = tinybot({path: text})
    before = interpreter()
    with pytest.raises(error):
        install(bot, child_processes=True)
    assert interpreter() == before
    assert modules_of(bot) == set()
    assert installed() is None


def test_a_bot_that_is_waited_for_is_mapped_by_its_first_import(bot: str) -> None:
    compat.wait_for(bot)
    assert installed() is None
    assert modules_of(bot) == set()

    assert importlib.import_module(f"{bot}.persistence") is tradestore
    report = installed()
    assert report is not None
    assert report.enums == ("TradingMode", "ExitType")
    assert install(bot) is report


def test_a_bot_that_is_waited_for_can_be_mapped_at_once(bot: str) -> None:
    compat.wait_for(bot)
    finders = list(sys.meta_path)
    assert install(bot).exceptions == ("OperationalException", "DependencyException")
    assert sys.meta_path == finders


def test_waiting_for_a_bot_that_is_loaded_maps_it(bot: str) -> None:
    importlib.import_module(bot)
    compat.wait_for(bot)
    assert installed() is not None


def test_a_bot_that_contradicts_is_refused_by_the_import_that_was_waited_for(tinybot) -> None:
    bot = tinybot({"enums/words.py": "from enum import Enum\nExitType = TradingMode = Enum('E', {'SPOT': 'other'})"})
    before = interpreter()
    compat.wait_for(bot, child_processes=True)
    with pytest.raises(CompatError, match="SPOT is 'other'"):
        importlib.import_module(bot)
    assert interpreter() == before
    assert modules_of(bot) == set()


def test_variables_for_processes_are_put_back(bot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("TRADESTORE_COMPAT_PACKAGE", "before")
    install(bot, child_processes=True)
    first, *others = os.environ["PYTHONPATH"].split(os.pathsep)
    assert (Path(first, "sitecustomize.py").exists(), others) == (True, ["/somewhere"])
    assert os.environ["TRADESTORE_COMPAT_PACKAGE"] == bot
    uninstall(bot)
    assert os.environ["PYTHONPATH"] == "/somewhere"
    assert os.environ["TRADESTORE_COMPAT_PACKAGE"] == "before"
    assert "TRADESTORE_COMPAT_PLAIN_ORDERS" not in os.environ


def test_a_bot_without_a_file_of_its_own_is_mapped_when_it_is_imported(tinybot) -> None:
    bot = tinybot({"__init__.py": None})
    compat.wait_for(bot)
    worker = importlib.import_module(f"{bot}.exceptions")
    assert worker.OperationalException is tradestore.exceptions.OperationalException
    assert issubclass(tradestore.exceptions.DatabaseBusy, worker.BotError)
    assert installed() is not None


@pytest.mark.parametrize("name", ["{bot}", "{bot}.persistence"])
def test_levels_and_handlers_of_the_bots_loggers_hold_for_ours(bot: str, name: str) -> None:
    ours = logging.getLogger("tradestore.local_order")
    assert not ours.isEnabledFor(logging.DEBUG)
    install(bot)
    theirs, seen = logging.getLogger(name.format(bot=bot)), logging.handlers.BufferingHandler(10)
    theirs.addHandler(seen)
    theirs.setLevel(logging.DEBUG)
    try:
        ours.debug("filled")
        uninstall(bot)
        ours.warning("not the bot's any more")
    finally:
        theirs.removeHandler(seen)
        theirs.setLevel(logging.NOTSET)
    assert [record.getMessage() for record in seen.buffer] == ["filled"]
    assert not ours.isEnabledFor(logging.DEBUG)
