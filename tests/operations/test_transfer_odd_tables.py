"""Tables of the users' own that are out of the ordinary: what an engine computes, odd names, types of one engine."""

import logging
from collections.abc import Callable

import pytest
from sqlalchemy import Column, Computed, Integer, Table, text

from tests.capabilities import Backend
from tests.operations.furniture import furnish, plain_engine, rows_of, signals_model, tell
from tradestore import ModelBase, init_db
from tradestore.exceptions import InvalidValue
from tradestore.operations import TransferProgress, transfer

NewUrl = Callable[[], str]


def _emptied(url: str) -> None:
    """Make a database that has the tables and no rows."""
    init_db(url).close()


@pytest.mark.needs("persistent")
def test_model_with_a_column_that_the_engine_computes(store_url: str, new_file: NewUrl) -> None:
    """It is computed at the target, too: nobody may write it."""
    table = Table(
        "doubled",
        ModelBase.metadata,
        Column("id", Integer, primary_key=True),
        Column("amount", Integer),
        Column("twice", Integer, Computed("amount * 2", persisted=True)),
    )
    try:
        source, back = new_file(), new_file()
        _emptied(source)
        tell(source, "INSERT INTO doubled (id, amount) VALUES (3, 7), (5, NULL)")
        transfer(source, store_url)
        transfer(store_url, back)
        for url in (store_url, back):
            assert rows_of(url, [table]) == {"doubled": [(3, 7, 14), (5, None, None)]}
        tell(store_url, "DELETE FROM doubled WHERE id = 5", "INSERT INTO doubled (amount) VALUES (10)")
        assert (10, 20) in [row[1:] for row in rows_of(store_url, [table])["doubled"]]
        assert transfer(back, store_url, merge=True).copied == 1
    finally:
        ModelBase.metadata.remove(table)


@pytest.mark.needs("persistent")
def test_table_with_columns_that_the_engine_computes(store_url: str, other_url: str, new_file: NewUrl) -> None:
    """Their values go everywhere; between servers of one kind they go on being computed."""
    _emptied(store_url)
    twice = "twice INTEGER GENERATED ALWAYS AS (amount * 2) STORED"
    tell(store_url, f"CREATE TABLE doubled (amount INTEGER, {twice})", "INSERT INTO doubled (amount) VALUES (7)")
    file = new_file()
    for url in (other_url, file):
        transfer(store_url, url)
        tell(url, "INSERT INTO doubled (amount) VALUES (10)")
        with plain_engine(url) as engine, engine.connect() as connection:
            found = connection.execute(text("SELECT amount, twice FROM doubled ORDER BY amount")).all()
        is_computed = not url.startswith("sqlite")
        assert found == [(7, 14), (10, 20 if is_computed else None)]


@pytest.mark.needs("persistent")
def test_names_with_signs_that_drivers_look_for(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """A percent sign, a colon or a parenthesis in a name is a letter like any other."""
    tell(
        source_url,
        r'CREATE TABLE "gain%s" (id INTEGER PRIMARY KEY, "a%%b" INTEGER, "c\:d" INTEGER, "Order (x)" INTEGER)',
        r'INSERT INTO "gain%s" VALUES (1, 2, 3, 4)',
        'ALTER TABLE pairlocks ADD COLUMN "weight%" INTEGER',
        'UPDATE pairlocks SET "weight%" = 5',
    )
    back = new_file()
    transfer(source_url, store_url)
    transfer(store_url, back)
    with plain_engine(back) as engine, engine.connect() as connection:
        found = connection.exec_driver_sql('SELECT id, "a%%b", "c:d", "Order (x)" FROM "gain%s"').all()
        assert found == [(1, 2, 3, 4)]
        assert {*connection.exec_driver_sql('SELECT "weight%" FROM pairlocks').scalars()} == {5}


@pytest.mark.needs("sequences")
def test_enums_of_two_schemas(store_url: str, other_url: str, new_file: NewUrl) -> None:
    """Types of the same name in different schemas stay two types, where the second schema is not there."""
    _emptied(store_url)
    tell(
        store_url,
        "CREATE SCHEMA elsewhere",
        "CREATE TYPE temper AS ENUM ('calm')",
        "CREATE TYPE elsewhere.temper AS ENUM ('wild', 'tame')",
        "CREATE TABLE feelings (id INTEGER PRIMARY KEY, ours temper, theirs elsewhere.temper)",
        "INSERT INTO feelings VALUES (1, 'calm', 'tame')",
    )
    try:
        for url in (other_url, new_file()):
            transfer(store_url, url)
            with plain_engine(url) as engine, engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT * FROM feelings").all() == [(1, "calm", "tame")]
    finally:
        tell(store_url, "DROP SCHEMA elsewhere CASCADE")


@pytest.mark.needs("sets")
def test_sets(store_url: str, other_url: str, new_file: NewUrl) -> None:
    """A set is longer than its longest member."""
    _emptied(store_url)
    tell(store_url, "CREATE TABLE signs (id INTEGER PRIMARY KEY, marks SET('a', 'b'))")
    tell(store_url, "INSERT INTO signs VALUES (1, 'a,b')")
    for url in (other_url, new_file()):
        transfer(store_url, url)
        with plain_engine(url) as engine, engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT marks FROM signs").scalars().all() == ["a,b"]


@pytest.mark.needs("persistent", "checks_types")
def test_word_that_is_none_of_an_enum(store_url: str, new_file: NewUrl) -> None:
    """It is named, also where it is not the longest."""
    with signals_model():
        source = new_file()
        furnish(source, own=False)
        tell(source, "UPDATE signals SET mood = 'ODD' WHERE id = 4")
        with pytest.raises(InvalidValue, match=r"signals\.mood of the row with id 4 is 'ODD'.*one of CALM, WILD"):
            transfer(source, store_url)
        assert not any(rows_of(store_url, [ModelBase.metadata.tables["trades"]]).values())


@pytest.mark.needs("persistent")
def test_decimals_beyond_their_type(backend: Backend, source_url: str, store_url: str) -> None:
    """A file keeps more decimals than its column has: they are kept, or named, and never cut; noise is no decimal."""
    tell(
        source_url,
        "CREATE TABLE prices (id INTEGER PRIMARY KEY, price DECIMAL(10, 2), fee DECIMAL(20, 8))",
        "INSERT INTO prices VALUES (1, 1.25, 0.1 + 0.2), (2, 12.345, NULL)",
    )
    if backend.checks_types:
        with pytest.raises(InvalidValue, match=r"prices\.price of the row with id 2.*12\.345.*at most 2 decimals fit"):
            transfer(source_url, store_url)
        tell(source_url, "UPDATE prices SET price = 12.34 WHERE id = 2")
    transfer(source_url, store_url)
    with plain_engine(store_url) as engine, engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT price, fee FROM prices ORDER BY id").all()
    assert [float(row[0]) for row in found] == [1.25, 12.34 if backend.checks_types else 12.345]
    assert float(found[0][1]) == 0.3


@pytest.mark.needs("persistent")
def test_batch_beyond_what_drivers_count_to(source_url: str, store_url: str, new_file: NewUrl) -> None:
    """All rows at once is a batch like any other."""
    transfer(source_url, store_url, batch_size=2**80)
    assert transfer(store_url, new_file(), batch_size=2**80).copied > 0


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("merge", [False, True])
def test_stopped_in_the_middle(
    source_url: str, store_url: str, new_file: NewUrl, merge: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What reads the source is closed before the source is, and nothing is left over to complain in the log."""
    transfer(source_url, store_url)

    def stop(_step: TransferProgress) -> None:
        raise KeyError

    caplog.set_level(logging.WARNING)
    with pytest.raises(KeyError):
        transfer(store_url, new_file(), batch_size=2, progress=stop, merge=merge)
    assert caplog.records == []
