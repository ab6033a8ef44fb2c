"""The fixtures as an author of a bot meets them: in a run of pytest that has nothing to do with ours."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

import tradestore
from tradestore import KeyValueStore, LocalTrade, PairLocks, Trade, init_db
from tradestore.testing import empty_memory, make_local_trade, memory_mode, opened_store

ROOT = Path(__file__).parents[2]
SOURCE = Path(tradestore.__file__).parents[1]
PLUGIN = "tradestore.testing.plugin"
SECONDS = 120


def _run(
    folder: Path,
    *arguments: str,
    code: str | None = None,
    source: Path = SOURCE,
    plugins: str = PLUGIN,
    **settings: str,
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder with a test file, by default the one beside this one."""
    test_file = folder / "test_bot.py"
    if code is None:
        shutil.copy(Path(__file__).with_name("user_tests.py"), test_file)
    else:
        test_file.write_text(code, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TRADESTORE"))}
    environment |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"} | settings
    if plugins:
        environment["PYTEST_PLUGINS"] = plugins
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-v", "-rs", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _outcomes(run: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(re.findall(r"^test_bot\.py::(\S+) (PASSED|FAILED|SKIPPED|ERROR)", run.stdout, re.MULTILINE))


def test_fixtures_give_each_test_a_store_of_its_own(tmp_path) -> None:
    """All that the example does works, on the engines of the default, and what it leaves behind is told."""
    run = _run(tmp_path)
    outcomes = _outcomes(run)
    kept = outcomes.pop("test_connection_is_left_behind")
    assert kept == "ERROR", run.stdout
    assert "1 connections of sqlite:///" in run.stdout
    assert set(outcomes.values()) == {"PASSED"}, run.stdout
    assert {"test_recorded_trade_is_found[memory]", "test_recorded_trade_is_found[sqlite]"} <= outcomes.keys()
    assert len(outcomes) == 10


def test_plugin_of_a_wheel_is_found_by_itself(tmp_path) -> None:
    """Who installs the package has the fixtures, without naming the plugin anywhere."""
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path / "dist"), versions=["standard"]))
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    (tmp_path / "bot").mkdir()
    run = _run(tmp_path / "bot", "-k", "recorded", source=installed, plugins="")
    assert set(_outcomes(run).values()) == {"PASSED"}, run.stdout + run.stderr


def test_entry_point_has_the_name_of_its_module() -> None:
    """Named otherwise, the plugin could be registered twice, and pytest would not start."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"{PLUGIN}" = "{PLUGIN}"' in text
    assert hasattr(EntryPoint(PLUGIN, PLUGIN, "pytest11").load(), "tradestore_store")


def test_named_twice_it_is_one_plugin_that_loads_no_sqlalchemy(tmp_path) -> None:
    """`-p` and a conftest do not get in each other's way, and a run that needs no store doesn't wait for one."""
    (tmp_path / "conftest.py").write_text(f'pytest_plugins = ["{PLUGIN}"]\n', encoding="utf-8")
    code = "import sys\n\n\ndef test_light(): assert 'sqlalchemy' not in sys.modules\n"
    run = _run(
        tmp_path, "-p", PLUGIN, code=f"{code}\n\ndef test_store(tradestore_memory): assert tradestore_memory.url\n"
    )
    assert _outcomes(run) == {"test_light": "PASSED", "test_store": "PASSED"}, run.stdout + run.stderr


def test_unknown_engine_is_refused(tmp_path) -> None:
    """A wrong choice is told at once, with the right ones."""
    run = _run(tmp_path, "--tradestore-engines=memory,oracle")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "oracle is no choice out of memory, sqlite, postgresql, mariadb" in run.stderr


def test_tests_may_name_their_parameters_as_they_like(tmp_path) -> None:
    """A project that has nothing to do with stores is collected; a test with engines of its own gets these."""
    keywords = '@pytest.mark.parametrize(argnames="number", argvalues=[1])\ndef test_plain(number): assert number\n'
    own = (
        '@pytest.mark.parametrize(argvalues=["sqlite"], argnames="tradestore_store", indirect=True)\n'
        "def test_own(tradestore_store): assert tradestore_store.url\n"
    )
    run = _run(tmp_path, code=f"import pytest\n\n\n{keywords}\n\n{own}")
    assert _outcomes(run) == {"test_plain[1]": "PASSED", "test_own[sqlite]": "PASSED"}, run.stdout + run.stderr


def test_missing_server_skips_or_fails(tmp_path) -> None:
    """Without a server its tests are skipped, and say why; where servers are required they fail."""
    code = "def test_server(tradestore_postgresql): pass\n"
    hidden = "import tradestore.testing.servers as s\ns.PostgresServer.binaries = ('no-such-postgres',)\n" + code
    run = _run(tmp_path, code=hidden)
    assert _outcomes(run) == {"test_server": "SKIPPED"}, run.stdout
    assert "no-such-postgres not found" in run.stdout
    run = _run(tmp_path, code=hidden, TRADESTORE_REQUIRE_SERVERS="1")
    assert _outcomes(run) == {"test_server": "ERROR"}, run.stdout


@pytest.mark.needs("networked", "first_driver")
def test_fixtures_start_servers(backend, server, tmp_path) -> None:
    """The same tests run on a private server, which is asked for by name."""
    assert server.running
    engine = "postgresql" if backend.sequences else "mariadb"
    run = _run(tmp_path, "-k", "tradestore_store or found or empty", "--tradestore-engines", engine)
    expected = {f"test_recorded_trade_is_found[{engine}]": "PASSED", f"test_store_is_empty_again[{engine}]": "PASSED"}
    assert _outcomes(run) == expected, run.stdout


def test_store_that_was_open_is_open_again() -> None:
    """A block with a store of its own neither closes the one before nor empties it."""
    before = init_db("sqlite://")
    try:
        KeyValueStore.store_value("mine", 1)
        with opened_store("sqlite://") as store:
            assert KeyValueStore.get_value("mine") is None
            init_db("sqlite://")  # Code under test may open one itself.
            assert store.engine is not before.engine
        assert KeyValueStore.get_value("mine") == 1
    finally:
        Trade.session.remove()
        before.close()


def test_modes_are_as_they_were() -> None:
    """Memory is empty after its block, and the mode and the timeframe are those of before."""
    PairLocks.timeframe = "1h"
    try:
        with memory_mode("15m"):
            assert (Trade.use_db, PairLocks.timeframe) == (False, "15m")
            LocalTrade.add_bt_trade(make_local_trade())
            with opened_store("sqlite://"):
                assert Trade.use_db
                assert Trade.get_open_trade_count() == 0
            assert Trade.get_open_trade_count() == 1
        assert (Trade.use_db, PairLocks.timeframe) == (True, "1h")
        empty_memory()
        assert LocalTrade.get_open_trade_count() == 0
        assert PairLocks.timeframe == "1h"
    finally:
        PairLocks.timeframe = ""
