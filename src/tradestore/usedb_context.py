"""Switching between the database and memory, for trades, pair locks and custom data together."""

from types import TracebackType

from tradestore.custom_data import CustomDataWrapper
from tradestore.pairlock_middleware import PairLocks
from tradestore.trade_model import Trade

__all__ = ["FtNoDBContext", "disable_database_use", "enable_database_use"]


def disable_database_use(timeframe: str) -> None:
    """Keep trades, locks and custom data in memory from now on.

    Args:
        timeframe: Pair locks end with a candle of it, such as ``5m``.
    """
    _switch(timeframe, use_db=False)


def enable_database_use() -> None:
    """Keep trades, locks and custom data in the database from now on."""
    _switch("", use_db=True)


class FtNoDBContext:
    """A block during which trades, locks and custom data are kept in memory; afterwards all is as it was before."""

    def __init__(self, timeframe: str = "") -> None:
        """Prepare the block.

        Args:
            timeframe: Pair locks end with a candle of it, such as ``5m``.
        """
        self._timeframe = timeframe
        self._before: list[tuple[str, bool, bool, bool]] = []

    def __enter__(self) -> None:
        """Begin to use memory."""
        self._before.append((PairLocks.timeframe, Trade.use_db, PairLocks.use_db, CustomDataWrapper.use_db))
        disable_database_use(self._timeframe)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        """Go back to what was used before."""
        PairLocks.timeframe, Trade.use_db, PairLocks.use_db, CustomDataWrapper.use_db = self._before.pop()


def _switch(timeframe: str, *, use_db: bool) -> None:
    PairLocks.use_db = Trade.use_db = CustomDataWrapper.use_db = use_db
    PairLocks.timeframe = timeframe
