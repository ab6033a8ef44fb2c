"""What strategies remember about trades and pairs: the same rules in memory and in the database."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

import tradestore
from tests.builders import local_trade, store, trade
from tradestore import CustomDataWrapper, LocalTrade, Trade
from tradestore.exceptions import DependencyException, InvalidValue

VALUES: list[Any] = [
    True,
    False,
    0,
    -1,
    2**63,
    1741600000000,
    0.1 + 0.2,
    -1e-300,
    "",
    "text",
    "'; DROP TABLE trades; --",
    "Ünïcode 🚀",
    "true",
    "1",
    None,
    [],
    [1, "two", None, [3.5]],
    {"key": {"nested": [1, 2]}, "empty": {}},
    "x" * 100_000,
]
UNSTORABLE = [object(), datetime(2026, 3, 1, tzinfo=UTC), Decimal("0.1"), {1, 2}, b"bytes", {(1, 2): 3}]


def set_value(key: str, value: Any, trade_id: int | None = 1) -> None:
    """Set a value of the first trade."""
    CustomDataWrapper.set_custom_data(trade_id, key, value)


def get_values(trade_id: int | None = 1, key: str | None = None) -> dict[str, Any]:
    """Return keys and values of the first trade."""
    return {e.cd_key: e.value for e in CustomDataWrapper.get_custom_data(trade_id=trade_id, key=key)}


class CustomDataRules:
    """The rules, for two trades with the ids 1 and 2."""

    def test_values_come_back_with_their_types(self) -> None:
        """bool, int, float, str and what JSON holds come back equal and of the same type."""
        for number, value in enumerate(VALUES):
            set_value(f"key {number}", value)
        Trade.session.remove()
        read = list(get_values().values())
        assert read == VALUES
        assert [type(value) for value in read] == [type(value) for value in VALUES]

    def test_tuple_comes_back_as_list(self) -> None:
        """JSON has no tuples."""
        set_value("key", (1, (2, 3)))
        assert get_values() == {"key": [1, [2, 3]]}

    def test_unstorable_value_is_logged_and_not_stored(self, caplog) -> None:
        """What JSON can't hold leaves a warning with the key, and the former value."""
        set_value("key", "former")
        for value in UNSTORABLE:
            set_value("key", value)
        assert get_values() == {"key": "former"}
        assert ["'key'" in record.getMessage() for record in caplog.records] == [True] * len(UNSTORABLE)

    def test_value_that_contains_itself_is_not_stored(self, caplog) -> None:
        """A circle in a list has no end in JSON."""
        circle: list[Any] = []
        circle.append(circle)
        set_value("key", circle)
        assert get_values() == {}
        assert "'key'" in caplog.text

    def test_type_changes_with_the_value(self) -> None:
        """Whatever type the key had before, the new value comes back as it is."""
        for value in (1, "abc", [1], True, 5, None, 0.5, "5", {"a": 1}, False):
            set_value("key", value)
            read = get_values()
            assert read == {"key": value}
            assert type(read["key"]) is type(value)
        assert len(CustomDataWrapper.get_custom_data(trade_id=1)) == 1

    def test_wildcards_are_ordinary_characters(self) -> None:
        """A per cent sign and an underscore match themselves only, when setting, getting and deleting."""
        for key in ("stopXa", "stop_a", "stop%", "%", "_"):
            set_value(key, key)
        assert get_values() == {key: key for key in ("stopXa", "stop_a", "stop%", "%", "_")}
        assert get_values(key="_") == {"_": "_"}
        CustomDataWrapper.delete_custom_data(1, "%")
        CustomDataWrapper.delete_custom_data(1, "stop_a")
        assert set(get_values()) == {"stopXa", "stop%", "_"}

    def test_any_character_in_a_key(self) -> None:
        """Keys are taken literally."""
        keys = ["back\\slash", "quote'", 'double"', "tab\tnew\nline", "🚀", "x" * 255, "null", "*"]
        for number, key in enumerate(keys):
            set_value(key, number)
        assert get_values() == {key: number for number, key in enumerate(keys)}
        assert [get_values(key=key)[key] for key in keys] == list(range(len(keys)))

    def test_case_of_keys_does_not_matter(self) -> None:
        """Letters of every alphabet are the same large and small; the key keeps its first spelling."""
        for one, other in [("Key", "kEY"), ("Äb", "äB"), ("ЖУК", "жук"), ("ΣΑΣ", "σας")]:
            set_value(one, 1)
            set_value(other, 2)
            assert get_values() == {one: 2}
            assert get_values(key=other) == {one: 2}
            CustomDataWrapper.delete_custom_data(1, other)
            assert get_values() == {}

    def test_blank_at_the_end_makes_another_key(self) -> None:
        """Every character counts, one that nobody sees too."""
        set_value("key", 1)
        set_value("key ", 2)
        assert get_values() == {"key": 1, "key ": 2}
        assert get_values(key="key ") == {"key ": 2}

    def test_key_that_no_column_holds(self) -> None:
        """An empty and an overlong key are refused alike, and nothing is stored."""
        for key in ("", "x" * 256):
            with pytest.raises(InvalidValue, match="1 to 255"):
                set_value(key, 1)
        assert get_values() == {}

    def test_trades_are_apart(self) -> None:
        """The same key of two trades, and of no trade, are three values."""
        set_value("key", 1, trade_id=1)
        set_value("key", 2, trade_id=2)
        set_value("key", 3, trade_id=None)
        assert [get_values(trade_id)["key"] for trade_id in (1, 2, None)] == [1, 2, 3]
        CustomDataWrapper.delete_custom_data(1)
        assert [get_values(trade_id) for trade_id in (1, 2, None)] == [{}, {"key": 2}, {"key": 3}]

    def test_values_without_a_trade_are_overwritten_and_deleted(self) -> None:
        """Without a trade there is one value per key as well."""
        set_value("key", 1, trade_id=None)
        set_value("KEY", 2, trade_id=None)
        assert get_values(None) == {"key": 2}
        CustomDataWrapper.delete_custom_data(None, "key")
        assert get_values(None) == {}

    def test_order_is_that_of_the_first_setting(self) -> None:
        """Overwriting a value doesn't move it."""
        for key in ("b", "a", "c"):
            set_value(key, 0)
        set_value("b", 1)
        assert list(get_values()) == ["b", "a", "c"]

    def test_data_of_a_pair_is_merged(self) -> None:
        """What is saved for a pair lies over what was saved before, and is apart from trades and other pairs."""
        CustomDataWrapper.save_custom_data(pair="ADA/USDT", data={"level": 1, "mode": "calm"})
        CustomDataWrapper.save_custom_data(pair="ADA/USDT", data={"LEVEL": [2], "seen": None})
        CustomDataWrapper.save_custom_data(pair="ETH/USDT", data={"level": 9})
        set_value("level", 7)
        set_value("level", 8, trade_id=None)
        Trade.session.remove()
        expected = {"level": [2], "mode": "calm", "seen": None}
        assert CustomDataWrapper.get_custom_data(pair="ADA/USDT") == expected
        assert CustomDataWrapper.get_custom_data(pair="ETH/USDT") == {"level": 9}
        assert CustomDataWrapper.get_custom_data(pair="XRP/USDT") == {}
        assert (get_values(1), get_values(None)) == ({"level": 7}, {"level": 8})

    def test_unstorable_value_of_a_pair_is_logged_with_the_pair(self, caplog) -> None:
        """The other values are stored."""
        CustomDataWrapper.save_custom_data(pair="ADA/USDT", data={"seen": {1}, "level": 1})
        assert CustomDataWrapper.get_custom_data(pair="ADA/USDT") == {"level": 1}
        (record,) = caplog.records
        assert "'seen' of ADA/USDT was not stored" in record.getMessage()

    def test_data_of_a_pair_is_deleted(self) -> None:
        """One key or all of them, and nothing of another pair or of a trade."""
        for pair in ("ADA/USDT", "ETH/USDT"):
            CustomDataWrapper.save_custom_data(pair=pair, data={"level": 1, "mode": "calm"})
        set_value("level", 7, trade_id=None)
        CustomDataWrapper.delete_custom_data(pair="ADA/USDT", key="LEVEL")
        assert CustomDataWrapper.get_custom_data(pair="ADA/USDT") == {"mode": "calm"}
        CustomDataWrapper.delete_custom_data(pair="ADA/USDT")
        assert CustomDataWrapper.get_custom_data(pair="ADA/USDT") == {}
        assert CustomDataWrapper.get_custom_data(pair="ETH/USDT") == {"level": 1, "mode": "calm"}
        assert get_values(None) == {"level": 7}


class TestCustomDataInMemory(CustomDataRules):
    """In a backtest."""

    @pytest.fixture(autouse=True)
    def _in_memory(self) -> None:
        tradestore.disable_database_use("5m")

    def test_by_the_trade(self) -> None:
        """The methods of a trade use its id."""
        record = local_trade(id=1)
        record.set_custom_data("key", 5)
        assert (record.get_custom_data("KEY"), record.get_custom_data("none", "default")) == (5, "default")
        assert LocalTrade.custom_data_book.select(1)[0].cd_key == "key"

    def test_reset_forgets_everything(self) -> None:
        """A new backtest starts without the former one's values."""
        set_value("key", 5)
        CustomDataWrapper.reset_custom_data()
        assert get_values() == {}


class TestCustomDataInDatabase(CustomDataRules):
    """On every engine."""

    @pytest.fixture(autouse=True)
    def _two_trades(self, database) -> None:
        store(trade())
        store(trade())

    def test_by_the_trade(self) -> None:
        """The methods of a trade: set, get with a default, all, delete."""
        record = Trade.get_trades(Trade.id == 2).one()
        record.set_custom_data("key", 5)
        record.set_custom_data("nothing", None)
        assert record.get_custom_data("KEY", "default") == 5
        assert record.get_custom_data("none", "default") == "default"
        assert record.get_custom_data("nothing", "default") is None
        assert [entry.cd_key for entry in record.get_all_custom_data()] == ["key", "nothing"]
        record.delete_custom_data()
        assert record.get_all_custom_data() == []

    def test_after_a_flush_nobody_waits_for_a_lock(self) -> None:
        """A trade that was only flushed gets custom data in the same transaction, at once."""
        record = trade()
        Trade.session.add(record)
        Trade.session.flush()
        begun = time.monotonic()
        record.set_custom_data("key", 5)
        assert time.monotonic() - begun < 2
        Trade.session.remove()
        assert get_values(record.id) == {"key": 5}

    def test_trade_that_was_only_added(self) -> None:
        """A trade in the session gets its id when it is needed."""
        record = trade()
        Trade.session.add(record)
        record.set_custom_data("key", 5)
        assert get_values(record.id) == {"key": 5}

    def test_trade_outside_of_the_session_is_refused(self) -> None:
        """A trade that nobody added can't have stored values."""
        with pytest.raises(DependencyException, match=r"Trade\.session"):
            trade().set_custom_data("key", 5)
        assert get_values(None) == {}

    def test_failed_writing_leaves_a_usable_session(self) -> None:
        """A trade that doesn't exist can't have values; afterwards everything works."""
        with pytest.raises(Exception, match=r"(?i)foreign key"):
            set_value("key", 5, trade_id=999)
        set_value("key", 6)
        assert get_values() == {"key": 6}

    def test_first_values_of_a_key_at_once(self) -> None:
        """Threads that set the same new keys at the same time all succeed, and leave one value per key."""
        barrier = Barrier(4)
        errors: list[Exception] = []

        def write(number: int) -> None:
            for key in ("a", "b", "c"):
                barrier.wait(20)
                try:
                    set_value(key, number)
                except Exception as error:  # noqa: BLE001 - the others must not wait for this thread
                    errors.append(error)
            Trade.session.remove()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        assert errors == []
        assert set(get_values()) == {"a", "b", "c"}
        assert len(CustomDataWrapper.get_custom_data(trade_id=1)) == 3

    def test_reset_leaves_the_database_alone(self) -> None:
        """Forgetting is for backtests."""
        set_value("key", 5)
        CustomDataWrapper.reset_custom_data()
        assert get_values() == {"key": 5}

    def test_stored_form(self) -> None:
        """The columns hold type and text, readable for other programs."""
        set_value("flag", True)
        set_value("list", [1, "a"])
        entries = CustomDataWrapper.get_custom_data(trade_id=1)
        assert [(e.cd_type, e.cd_value) for e in entries] == [("bool", "True"), ("list", json.dumps([1, "a"]))]
        assert [e.updated_at for e in entries] == [None, None]
