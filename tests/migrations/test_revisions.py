"""The revision scripts lead to exactly the tables of the models, up and down, on every engine."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, create_engine, inspect, text
from sqlalchemy.dialects.mysql.base import MySQLDialect
from sqlalchemy.exc import OperationalError

from tests.builders import local_trade, store, trade_with_entry
from tests.migrations.legacy import LegacyCase, case_named
from tests.migrations.states import opened, state_of
from tradestore import (
    Database,
    ModelBase,
    Trade,
    delete_backtest,
    init_db,
    migrations,
    store_backtest,
)
from tradestore._engine import check_url
from tradestore.exceptions import MigrationError, SchemaTooNew

CHECKOUT = Path(__file__).parents[2]


def plain_engine(url: str) -> Engine:
    """Return an engine that knows nothing of the library, as another program would use."""
    return create_engine(check_url(url))


def tables(engine: Engine) -> list[str]:
    """Return the tables of a database."""
    return sorted(inspect(engine).get_table_names())


def test_history_is_one_line_that_ends_at_the_head() -> None:
    """There is one newest revision, and the library names it."""
    assert migrations.history()[-1] == migrations.HEAD == migrations.head()


def test_migrations_know_all_tables_by_themselves() -> None:
    program = """
from tradestore import migrations
from tradestore.base import ModelBase

known = set(ModelBase.metadata.tables)
import tradestore.models

print(sorted(set(ModelBase.metadata.tables) - known))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_new_database_is_stamped(database: Database) -> None:
    """A database that was just created carries the newest revision."""
    assert migrations.current(database.engine) == migrations.HEAD


def test_new_database_has_the_tables_of_the_models(database: Database) -> None:
    """Alembic finds no difference between the models and what they created."""
    assert migrations.check(database.engine, ModelBase.metadata) == []


def test_scripts_make_the_tables_of_the_models(database: Database) -> None:
    """Alembic finds no difference between the models and what the scripts created."""
    migrations.downgrade(database.engine, "base")
    assert tables(database.engine) == [migrations.VERSION_TABLE]
    migrations.upgrade(database.engine)
    assert migrations.current(database.engine) == migrations.HEAD
    assert migrations.check(database.engine, ModelBase.metadata) == []


def test_upgrade_of_an_upgraded_database_changes_nothing(database: Database) -> None:
    """Upgrading twice is as good as once."""
    migrations.upgrade(database.engine)
    assert migrations.current(database.engine) == migrations.HEAD


@pytest.mark.needs("persistent")
def test_store_of_the_first_revision_is_brought_up_to_date(database: Database, store_url: str) -> None:
    """Opening it is enough, also where an earlier try was cut short after the first index; the trades stay."""
    store(trade_with_entry(enter_tag="kept"))
    Trade.session.remove()
    migrations.downgrade(database.engine, "0001_initial")
    assert migrations.check(database.engine, ModelBase.metadata) != []
    with database.engine.begin() as connection:
        connection.execute(text("CREATE INDEX ix_trades_is_open_close_date ON trades (is_open, close_date)"))
    again = init_db(store_url)
    assert migrations.current(again.engine) == migrations.HEAD
    assert migrations.check(again.engine, ModelBase.metadata) == []
    assert [(record.enter_tag, len(record.orders)) for record in Trade.get_trades()] == [("kept", 1)]
    Trade.session.remove()
    again.close()


@pytest.mark.needs("persistent")
def test_newer_database_is_refused_untouched(database: Database, store_url: str, tmp_path: Path) -> None:
    """What a newer library wrote is neither changed nor backed up, and the message says what to install."""
    migrations.stamp(database.engine, "9999_from_the_future")
    before, files = state_of(store_url), set(tmp_path.iterdir())
    for open_it in (
        lambda: init_db(store_url),
        lambda: migrations.upgrade(database.engine),
        lambda: migrations.downgrade(database.engine, "base"),
    ):
        with pytest.raises(SchemaTooNew, match=r"install the version of tradestore that wrote it"):
            open_it()
    assert (state_of(store_url), set(tmp_path.iterdir())) == (before, files)


@pytest.mark.parametrize(
    ("down", "there"),
    [
        ("0002_query_indexes", "0002_query_indexes"),
        ("0002", "0002_query_indexes"),
        ("-1", "0006_repair_log"),
        ("-6", "0001_initial"),
        ("-7", None),
        ("base", None),
    ],
)
def test_revision_may_be_given_in_short(database: Database, down: str, there: str | None) -> None:
    """By the beginning of its name, or by steps; up again the same way."""
    migrations.downgrade(database.engine, down)
    assert migrations.current(database.engine) == there
    if there is not None:
        with pytest.raises(MigrationError, match=rf"at revision {there}, which is older than .*upgrade it instead"):
            migrations.downgrade(database.engine, migrations.HEAD)
    migrations.upgrade(database.engine, "+1")
    known = migrations.history()
    assert migrations.current(database.engine) == known[known.index(there) + 1 if there else 0]
    migrations.upgrade(database.engine, "head")
    assert migrations.check(database.engine, ModelBase.metadata) == []


@pytest.mark.parametrize("unknown", ["", "0", "9999_from_the_future", "-9", "+1", "+x", "Base"])
def test_unknown_revision_is_refused(database: Database, unknown: str) -> None:
    """The message lists the known ones, and nothing changes."""
    for migrate in (migrations.upgrade, migrations.downgrade):
        with pytest.raises(MigrationError, match=r"no revision .*0001_initial, 0002"):
            migrate(database.engine, unknown)
    assert migrations.check(database.engine, ModelBase.metadata) == []


def test_upgrade_never_leads_down(database: Database) -> None:
    """A database that is higher already stays there."""
    migrations.upgrade(database.engine, "0001_initial")
    assert migrations.current(database.engine) == migrations.HEAD


def test_tables_without_a_stamp_are_not_upgraded(database: Database) -> None:
    """Scripts run on tables whose revision is known; others are for init_db to look at."""
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    with pytest.raises(MigrationError, match=r"tables \(KeyValueStore, .*no stamp.*open it with init_db"):
        migrations.upgrade(database.engine)


def test_downgrade_never_drops_a_row(database: Database) -> None:
    """Rows that an older schema has no place for are named, and nothing at all is changed."""
    store_backtest([local_trade()], run="spring")
    with pytest.raises(MigrationError, match=r"no place for finished backtests.* 1: 'spring'.*Nothing was changed"):
        migrations.downgrade(database.engine, "0001_initial")
    delete_backtest("spring")
    store(trade_with_entry())
    Trade.session.remove()
    with pytest.raises(MigrationError, match=r"there are rows: trades \(1\), orders \(1\)\. Nothing was changed"):
        migrations.downgrade(database.engine, "base")
    assert migrations.current(database.engine) == migrations.HEAD
    assert migrations.check(database.engine, ModelBase.metadata) == []
    migrations.downgrade(database.engine, "0001_initial")
    migrations.upgrade(database.engine)
    assert [(record.pair, len(record.orders)) for record in Trade.get_trades()] == [("ADA/USDT", 1)]
    Trade.session.remove()


@pytest.mark.needs("persistent")
def test_start_that_finds_all_as_it_should_be_changes_nothing(database: Database, store_url: str) -> None:
    """It takes no lock for writing: a bot may be in the middle of a transaction."""
    database.close()
    with opened(store_url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE trades SET amount = 1"))
        init_db(store_url, busy_timeout=0.1).close()


@pytest.mark.needs("persistent")
def test_tables_of_another_layer_are_refused_untouched(store_url: str) -> None:
    """A table with our name and other columns is left as it is, and nothing is created beside it."""
    engine = plain_engine(store_url)
    metadata = MetaData()
    foreign = Table("trades", metadata, Column("id", Integer, primary_key=True), Column("pair", String(25)))
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(foreign.insert().values(pair="ETH/BTC"))
    with pytest.raises(MigrationError, match=r"'trades' is no older version of ours: it has no column exchange"):
        init_db(store_url)
    assert tables(engine) == ["trades"]
    with engine.connect() as connection:
        assert connection.execute(foreign.select()).all() == [(1, "ETH/BTC")]
    engine.dispose()


@pytest.mark.needs("persistent")
def test_creation_that_was_cut_short_is_completed(store_url: str) -> None:
    """Tables without a stamp, as a kill in the middle of the first start leaves them, are no reason to give up."""
    engine = plain_engine(store_url)
    ModelBase.metadata.create_all(engine, tables=[ModelBase.metadata.tables["trades"]])
    database = init_db(store_url)
    assert migrations.current(engine) == migrations.HEAD
    assert migrations.check(engine, ModelBase.metadata) == []
    database.close()
    engine.dispose()


@pytest.mark.needs("persistent")
def test_processes_that_start_at_once_make_one_database(store_url: str) -> None:
    """Of several processes that open an empty database at the same time, one creates it and all can use it."""
    with get_context("spawn").Pool(4) as pool:
        assert pool.map(_open, [store_url] * 8) == [0] * 8
    engine = plain_engine(store_url)
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT version_num FROM alembic_version")).all() == [migrations.HEAD]
    engine.dispose()


@pytest.mark.needs("persistent")
def test_processes_that_start_at_once_upgrade_once(database: Database, store_url: str, backend, tmp_path: Path) -> None:
    """Of several processes that open an old database at the same time, one upgrades it and the others wait for it."""
    store(trade_with_entry(enter_tag="kept"))
    Trade.session.remove()
    migrations.downgrade(database.engine, "0001_initial")
    before = set(tmp_path.iterdir())
    with get_context("spawn").Pool(4) as pool:
        assert pool.map(_open, [store_url] * 8) == [1] * 8
    assert migrations.current(database.engine) == migrations.HEAD
    assert migrations.check(database.engine, ModelBase.metadata) == []
    backups = {path.name for path in set(tmp_path.iterdir()) - before if ".0001" in path.name}
    assert backups == ({"store.sqlite.0001_initial.bak"} if backend.in_process else set())


@pytest.mark.needs("sets")
def test_tables_that_another_process_is_just_changing(database: Database, store_url: str, monkeypatch) -> None:
    """MariaDB does not describe a table while it is created elsewhere: who opens the database waits and asks again."""
    store(trade_with_entry(enter_tag="kept"))
    database.close()
    has_table = MySQLDialect.has_table
    asked: list[object] = []

    def first_skipped(*args: Any, **kwargs: Any) -> bool:
        asked.append(args)
        if len(asked) == 1:
            cause = pymysql.err.OperationalError(1684, "Table was skipped since its definition is being modified")
            raise OperationalError("DESCRIBE tradestore_unfinished", {}, cause)
        return has_table(*args, **kwargs)

    monkeypatch.setattr(MySQLDialect, "has_table", first_skipped)
    assert _open(store_url) == 1
    assert len(asked) > 1


def _open(url: str) -> int:
    database = init_db(url)
    try:
        return Trade.get_open_trade_count()
    finally:
        database.close()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def run_elsewhere(python: str, program: str, folder: Path) -> list[str]:
    """Run a program far from the checkout, and return the words that it printed."""
    elsewhere = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [python, "-c", program], check=False, capture_output=True, text=True, cwd=folder, env=elsewhere
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


OPEN_OLD_FILE = (
    "from tradestore import Trade, init_db, migrations; engine = init_db('sqlite:///old.sqlite').engine; "
    "trades = Trade.get_trades().all(); "
    "print(migrations.__file__, migrations.current(engine), len(trades), sum(len(trade.orders) for trade in trades))"
)


def test_installed_wheel_brings_its_scripts(wheel: Path, tmp_path: Path) -> None:
    """A wheel upgrades a database without the checkout that it was built from."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); "
        "from tradestore import init_db, migrations; engine = init_db('sqlite://').engine; "
        "migrations.downgrade(engine, 'base'); migrations.upgrade(engine); "
        "print(migrations.__file__, migrations.current(engine))"
    )
    told = run_elsewhere(sys.executable, program, tmp_path)
    assert told == [str(site / "tradestore" / "migrations.py"), migrations.HEAD]


@pytest.mark.parametrize("number", ["003", "028"])
def test_unpacked_wheel_adopts_an_old_file(wheel: Path, tmp_path: Path, number: str) -> None:
    """All that a file of years ago needs is in the wheel."""
    site, case = tmp_path / "site", case_named(number)
    zipfile.ZipFile(wheel).extractall(site)
    case.load(f"sqlite:///{tmp_path / 'old.sqlite'}")
    program = f"import sys; sys.path.insert(0, {str(site)!r}); {OPEN_OLD_FILE}"
    told = run_elsewhere(sys.executable, program, tmp_path)
    assert told == [str(site / "tradestore" / "migrations.py"), migrations.HEAD, *_counts(case)]


def test_wheel_that_pip_installed_adopts_an_old_file(wheel: Path, tmp_path: Path) -> None:
    """So it does in an environment where the library was installed as a user would."""
    home, case = tmp_path / "venv", case_named("036")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", str(python), *install], check=True, capture_output=True)
    (site,) = (home / "lib").glob("python*/site-packages")
    # SQLAlchemy and alembic are lent by the environment of the tests, whose own tradestore stays out.
    (site / "lent.pth").write_text(sysconfig.get_paths()["purelib"], encoding="utf-8")
    case.load(f"sqlite:///{tmp_path / 'old.sqlite'}")
    told = run_elsewhere(str(python), OPEN_OLD_FILE, tmp_path)
    assert told == [str(site / "tradestore" / "migrations.py"), migrations.HEAD, *_counts(case)]


def _counts(case: LegacyCase) -> list[str]:
    return [str(len(case.expected_rows[name])) for name in ("trades", "orders")]
