"""The documented way to take a bot's data along."""

import logging

import pytest
from sqlalchemy.orm import Session

from tests.builders import store, trade_with_entry
from tests.operations.furniture import TABLES, rows_of
from tradestore import ModelBase, Trade, init_db
from tradestore.db_migration import migrate_db
from tradestore.exceptions import DatabaseNotReady, DependencyException, TransferError

MODELS = [ModelBase.metadata.tables[name] for name in TABLES]


@pytest.mark.needs("persistent")
def test_everything_goes_along(source_url: str, store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """From the database that is open into that of a session, with its counts in the log."""
    caplog.set_level(logging.INFO)
    target = init_db(store_url)
    session = Trade.session()
    database = init_db(source_url)
    report = migrate_db(session)
    assert report.copied == report.rows
    assert "Migrated 8 trades and 3 pairlocks." in caplog.text
    assert len(session.query(Trade).all()) == 8
    assert Trade.session.bind is database.engine
    session.close()
    target.close()
    Trade.session.remove()
    database.close()
    assert rows_of(store_url, MODELS) == rows_of(source_url, MODELS)


def test_session_of_its_own(source_url: str, new_file) -> None:
    """A plain session, and one on a connection, will do."""
    target = init_db(new_file())
    database = init_db(source_url)
    with Session(target.engine) as session:
        assert migrate_db(session).copied > 0
    with target.engine.connect() as connection, Session(connection) as session:
        assert migrate_db(session).copied == 0
    target.engine.dispose()
    database.close()


def test_nothing_to_copy_from(new_file) -> None:
    """Without an open database, with the open one as its own target, or with changes that wait, it says so."""
    database = init_db(new_file())
    with pytest.raises(TransferError, match=r"the same database"):
        migrate_db(Trade.session)
    Trade.session.add(trade_with_entry())
    with pytest.raises(DependencyException, match=r"not stored"):
        migrate_db(Trade.session)
    Trade.session.remove()
    session = Session(database.engine)
    database.close()
    with pytest.raises(DatabaseNotReady, match=r"init_db"):
        migrate_db(session)


def test_memory(new_file) -> None:
    """A bot that began in memory goes on in a file."""
    memory = init_db("sqlite://")
    store(trade_with_entry())
    target = init_db(new_file())
    session = Trade.session()
    del memory
    with pytest.raises(TransferError, match=r"the same database"):
        migrate_db(session)
    session.close()
    target.close()
