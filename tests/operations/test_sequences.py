"""Which id an engine gives next, and that it never gives one that is taken."""

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, inspect, text

from tests.capabilities import Backend
from tests.operations.furniture import MOMENT
from tradestore import Database, ModelBase, migrations
from tradestore._sequences import continue_ids, next_id

LOCKS = ModelBase.metadata.tables["pairlocks"]


def _lock(engine: Engine, **fields: int) -> int:
    """Store a lock, and return its id."""
    row = {"pair": "A/B", "lock_time": MOMENT, "lock_end_time": MOMENT, **fields}
    with engine.begin() as connection:
        key = connection.execute(LOCKS.insert(), row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _next(engine: Engine, name: str = "pairlocks") -> int | None:
    with engine.connect() as connection:
        return next_id(connection, name)


def _continue(engine: Engine, at_least: int | None = None) -> None:
    with engine.begin() as connection:
        continue_ids(connection, LOCKS, at_least)


def test_next_id_is_what_the_next_row_gets(database: Database, backend: Backend) -> None:
    """And asking for it uses nothing up; where the largest id decides there is nothing to be asked."""
    engine = database.engine
    assert _next(engine) == (1 if backend.networked else None)
    for _ in range(2):
        expected = _next(engine)
        given = _lock(engine)
        assert expected in {given, None}
    assert _next(engine) == (3 if backend.networked else None)


@pytest.mark.needs("networked")
def test_ids_that_are_gone_are_not_given_again(database: Database) -> None:
    """Where ids are counted, a deletion changes nothing about the next one."""
    _lock(database.engine)
    with database.engine.begin() as connection:
        connection.execute(LOCKS.delete())
    assert _next(database.engine) == 2
    _continue(database.engine)
    assert _lock(database.engine) == 2


def test_ids_go_on_above_those_that_were_brought(database: Database) -> None:
    """A row with an id of its own is no reason to meet it later."""
    _lock(database.engine, id=41)
    _continue(database.engine)
    assert _lock(database.engine) == 42


@pytest.mark.needs("networked")
def test_ids_go_on_where_they_are_told_to(database: Database) -> None:
    """But never back."""
    engine = database.engine
    _continue(engine, 10)
    assert (_next(engine), _lock(engine)) == (10, 10)
    _continue(engine, 5)
    assert _lock(engine) == 11


def test_tables_without_counted_ids(database: Database) -> None:
    """They have no next id, and are left alone."""
    table = Table("words", MetaData(), Column("word", String(20), primary_key=True))
    with database.engine.begin() as connection:
        table.create(connection)
        continue_ids(connection, table)
        assert next_id(connection, "words") is None
        assert next_id(connection, "no such table") is None


def test_key_of_another_name(database: Database) -> None:
    """A table of the user's own counts in whatever column it likes."""
    table = Table("notes", MetaData(), Column("number", Integer, primary_key=True), Column("note", String(9)))
    with database.engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), {"number": 30, "note": "brought"})
        continue_ids(connection, table)
        key = connection.execute(table.insert(), {"note": "new"}).inserted_primary_key
    assert key is not None
    assert key[0] == 31


@pytest.mark.needs("sequences")
def test_sequence_of_any_name_counts(database: Database) -> None:
    """What the column uses, not what it would be called: upgrades of other layers have renamed tables."""
    engine = database.engine
    with engine.begin() as connection:
        connection.execute(text('CREATE SEQUENCE "My Seq" INCREMENT 5 START 7'))
        connection.execute(text("""ALTER TABLE pairlocks ALTER id SET DEFAULT nextval('"My Seq"')"""))
    assert (_next(engine), _lock(engine), _next(engine)) == (7, 7, 12)
    _lock(engine, id=50)
    _continue(engine)
    assert _lock(engine) == 51


@pytest.mark.needs("sequences")
def test_set_sequence_ids(database: Database) -> None:
    """Each number is the next id of its table; nothing and 0 leave it."""
    migrations.set_sequence_ids(
        database.engine, 11, trade_id=12, pairlock_id=13, kv_id=14, custom_data_id=0, wallet_history_id=None
    )
    names = ("orders", "trades", "pairlocks", "KeyValueStore", "trade_custom_data", "wallet_history")
    assert [_next(database.engine, name) for name in names] == [11, 12, 13, 14, 1, 1]
    assert _lock(database.engine) == 13


@pytest.mark.needs("sequences")
def test_get_last_sequence_ids(database: Database) -> None:
    """The next id is found by the sequence's name, by its table's column where there is none, or by the ids."""
    engine = database.engine
    for _ in range(3):
        _lock(engine)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE pairlocks RENAME TO pairlocks_bak0"))
    ask = migrations.get_last_sequence_ids
    assert ask(engine, "pairlocks_id_seq", "pairlocks_bak0") == 4
    assert ask(engine, "no_such_seq", "pairlocks_bak0") == 4
    assert ask(engine, "KeyValueStore_id_seq", "no_such_table") == 1
    assert ask(engine, '"KeyValueStore_id_seq"', "no_such_table") == 1
    assert ask(engine, "no_such_seq", "no_such_table") is None
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE pairlocks_bak0 ALTER id DROP DEFAULT"))
        connection.execute(text("UPDATE pairlocks_bak0 SET id = 90 WHERE id = 3"))
    assert ask(engine, "no_such_seq", "pairlocks_bak0") == 91
    assert ask(engine, "pairlocks_id_seq", "pairlocks_bak0") == 91


def test_sequences_where_there_are_none(database: Database, backend: Backend) -> None:
    """Engines that count by themselves need nothing and tell nothing."""
    if backend.sequences:
        return
    migrations.set_sequence_ids(database.engine, trade_id=50)
    assert migrations.get_last_sequence_ids(database.engine, "trades_id_seq", "trades") is None
    assert "trades" in inspect(database.engine).get_table_names()
    assert _lock(database.engine) == 1
