"""`tradestore kv` and `tradestore custom-data`."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cli.conftest import Command
from tradestore import KeyValueStore, Trade
from tradestore.operations.remembered import list_custom_values, list_values
from tradestore.testing import opened_store

pytestmark = pytest.mark.needs("persistent", "first_driver")


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("hello", "str", "hello"),
        ("12", "str", "12"),
        ("12", "int", 12),
        ("1.5", "float", 1.5),
        ("true", "bool", True),
        ("False", "bool", False),
        ("2026-03-01T12:00:00+02:00", "datetime", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_value_is_stored_with_its_type(text: str, kind: str, value: Any, known_url: str, command: Command) -> None:
    outcome = command("kv", "set", "new", text, "--type", kind, "--yes", "--db-url", known_url)
    assert outcome.code == 0, outcome.err
    with opened_store(known_url):
        stored = KeyValueStore.get_value("new")
    assert (type(stored), stored) == (type(value), value)


def test_key_keeps_its_type_where_none_is_given(known_url: str, command: Command) -> None:
    words = ("kv", "set", "bot_start_time", "2026-02-01", "--yes", "--db-url", known_url)
    assert command(*words).code == 0
    assert list_values(known_url) == {"bot_start_time": datetime(2026, 2, 1, tzinfo=UTC)}


@pytest.mark.parametrize(("text", "kind"), [("yes", "bool"), ("1.5", "int"), ("soon", "datetime"), ("much", "float")])
def test_value_of_another_type_is_refused(text: str, kind: str, known_url: str, command: Command) -> None:
    outcome = command("kv", "set", "bot_start_time", text, "--type", kind, "--yes", "--db-url", known_url)
    assert outcome.code == 2
    assert f"{text!r} is no {kind}" in outcome.err
    assert list_values(known_url) == {"bot_start_time": datetime(2026, 3, 1, 12, tzinfo=UTC)}


def test_value_that_fits_nowhere_is_refused(known_url: str, command: Command) -> None:
    outcome = command("kv", "set", "k" * 51, "text", "--yes", "--db-url", known_url)
    assert (outcome.code, outcome.out) == (3, "")
    assert set(list_values(known_url)) == {"bot_start_time"}


def test_key_is_forgotten_only_with_consent(known_url: str, command: Command) -> None:
    assert command("kv", "delete", "bot_start_time", "--db-url", known_url).code == 2
    assert set(list_values(known_url)) == {"bot_start_time"}
    assert command("kv", "delete", "bot_start_time", "--yes", "--db-url", known_url).code == 0
    assert list_values(known_url) == {}


def test_missing_key_is_a_line(known_url: str, command: Command) -> None:
    for words in (("get", "nothing"), ("delete", "nothing", "--yes")):
        outcome = command("kv", *words, "--db-url", known_url)
        assert (outcome.code, outcome.out) == (3, "")
        assert "'nothing'" in outcome.err


@pytest.mark.parametrize(
    ("text", "value"),
    [("26.5", 26.5), ("true", True), ('{"a": [1]}', {"a": [1]}), ("null", None), ("plain words", "plain words")],
)
def test_custom_value_is_json_or_a_text(text: str, value: Any, known_url: str, command: Command) -> None:
    assert command("custom-data", "set", "2", "new", text, "--yes", "--db-url", known_url).code == 0
    with opened_store(known_url):
        entry = Trade.session.get_one(Trade, 2).get_custom_data_entry("new")
    assert entry is not None
    assert (type(entry.value), entry.value) == (type(value), value)
    assert json.loads(command("custom-data", "get", "2", "NEW", "--db-url", known_url).out) == value


def test_custom_text_stays_one(known_url: str, command: Command) -> None:
    assert command("custom-data", "set", "2", "target", "30", "--text", "--yes", "--db-url", known_url).code == 0
    assert [(each.key, each.value) for each in list_custom_values(known_url, 2)] == [("target", "30")]


def test_custom_values_are_forgotten_one_by_one_or_all(known_url: str, command: Command) -> None:
    url = ("--yes", "--db-url", known_url)
    for key in ("first", "second"):
        command("custom-data", "set", "2", key, "1", *url)
    assert command("custom-data", "delete", "2", "FIRST", *url).code == 0
    assert [each.key for each in list_custom_values(known_url, 2)] == ["target", "second"]
    assert command("custom-data", "delete", "2", *url).code == 2
    assert command("custom-data", "delete", "2", "--all", *url).code == 0
    assert list_custom_values(known_url, 2) == ()
