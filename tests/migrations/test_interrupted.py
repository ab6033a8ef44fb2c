"""Upgrades and downgrades that are cut short, after whichever statement: the next try ends where it should."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, event, text

from tests.builders import store, trade_with_entry
from tradestore import ModelBase, Trade, init_db, migrations
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


def test_upgrade_that_is_cut_short(database) -> None:
    """Another upgrade completes it, and a downgrade before that does no harm; the trades stay."""
    store(trade_with_entry(enter_tag="kept"))
    Trade.session.remove()
    engine = database.engine
    for number in count(1):
        migrations.downgrade(engine, FIRST)
        if not _was_cut_short(engine, number, lambda: migrations.upgrade(engine)):
            break
        if number % 2:
            migrations.downgrade(engine, FIRST)
        migrations.upgrade(engine)
        assert (number, migrations.current(engine)) == (number, migrations.HEAD)
        assert (number, migrations.check(engine, ModelBase.metadata)) == (number, [])
    assert number > 9  # Four indexes, three tables, two stamps.
    assert [(record.enter_tag, len(record.orders)) for record in Trade.get_trades()] == [("kept", 1)]


def test_downgrade_that_is_cut_short(database) -> None:
    """Another downgrade completes it, and the way up is free again."""
    engine = database.engine
    for number in count(1):
        if not _was_cut_short(engine, number, lambda: migrations.downgrade(engine, FIRST)):
            break
        migrations.downgrade(engine, FIRST)
        assert (number, migrations.current(engine)) == (number, FIRST)
        migrations.upgrade(engine)
        assert (number, migrations.check(engine, ModelBase.metadata)) == (number, [])
    assert number > 9


@pytest.mark.needs("persistent")
def test_table_of_somebody_else_is_not_taken_for_ours(database, store_url: str) -> None:
    """Where a table with the name of a new one is there, the message says which, and the table stays."""
    migrations.downgrade(database.engine, "0002_query_indexes")
    metadata = MetaData()
    Table("backtest_runs", metadata, Column("id", Integer, primary_key=True))
    metadata.create_all(database.engine)
    with pytest.raises(MigrationError, match=r"'backtest_runs' is there already.*no column name, stored_at"):
        init_db(store_url)
    assert migrations.current(database.engine) == "0002_query_indexes"
    metadata.drop_all(database.engine)
    init_db(store_url).close()


@pytest.mark.needs("persistent")
def test_message_of_an_upgrade_that_fails(database, store_url: str) -> None:
    """It tells the reason and what to do, whatever the reason is."""
    migrations.downgrade(database.engine, FIRST)
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE trades DROP COLUMN open_date"))
    with pytest.raises(MigrationError, match=r"open_date.*start again.*right to create.*in the way"):
        init_db(store_url)
