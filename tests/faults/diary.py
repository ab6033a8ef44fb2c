"""What a writer was doing, step by step: told before and after each step, so that a kill can be judged.

A step is a set of changes that are stored together: what each named thing is afterwards, None for gone. The diary is
compared with all that is stored: it is what the acknowledged steps made of it, with or without the whole of the one
step that was under way.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import create_engine, text

from tradestore._engine import check_url

__all__ = ["Diary", "State", "Told", "Word", "changed", "is_whole", "state_at", "stored_state"]

State = dict[str, Any]
Word = Literal["tries", "stored", "failed"]
Told = tuple[Word, str, State, str]
"""What happened, to whom, the step's changes, and the name of the error that it ended with.

A step that failed is told with the changes that are there in spite of it: all of them or none.
"""

_TRADES = "SELECT id, enter_tag, is_open FROM trades WHERE enter_tag LIKE :owned"
_ORDERS = "SELECT ft_trade_id, count(*) FROM orders GROUP BY ft_trade_id"
_DATA = (
    "SELECT t.enter_tag, d.cd_value FROM trade_custom_data d JOIN trades t ON t.id = d.ft_trade_id "
    "WHERE t.enter_tag LIKE :owned"
)
_KEYS = {
    True: 'SELECT "key", int_value FROM "KeyValueStore" WHERE "key" LIKE :owned',
    False: "SELECT `key`, int_value FROM `KeyValueStore` WHERE `key` LIKE :owned",
}


def stored_state(execute: Callable[..., Iterable[Any]], owner: str = "", *, standard_quotes: bool = True) -> State:
    """Return all that is stored of an owner's, of everybody's without one.

    Args:
        execute: Of a session or connection.
        owner: Whose names begin with it.
        standard_quotes: Whether the engine quotes names as the standard says.
    """
    owned = {"owned": f"{owner}%"}
    orders = dict(tuple(row) for row in execute(text(_ORDERS)))
    state: State = {}
    for trade_id, tag, is_open in execute(text(_TRADES), owned):
        state[f"trade {tag}"] = (orders.pop(trade_id, 0), bool(is_open))
    for tag, value in execute(text(_DATA), owned):
        state[f"data {tag}"] = int(value)
    for key, value in execute(text(_KEYS[standard_quotes]), owned):
        state[f"key {key}"] = value
    if not owner and orders:
        state["orders without a trade"] = orders
    return state


def state_at(url: str) -> State:
    """Return all that is stored in a database, read without the library's session."""
    engine = create_engine(check_url(url))
    try:
        with engine.connect() as connection:
            return stored_state(connection.execute, standard_quotes=engine.dialect.name not in {"mysql", "mariadb"})
    finally:
        engine.dispose()


def changed(state: Mapping[str, Any], changes: Mapping[str, Any]) -> State:
    """Return the state after a step."""
    after = {**state, **changes}
    return {name: value for name, value in after.items() if value is not None}


def is_whole(state: State) -> bool:
    """Tell whether every trade has an order: none is stored without."""
    return all(value[0] >= 1 for name, value in state.items() if name.startswith("trade "))


@dataclass
class Diary:
    """What writers told.

    Attributes:
        state: What must be stored, but for the steps under way.
        tried: Steps under way, by writer.
        steps: How many were acknowledged.
        errors: How often a step ended with an error, by its name.
        found: How many of those steps were stored all the same.
    """

    state: State = field(default_factory=dict)
    tried: dict[str, State] = field(default_factory=dict)
    steps: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    found: int = 0

    def note(self, told: Told) -> None:
        """Take in what a writer told."""
        word, writer, changes, error = told
        if word == "tries":
            self.tried[writer] = changes
            return
        self.state = changed(self.state, changes)
        del self.tried[writer]
        if word == "stored":
            self.steps += 1
        else:
            self.errors[error] = self.errors.get(error, 0) + 1
            self.found += bool(changes)

    def check(self, stored: State) -> None:
        """Compare all that is stored with the diary, which then goes on from there.

        Raises:
            AssertionError: If something acknowledged is not there, something else is, or half a step is.
        """
        assert is_whole(stored)
        expected = self.state
        for changes in self.tried.values():
            if changed(stored, changes) == stored:
                expected = changed(expected, changes)
        assert stored == expected
        self.state, self.tried = stored, {}
