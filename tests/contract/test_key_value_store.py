"""Settings and marks of the bot: types, exact keys, and one row per key whoever writes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select

from tests.builders import store, trade
from tests.contract.conftest import Watch
from tradestore import KeyValueStore, KeyValueStoreModel, Trade
from tradestore.exceptions import DependencyException, InvalidValue
from tradestore.key_value_store import set_startup_time

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
VALUES: list[Any] = [
    "text",
    "",
    "Ünïcode 🚀 'quoted'",
    "x" * 255,
    MOMENT,
    0.1 + 0.2,
    1e-300,
    0,
    -1,
    2**31,
    1741600000000,
    2**63 - 1,
    -(2**63),
    True,
    False,
]
MISFITS: list[tuple[str, Any]] = [
    ("", 1),
    ("k" * 51, 1),
    ("key", "x" * 256),
    ("key", "nul\0"),
    ("nul\0", 1),
    ("key", 2**63),
    ("key", -(2**63) - 1),
    ("key", float("nan")),
    ("key", float("inf")),
]
WRITERS = 8
WRITER_PROGRAM = """
import sys
from tradestore import KeyValueStore, init_db
url, name = sys.stdin.read().split()
database = init_db(url)
for number in range(10):
    KeyValueStore.store_value("shared", f"{name}-{number}")
    KeyValueStore.store_value("shared " + str(number), name)
database.close()
"""


def _rows() -> Any:
    return Trade.session.scalar(select(func.count(KeyValueStoreModel.id)))


def test_values_come_back_with_their_types(database) -> None:
    """Text, moment, float, whole number and truth value come back equal, and as what they were."""
    for number, value in enumerate(VALUES):
        KeyValueStore.store_value(f"key {number}", value)
    Trade.session.remove()
    read = [KeyValueStore.get_value(f"key {number}") for number in range(len(VALUES))]
    assert read == VALUES
    assert [type(value) for value in read] == [type(value) for value in VALUES]


def test_question_for_a_type(database) -> None:
    """A value is given out by the question for its type only; the others say None, as for a missing key."""
    values: dict[str, Any] = {"str": "5", "datetime": MOMENT, "float": 5.0, "int": 5, "bool": True}
    for key, value in values.items():
        KeyValueStore.store_value(key, value)
    questions = {
        "str": KeyValueStore.get_string_value,
        "datetime": KeyValueStore.get_datetime_value,
        "float": KeyValueStore.get_float_value,
        "int": KeyValueStore.get_int_value,
    }
    answers = {(asked, key): ask(key) for asked, ask in questions.items() for key in [*questions, "bool", "missing"]}
    known = {("str", "str"): "5", ("datetime", "datetime"): MOMENT, ("float", "float"): 5.0, ("int", "int"): 5}
    assert {pair: answer for pair, answer in answers.items() if answer is not None} == known


def test_type_changes_with_the_value(database) -> None:
    """The new value counts, in one row, and nothing of the former one is left in its column."""
    for value in (1, "text", MOMENT, 0.5, True, 7):
        KeyValueStore.store_value("key", value)
        assert KeyValueStore.get_value("key") == value
        assert type(KeyValueStore.get_value("key")) is type(value)
    row = Trade.session.scalars(select(KeyValueStoreModel)).one()
    assert (row.string_value, row.datetime_value, row.float_value, row.int_value) == (None, None, None, 7)


def test_keys_are_exact(database) -> None:
    """Case, blanks and wildcards make keys different."""
    keys = ["key", "Key", "KEY", "key ", " key", "ke_", "ke%", "%", "kéy", "k" * 50]
    for number, key in enumerate(keys):
        KeyValueStore.store_value(key, number)
    assert [KeyValueStore.get_value(key) for key in keys] == list(range(len(keys)))
    KeyValueStore.delete_value("%")
    assert [KeyValueStore.get_value(key) is None for key in keys] == [key == "%" for key in keys]


def test_missing_key(database) -> None:
    """A missing key has no value, and can be deleted."""
    KeyValueStore.delete_value("missing")
    assert KeyValueStore.get_value("missing") is None
    assert (KeyValueStoreModel.get("missing"), KeyValueStoreModel.get("missing", 5)) == (None, 5)


def test_short_form(database) -> None:
    """The model's own methods do the same."""
    KeyValueStoreModel.set("key", False)
    assert KeyValueStoreModel.get("key", True) is False
    KeyValueStoreModel.delete("key")
    assert KeyValueStoreModel.get("key", 5) == 5


def test_other_types_are_refused(database) -> None:
    """The error names the type that was given, and the key keeps what it had."""
    KeyValueStore.store_value("key", 1)
    others: list[Any] = [None, b"bytes", [1], {"a": 1}, object(), 1j, timedelta(1)]
    for value in others:
        with pytest.raises(ValueError, match=type(value).__name__):
            KeyValueStore.store_value("key", value)
    assert KeyValueStore.get_value("key") == 1


def test_what_does_not_fit_is_refused(database, statements: Watch) -> None:
    """What one engine couldn't hold is refused on all of them before the database is asked."""
    with statements() as sent:
        for key, value in MISFITS:
            with pytest.raises(InvalidValue) as caught:
                KeyValueStore.store_value(key, value)
            assert isinstance(caught.value, DependencyException)
    assert sent == []
    KeyValueStore.store_value("after", 1)
    assert _rows() == 1


def test_writing_takes_changes_of_others_along_or_fails_alone(database) -> None:
    """A refused value leaves the pending trade alone; it is stored by its own commit."""
    record = trade()
    Trade.session.add(record)
    with pytest.raises(InvalidValue):
        KeyValueStore.store_value("key", None)  # type: ignore[arg-type]  # as a bug would
    Trade.commit()
    assert Trade.get_open_trade_count() == 1


@pytest.mark.needs("persistent")
def test_one_row_per_key_under_concurrent_threads(database) -> None:
    """Eight threads that store the same new key at once all succeed, and leave one row with one of their values."""
    for number in range(5):
        barrier = Barrier(WRITERS)

        def write(writer: int, key: str = f"key {number}", barrier: Barrier = barrier) -> None:
            barrier.wait(20)
            KeyValueStore.store_value(key, writer)
            Trade.session.remove()

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        assert KeyValueStore.get_int_value(f"key {number}") in range(WRITERS)
    assert _rows() == 5


@pytest.mark.needs("persistent")
def test_one_row_per_key_under_concurrent_processes(database, store_url) -> None:
    """Four processes that open the database and store the same keys at once all succeed."""
    command = [sys.executable, "-c", WRITER_PROGRAM]
    programs = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for number, program in enumerate(programs):
        assert program.stdin
        # A server that is not durable would be complained of.
        program.stdin.write(f"{store_url}?durability=normal writer{number}")
        program.stdin.close()
    for program in programs:
        assert program.stderr
        with program.stderr:
            complaint = program.stderr.read()
        assert (program.wait(60), complaint) == (0, "")
    assert str(KeyValueStore.get_value("shared")).endswith("-9")
    assert _rows() == 11


def test_start_of_the_bot(database) -> None:
    """The first start is noted once, the latest each time."""
    with time_machine.travel(MOMENT, tick=False):
        set_startup_time()
    with time_machine.travel(MOMENT + timedelta(days=1), tick=False):
        set_startup_time()
    assert KeyValueStore.get_datetime_value("bot_start_time") == MOMENT
    assert KeyValueStore.get_datetime_value("startup_time") == MOMENT + timedelta(days=1)


def test_start_of_a_bot_with_older_trades(database) -> None:
    """A database without the note has been in use since its first trade."""
    store(trade(open_date=MOMENT - timedelta(days=2)), trade(open_date=MOMENT - timedelta(days=3)))
    with time_machine.travel(MOMENT, tick=False):
        set_startup_time()
    assert KeyValueStore.get_datetime_value("bot_start_time") == MOMENT - timedelta(days=3)
