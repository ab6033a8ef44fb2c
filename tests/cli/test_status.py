"""`tradestore status` on every engine that keeps what it is told."""

import pytest

from tests.builders import store, trade_with_entry
from tests.cli.conftest import Command
from tradestore import Database, Trade


@pytest.mark.needs("persistent")
def test_open_trades_are_counted(database: Database, store_url: str, command: Command) -> None:
    store(trade_with_entry())
    Trade.session.remove()
    database.close()
    found = command("status", "--db-url", store_url, "--json")
    assert found.code == 0
    assert found.result["open_trades"] == 1


def test_missing_file_is_a_line_and_nothing_is_made(tmp_path, command: Command) -> None:
    found = command("status", "--db-url", f"sqlite:///{tmp_path / 'missing.sqlite'}")
    assert (found.code, found.out) == (3, "")
    assert len(found.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
