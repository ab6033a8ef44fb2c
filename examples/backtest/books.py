"""Where a backtest keeps its trades: in memory or in a database. The engine is the same for both.

A book names the classes that the engine builds with and tells how to store what was built. All else is the same on
both sides, because ``Trade`` is a ``LocalTrade``, ``Order`` a ``LocalOrder``, and ``PairLocks`` a ``LocalPairLocks``.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import TYPE_CHECKING

import tradestore
from tradestore import LocalOrder, LocalPairLock, LocalPairLocks, LocalTrade

if TYPE_CHECKING:
    from tradestore import Database


class Book(ABC):
    """Where trades live.

    Attributes:
        trade_class: What trades are made of; it answers what the engine asks about all of them, too.
        order_class: What orders are made of.
        locks: Makes and finds locks.
    """

    trade_class: type[LocalTrade]
    order_class: type[LocalOrder]
    locks: type[LocalPairLocks]

    @abstractmethod
    def candle(self) -> AbstractContextManager[object]:
        """Return the block in which all of a candle happens."""

    @abstractmethod
    def add(self, trade: LocalTrade) -> None:
        """Take in a new trade with its first order, and see that it gets an id."""

    @abstractmethod
    def close(self, trade: LocalTrade) -> None:
        """Take notice of a trade that was closed."""

    def trades(self) -> list[LocalTrade]:
        """Return all trades by id."""
        return list(self.trade_class.get_trades_proxy())

    def all_locks(self) -> list[LocalPairLock]:
        """Return all locks in the order in which they were made."""
        return list(self.locks.get_all_locks())


class MemoryBook(Book):
    """Plain objects: nothing here loads SQLAlchemy."""

    trade_class = LocalTrade
    order_class = LocalOrder
    locks = LocalPairLocks

    def __init__(self, timeframe: str) -> None:
        """Forget what an earlier backtest left in memory."""
        LocalTrade.reset_trades()
        LocalPairLocks.reset_locks()
        LocalPairLocks.timeframe = timeframe
        self._numbers = count(1)

    def candle(self) -> AbstractContextManager[object]:
        """Return a block that does nothing: what happened has happened."""
        return nullcontext()

    def add(self, trade: LocalTrade) -> None:
        """Number the trade, and take it in."""
        trade.id = next(self._numbers)
        LocalTrade.add_bt_trade(trade)

    def close(self, trade: LocalTrade) -> None:
        """Move it to the closed ones."""
        LocalTrade.close_bt_trade(trade)


class DatabaseBook(Book):
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
        """Return a transaction, in which a commit only writes."""
        return self._database.transaction()

    def add(self, trade: LocalTrade) -> None:
        """Write it; the database numbers it."""
        tradestore.Trade.session.add(trade)
        tradestore.Trade.commit()

    def close(self, trade: LocalTrade) -> None:
        """Do nothing: a closed trade is a trade that says so."""
