"""Where a backtest keeps its trades: in memory or in a database. The engine is the same for both.

A book names the classes that the engine builds with and tells how to store what was built. All else is the same on
both sides, because ``Trade`` is a ``LocalTrade``, ``Order`` a ``LocalOrder``, and ``PairLocks`` a ``LocalPairLocks``.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import TYPE_CHECKING

import tradestore
from tradestore import LocalOrder, LocalPairLock, LocalPairLocks, LocalTrade

if TYPE_CHECKING:
    from tradestore import Database


class MemoryBook:
    """Plain objects: nothing here loads SQLAlchemy.

    Attributes:
        trade_class: What trades are made of; it answers what the engine asks about all of them, too.
        order_class: What orders are made of.
        locks: Makes and finds locks.
    """

    trade_class: type[LocalTrade] = LocalTrade
    order_class: type[LocalOrder] = LocalOrder
    locks: type[LocalPairLocks] = LocalPairLocks

    def __init__(self, timeframe: str) -> None:
        """Forget what an earlier backtest left in memory."""
        LocalTrade.reset_trades()
        LocalPairLocks.reset_locks()
        LocalPairLocks.timeframe = timeframe
        self._numbers = count(1)

    def candle(self) -> AbstractContextManager[object]:
        """Return the block in which all of a candle happens."""
        return nullcontext()

    def add(self, trade: LocalTrade) -> None:
        """Take in a new trade with its first order, and give it its id."""
        trade.id = next(self._numbers)
        LocalTrade.add_bt_trade(trade)

    def close(self, trade: LocalTrade) -> None:
        """Take notice of a trade that was closed."""
        LocalTrade.close_bt_trade(trade)

    def trades(self) -> list[LocalTrade]:
        """Return all trades by id."""
        return list(self.trade_class.get_trades_proxy())

    def all_locks(self) -> Sequence[LocalPairLock]:
        """Return all locks in the order in which they were made."""
        return self.locks.get_all_locks()


class DatabaseBook(MemoryBook):
    """Mapped objects in an open and empty database: what happens within a candle is stored together, or not at all."""

    def __init__(self, timeframe: str, database: "Database") -> None:
        """Use the database that ``init_db`` opened."""
        # Looked up here: whoever stays in memory never loads them.
        self.trade_class = tradestore.Trade
        self.order_class = tradestore.Order
        self.locks = tradestore.PairLocks
        self.locks.timeframe = timeframe
        self._database = database

    def candle(self) -> AbstractContextManager[object]:
        """Return a transaction."""
        return self._database.transaction()

    def add(self, trade: LocalTrade) -> None:
        """Add a new trade with its first order; the database gives it its id."""
        tradestore.Trade.session.add(trade)
        tradestore.Trade.commit()

    def close(self, trade: LocalTrade) -> None:
        """Do nothing: the end of the candle stores what has changed."""
