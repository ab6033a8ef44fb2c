"""A writer that never stops: trades with orders, closing, deleting, custom data, keys, and mixed units of work.

It tells each step before it begins and after it is acknowledged. Where a step ends with an error of the library, the
writer looks, as a bot would, what is stored: all of the step or nothing, and nothing unless the outcome is unknown.
"""

import random
import threading
import time
from collections.abc import Callable
from itertools import count

from sqlalchemy.exc import DBAPIError

from tests.builders import CLOSED, amend, order, trade
from tests.faults.children import Tell, guarded
from tests.faults.diary import State, Told, Word, changed, stored_state
from tradestore import Database, KeyValueStore, Trade, init_db
from tradestore.exceptions import CommitOutcomeUnknown, TradeStoreError

__all__ = ["write_for_ever"]

MOST_TRADES = 12


def write_for_ever(tell: Tell, url: str, threads: int, run: int) -> None:
    """Open the database and write with some threads until the end of the process."""
    database = init_db(url, pool_size=threads + 1)
    telling = threading.Lock()

    def tell_alone(told: Told) -> None:
        with telling:
            tell(told)

    writers = [_Writer(database, tell_alone, f"w{number}", run) for number in range(threads)]
    works = [threading.Thread(target=guarded, args=(tell_alone, writer.write)) for writer in writers]
    for work in works:
        work.start()
    for work in works:
        work.join()


class _Writer:
    """One thread of it, with names of its own."""

    def __init__(self, database: Database, tell: Tell, name: str, run: int) -> None:
        self.database = database
        self.tell = tell
        self.name = name
        self.rng = random.Random(f"{name} {run}")
        self.numbers = count(1)
        self.prefix = f"{name}-{run}"
        self.state: State = {}
        self.steps = (self._open, self._open, self._close, self._delete, self._note, self._key, self._run, self._block)

    def write(self) -> None:
        """Do one step after the other."""
        self.state = self._look()
        while True:
            step = self.rng.choice(self.steps)
            if len(self._tags()) > MOST_TRADES:
                step = self._delete
            elif not self._tags():
                step = self._open
            step()

    def _tags(self) -> list[str]:
        return [name.removeprefix("trade ") for name in self.state if name.startswith("trade ")]

    def _do(self, changes: State, work: Callable[[], object]) -> None:
        self._tell("tries", changes)
        try:
            work()
        except TradeStoreError as error:
            self._settle(changes, error)
            return
        self.state = changed(self.state, changes)
        self._tell("stored", changes)

    def _tell(self, word: Word, changes: State, error: str = "") -> None:
        self.tell((word, self.name, changes, error))

    def _settle(self, changes: State, error: TradeStoreError) -> None:
        """Find out what became of a step."""
        stored = self._look()
        possible = [self.state]
        if isinstance(error, CommitOutcomeUnknown):
            possible.append(changed(self.state, changes))
        assert stored in possible, f"{error!r}, but {changes} made of {self.state}: {stored}"
        self._tell("failed", changes if stored != self.state else {}, type(error).__name__)
        self.state = stored

    def _look(self) -> State:
        is_standard = self.database.engine.dialect.name not in {"mysql", "mariadb"}
        while True:
            try:
                Trade.rollback()
                return stored_state(Trade.session.execute, f"{self.name}-", standard_quotes=is_standard)
            except (TradeStoreError, DBAPIError):
                time.sleep(0.05)

    def _new_tag(self) -> str:
        return f"{self.prefix}-{next(self.numbers)}"

    def _new_trade(self, tag: str) -> Trade:
        result = trade(enter_tag=tag)
        result.orders.append(order(order_id=tag))
        return result

    def _found(self, tag: str) -> Trade:
        return Trade.get_trades(Trade.enter_tag == tag).one()

    def _open(self) -> None:
        tag = self._new_tag()

        def work() -> None:
            Trade.session.add(self._new_trade(tag))
            Trade.commit()

        self._do({f"trade {tag}": (1, True)}, work)

    def _close(self) -> None:
        tag = self.rng.choice(self._tags())
        orders, _ = self.state[f"trade {tag}"]

        def work() -> None:
            found = self._found(tag)
            found.orders.append(order(order_id=self._new_tag(), ft_order_side="sell"))
            amend(found, is_open=False, close_date=CLOSED)
            Trade.commit()

        self._do({f"trade {tag}": (orders + 1, False)}, work)

    def _delete(self) -> None:
        tag = self.rng.choice(self._tags())
        self._do({f"trade {tag}": None, f"data {tag}": None}, lambda: self._found(tag).delete())

    def _note(self) -> None:
        tag, value = self.rng.choice(self._tags()), self.rng.randrange(10**6)
        self._do({f"data {tag}": value}, lambda: self._found(tag).set_custom_data("n", value))

    def _key(self) -> None:
        key, value = f"{self.name}-{self.rng.randrange(5)}", self.rng.randrange(10**6)
        self._do({f"key {key}": value}, lambda: KeyValueStore.store_value(key, value))

    def _run(self) -> None:
        changes, work = self._mixed()
        self._do(changes, lambda: self.database.run(lambda _session: work()))

    def _block(self) -> None:
        changes, work = self._mixed()

        def in_block() -> None:
            with self.database.transaction():
                work()

        self._do(changes, in_block)

    def _mixed(self) -> tuple[State, Callable[[], object]]:
        """Return a step of many changes: a new trade, an order more for another one, its data, and a key."""
        new, old, key = self._new_tag(), self.rng.choice(self._tags()), f"{self.name}-unit"
        value = self.rng.randrange(10**6)
        orders, is_open = self.state[f"trade {old}"]

        def work() -> None:
            Trade.session.add(self._new_trade(new))
            found = self._found(old)
            found.orders.append(order(order_id=self._new_tag()))
            found.set_custom_data("n", value)
            KeyValueStore.store_value(key, value)
            Trade.commit()

        return {
            f"trade {new}": (1, True),
            f"trade {old}": (orders + 1, is_open),
            f"data {old}": value,
            f"key {key}": value,
        }, work
