"""A database merged into one that has rows: what is missing is added, what is the same stays, the rest is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Table, delete

from tests.builders import store, trade_with_entry
from tests.operations.furniture import FILLS, LINES, TABLES, plain_engine, row_of, rows_of, tell
from tradestore import ModelBase, Trade, init_db
from tradestore.exceptions import TransferConflict
from tradestore.operations import TransferProgress, transfer

MODELS = [ModelBase.metadata.tables[name] for name in TABLES]
ALL = [*MODELS, FILLS, LINES]
NewUrl = Callable[[], str]

OWN_LOCK = "INSERT INTO pairlocks VALUES (400, 'A/B', '*', NULL, '2026-01-01', '2026-01-02', '1')"


@pytest.mark.needs("persistent")
def test_what_is_missing_is_added(source_url: str, store_url: str) -> None:
    """Rows of the target's own stay; those of both are there once; ids are kept."""
    transfer(source_url, store_url)
    tell(
        store_url,
        OWN_LOCK,
        "DELETE FROM orders WHERE ft_trade_id IN (6, 9)",
        "DELETE FROM fills WHERE trade_id = 6",
        "DELETE FROM trades WHERE id IN (6, 9)",
        "DELETE FROM wallet_history",
        "DELETE FROM log_lines",
    )
    told: list[TransferProgress] = []
    report = transfer(source_url, store_url, merge=True, progress=told.append)
    copied = {table.name: table.copied for table in report.tables if table.copied}
    assert copied == {"trades": 2, "orders": 4, "fills": 1, "wallet_history": 3, "log_lines": 3}
    assert told[-1].rows == report.rows
    tell(store_url, "DELETE FROM pairlocks WHERE id = 400")
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)


@pytest.mark.needs("persistent")
def test_into_an_empty_database_and_again(source_url: str, store_url: str) -> None:
    """A merge needs no rows to begin with, and the second one finds all there."""
    first = transfer(source_url, store_url, merge=True)
    assert first.copied == first.rows
    assert rows_of(store_url, ALL) == rows_of(source_url, ALL)
    tell(store_url, OWN_LOCK)
    assert transfer(source_url, store_url, merge=True).copied == 0


@pytest.mark.needs("persistent")
def test_rows_of_the_same_id(source_url: str, store_url: str) -> None:
    """Ones with other content are named, all of them, and nothing is written."""
    transfer(source_url, store_url)
    tell(
        store_url,
        "UPDATE trades SET stop_loss = 1.25 WHERE id IN (3, 12)",
        "UPDATE fills SET note = 'other' WHERE number = 7",
        "UPDATE log_lines SET level = 5",
        "DELETE FROM wallet_history",
    )
    before = rows_of(store_url, ALL)
    expected = r"(?=.*trades: id 3, 12[;.])(?=.*fills: venue, number 'kraken',7)(?=.*log_lines: .*no primary key)"
    with pytest.raises(TransferConflict, match=expected):
        transfer(source_url, store_url, merge=True)
    assert rows_of(store_url, ALL) == before


@pytest.mark.needs("persistent")
def test_rows_of_the_same_unique_key(source_url: str, store_url: str) -> None:
    """An order, a key or a balance that the target has under another id is a contradiction, too."""
    transfer(source_url, store_url)
    tell(
        store_url,
        "UPDATE orders SET id = 5000 WHERE id = 30",
        "UPDATE wallet_history SET id = 5001 WHERE id = 2",
        "UPDATE fills SET number = 8 WHERE number = 7",
    )
    values: Table = ModelBase.metadata.tables["KeyValueStore"]
    with plain_engine(store_url) as engine, engine.begin() as connection:
        connection.execute(values.update().where(values.c.id == 9).values(id=5002))
    expected = (
        r"(?=.*orders: id 30[;.])(?=.*wallet_history: id 2[;.])(?=.*KeyValueStore: id 9[;.])(?=.*fills: .*'kraken',7)"
    )
    with pytest.raises(TransferConflict, match=expected):
        transfer(source_url, store_url, merge=True)


def test_many_contradictions(source_url: str, new_file: NewUrl) -> None:
    """The first ones are named, the rest counted."""
    target = new_file()
    transfer(source_url, target)
    tell(target, "UPDATE orders SET cost = 1.25")
    with pytest.raises(TransferConflict, match=r"orders: id 30, 31, 60, 61, 90, 91, 120, 121, 150, 151 and 5 more\."):
        transfer(source_url, target, merge=True)


@pytest.mark.needs("persistent")
def test_two_stores_become_one(store_url: str, new_file: NewUrl) -> None:
    """Ids that don't meet go together, and the next row gets one above both."""
    source = new_file()
    _store_trade(source, 40)
    _store_trade(store_url, 7)
    transfer(source, store_url, merge=True)
    database = init_db(store_url)
    assert [found.id for found in Trade.get_trades().all()] == [7, 40]
    fresh = trade_with_entry()
    store(fresh)
    assert fresh.id == 41
    Trade.session.remove()
    database.close()


@pytest.mark.needs("persistent")
def test_many_rows(store_url: str, new_file: NewUrl) -> None:
    """More than are asked for at once, by keys of one column and of several."""
    source = new_file()
    init_db(source).close()
    locks: Table = ModelBase.metadata.tables["pairlocks"]
    with plain_engine(source) as engine, engine.begin() as connection:
        FILLS.metadata.create_all(connection, tables=[FILLS])
        connection.execute(locks.insert(), [row_of(locks, number, id=number) for number in range(1, 1301)])
        connection.execute(FILLS.insert(), [_fill(number) for number in range(1300)])
    transfer(source, store_url)
    with plain_engine(store_url) as engine, engine.begin() as connection:
        connection.execute(delete(locks).where(locks.c.id % 3 == 0))
        connection.execute(delete(FILLS).where(FILLS.c.number.between(499, 1001)))
    report = transfer(source, store_url, merge=True)
    assert (report.table("pairlocks").copied, report.table("fills").copied) == (433, 503)
    assert rows_of(store_url, [locks, FILLS]) == rows_of(source, [locks, FILLS])


def _fill(number: int) -> dict[str, Any]:
    return {"venue": f"venue {number % 7}", "number": number, "price": number / 7, "code": f"code {number}"}


def _store_trade(url: str, number: int) -> None:
    database = init_db(url)
    store(trade_with_entry(id=number))
    if number == 40:
        trade = Trade.get_trades().one()
        trade.orders[0].id = 90
        Trade.commit()
    Trade.session.remove()
    database.close()
