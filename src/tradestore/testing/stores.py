"""A store for one test, and memory for one test: whatever was open or in use before is so again afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import QueuePool

from tradestore._engine import retire
from tradestore._session import bind, bound_engine, scoped
from tradestore.custom_data import CustomDataWrapper
from tradestore.local_pairlock_middleware import LocalPairLocks
from tradestore.local_trade import LocalTrade
from tradestore.models import init_db
from tradestore.pairlock_middleware import PairLocks
from tradestore.store import Store
from tradestore.trade_model import Trade
from tradestore.usedb_context import FtNoDBContext, disable_database_use, enable_database_use

__all__ = ["empty_memory", "memory_mode", "opened_store"]


@contextmanager
def opened_store(db_url: str, **options: Any) -> Iterator[Store]:
    """Open a database for a block, and let all models use it.

    Args:
        db_url: As for :func:`tradestore.init_db`.
        **options: The others of its arguments.

    Raises:
        AssertionError: If a connection was not given back when the block ended.
    """
    before = bound_engine()
    bind(None)  # Or the next line would close it for good.
    try:
        with _modes_kept():
            store = init_db(db_url, **options)
            try:
                yield store
                scoped.remove()
                _check_connections(store)
            finally:
                scoped.remove()
                store.close()
    finally:
        others = bound_engine()
        bind(before)
        if others is not None:
            retire(others)


@contextmanager
def memory_mode(timeframe: str = "5m") -> Iterator[None]:
    """Keep trades, locks and custom data in memory during a block, as a backtest does, and empty it at both ends.

    Args:
        timeframe: Pair locks end with a candle of it.
    """
    empty_memory()
    try:
        with FtNoDBContext(timeframe):
            yield
    finally:
        empty_memory()


def empty_memory() -> None:
    """Forget all trades, locks and custom data that are in memory, in either mode."""
    with _modes_kept():
        # Each reset empties only what the mode in force uses.
        disable_database_use(PairLocks.timeframe)
        LocalTrade.reset_trades()
        PairLocks.reset_locks()
        LocalPairLocks.reset_locks()
        CustomDataWrapper.reset_custom_data()


@contextmanager
def _modes_kept() -> Iterator[None]:
    """Use the database in the block, and afterwards what was used before."""
    before = (PairLocks.timeframe, Trade.use_db, PairLocks.use_db, CustomDataWrapper.use_db)
    enable_database_use()
    try:
        yield
    finally:
        PairLocks.timeframe, Trade.use_db, PairLocks.use_db, CustomDataWrapper.use_db = before


def _check_connections(store: Store) -> None:
    pool = store.engine.pool
    if isinstance(pool, QueuePool) and pool.checkedout():  # The other pools don't count.
        msg = (
            f"{pool.checkedout()} connections of {store.url} were not given back. End each thread that used the "
            "models, or call Trade.session.remove() in it, and close what you opened on the engine."
        )
        raise AssertionError(msg)
