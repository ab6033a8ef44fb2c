"""The hash of a whole store: the same wherever its rows are, and another one after any change."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from tests.operations.furniture import TABLES, plain_engine, tell
from tradestore import Trade, init_db
from tradestore.exceptions import DatabaseUnreachable
from tradestore.operations import transfer
from tradestore.operations.content import content_hash

NewUrl = Callable[[], str]


@pytest.mark.needs("persistent")
def test_is_the_same_on_every_engine(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """There and back, with tables that are no models and columns of every kind."""
    expected = content_hash(source_url)
    transfer(source_url, store_url)
    back = new_file()
    transfer(store_url, back)
    assert content_hash(store_url) == expected
    assert content_hash(back) == expected


def test_tells_of_every_table(source_url: str) -> None:
    """Those of the library and of others, but not the revision's."""
    found = content_hash(source_url)
    assert set(found.tables) == {*TABLES, "fills", "log_lines"}
    assert found.tables["trades"].rows == 7 + 1
    assert found.rows == sum(table.rows for table in found.tables.values())


def test_every_column_of_every_table_counts(source_url: str) -> None:
    """One value changed, and only that table, and the whole, have another hash."""
    before = content_hash(source_url)
    with plain_engine(source_url) as engine:
        columns = {name: [column["name"] for column in inspect(engine).get_columns(name)] for name in before.tables}
        unchanged = []
        for name, of_table in columns.items():
            for column in of_table:
                with engine.connect() as connection:
                    connection.execute(text("PRAGMA foreign_keys = OFF"))
                    statement = (
                        f'UPDATE "{name}" SET "{column}" = \'774\' WHERE rowid = (SELECT min(rowid) FROM "{name}")'
                    )
                    connection.execute(text("PRAGMA ignore_check_constraints = ON"))
                    is_one = connection.execute(text(statement)).rowcount == 1
                    after = content_hash(connection)
                    connection.rollback()
                differing = [each for each in before.tables if after.tables[each] != before.tables[each]]
                if is_one and (differing != [name] or after.digest == before.digest):
                    unchanged.append((name, column, differing))
    assert unchanged == []
    assert content_hash(source_url) == before


def test_a_table_more_counts_and_can_be_left_out(source_url: str) -> None:
    before = content_hash(source_url)
    tell(source_url, "CREATE TABLE journal (id INTEGER PRIMARY KEY)")
    assert content_hash(source_url).digest != before.digest
    assert content_hash(source_url, without={"journal"}) == before


def test_what_upgrades_leave_behind_does_not_count(source_url: str) -> None:
    before = content_hash(source_url)
    tell(source_url, "CREATE TABLE trades_bak0 AS SELECT * FROM trades", "UPDATE alembic_version SET version_num = 'x'")
    assert content_hash(source_url) == before


def test_a_database_that_is_open_is_seen_as_it_was_committed(source_url: str) -> None:
    """What a session has not committed yet is not its content, and what is bound stays bound."""
    before = content_hash(source_url)
    database = init_db(source_url)
    Trade.session.get_one(Trade, 6).exit_reason = "changed"
    Trade.session.flush()
    assert content_hash(database) == before
    assert Trade.session.bind is database.engine
    Trade.commit()
    Trade.session.remove()
    assert content_hash(database) != before
    database.close()


def test_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachable, match="There is no database"):
        content_hash(f"sqlite:///{tmp_path / 'missing.sqlite'}")
    assert not list(tmp_path.iterdir())
