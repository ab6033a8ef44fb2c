"""What strategies remember about a trade, in memory."""

import logging
from datetime import UTC, datetime

import pytest

from tests.local.making import make_trade
from tradestore.exceptions import InvalidValue
from tradestore.local_custom_data import CustomDataBook, LocalCustomData, decode_value, encode_value

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def trade():
    return make_trade(id=7)


@pytest.mark.parametrize(
    ("value", "type_name", "text"),
    [
        (True, "bool", "True"),
        (False, "bool", "False"),
        (5, "int", "5"),
        (-(2**80), "int", "-1208925819614629174706176"),
        (0.1, "float", "0.1"),
        (float("inf"), "float", "inf"),
        ("", "str", ""),
        ("5", "str", "5"),
        ("ünïcode % _ '", "str", "ünïcode % _ '"),
        ([1, "a", None], "list", '[1, "a", null]'),
        ({"a": {"b": [1.5]}}, "dict", '{"a": {"b": [1.5]}}'),
        (None, "NoneType", "null"),
    ],
)
def test_values_come_back(trade, value, type_name, text):
    """A value is kept as text with its type, and comes back as what it was."""
    trade.set_custom_data("key", value)
    entry = trade.get_custom_data_entry("key")
    assert (entry.cd_type, entry.cd_value) == (type_name, text)
    assert entry.value == trade.get_custom_data("key") == value
    assert type(entry.value) is type(value)


def test_a_tuple_comes_back_as_a_list(trade):
    """JSON knows no tuples."""
    trade.set_custom_data("key", (1, 2))
    assert trade.get_custom_data("key") == [1, 2]


def test_an_entry_takes_a_value():
    """A value that is given to an entry itself is kept with its type."""
    entry = LocalCustomData(cd_key="key")
    entry.value = [1, 2]
    assert (entry.cd_type, entry.cd_value, entry.value) == ("list", "[1, 2]", [1, 2])


def test_a_long_type_name_is_cut():
    """The name of a type has room for 25 characters."""

    class AnExceptionallyLongNameForADict(dict[str, int]):
        pass

    assert encode_value(AnExceptionallyLongNameForADict(a=1)) == ("AnExceptionallyLongNameFo", '{"a": 1}')


@pytest.mark.parametrize(
    ("cd_type", "text", "value"), [("bool", "TRUE", True), ("bool", "0", False), ("unheard of", "[1]", [1])]
)
def test_texts_of_other_writers(cd_type, text, value):
    """Truth is read in any case, and an unknown type as JSON."""
    assert decode_value(cd_type, text) == value


def test_unknown_key(trade):
    """A key that was never set gives the default; one that holds None gives None."""
    assert (trade.get_custom_data("key"), trade.get_custom_data("key", 3)) == (None, 3)
    assert trade.get_custom_data_entry("key") is None
    trade.set_custom_data("key", None)
    assert trade.get_custom_data("key", 3) is None


def test_overwriting_changes_the_type(trade):
    """A new value of another type comes back as that type."""
    for value in (1, "abc", [1], True, 5):
        trade.set_custom_data("key", value)
        assert trade.get_custom_data("key") == value
        assert type(trade.get_custom_data("key")) is type(value)
    assert len(trade.get_all_custom_data()) == 1


def test_times(trade, time_machine):
    """An entry knows when it was made, and when it was changed."""
    time_machine.move_to(NOW, tick=False)
    trade.set_custom_data("key", 1)
    entry = trade.get_custom_data_entry("key")
    assert (entry.created_at, entry.updated_at, entry.ft_trade_id) == (NOW, None, 7)
    later = NOW.replace(hour=15)
    time_machine.move_to(later, tick=False)
    trade.set_custom_data("key", 2)
    assert (entry.created_at, entry.updated_at, entry.value) == (NOW, later, 2)


@pytest.mark.parametrize(("first", "second"), [("Key", "kEY"), ("Äb", "äB"), ("straße", "STRASSE")])
def test_keys_match_regardless_of_case(trade, first, second):
    """Keys are the same in any case, beyond ASCII too; the first spelling stays."""
    trade.set_custom_data(first, 1)
    trade.set_custom_data(second, 2)
    assert [(entry.cd_key, entry.value) for entry in trade.get_all_custom_data()] == [(first, 2)]
    trade.delete_custom_data(second)
    assert trade.get_all_custom_data() == []


def test_keys_are_no_patterns(trade):
    """% and _ are ordinary characters."""
    trade.set_custom_data("stopXa", 1)
    trade.set_custom_data("stop_a", 2)
    trade.delete_custom_data("%")
    assert (trade.get_custom_data("stopXa"), trade.get_custom_data("stop_a")) == (1, 2)


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_impossible_keys_are_refused(trade, key):
    """A key has 1 to 255 characters."""
    with pytest.raises(InvalidValue, match="1 to 255"):
        trade.set_custom_data(key, 1)
    assert trade.get_all_custom_data() == []


def test_the_longest_key(trade):
    """255 characters are not too many."""
    trade.set_custom_data("k" * 255, 1)
    assert trade.get_custom_data("k" * 255) == 1


@pytest.mark.parametrize("value", [object(), {1, 2}, {"a": NOW}, b"bytes"], ids=["object", "set", "date", "bytes"])
def test_what_json_cannot_hold_is_logged(trade, value, caplog):
    """Such a value isn't stored, what was there before stays, and the log says so."""
    trade.set_custom_data("key", 1)
    with caplog.at_level(logging.WARNING, "tradestore"):
        trade.set_custom_data("key", value)
    assert trade.get_custom_data("key") == 1
    assert "'key' of trade 7" in caplog.text


def test_a_value_that_holds_itself_is_logged(trade, caplog):
    """A list that contains itself has no text."""
    endless: list[object] = []
    endless.append(endless)
    with caplog.at_level(logging.WARNING, "tradestore"):
        trade.set_custom_data("key", endless)
    assert (trade.get_custom_data_entry("key"), len(caplog.records)) == (None, 1)


def test_a_number_with_too_many_digits_is_logged(trade, caplog):
    """A whole number that Python refuses to write isn't stored either, and nothing breaks."""
    with caplog.at_level(logging.WARNING, "tradestore"):
        trade.set_custom_data("key", 10**5000)
    assert (trade.get_custom_data_entry("key"), len(caplog.records)) == (None, 1)


def test_trades_do_not_share(trade):
    """Each trade remembers for itself, in the order in which keys were first set."""
    other = make_trade(id=8)
    trade.set_custom_data("b", 1)
    trade.set_custom_data("a", 2)
    other.set_custom_data("b", 3)
    trade.set_custom_data("b", 4)
    assert [(entry.cd_key, entry.value) for entry in trade.get_all_custom_data()] == [("b", 4), ("a", 2)]
    trade.delete_custom_data()
    assert (trade.get_all_custom_data(), other.get_custom_data("b")) == ([], 3)


def test_deleting_what_is_not_there(trade):
    """An unknown key, or a trade without entries, is no error."""
    trade.delete_custom_data()
    trade.delete_custom_data("key")
    assert trade.get_all_custom_data() == []


def test_book_keeps_pairs_apart_from_trades():
    """Entries of a pair belong to no trade, and the book walks over all of them until it is cleared."""
    book = CustomDataBook()
    book.store(1, "key", "of the trade")
    book.store(None, "key", "of the pair", pair="A/B")
    assert [entry.value for entry in book.select(None, pair="A/B")] == ["of the pair"]
    assert book.select(None) == book.select(1, pair="A/B") == []
    assert [(entry.ft_trade_id, entry.pair) for entry in book] == [(1, None), (None, "A/B")]
    book.clear()
    assert list(book) == []


def test_repr(trade, time_machine):
    """An entry shows itself in one line."""
    time_machine.move_to(NOW, tick=False)
    trade.set_custom_data("key", 1)
    assert repr(trade.get_custom_data_entry("key")) == (
        "CustomData(id=None, key=key, type=int, value=1, trade_id=7, created=2026-03-01 12:00:00+00:00, updated=None)"
    )
