"""Finished backtests in the database: stored under a name, listed, read again, deleted.

They have tables of their own, so that no question about real trades ever meets a simulated one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Row, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tradestore._backtest_tables import BACKTEST_ORDERS, BACKTEST_RUNS, BACKTEST_TRADES
from tradestore._bulk import BATCH_SIZE, check_batch_size, insert_rows, store_in_batches
from tradestore._bulk_trades import check_unbound, custom_data_of, per_order
from tradestore._clock import as_utc, utc_now
from tradestore._columns import read_columns, storable_columns
from tradestore._order_model import Order
from tradestore._session import scoped
from tradestore._sqltypes import UtcDateTime, storable
from tradestore.accounting._decimal import ZERO, add, exact
from tradestore.database import unit_of_work
from tradestore.exceptions import DependencyException, InvalidValue
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade
from tradestore.trade_model import Trade

__all__ = ["BacktestRun", "backtest_runs", "delete_backtest", "load_backtest", "store_backtest"]

_TRADE_FIELDS: Final = tuple(column.name for column in Trade.__table__.columns)
_ORDER_FIELDS: Final = tuple(column.name for column in Order.__table__.columns)
_DATES: Final = frozenset(
    column.name
    for table in (BACKTEST_TRADES, BACKTEST_ORDERS)
    for column in table.columns
    if isinstance(column.type, UtcDateTime)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRun:
    """A backtest that is stored.

    Attributes:
        name: Under which it is found.
        stored_at: When it was stored (UTC, with its zone).
        strategy: Of all of its trades, None if they have several.
        timeframe: In minutes, of all of its trades, None if they have several.
        trade_count: How many trades it has.
        total_profit: Of its closed trades, in stake currency.
    """

    name: str
    stored_at: datetime
    strategy: str | None
    timeframe: int | None
    trade_count: int
    total_profit: float


def store_backtest(
    trades: Iterable[LocalTrade],
    *,
    run: str,
    replace: bool = False,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[int], None] | None = None,
) -> BacktestRun:
    """Store the trades of a backtest with their orders: all of them or, if anything fails, none.

    They go into the database also while trades are kept in memory, as they are until a backtest ends. Texts, numbers
    and dates are checked as those of real trades; a field that is None stays None. Their order and their own ids are
    kept. What ``CustomDataWrapper`` keeps in memory is not stored.

    Within a transaction of ``Database`` the backtest is stored at its end, else at the end of the call. The session
    must hold no other changes then, since a failure would take them along.

    Args:
        trades: Plain trades, or mapped ones that are in no session; a generator is read as it goes.
        run: A name for the backtest, of 1 to 100 characters.
        replace: Whether the trades take the place of a backtest with the same name.
        batch_size: How many trades are in memory at once.
        on_progress: Called after each batch with the number of trades written so far.

    Raises:
        InvalidValue: If a value cannot be kept, or something is no trade, or a trade is stored or has custom data.
        DependencyException: If there is a backtest with the name, or the session holds changes that were not committed.
        DatabaseBusy: If the database stayed locked; nothing was stored.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    name = _checked_name(run)
    with unit_of_work(scoped()) as session:
        former = _find(session, name)
        if former is not None and replace:
            _delete(session, former.id)
        elif former is not None:
            msg = (
                f"There is a backtest {name!r} already. Nothing was stored: give another name, or replace=True to "
                "store this one in its place."
            )
            raise DependencyException(msg)
        stored_at = utc_now()
        writer = _RunWriter(_begin(session, name, stored_at))
        store_in_batches(session, trades, writer.store, batch_size=batch_size, on_progress=on_progress)
        summary = writer.summary()
        session.execute(update(BACKTEST_RUNS).where(BACKTEST_RUNS.c.id == writer.run_id).values(summary))
        return BacktestRun(name=name, stored_at=stored_at, **summary)


def load_backtest(run: str, *, batch_size: int = BATCH_SIZE) -> Iterator[LocalTrade]:
    """Return the trades of a backtest with their orders, in the order in which they were stored.

    Every field is as it was; dates are in UTC with their zone.

    Args:
        run: The backtest's name.
        batch_size: How many trades are in memory at once.

    Raises:
        DependencyException: If there is no such backtest, or it is deleted while its trades are read.
        InvalidValue: If the batch size is no number above 0.
    """
    check_batch_size(batch_size)
    return _read(_existing(scoped(), run), batch_size)


def backtest_runs() -> list[BacktestRun]:
    """Return all stored backtests, the oldest first."""
    query = select(BACKTEST_RUNS).order_by(BACKTEST_RUNS.c.stored_at, BACKTEST_RUNS.c.id)
    return [_described(row) for row in scoped().execute(query)]


def delete_backtest(run: str) -> None:
    """Delete a backtest with all of its trades.

    Raises:
        DependencyException: If there is no such backtest.
    """
    with unit_of_work(scoped()) as session:
        _delete(session, _existing(session, run).id)


class _RunWriter:
    """Writes the trades of one run, and knows what they have in common."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self._count = 0
        self._profit = ZERO
        self._common: dict[str, set[Any]] = {"strategy": set(), "timeframe": set()}

    def store(self, connection: Connection, trades: list[LocalTrade]) -> None:
        check_unbound(trades)
        if any(map(custom_data_of, trades)):
            msg = "A stored backtest has no room for custom_data: empty it, or keep it elsewhere. Nothing was stored."
            raise InvalidValue(msg)
        orders = list(chain.from_iterable(trade.orders for trade in trades))
        trade_columns = storable_columns("Trade", BACKTEST_TRADES, read_columns(trades, _TRADE_FIELDS))
        order_columns = storable_columns("Order", BACKTEST_ORDERS, read_columns(orders, _ORDER_FIELDS))
        numbers = range(self._count + 1, self._count + 1 + len(trades))
        owners = per_order(trades, numbers)
        places = list(chain.from_iterable(range(1, 1 + len(trade.orders)) for trade in trades))
        insert_rows(
            connection,
            BACKTEST_TRADES,
            {"run_id": [self.run_id] * len(trades), "number": numbers, **trade_columns},
        )
        insert_rows(
            connection,
            BACKTEST_ORDERS,
            {"run_id": [self.run_id] * len(orders), "trade_number": owners, "number": places, **order_columns},
        )
        self._note(trade_columns)
        self._count += len(trades)

    def summary(self) -> dict[str, Any]:
        """Return what the row of the run says about its trades."""
        common = {name: next(iter(values)) if len(values) == 1 else None for name, values in self._common.items()}
        return {"trade_count": self._count, "total_profit": float(self._profit), **common}

    def _note(self, columns: dict[str, Sequence[Any]]) -> None:
        for is_open, profit in zip(columns["is_open"], columns["close_profit_abs"], strict=True):
            if profit and not is_open:
                self._profit = add(self._profit, exact(profit))
        for name, seen in self._common.items():
            seen.update(columns[name])


def _checked_name(run: str) -> str:
    name = storable("The backtest's name", BACKTEST_RUNS.c.name.type, run)
    if not name:
        msg = "A backtest needs a name to be found by: give run= a text of 1 to 100 characters."
        raise InvalidValue(msg)
    return str(name)


def _find(session: Session, name: str) -> Row[Any] | None:
    return session.execute(select(BACKTEST_RUNS).where(BACKTEST_RUNS.c.name == name)).one_or_none()


def _existing(session: Session, name: str) -> Row[Any]:
    row = _find(session, name)
    if row is None:
        msg = f"There is no backtest {name!r}: backtest_runs() lists those that are stored."
        raise DependencyException(msg)
    return row


def _begin(session: Session, name: str, stored_at: datetime) -> int:
    values = {"name": name, "stored_at": stored_at, "trade_count": 0, "total_profit": 0.0}
    try:
        result: Any = session.execute(insert(BACKTEST_RUNS).values(values))
    except IntegrityError as e:
        msg = (
            f"Somebody else has just stored a backtest {name!r}. Nothing was stored: look at theirs, then give another "
            "name, or replace=True to store this one in its place."
        )
        raise DependencyException(msg) from e
    return int(result.inserted_primary_key[0])


def _delete(session: Session, run_id: int) -> None:
    for table, column in ((BACKTEST_ORDERS, "run_id"), (BACKTEST_TRADES, "run_id"), (BACKTEST_RUNS, "id")):
        session.execute(delete(table).where(table.c[column] == run_id))


def _described(row: Row[Any]) -> BacktestRun:
    return BacktestRun(
        name=row.name,
        stored_at=as_utc(row.stored_at),
        strategy=row.strategy,
        timeframe=row.timeframe,
        trade_count=row.trade_count,
        total_profit=row.total_profit,
    )


def _read(run: Row[Any], batch_size: int) -> Iterator[LocalTrade]:
    for start in range(0, run.trade_count, batch_size):
        last = min(start + batch_size, run.trade_count)
        # Orders first: a trade that is still there afterwards had all of them.
        orders = _page(BACKTEST_ORDERS, (run.id, start, last), "trade_number", "number")
        trades = {row.number: _rebuilt_trade(row) for row in _page(BACKTEST_TRADES, (run.id, start, last), "number")}
        if len(trades) < last - start:
            msg = f"The backtest {run.name!r} was deleted or replaced while it was read: read it again from its start."
            raise DependencyException(msg)
        for row in orders:
            trade = trades[row.trade_number]
            order = LocalOrder(**_values(row, _ORDER_FIELDS))
            trade.orders.append(order)
            order.belong_to(trade)
        yield from trades.values()


def _page(table: Table, part: tuple[int, int, int], *order: str) -> Sequence[Row[Any]]:
    """Return the rows of some of a run's trades: those with a number above the one and up to the other."""
    run_id, start, last = part
    number = table.c[order[0]]
    query = select(table).where(table.c.run_id == run_id, number > start, number <= last)
    return scoped().execute(query.order_by(*(table.c[name] for name in order))).all()


def _rebuilt_trade(row: Row[Any]) -> LocalTrade:
    # Past the constructor, which would work out what was left open.
    trade = LocalTrade()
    for name, value in _values(row, _TRADE_FIELDS).items():
        setattr(trade, name, value)
    return trade


def _values(row: Row[Any], names: Sequence[str]) -> dict[str, Any]:
    values = dict(zip(names, row[-len(names) :], strict=True))
    for name in _DATES & values.keys():
        if values[name] is not None:
            values[name] = as_utc(values[name])
    return values
