"""Storing many trades with their orders at once."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, ClassVar, Final

from sqlalchemy import Column, Connection, Table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import class_mapper

from tradestore._bulk import BATCH_SIZE, insert_new_rows, insert_rows, store_in_batches
from tradestore._columns import completed_columns, read_columns, storable_columns
from tradestore._database_only import refuse
from tradestore._duplicate_orders import duplicate_among
from tradestore._explanations import Explanation
from tradestore._openings import note_opening
from tradestore._order_model import Order, told_price
from tradestore._session import SessionType
from tradestore._units_of_work import unit_of_work
from tradestore.base import ModelBase
from tradestore.custom_data import _CustomData
from tradestore.exceptions import InvalidValue
from tradestore.local_order import LocalOrder
from tradestore.local_trade import LocalTrade

__all__ = ["BulkTrades", "check_unbound", "custom_data_of", "per_order"]

_ORDERS: Final[Any] = Order.__table__
_CUSTOM_DATA: Final[Any] = _CustomData.__table__
_NEW: Final = frozenset({"id", "ft_trade_id"})
"""What the database counts anew."""


class BulkTrades:
    """The way in for many trades of the mapped ``Trade``; in memory it is refused."""

    use_db: ClassVar[bool]
    session: ClassVar[SessionType]
    __table__: ClassVar[Any]

    @classmethod
    def bulk_add(
        cls,
        trades: Iterable[LocalTrade],
        *,
        batch_size: int = BATCH_SIZE,
        on_progress: Callable[[int], None] | None = None,
    ) -> int:
        """Store many trades with their orders: all of them or, if anything fails, none.

        Everything is checked and kept as if each trade had been added to the session, but no object goes into it: the
        given ones are only read, and let go of batch by batch. Trades and orders get new ids of the database; the ids
        that they bring are those of a backtest or of another database, and mean nothing here. Custom data that a
        mapped trade carries in ``custom_data`` is stored with it; what ``CustomDataWrapper`` keeps in memory is not.

        Within a transaction of ``Database`` the trades are stored at its end, else at the end of the call. The session
        must hold no other changes then, since a failure would take them along. SQLite has one writer at a time: others
        wait for as long as the trades take to arrive.

        Columns that were added to ``Trade`` or ``Order`` are stored too; a plain trade without such an attribute gets
        the column's default. The same object twice in a batch is refused; in two batches it makes two trades.

        Args:
            trades: Plain trades, or mapped ones that are in no session; a generator is read as it goes. Within
                ``Database.run`` it must be made by the function that is run, which may be called again.
            batch_size: How many are in memory at once.
            on_progress: Called after each batch with the number of trades written so far.

        Returns:
            How many trades were stored.

        Raises:
            InvalidValue: If a value cannot be kept, or something is no trade, or a trade is stored already or comes
                twice.
            UnpricedOrder: If no price is known for an order.
            DuplicateOrder: If an order comes twice, or is stored already.
            TradeLimitReached: If more trades would be open than the limits of the database admit.
            DependencyException: If the session holds changes from before that were not committed, or an earlier
                attempt of ``Database.run`` has read from the same iterator.
            DatabaseBusy: If the database stayed locked; nothing was stored.
            CommitOutcomeUnknown: If the connection was lost while committing.
            NotImplementedError: In memory mode.
        """
        if not cls.use_db:
            refuse("bulk_add", "add_bt_trade() takes in one trade after the other")
        explanations: list[Explanation] = []
        store = partial(_store_batch, cls, explanations)
        session = cls.session()
        try:
            with unit_of_work(session):
                note_opening(session)
                return store_in_batches(session, trades, store, batch_size=batch_size, on_progress=on_progress)
        except IntegrityError as e:
            for explain in explanations:
                raise explain(None if session.in_transaction() else session.get_bind().engine) from e
            raise


def check_unbound(trades: Sequence[LocalTrade]) -> None:
    """Refuse what is no trade, and what would be stored twice: it comes twice, or a session looks after it.

    Raises:
        InvalidValue: If one of them cannot be taken.
    """
    for trade in trades:
        if not isinstance(trade, LocalTrade):
            msg = f"A LocalTrade or Trade was expected, but was {trade!r:.60}. Nothing was stored."
            raise InvalidValue(msg)
        _check_transient(trade)
        for order in trade.orders:
            _check_transient(order)
    if len(set(map(id, trades))) < len(trades):
        msg = (
            "The same trade comes more than once. Nothing was stored: give each trade once, and make a new object for "
            "each instead of changing one that was given already."
        )
        raise InvalidValue(msg)


def custom_data_of(trade: LocalTrade) -> Sequence[_CustomData]:
    """Return the custom data that a mapped trade carries."""
    entries: Sequence[_CustomData] = trade.__dict__.get("custom_data", ()) if isinstance(trade, ModelBase) else ()
    return entries


def per_order(trades: Iterable[LocalTrade], values: Iterable[Any]) -> list[Any]:
    """Repeat a value of each trade for each of its orders."""
    pairs = zip(trades, values, strict=True)
    return list(chain.from_iterable(repeat(value, len(trade.orders)) for trade, value in pairs))


def _store_batch(kind: Any, explanations: list[Explanation], connection: Connection, trades: list[LocalTrade]) -> None:
    check_unbound(trades)
    table = kind.__table__
    orders = list(chain.from_iterable(trade.orders for trade in trades))
    entries = [entry for trade in trades for entry in custom_data_of(trade)]
    # All is looked at before anything is written.
    trade_columns = _complete("Trade", _stored(kind, table), trades, connection)
    order_columns = _complete("Order", _stored(Order, _ORDERS), orders, connection)
    entry_columns = _complete("CustomData", _stored(_CustomData, _CUSTOM_DATA), entries, connection)
    ids = insert_new_rows(connection, table, trade_columns)
    try:
        insert_rows(connection, _ORDERS, {"ft_trade_id": per_order(trades, ids), **order_columns})
    except IntegrityError as e:
        explanations += filter(None, [duplicate_among(e, orders)])
        raise
    owners = [trade_id for trade, trade_id in zip(trades, ids, strict=True) for _ in custom_data_of(trade)]
    insert_rows(connection, _CUSTOM_DATA, {"ft_trade_id": owners, **entry_columns})


def _stored(kind: type[ModelBase], table: Table) -> dict[str, Column[Any]]:
    """Return the columns whose values the records bring, by the names of the attributes that hold them.

    They are looked up each time: somebody may add one.
    """
    return {
        name: column
        for mapper in class_mapper(kind).self_and_descendants
        for name, column in mapper.columns.items()
        if getattr(column, "table", None) is table and column.key not in _NEW and column.computed is None
    }


def _complete(
    owner: str, columns: dict[str, Column[Any]], records: Sequence[object], connection: Connection
) -> dict[str, Sequence[Any]]:
    """Return what a table holds of the records, with what it needs and they don't tell."""
    read = completed_columns(owner, columns, read_columns(records, [*columns]))
    if "ft_price" in read and None in read["ft_price"]:
        read["ft_price"] = [_price(order) for order in records if isinstance(order, LocalOrder)]
    return storable_columns(owner, columns, read, connection.dialect)


def _price(order: LocalOrder) -> float:
    return told_price(order) if order.ft_price is None else order.ft_price


def _check_transient(record: object) -> None:
    state = getattr(record, "_sa_instance_state", None)
    if state is not None and not state.transient:
        msg = (
            f"This {type(record).__name__} is in a session or stored already. Nothing was stored: "
            "give copy.deepcopy() of the trade to store it a second time."
        )
        raise InvalidValue(msg)
