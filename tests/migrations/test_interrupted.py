"""Upgrades and downgrades that fail, after whichever statement: everything is as it was before."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, event, text

from tests.builders import store, trade_with_entry
from tests.migrations.states import opened, state_of
from tradestore import ModelBase, Trade, _revision_change, _revisions, init_db, migrations
from tradestore.exceptions import MigrationError

FIRST = "0001_initial"


class _CutShortError(Exception):
    pass


@contextmanager
def _cut_short(engine: Engine, number: int) -> Iterator[None]:
    """Fail after so many statements that change tables or their stamp."""
    left = [number]

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.split(maxsplit=1)[0].upper() in {"CREATE", "DROP", "ALTER", "INSERT", "UPDATE", "DELETE"}:
            left[0] -= 1
            if left[0] == 0:
                raise _CutShortError

    event.listen(engine, "after_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "after_cursor_execute", note)


def _was_cut_short(engine: Engine, number: int, migrate: Callable[[], None]) -> bool:
    try:
        with _cut_short(engine, number):
            migrate()
    except _CutShortError:
        return True
    return False


def _fill(url: str) -> None:
    database = init_db(url)
    store(trade_with_entry(enter_tag="kept"))
    Trade.session.remove()
    database.close()


def _with_engine(url: str, number: int, migrate: Callable[[Engine], None]) -> bool:
    """Use an engine that a bot made by itself: its driver may begin transactions by its own lights."""
    with opened(url) as engine:
        return _was_cut_short(engine, number, lambda: migrate(engine))


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("to_head", [True, False], ids=["up", "down"])
def test_failure_leaves_everything_as_it_was(store_url: str, to_head) -> None:
    """After whichever statement it fails: tables, rows and stamp are those of before, on every engine."""
    _fill(store_url)
    with opened(store_url) as engine:
        if to_head:
            migrations.downgrade(engine, FIRST)
    before = state_of(store_url)
    migrate = migrations.upgrade if to_head else partial(migrations.downgrade, revision=FIRST)
    for number in count(1):
        if not _with_engine(store_url, number, migrate):
            break
        assert (number, state_of(store_url)) == (number, before)
    assert number > 15  # Indexes, tables, columns, stamps.
    init_db(store_url).close()
    assert state_of(store_url).holds(before)


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("direction", ["upgrade", "downgrade"])
def test_script_that_touches_a_row_is_taken_back(store_url: str, monkeypatch, direction) -> None:
    """Rows are compared before it counts: a script with a mistake changes nothing."""
    _fill(store_url)
    target = migrations.HEAD
    if direction == "upgrade":
        target = FIRST
        with opened(store_url) as engine:
            migrations.downgrade(engine, FIRST)
    before = state_of(store_url)
    once = iter([True])

    def run_and_spoil(connection: Connection, *args: Any) -> None:
        _revisions.run_scripts(connection, *args)
        if next(once, False):
            connection.execute(text("UPDATE trades SET amount = 11 WHERE amount = 10"))

    monkeypatch.setattr(_revision_change, "run_scripts", run_and_spoil)
    migrate = migrations.upgrade if direction == "upgrade" else partial(migrations.downgrade, revision=FIRST)
    with opened(store_url) as engine, pytest.raises(MigrationError, match=r"taken back: the rows of .* 'trades'"):
        migrate(engine)
    assert state_of(store_url) == before
    assert stamp_of(store_url) == target


def stamp_of(url: str) -> str | None:
    """Return the stamp of a store."""
    with opened(url) as engine:
        return migrations.current(engine)


@pytest.mark.needs("persistent", "first_driver")
def test_failure_that_cannot_be_taken_back_is_completed_later(store_url: str, backend, monkeypatch) -> None:
    """Where even the way back fails, the message says so, nothing is lost, and the next start goes on."""
    if backend.transactional_ddl:
        expected = "first mistake"
    else:
        expected = r"first mistake.*could not be taken back.*second mistake.*start again"
    _fill(store_url)
    with opened(store_url) as engine:
        migrations.downgrade(engine, FIRST)
    before = state_of(store_url)
    mistakes = iter(["first mistake", "second mistake"])

    def run_and_fail(connection: Connection, direction: Any, _target: Any) -> None:
        _revisions.run_scripts(connection, direction, "0003_backtest_runs")
        raise MigrationError(next(mistakes))

    with opened(store_url) as engine, monkeypatch.context() as patch:
        patch.setattr(_revision_change, "run_scripts", run_and_fail)
        with pytest.raises(MigrationError, match=expected):
            migrations.upgrade(engine)
    assert state_of(store_url).holds(before)
    init_db(store_url).close()
    assert stamp_of(store_url) == migrations.HEAD
    with opened(store_url) as engine:
        assert migrations.check(engine, ModelBase.metadata) == []


@pytest.mark.needs("persistent")
def test_table_of_somebody_else_is_not_taken_for_ours(database, store_url: str) -> None:
    """Where a table with the name of a new one is there, the message says which, and the table stays."""
    migrations.downgrade(database.engine, "0002_query_indexes")
    metadata = MetaData()
    Table("backtest_runs", metadata, Column("id", Integer, primary_key=True))
    metadata.create_all(database.engine)
    before = state_of(store_url)
    with pytest.raises(MigrationError, match=r"'backtest_runs' is there already.*no column name, stored_at"):
        init_db(store_url)
    assert state_of(store_url) == before
    metadata.drop_all(database.engine)
    init_db(store_url).close()


@pytest.mark.needs("persistent")
def test_message_of_an_upgrade_that_fails(database, store_url: str) -> None:
    """It tells the reason and what to do, whatever the reason is."""
    migrations.downgrade(database.engine, FIRST)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE VIEW backtest_runs AS SELECT 1 AS one"))
    with pytest.raises(MigrationError, match=r"backtest_runs.*start again.*right to create.*in the way"):
        init_db(store_url)
