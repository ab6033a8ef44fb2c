"""`tradestore views` on every engine."""

import io
import sys

import pytest

from tests.cli.conftest import Command
from tests.operations.furniture import tell
from tradestore import Database


@pytest.mark.needs("persistent", "first_driver")
def test_made_listed_and_removed(database: Database, store_url: str, command: Command) -> None:
    database.close()
    made = command("views", "create", "--db-url", store_url, "--json")
    assert (made.code, [view["is_changed"] for view in made.result]) == (0, [True] * 5)
    again = command("views", "create", "--db-url", store_url)
    assert (again.code, again.out.count("was there")) == (0, 5)
    listed = command("views", "list", "--db-url", store_url, "--json")
    assert listed.result[0]["name"] == "v_trades_1"
    assert listed.result[0]["columns"][:3] == ["trade_id", "exchange", "pair"]
    dropped = command("views", "drop", "--db-url", store_url, "--yes")
    assert (dropped.code, dropped.out.count("removed")) == (0, 5)
    assert "Remove v_trades_1 from" in dropped.err
    assert command("views", "list", "--db-url", store_url).out.count("missing") == 5
    # Nothing is asked where nothing is to be done.
    assert command("views", "drop", "--db-url", store_url).code == 0


def test_nobody_to_ask(tmp_path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'cats.sqlite'}"
    tell(url, "CREATE TABLE cats (name TEXT)")
    for words in (["create"], ["list"], ["drop", "--yes"]):
        done = command("views", *words, "--db-url", url)
        assert (done.code, done.out, len(done.err.splitlines())) == (3, "", 1)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert command("views").code in {0, 2}
