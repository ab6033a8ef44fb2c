"""What a commit costs: the statements it sends, and the calls it takes to send them. Time is not measured here."""

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import event

import tradestore
from tests.builders import order, trade
from tests.capabilities import Backend
from tests.contract.conftest import Watch
from tradestore import Trade

OWN_CODE = str(Path(tradestore.__file__).parent)

# Calls of tradestore's own functions, about 15 % above what they are. For a server more values are prepared.
NEW_TRADE_CALLS = {True: 185, False: 250}
CHANGE_CALLS = 71
EMPTY_CALLS = 16


def _new_trade() -> Trade:
    record = trade()
    record.orders += [order(), order(ft_order_side="sell")]
    return record


def _store_new_trade() -> None:
    Trade.session.add(_new_trade())
    Trade.commit()


def _starts(statements: list[str]) -> list[str]:
    return [" ".join(statement.split()[:3]).partition(" (")[0] for statement in statements]


def _calls(work: Callable[[], object]) -> tuple[int, int]:
    """Return how many calls of Python functions some work takes, of tradestore's and of all."""
    files: list[str] = []

    def note(frame: FrameType, what: str, _argument: Any) -> None:
        if what == "call":
            files.append(frame.f_code.co_filename)

    gc.disable()  # What others left behind would call its finalizers in between.
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return sum(file.startswith(OWN_CODE) for file in files), len(files)


def test_new_trade_costs_one_statement_for_each_row_or_table(database, backend: Backend, statements: Watch) -> None:
    """Nothing is asked but the limits on open trades; where a statement is a journey, orders travel together."""
    with statements() as sent:
        _store_new_trade()
    orders = 1 if backend.networked else 2
    assert _starts(sent[:-1]) == ["INSERT INTO trades", *["INSERT INTO orders"] * orders]
    assert "trade_limits" in sent[-1]


def test_recalculation_that_changes_nothing_writes_nothing(database, statements: Watch) -> None:
    """Loading a trade and computing it anew is no reason to write it."""
    record = trade(leverage=4.0)
    record.orders.append(order())
    record.recalc_trade_from_orders()
    Trade.session.add(record)
    Trade.commit()
    Trade.session.remove()
    found = Trade.get_open_trades()[0]
    with statements() as sent:
        found.recalc_trade_from_orders()
        Trade.commit()
    assert sent == []


def test_change_costs_one_statement(database, statements: Watch) -> None:
    """Only the columns that changed are sent."""
    _store_new_trade()
    record = Trade.get_open_trades()[0]
    with statements() as sent:
        record.max_rate, record.min_rate, record.stop_loss = 25.0, 18.0, 19.0
        Trade.commit()
    assert _starts(sent) == ["UPDATE trades SET"]
    assert {"max_rate", "min_rate", "stop_loss"} == {part.split("=")[0] for part in _set_part(sent[0]).split(", ")}


def _set_part(statement: str) -> str:
    return statement.partition(" SET ")[2].partition(" WHERE ")[0].strip()


def test_commit_without_a_change_costs_nothing(database, statements: Watch) -> None:
    """Neither with an empty session nor with values that are what they were."""
    _store_new_trade()
    record = Trade.get_open_trades()[0]
    Trade.commit()
    with statements() as sent:
        Trade.commit()
        record.stake_amount, record.is_open = 200.0, True
        Trade.commit()
    assert sent == []


def test_like_changes_go_together(database, statements: Watch) -> None:
    """However many trades get new values in the same columns, it is one statement."""
    for _ in range(4):
        Trade.session.add(_new_trade())
    Trade.commit()
    records = Trade.get_open_trades()
    with statements() as sent:
        for number, record in enumerate(records):
            record.max_rate = 30.0 + number
        Trade.commit()
    assert _starts(sent) == ["UPDATE trades SET"]
    Trade.session.remove()
    assert [record.max_rate for record in Trade.get_open_trades()] == [30.0, 31.0, 32.0, 33.0]


@pytest.mark.needs("in_process")
def test_driver_gets_nothing_but_the_transaction(database) -> None:
    """No setting and no savepoint goes along, nor a question but for limits, not even past the engine's events."""
    _store_new_trade()
    told: list[str] = []
    connection: Any = Trade.session.connection().connection.driver_connection
    Trade.commit()
    connection.set_trace_callback(told.append)
    _store_new_trade()
    connection.set_trace_callback(None)
    assert _starts(told) == [
        "BEGIN IMMEDIATE",
        "INSERT INTO trades",
        "INSERT INTO orders",
        "INSERT INTO orders",
        "SELECT trade_limits.max_open_trades, trade_limits.one_per_pair_and_side,",
        "COMMIT",
    ]


def test_own_calls_of_a_commit(database, backend: Backend) -> None:
    """Our own code takes part in each commit; how often is counted."""
    _store_new_trade()
    record = _new_trade()

    def store() -> None:
        Trade.session.add(record)
        Trade.commit()

    rates = iter((25.0, 26.0))

    def change() -> None:
        record.max_rate, record.min_rate, record.stop_loss = next(rates), 18.0, 19.0
        Trade.commit()

    assert _calls(store)[0] <= NEW_TRADE_CALLS[backend.in_process]
    change()  # The first of its kind makes a statement, which is kept.
    assert _calls(change)[0] <= CHANGE_CALLS
    assert _calls(Trade.commit)[0] <= EMPTY_CALLS


@pytest.mark.needs("in_process")
def test_plain_rows_spare_the_unit_of_work(database) -> None:
    """A commit takes less than half of the calls that SQLAlchemy's own way takes, which a listener asks for."""
    costs = []
    for listener in (None, lambda *_: None):
        if listener is not None:
            event.listen(Trade.session(), "before_flush", listener)
        _store_new_trade()
        Trade.session.add(_new_trade())
        costs.append(_calls(Trade.commit)[1])
    assert costs[0] < costs[1] / 2
