"""Whoever changes tables is alone, and what fails leaves nothing behind, also with an engine that a bot made."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Column, Connection, Engine, ForeignKey, Integer, MetaData, Table, create_engine, inspect
from sqlalchemy.exc import OperationalError

from tests.migrations.test_revisions import plain_engine
from tradestore._schema_lock import alone
from tradestore.exceptions import MigrationError

METADATA = MetaData()
PARENTS = Table("parents", METADATA, Column("id", Integer, primary_key=True))
CHILDREN = Table("children", METADATA, Column("parent", ForeignKey("parents.id")))


@pytest.fixture(params=["plain", "own"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Return the library's engine, or one that knows nothing of the library."""
    if request.param == "own":
        yield request.getfixturevalue("database").engine
        return
    made = plain_engine(request.getfixturevalue("store_url"))
    yield made
    made.dispose()


def _fill(connection: Connection) -> None:
    METADATA.create_all(connection)
    connection.execute(PARENTS.insert().values(id=1))


@contextmanager
def _failing_at_its_end(engine: Engine) -> Iterator[Connection]:
    with alone(engine, reshaping=True) as connection:
        yield connection
        raise ZeroDivisionError


@pytest.mark.needs("transactional_ddl")
def test_failure_undoes_tables_and_rows(engine: Engine, backend) -> None:
    """Where the engine can undo changes of tables, a failure does so."""
    with pytest.raises(ZeroDivisionError), _failing_at_its_end(engine) as connection:
        _fill(connection)
    assert not inspect(engine).has_table("parents")
    with alone(engine) as connection:
        _fill(connection)
    with pytest.raises(ZeroDivisionError), _failing_at_its_end(engine) as connection:
        METADATA.drop_all(connection)
    with engine.connect() as connection:
        assert connection.execute(PARENTS.select()).all() == [(1,)]


def test_reshaping_puts_off_foreign_keys_where_it_must(tmp_path) -> None:
    """The settings of a connection are those of before afterwards, also after a failure."""
    engine = create_engine(f"sqlite:///{tmp_path / 'store.sqlite'}", poolclass=None, pool_size=1, max_overflow=0)
    names = ("foreign_keys", "legacy_alter_table")

    def settings() -> list[int]:
        with engine.connect() as connection:
            return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
    METADATA.create_all(engine)
    with alone(engine, reshaping=True) as connection:
        inside = [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]
        connection.execute(CHILDREN.insert().values(parent=7))
    assert (inside, settings()) == ([0, 1], [1, 0])
    with pytest.raises(ZeroDivisionError), _failing_at_its_end(engine):
        pass
    assert settings() == [1, 0]
    engine.dispose()


@pytest.mark.needs("persistent")
def test_waiting_for_others_ends(engine: Engine, backend, monkeypatch) -> None:
    """Whoever waits in vain is told so, and holds nothing himself afterwards."""
    monkeypatch.setattr("tradestore._schema_lock.LOCK_TIMEOUT", 0.1)
    other = create_engine(engine.url, connect_args={"timeout": 0} if backend.in_process else {})
    expected: tuple[type[Exception], str] = (MigrationError, "Another process has been changing the tables")
    if backend.in_process:
        expected = (OperationalError, "database is locked")
    with alone(engine), pytest.raises(expected[0], match=expected[1]), alone(other):
        pass
    with alone(other):
        pass
    other.dispose()
