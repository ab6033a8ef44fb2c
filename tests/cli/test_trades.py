"""`tradestore trades` and `tradestore trade`."""

import json
from decimal import Decimal

import pytest

from tests.builders import closed_trade, store, trade_with_entry
from tests.cli.conftest import Command
from tradestore.testing import opened_store

pytestmark = pytest.mark.needs("persistent", "first_driver")


def _ids(command: Command, *words: str) -> list[int]:
    return [each["trade_id"] for each in command("trades", *words, "--json").result["trades"]]


def test_filters_choose_trades(known_url: str, command: Command) -> None:
    url = ("--db-url", known_url)
    assert _ids(command, *url) == [4, 3, 2, 1]
    assert _ids(command, *url, "--open") == [2]
    assert _ids(command, *url, "--closed") == [4, 3, 1]
    assert _ids(command, *url, "--pair", "ADA/USDT:USDT") == [3]
    assert _ids(command, *url, "--strategy", "Haste") == []
    # All were opened on March 1 at 12:00.
    assert _ids(command, *url, "--since", "2026-03-01T12:00:00") == [4, 3, 2, 1]
    assert _ids(command, *url, "--since", "2026-03-01T12:00:01") == []


def test_pages_follow_each_other_to_the_end(known_url: str, command: Command) -> None:
    words, found = ["trades", "--db-url", known_url, "--limit", "3", "--json"], []
    page = command(*words).result
    assert page["next"] == 2
    found += page["trades"]
    page = command(*words, "--after", page["next"]).result
    assert page["next"] is None
    assert [each["trade_id"] for each in found + page["trades"]] == [4, 3, 2, 1]


def test_open_and_closed_together_are_refused(known_url: str, command: Command) -> None:
    outcome = command("trades", "--open", "--closed", "--db-url", known_url)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("Error: ")
    assert len(outcome.err.splitlines()) == 1


def test_what_is_stored_steers_no_terminal(store_url: str, command: Command) -> None:
    with opened_store(store_url):
        odd = trade_with_entry(pair="[red]A\x1b[2J/\n\u202e", enter_tag="[/nothing]\x07")
        store(odd)
        odd.set_custom_data("[bold]", "\x1b]0;title\x07")
    for words in (("trades",), ("trade", "1"), ("trade", "1", "--explain"), ("custom-data", "list", "1")):
        outcome = command(*words, "--db-url", store_url)
        assert outcome.code == 0, outcome.err
        assert "\x1b" not in outcome.out
        assert "\x07" not in outcome.out
    assert "[red]A\\x1b[2J/\\n\\u202e" in command("trades", "--db-url", store_url).out


def test_trade_has_its_orders_and_what_is_remembered(known_url: str, command: Command) -> None:
    found = command("trade", "2", "--db-url", known_url, "--json").result
    assert found["trade"]["realized_profit"] == 9.8
    assert "orders" not in found["trade"]
    assert [order["ft_order_side"] for order in found["orders"]] == ["buy", "buy", "sell"]
    assert found["custom_data"] == {"target": 25.5}


def test_explanation_has_each_step(known_url: str, command: Command) -> None:
    told = command("trade", "2", "--explain", "--db-url", known_url).out
    # 5 · 21 · 0.999 - 5 · 19 · 1.001
    assert "104.895 - 95.095 = 9.8 USDT" in told
    document = json.loads(command("trade", "2", "--explain", "--db-url", known_url, "--json").out)
    leaving = document["result"]["orders"][2]
    assert document["result"]["trade"]["pair"] == "ADA/USDT"
    assert Decimal(leaving["exit"]["profit"]["exact"]) == Decimal("9.8")
    assert leaving["after"]["open_rate"]["value"] == 19.0


def test_missing_trade_is_a_line(known_url: str, command: Command) -> None:
    for words in (("trade", "99"), ("trade", "99", "--explain"), ("custom-data", "list", "99")):
        outcome = command(*words, "--db-url", known_url)
        assert (outcome.code, outcome.out) == (3, "")
        assert outcome.err.startswith("Error: There is no trade 99 in ")


def test_times_without_profit_are_shown_as_unknown(store_url: str, command: Command) -> None:
    with opened_store(store_url):
        store(closed_trade(profit=None, ratio=None))
    line = command("trades", "--db-url", store_url).out.splitlines()[1]
    assert line.split()[-2:] == ["-", "-"]
