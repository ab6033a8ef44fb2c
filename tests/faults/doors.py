"""Every door by which something is stored, and what must be there after those calls that raised nothing."""

from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

from sqlalchemy import func, select

from tests.builders import CLOSED, OPENED, local_order, local_trade, order, store, trade_with_entry
from tradestore import CustomDataWrapper, Database, KeyValueStore, ModelBase, Order, PairLocks, Trade

__all__ = ["Doors"]

_TEXT = "x" * 250
_ROWS = {
    "Trade.commit": {"trades": 1, "orders": 2},
    "KeyValueStore.store_value": {"KeyValueStore": 1},
    "PairLocks.lock_pair": {"pairlocks": 1},
    "set_custom_data": {"trade_custom_data": 1},
    "Trade.bulk_add": {"trades": 3, "orders": 3},
    "Database.transaction": {"trades": 1, "orders": 2, "KeyValueStore": 1},
    "Database.run": {"trades": 1, "orders": 2, "KeyValueStore": 1},
}
"""How many rows of which table each call stores."""


class Doors:
    """The doors of an empty database, which is given one trade."""

    def __init__(self, database: Database) -> None:
        """Store the trade."""
        self.database = database
        self._numbers = count(1)
        first = trade_with_entry()
        store(first)
        self._trade_id = first.id
        self._rows = Counter({"trades": 1, "orders": 1})
        self._doors: dict[str, Callable[[], object]] = {
            "Trade.commit": self._commit,
            "KeyValueStore.store_value": self._set_key,
            "PairLocks.lock_pair": lambda: PairLocks.lock_pair(f"P{self._number()}/USDT", CLOSED, _TEXT, now=OPENED),
            "set_custom_data": lambda: CustomDataWrapper.set_custom_data(self._trade_id, self._number(), _TEXT * 9),
            "Trade.bulk_add": self._add_many,
            "Database.transaction": self._in_block,
            "Database.run": lambda: self.database.run(lambda _session: self._mixed(), attempts=2),
        }

    def errors(self, *, calls: int = 1) -> dict[str, type[BaseException] | None]:
        """Go through each door until it raises; return the type of what it raised, None after so many calls."""
        return {name: self._error_of(name, calls) for name in self._doors}

    def store_in_run(self) -> None:
        """Store something by `Database.run`, with all the attempts that it makes."""
        self.database.run(lambda _session: self._mixed())
        self._rows.update(_ROWS["Database.run"])

    def check(self) -> None:
        """Compare the rows that are stored with those of the calls that raised nothing.

        Raises:
            AssertionError: If a row is missing, or one is there of a call that raised.
        """
        Trade.session.remove()
        stored = {
            name: Trade.session.scalar(select(func.count()).select_from(ModelBase.metadata.tables[name]))
            for name in self._rows
        }
        assert stored == dict(self._rows)
        with_orders = select(Order.ft_trade_id)
        assert Trade.session.scalars(select(Trade.id).where(Trade.id.not_in(with_orders))).all() == []
        Trade.session.remove()  # A transaction that began under a fault would keep it.

    def read(self) -> None:
        """Read what is there."""
        assert Trade.get_trades(Trade.id == self._trade_id).one().orders != []
        assert KeyValueStore.get_value("missing") is None
        Trade.session.remove()

    def _error_of(self, name: str, calls: int) -> type[BaseException] | None:
        for _ in range(calls):
            try:
                self._doors[name]()
            except Exception as error:  # noqa: BLE001 - all are compared together
                return type(error)
            self._rows.update(_ROWS[name])
        return None

    def _number(self) -> str:
        return str(next(self._numbers))

    def _commit(self) -> None:
        Trade.session.add(trade_with_entry(enter_tag=_TEXT))
        Trade.session.add(order(ft_trade_id=self._trade_id, ft_order_tag=_TEXT))
        Trade.commit()

    def _set_key(self) -> None:
        KeyValueStore.store_value(self._number(), _TEXT)

    def _mixed(self) -> None:
        self._commit()
        self._set_key()

    def _in_block(self) -> None:
        with self.database.transaction():
            self._mixed()

    def _add_many(self) -> None:
        trades: list[Any] = [local_trade(enter_tag=_TEXT) for _ in range(3)]
        for one in trades:
            one.orders.append(local_order())
        Trade.bulk_add(trades)
