"""Revision 0005: tables for intents, limits and tokens, which a downgrade drops only when nobody would miss them."""

from typing import Any

import pytest
from sqlalchemy import inspect, text

from tests.builders import OPENED, store, trade_with_entry
from tests.migrations.states import state_of
from tradestore import Database, OrderIntent, Trade, TradeLimits, init_db, migrations
from tradestore._commit_tokens import COMMIT_TOKENS
from tradestore.exceptions import MigrationError

BEFORE, TABLES = "0004_wider_pairs", {"order_intents", "trade_limits", "commit_tokens"}


def _intent(**fields: Any) -> OrderIntent:
    values = {"client_order_id": "ts1", "state": "placed", "pair": "ADA/USDT", "side": "buy", "amount": 1.0}
    return OrderIntent(**values | {"created_at": OPENED} | fields)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (_intent(), r"no place for intents of orders, but there are 1"),
        (TradeLimits(id=1, max_open_trades=3, one_per_pair_and_side=False, updated_at=OPENED), "limits on open trades"),
    ],
    ids=["intents", "limits"],
)
def test_downgrade_never_forgets(database: Database, record, told: str) -> None:
    """What was sent to an exchange, and what must not be opened, keep the database where it is."""
    store(trade_with_entry())
    Trade.session.merge(record)
    Trade.commit()
    Trade.session.remove()
    with pytest.raises(MigrationError, match=rf"{told}.*Nothing was changed"):
        migrations.downgrade(database.engine, BEFORE)
    assert migrations.current(database.engine) == migrations.HEAD
    for table in ("order_intents", "trade_limits"):
        Trade.session.execute(text(f"DELETE FROM {table}"))
    Trade.session.commit()
    Trade.session.remove()
    migrations.downgrade(database.engine, BEFORE)
    assert not TABLES & set(inspect(database.engine).get_table_names())
    migrations.upgrade(database.engine)
    assert set(inspect(database.engine).get_table_names()) >= TABLES


def test_tokens_do_not_hold_a_downgrade_back(database: Database) -> None:
    """Nobody asks about a commit of yesterday."""
    with database.engine.begin() as connection:
        connection.execute(COMMIT_TOKENS.insert().values(token="f" * 32, committed_at=OPENED))
    migrations.downgrade(database.engine, BEFORE)
    assert migrations.current(database.engine) == BEFORE


@pytest.mark.needs("persistent")
def test_table_of_somebody_else_is_left_alone(database: Database, store_url: str) -> None:
    """One of another program that has the name of ours is named, and nothing is created beside it."""
    migrations.downgrade(database.engine, BEFORE)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE trade_limits (id INTEGER PRIMARY KEY, bot VARCHAR(20))"))
    database.close()
    before = state_of(store_url)
    with pytest.raises(MigrationError, match=r"'trade_limits'.*max_open_trades.*Give it another name"):
        init_db(store_url)
    assert state_of(store_url) == before


def test_deleted_trade_leaves_its_intents(database: Database) -> None:
    """A program that knows nothing of intents can delete a trade; the intent stays and refers to nothing."""
    store(trade_with_entry())
    store(_intent(ft_trade_id=1))
    Trade.session.remove()
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM orders"))
        connection.execute(text("DELETE FROM trades"))
        assert connection.execute(text("SELECT client_order_id, ft_trade_id FROM order_intents")).all() == [
            ("ts1", None)
        ]
