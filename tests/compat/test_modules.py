"""A bot's persistence package is this library: the same modules, however they are asked for."""

import importlib
import logging
import pickle
import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from unittest.mock import patch

import pytest

import tradestore
from tests.compat.bots import run_python, write_bot
from tradestore.compat import install, installed, uninstall
from tradestore.compat._modules import MODULES

SPECIFIED = [
    "base",
    "models",
    "trade_model",
    "pairlock",
    "pairlock_middleware",
    "custom_data",
    "key_value_store",
    "wallet_history",
    "usedb_context",
    "migrations",
    "db_migration",
]


@pytest.mark.parametrize("name", SPECIFIED)
def test_a_module_of_the_bot_is_ours(bot: str, name: str) -> None:
    report = install(bot)
    ours = importlib.import_module(f"tradestore.{name}")
    facts = (ours.__spec__, ours.__loader__, ours.__name__, ours.__package__, ours.__file__)

    theirs = importlib.import_module(f"{bot}.persistence.{name}")

    assert theirs is ours
    assert (ours.__spec__, ours.__loader__, ours.__name__, ours.__package__, ours.__file__) == facts
    assert ours.__spec__ is not None
    assert ours.__spec__.name == f"tradestore.{name}"
    assert report.modules[f"{bot}.persistence.{name}"] == f"tradestore.{name}"


def test_what_is_documented_is_mapped_and_nothing_else(bot: str) -> None:
    assert sorted(MODULES) == sorted(SPECIFIED)
    assert set(install(bot).modules) == {f"{bot}.persistence", *(f"{bot}.persistence.{name}" for name in SPECIFIED)}


def test_the_package_is_ours_by_every_way_of_asking(bot: str) -> None:
    install(bot)
    spec, loader, path = tradestore.__spec__, tradestore.__loader__, tradestore.__path__
    space: dict[str, object] = {}

    exec(f"import {bot}.persistence as a\nfrom {bot} import persistence as b\nimport {bot}", space)
    exec(f"from {bot}.persistence import Trade, LocalTrade, init_db\nfrom {bot}.persistence import models", space)

    assert space["a"] is space["b"] is importlib.import_module(f"{bot}.persistence") is tradestore
    assert vars(space[bot])["persistence"] is tradestore
    assert space["Trade"] is tradestore.Trade
    assert space["models"] is sys.modules["tradestore.models"]
    assert pkgutil.resolve_name(f"{bot}.persistence:Trade.get_open_trades") is tradestore.Trade.get_open_trades
    assert (tradestore.__spec__, tradestore.__loader__, tradestore.__path__) == (spec, loader, path)
    assert (tradestore.__name__, tradestore.__package__) == ("tradestore", "tradestore")


def test_patches_by_the_bots_names_hold(bot: str) -> None:
    install(bot)
    with patch(f"{bot}.persistence.Trade.get_open_trades", return_value=[]) as patched:
        tradestore.Trade.get_open_trades()
        assert patched.call_count == 1
    with (
        patch(f"{bot}.persistence.models.create_engine", side_effect=KeyError("patched")),
        pytest.raises(KeyError, match="patched"),
    ):
        tradestore.init_db("sqlite://")


def test_specs_are_found_before_and_after_the_import(bot: str) -> None:
    install(bot)
    before = find_spec(f"{bot}.persistence.usedb_context")
    importlib.import_module(f"{bot}.persistence.usedb_context")
    after = find_spec(f"{bot}.persistence.usedb_context")

    assert before is not None
    assert before.name == f"{bot}.persistence.usedb_context"
    assert after is sys.modules["tradestore.usedb_context"].__spec__


def test_a_reload_reloads_ours(bot: str) -> None:
    install(bot)
    module = importlib.import_module(f"{bot}.persistence.usedb_context")
    before = module.disable_database_use

    assert importlib.reload(module) is module is sys.modules["tradestore.usedb_context"]
    assert module.disable_database_use is not before
    assert importlib.import_module(f"{bot}.persistence.usedb_context") is module
    assert module.__spec__ is not None
    assert module.__spec__.name == "tradestore.usedb_context"


def test_what_was_pickled_in_a_mapped_bot_is_read_anywhere(bot: str) -> None:
    install(bot)
    local_trade = importlib.import_module(f"{bot}.persistence").LocalTrade
    pickled = pickle.dumps([local_trade(pair="LTC/USDT", open_rate=1.0, amount=2.0)])
    uninstall(bot)
    (trade,) = pickle.loads(pickled)
    assert (type(trade), trade.amount) == (tradestore.LocalTrade, 2.0)


@pytest.mark.parametrize("name", ["rate_cache", "_engine", "operations", "local_trade"])
def test_what_has_no_counterpart_is_refused_by_name(bot: str, name: str) -> None:
    install(bot)
    with pytest.raises(ModuleNotFoundError, match=f"'{bot}.persistence.{name}'.*tradestore") as refused:
        importlib.import_module(f"{bot}.persistence.{name}")
    assert refused.value.name == f"{bot}.persistence.{name}"
    assert f"{bot}.persistence.{name}" not in sys.modules


def test_modules_that_we_lack_are_told_without_being_read(tinybot, caplog: pytest.LogCaptureFixture) -> None:
    bot = tinybot({"persistence/rate_cache.py": "this is no Python (", "persistence/deep/__init__.py": "nor this ("})
    with caplog.at_level(logging.WARNING, "tradestore.compat"):
        report = install(bot)

    (record,) = caplog.records
    for name in ("rate_cache", "deep"):
        assert any(f"{bot}.persistence.{name} " in sentence for sentence in report.not_mapped)
        assert f"{bot}.persistence.{name} " in record.getMessage()
    assert len(report.not_mapped) == 2


def test_nothing_is_told_of_a_bot_that_is_mapped_as_a_whole(bot: str, caplog: pytest.LogCaptureFixture) -> None:
    assert install(bot).not_mapped == ()
    assert not caplog.records
    assert installed() is install(bot)


LAZY = """
import sys
from tradestore.compat import install
install("tinybot")
assert not {"sqlalchemy", "alembic", "tradestore.local_trade"} & set(sys.modules), "install loads too much"
from tinybot.persistence import LocalTrade
assert "sqlalchemy" not in sys.modules, "LocalTrade loads too much"
from tinybot.persistence import Trade
assert "sqlalchemy" in sys.modules
"""

THREADS = """
import sys, threading
from importlib import import_module
import alembic.command, sqlalchemy.orm  # their own circles are not for a crowd
from sqlalchemy.dialects import mysql, postgresql, sqlite
from tradestore.compat import install
from tradestore.compat._modules import MODULES
install("tinybot")
sys.setswitchinterval(1e-6)
names = [f"{place}.{name}" for place in ("tinybot.persistence", "tradestore") for name in MODULES]
names += ["tinybot.persistence", "tradestore"]
start, found, failed = threading.Barrier(len(names)), {}, []
def load(name):
    start.wait()
    try:
        found[name] = import_module(name)
        found[name].__all__
    except BaseException as e:
        failed.append((name, e))
threads = [threading.Thread(target=load, args=(name,)) for name in names]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
for name in MODULES:
    assert found[f"tinybot.persistence.{name}"] is found[f"tradestore.{name}"], name
    assert found[f"tradestore.{name}"].__spec__.name == f"tradestore.{name}", name
assert found["tinybot.persistence"] is found["tradestore"]
assert found["tradestore"].__spec__.name == "tradestore"
"""


@pytest.mark.parametrize("script", [LAZY, THREADS], ids=["lazy", "threads"])
def test_imports_stay_lazy_and_hold_in_a_crowd(tmp_path, script: str) -> None:
    write_bot(tmp_path, "tinybot")
    ended: subprocess.CompletedProcess[str] = run_python("-W", "error", "-c", script, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
