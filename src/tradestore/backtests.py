"""Finished backtests in the database: stored under a name, listed, read again, deleted.

They have tables of their own, so that no question about real trades ever meets a simulated one.
"""

from collections import defaultdict
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
from tradestore._plain_twin import plain_trade
from tradestore._session import scoped
from tradestore._sqltypes import UtcDateTime, storable
from tradestore._units_of_work import unit_of_work
from tradestore.accounting._decimal import ZERO, add, exact
from tradestore.exceptions import DatabaseBusy, DependencyException, InvalidValue
from tradestore.local_trade import LocalTrade

__all__ = ["BacktestRun", "backtest_runs", "delete_backtest", "load_backtest", "store_backtest"]

_TRADE_COLUMNS: Final = {column.name: column for column in BACKTEST_TRADES.columns if not column.primary_key}
_ORDER_COLUMNS: Final = {column.name: column for column in BACKTEST_ORDERS.columns if not column.primary_key}
_TRADE_FIELDS, _ORDER_FIELDS = tuple(_TRADE_COLUMNS), tuple(_ORDER_COLUMNS)
_REPLACEMENTS: Final = 5
"""How often somebody else may be first before a replacement gives up."""
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
        trades: Plain trades, or mapped ones that are in no session; a generator is read as it goes. Within
            ``Database.run`` it must be made by the function that is run, which may be called again.
        run: A name for the backtest, of 1 to 100 characters.
        replace: Whether the trades take the place of a backtest with the same name. Of several that are stored under
            it at the same time the last one stays.
        batch_size: How many trades are in memory at once.
        on_progress: Called after each batch with the number of trades written so far.

    Raises:
        InvalidValue: If a value cannot be kept, or something is no trade, or a trade is stored, comes twice or has
            custom data, or the profit of all is beyond every number.
        DependencyException: If there is a backtest with the name, or the session holds changes that were not
            committed, or an earlier attempt of ``Database.run`` has read from the same iterator.
        DatabaseBusy: If the database stayed locked; nothing was stored.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    name = _checked_name(run)
    with unit_of_work(scoped()) as session:
        run_id, stored_at = _begin_in_place(session, name) if replace else _begin(session, name)
        writer = _RunWriter(run_id)
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
        DependencyException: If there is no such backtest, or it is deleted or replaced while its trades are read.
        InvalidValue: If the batch size is no number above 0, or the name is none.
    """
    check_batch_size(batch_size)
    return _read(_existing(_find(scoped(), _checked_name(run)), run), batch_size)


def backtest_runs() -> list[BacktestRun]:
    """Return all stored backtests, the oldest first."""
    query = select(BACKTEST_RUNS).order_by(BACKTEST_RUNS.c.stored_at, BACKTEST_RUNS.c.id)
    return [_described(row) for row in scoped().execute(query)]


def delete_backtest(run: str) -> None:
    """Delete a backtest with all of its trades.

    Raises:
        DependencyException: If there is no such backtest.
        InvalidValue: If the name is none.
        DatabaseBusy: If the database stayed locked; nothing was deleted.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    name = _checked_name(run)
    with unit_of_work(scoped()) as session:
        _delete(session, _existing(_find_for_change(session, name), name).id)


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
        dialect = connection.dialect
        trade_columns = storable_columns("Trade", _TRADE_COLUMNS, read_columns(trades, _TRADE_FIELDS), dialect)
        order_columns = storable_columns("Order", _ORDER_COLUMNS, read_columns(orders, _ORDER_FIELDS), dialect)
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
        profit = storable("The backtest's total profit", BACKTEST_RUNS.c.total_profit.type, self._profit)
        return {"trade_count": self._count, "total_profit": profit, **common}

    def _note(self, columns: dict[str, Sequence[Any]]) -> None:
        for is_open, profit in zip(columns["is_open"], columns["close_profit_abs"], strict=True):
            if profit and not is_open:
                self._profit = add(self._profit, exact(profit))
        for name, seen in self._common.items():
            seen.update(columns[name])


def _checked_name(run: Any) -> str:
    if not isinstance(run, str) or not run:
        msg = f"A backtest's name is a text of 1 to 100 characters, not {run!r:.60}."
        raise InvalidValue(msg)
    return str(storable("The backtest's name", BACKTEST_RUNS.c.name.type, run))


def _find(session: Session, name: str) -> Row[Any] | None:
    return session.execute(select(BACKTEST_RUNS).where(BACKTEST_RUNS.c.name == name)).one_or_none()


def _find_for_change(session: Session, name: str) -> Row[Any] | None:
    """Return the run once nobody else is changing it, and keep all others from it until the transaction's end."""
    return session.execute(select(BACKTEST_RUNS).where(BACKTEST_RUNS.c.name == name).with_for_update()).one_or_none()


def _existing(row: Row[Any] | None, name: str) -> Row[Any]:
    if row is None:
        msg = f"There is no backtest {name!r}: backtest_runs() lists those that are stored."
        raise DependencyException(msg)
    return row


def _begin(session: Session, name: str) -> tuple[int, datetime]:
    if _find(session, name) is not None:
        msg = (
            f"There is a backtest {name!r} already. Nothing was stored: give another name, or replace=True to "
            "store this one in its place."
        )
        raise DependencyException(msg)
    try:
        return _insert_run(session, name)
    except IntegrityError as e:
        msg = (
            f"Somebody else has just stored a backtest {name!r}. Nothing was stored: look at theirs, then give another "
            "name, or replace=True to store this one in its place."
        )
        raise DependencyException(msg) from e


def _begin_in_place(session: Session, name: str) -> tuple[int, datetime]:
    """Begin a run in the place of the one that has its name, also of one that somebody else is just storing."""
    for _ in range(_REPLACEMENTS):
        former = _find_for_change(session, name)
        if former is not None:
            _delete(session, former.id)
        try:
            with session.begin_nested():
                return _insert_run(session, name)
        except IntegrityError as e:
            # Somebody else was first, and has committed by now: theirs is the one to be replaced.
            latest = e
    msg = f"Others store a backtest {name!r} again and again. Nothing was stored: try again."
    raise DatabaseBusy(msg) from latest


def _insert_run(session: Session, name: str) -> tuple[int, datetime]:
    stored_at = utc_now()
    values = {"name": name, "stored_at": stored_at, "trade_count": 0, "total_profit": 0.0}
    result: Any = session.execute(insert(BACKTEST_RUNS).values(values))
    return int(result.inserted_primary_key[0]), stored_at


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
        orders: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in _page(BACKTEST_ORDERS, (run.id, start, last), "trade_number", "number"):
            orders[row.trade_number].append(_values(row, _ORDER_FIELDS))
        trades = _page(BACKTEST_TRADES, (run.id, start, last), "number")
        if len(trades) < last - start:
            msg = f"The backtest {run.name!r} was deleted or replaced while it was read: read it again from its start."
            raise DependencyException(msg)
        for row in trades:
            trade = plain_trade(_values(row, _TRADE_FIELDS), orders.get(row.number, ()))
            for order in trade.orders:
                order.belong_to(trade)
            yield trade


def _page(table: Table, part: tuple[int, int, int], *order: str) -> Sequence[Row[Any]]:
    """Return the rows of some of a run's trades: those with a number above the one and up to the other."""
    run_id, start, last = part
    number = table.c[order[0]]
    query = select(table).where(table.c.run_id == run_id, number > start, number <= last)
    return scoped().execute(query.order_by(*(table.c[name] for name in order))).all()


def _values(row: Row[Any], names: Sequence[str]) -> dict[str, Any]:
    values = dict(zip(names, row[-len(names) :], strict=True))
    for name in _DATES & values.keys():
        if values[name] is not None:
            values[name] = as_utc(values[name])
    return values
