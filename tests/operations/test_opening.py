"""Opening a database for an operator, in a process where a bot has its own open."""

from pathlib import Path

import pytest

from tests.builders import store, trade
from tradestore import Trade, init_db
from tradestore.exceptions import DatabaseReadOnly
from tradestore.operations.opening import open_to_change, open_to_read

pytestmark = pytest.mark.needs("persistent", "first_driver")


@pytest.fixture
def other_file(tmp_path: Path) -> str:
    """Return the URL of a store with one trade."""
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    database = init_db(url)
    store(trade(pair="OTHER/USDT"))
    database.close()
    return url


@pytest.mark.parametrize("opening", [open_to_read, open_to_change])
def test_bot_has_its_database_again_afterwards(other_file, store_url, opening) -> None:
    """Also after an error within."""
    database = init_db(store_url)
    store(trade(pair="OWN/USDT"))
    with opening(other_file):
        assert [each.pair for each in Trade.get_trades().all()] == ["OTHER/USDT"]
    assert [each.pair for each in Trade.get_trades().all()] == ["OWN/USDT"]
    with pytest.raises(KeyError), opening(other_file):
        raise KeyError
    assert database.is_open
    database.set_limits(5)
    Trade.session.remove()
    database.close()


def test_nothing_is_open_afterwards_where_nothing_was(other_file) -> None:
    with open_to_read(other_file) as opened:
        assert opened.is_open
    assert not opened.is_open


def test_reader_cannot_write_even_by_a_new_connection(store_url) -> None:
    """Neither through the models nor after the connection was lost."""
    init_db(store_url).close()
    with open_to_read(store_url) as opened:
        for _ in range(2):
            Trade.session.add(trade())
            with pytest.raises(DatabaseReadOnly):
                Trade.commit()
            Trade.rollback()
            opened.engine.dispose()
        assert Trade.get_trades().all() == []
        Trade.session.remove()
