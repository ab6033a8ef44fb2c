"""Trades that live in memory, as a backtest makes them."""

from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from tradestore._clock import as_utc
from tradestore.accounting._decimal import exact_sum
from tradestore.exceptions import InvalidValue

if TYPE_CHECKING:
    from tradestore.local_trade import LocalTrade

_T = TypeVar("_T")

_NEVER = datetime.min.replace(tzinfo=UTC)


class _OpenTrades:
    """Open trades in the order in which they were opened; opening or closing one costs the same whatever the others."""

    def __init__(self) -> None:
        self._trades: dict[int, LocalTrade] = {}
        self._listed: list[LocalTrade] | None = None

    def __len__(self) -> int:
        return len(self._trades)

    @property
    def trades(self) -> list["LocalTrade"]:
        """A list that later changes replace instead of changing it."""
        if self._listed is None:
            self._listed = list(self._trades.values())
        return self._listed

    def add(self, trade: "LocalTrade") -> bool:
        """Take in a trade; tell whether it was not there yet."""
        if id(trade) in self._trades:
            return False
        self._trades[id(trade)] = trade
        self._listed = None
        return True

    def remove(self, trade: "LocalTrade") -> bool:
        self._listed = None
        return self._trades.pop(id(trade), None) is not None


class _ClosedTrades:
    """Closed trades in the order in which they were closed, found by date without a search."""

    def __init__(self) -> None:
        self.trades: list[LocalTrade] = []
        self._by_date: list[LocalTrade] = []
        self._dates: list[datetime] = []

    def append(self, trade: "LocalTrade") -> None:
        closed = trade.close_date_utc or _NEVER
        place = bisect_right(self._dates, closed)
        self.trades.append(trade)
        self._by_date.insert(place, trade)
        self._dates.insert(place, closed)

    def after(self, moment: datetime) -> list["LocalTrade"]:
        return self._by_date[bisect_right(self._dates, moment) :]


class TradeBook:
    """All trades of a backtest, apart by open and closed, the open ones by pair as well.

    The lists of open trades are replaced instead of changed: whoever walks over one while trades open and close sees
    the trades that were open when the walk began.

    Attributes:
        open_by_pair: The open ones of each pair; an empty list for a pair without any.
        total_profit: Of those that were closed here, in stake currency.
    """

    def __init__(self) -> None:
        """Start without trades."""
        self.clear()

    def clear(self) -> None:
        """Forget all trades."""
        self._closed = _ClosedTrades()
        self._closed_by_pair: defaultdict[str, _ClosedTrades] = defaultdict(_ClosedTrades)
        self._open = _OpenTrades()
        self.open_by_pair: defaultdict[str, list[LocalTrade]] = defaultdict(list)
        self.total_profit = 0.0

    @property
    def closed(self) -> list["LocalTrade"]:
        """The closed trades, in the order in which they were closed."""
        return self._closed.trades

    @property
    def open(self) -> list["LocalTrade"]:
        """The open trades, in the order in which they were opened."""
        return self._open.trades

    @property
    def open_count(self) -> int:
        """How many trades are open."""
        return len(self._open)

    def add(self, trade: "LocalTrade") -> None:
        """Take in a trade; one that is closed already adds nothing to the profit, one that is here already nothing."""
        if trade.is_open:
            if not self._open.add(trade):
                return
            self.open_by_pair[trade.pair] = [*self.open_by_pair[trade.pair], trade]
        else:
            self._take_closed(trade)

    def close(self, trade: "LocalTrade") -> None:
        """Move a trade that was closed from the open to the closed ones, and count its profit.

        Raises:
            InvalidValue: If it is not among the open ones.
        """
        self.remove(trade)
        self._take_closed(trade)
        self.total_profit = exact_sum((self.total_profit, trade.close_profit_abs))

    def remove(self, trade: "LocalTrade") -> None:
        """Forget an open trade, as after a cancelled entry.

        Raises:
            InvalidValue: If it is not among the open ones.
        """
        if not self._open.remove(trade):
            msg = f"{trade} is not among the open trades: add_bt_trade() takes it in, close_bt_trade() only once out."
            raise InvalidValue(msg)
        self.open_by_pair[trade.pair] = [t for t in self.open_by_pair[trade.pair] if t is not trade]

    def select(
        self,
        *,
        pair: str | None = None,
        is_open: bool | None = None,
        open_date: datetime | None = None,
        close_date: datetime | None = None,
    ) -> list["LocalTrade"]:
        """Return the matching trades by id, as a list of their own.

        Args:
            pair: Of this pair only.
            is_open: Only open or only closed ones.
            open_date: Only those opened later (UTC).
            close_date: Only those closed later (UTC), which open ones never are.
        """
        candidates: list[LocalTrade] = []
        if is_open is not True:
            closed = self._closed if pair is None else self._closed_by_pair.get(pair, _ClosedTrades())
            candidates += closed.trades if close_date is None else closed.after(as_utc(close_date))
        if is_open is not False and close_date is None:
            candidates += self.open if pair is None else self.open_by_pair.get(pair, [])
        if open_date is not None:
            opened_after = as_utc(open_date)
            candidates = [t for t in candidates if t.open_date_utc > opened_after]
        return sorted(candidates, key=lambda t: t.id or 0)

    def _take_closed(self, trade: "LocalTrade") -> None:
        self._closed.append(trade)
        self._closed_by_pair[trade.pair].append(trade)


class BookView(Generic[_T]):
    """A class attribute that shows the present state of the one book, under the name that backtests read."""

    def __init__(self, book: TradeBook, attribute: str) -> None:
        """Show the named attribute of the book."""
        self._book = book
        self._attribute = attribute

    def __get__(self, instance: object, owner: type | None = None) -> _T:
        """Read it from the book."""
        value: _T = getattr(self._book, self._attribute)
        return value
