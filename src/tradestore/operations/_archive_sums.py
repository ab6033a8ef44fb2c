"""What archived trades brought, summed up by all that reports ask for."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, insert, select

from tradestore._archive_model import ArchivedProfit
from tradestore._clock import as_naive_utc
from tradestore._performance import cost_of, invested_in_trade, orders_table, trades_table
from tradestore.exceptions import ArchiveError

__all__ = ["Sums"]

_GROUP: Final = ("exchange", "pair", "stake_currency", "strategy", "is_short", "enter_tag", "exit_reason")
_ADDENDS: Final = ("close_profit", "close_profit_abs", "invested", "volume", "stake_amount")
_Key = tuple[Any, ...]


class Sums:
    """Sums of trades, exact until they are stored."""

    def __init__(self) -> None:
        """Begin without trades."""
        self._trades: defaultdict[_Key, int] = defaultdict(int)
        self._wins: defaultdict[_Key, int] = defaultdict(int)
        self._sums: defaultdict[tuple[_Key, str], Decimal] = defaultdict(Decimal)

    def add(self, connection: Connection, ids: Sequence[int]) -> None:
        """Add closed trades of a store, or of an archive.

        Args:
            connection: Sees them.
            ids: Few enough for one statement.

        Raises:
            ArchiveError: If a number is infinite or none.
        """
        for row in connection.execute(_query(ids)):
            self._add(row)

    def store(self, connection: Connection, archive_id: int) -> None:
        """Write the sums of all trades that were added.

        Args:
            connection: To the store, within a transaction.
            archive_id: Where the trades are.
        """
        rows = [*self._rows(archive_id)]
        if rows:
            connection.execute(insert(ArchivedProfit.__table__), rows)  # type: ignore[arg-type]

    def _add(self, row: Row[Any]) -> None:
        day = as_naive_utc(row.close_date).replace(hour=0, minute=0, second=0, microsecond=0)
        key = (*(getattr(row, name) for name in _GROUP), day)
        self._trades[key] += 1
        self._wins[key] += (row.close_profit_abs or 0.0) > 0
        for name in _ADDENDS:
            value = Decimal(repr(getattr(row, name) or 0.0))
            if not value.is_finite():
                msg = (
                    f"Trade {row.id} cannot be archived: its {name} is {value}, which no sum could keep. Look at it "
                    "with `tradestore doctor`, and correct it first."
                )
                raise ArchiveError(msg)
            self._sums[key, name] += value

    def _rows(self, archive_id: int) -> Iterable[Mapping[str, Any]]:
        for key, trades in self._trades.items():
            yield {
                "archive_id": archive_id,
                **dict(zip((*_GROUP, "closed_on"), key, strict=True)),
                "trades": trades,
                "wins": self._wins[key],
                **{name: float(self._sums[key, name]) for name in _ADDENDS},
            }


def _query(ids: Sequence[int]) -> Select[Any]:
    trades, orders = trades_table(), orders_table().alias("placed")
    is_filled = (orders.c.ft_trade_id == trades.c.id) & (orders.c.filled > 0)
    volume = select(func.sum(cost_of(orders))).where(is_filled).correlate(trades).scalar_subquery()
    return select(
        trades.c.id,
        *(trades.c[name] for name in (*_GROUP, "close_date", "close_profit", "close_profit_abs", "stake_amount")),
        invested_in_trade().label("invested"),
        volume.label("volume"),
    ).where(trades.c.id.in_(ids))
