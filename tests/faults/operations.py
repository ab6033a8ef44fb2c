"""Everything that writes, each as one unit of work that is all or nothing, and a store that it can be done in.

A new way to write is one more function in `OPERATIONS`. It reads what it needs itself, so that it can be done again,
and gives every order an id of its own, so that its outcome is the same each time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import QueuePool, event, select
from sqlalchemy.orm import Session

from tests.builders import OPENED, ccxt_order, local_order, local_trade, order, trade
from tests.faults.order_operations import Operation, at_the_exchange
from tradestore import (
    CustomDataWrapper,
    Database,
    IntentState,
    KeyValueStore,
    ModelBase,
    OrderIntent,
    PairLocks,
    Store,
    Trade,
    WalletHistory,
    delete_backtest,
    store_backtest,
)

__all__ = ["OPERATIONS", "Ground", "content_of"]

_NOW = OPENED + timedelta(hours=1)
_BOOKKEEPING = {"alembic_version", "commit_tokens"}
_NOTES = {(OrderIntent.__tablename__, "error"), (OrderIntent.__tablename__, "updated_at")}
_STARTED = datetime.now(UTC).replace(tzinfo=None)


_TABLES = [table for table in ModelBase.metadata.sorted_tables if table.name not in _BOOKKEEPING]


class Ground:
    """What the operations expect in a store, as often as it is wanted."""

    def __init__(self, database: Store, operation: Operation) -> None:
        """Fill an empty store."""
        self._engine = database.engine
        if self._engine.dialect.name == "sqlite" and isinstance(self._engine.pool, QueuePool):
            # Nothing here dies, and waiting for the disk would take most of the time.
            event.listen(self._engine, "checkout", _hasten)
        with database.transaction() as session:
            _fill(session)
        at_the_exchange.clear()
        if operation.ready is not None:
            operation.ready(database)
        self._sent = dict(at_the_exchange)
        Trade.session.remove()
        with self._engine.connect() as connection:
            self._rows = {
                table: [dict(row) for row in connection.execute(select(table)).mappings()] for table in _TABLES
            }

    def restore(self) -> None:
        """Let the store and the exchange hold what they held first, and nothing else."""
        Trade.session.remove()
        at_the_exchange.clear()
        at_the_exchange.update(self._sent)
        with self._engine.begin() as connection:
            for table in reversed(_TABLES):
                connection.execute(table.delete())
            for table in _TABLES:
                if self._rows[table]:
                    connection.execute(table.insert(), self._rows[table])


def _hasten(connection: Any, *_: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def _fill(session: Session) -> None:
    held = trade(pair="HELD/USDT")
    held.orders += [
        order(order_id="held-entry", ft_pair="HELD/USDT", symbol="HELD/USDT"),
        order(order_id="held-exit", ft_pair="HELD/USDT", symbol="HELD/USDT", **_WAITING_EXIT),
    ]
    other = trade(pair="OTHER/USDT", stop_loss_pct=-0.2, initial_stop_loss_pct=-0.2)
    other.orders.append(order(order_id="other-entry", ft_pair="OTHER/USDT", symbol="OTHER/USDT"))
    session.add_all([held, other])
    session.flush()
    held.set_custom_data("levels", [1.0])
    CustomDataWrapper.save_custom_data(pair="OLD/USDT", data={"trend": "up", "seen": 1})
    for reason in ("one", "two"):
        PairLocks.lock_pair("LOCKED/USDT", OPENED + timedelta(days=1), reason, now=OPENED)
    KeyValueStore.store_value("old", "value")
    store_backtest(_plain_trades("bt-old", 2), run="old run")


def content_of(database: Database) -> Mapping[str, list[tuple[Any, ...]]]:
    """Return the rows of all tables; ids are counted from 0 in each, and moments of this run are all the same.

    What an intent has noted of a failure is left out, and so is that there was one: it is unresolved in either case.
    """
    content: dict[str, list[tuple[Any, ...]]] = {}
    places: dict[tuple[str, Any], int] = {}
    with database.engine.connect() as connection:
        for table in _TABLES:
            columns = [column for column in table.columns if (table.name, column.name) not in _NOTES]
            rows = connection.execute(select(*columns).order_by(*table.primary_key.columns)).all()
            targets = [_target(column) for column in columns]
            own = [number for number, target in enumerate(targets) if target == table.name]
            for place, row in enumerate(rows):
                places.update({(table.name, row[number]): place for number in own})
            content[table.name] = [
                tuple(
                    _settled(value) if target is None else places.get((target, value), value)
                    for value, target in zip(row, targets, strict=True)
                )
                for row in rows
            ]
    return content


def _target(column: Any) -> str | None:
    """Return the table whose ids a column holds, also through the key of a table between."""
    for key in column.foreign_keys:
        return _target(key.column)
    return str(column.table.name) if column.name == "id" and column.primary_key else None


def _settled(value: Any) -> Any:
    if isinstance(value, datetime) and value.replace(tzinfo=None) >= _STARTED:
        return "now"
    return IntentState.OPEN if value == IntentState.FAILED else value


_WAITING_EXIT: dict[str, Any] = {
    "ft_order_side": "sell",
    "ft_is_open": True,
    "status": "open",
    "average": None,
    "filled": 0.0,
    "remaining": 10.0,
    "cost": 0.0,
    "order_filled_date": None,
}


def _plain_trades(name: str, number: int) -> list[Any]:
    trades = []
    for place in range(number):
        made = local_trade(pair=f"P{place}/USDT")
        made.orders.append(local_order(order_id=f"{name}-{place}", ft_pair=made.pair, symbol=made.pair))
        trades.append(made)
    return trades


def _held(pair: str = "HELD/USDT") -> Trade:
    return Trade.get_trades(Trade.pair == pair).one()


def _add_trade(_: Store) -> None:
    new = trade(pair="NEW/USDT")
    new.orders += [order(order_id=f"new-{place}", ft_pair=new.pair, symbol=new.pair) for place in range(2)]
    Trade.session.add(new)
    Trade.commit()


def _close_by_fill(_: Store) -> None:
    held = _held()
    waiting = held.open_orders[0]
    waiting.update_from_ccxt_object(
        ccxt_order(
            id="held-exit", symbol=held.pair, side="sell", status="closed", average=21.0, filled=10.0, remaining=0.0
        )
    )
    held.update_trade(waiting)


def _delete_trade(_: Store) -> None:
    _held().delete()


def _change_stop_losses(_: Store) -> None:
    Trade.stoploss_reinitialization(-0.1)


def _lock(_: Store) -> None:
    PairLocks.lock_pair("NEW/USDT", OPENED + timedelta(hours=3), "cooldown", now=OPENED)


def _unlock(_: Store) -> None:
    PairLocks.unlock_pair("LOCKED/USDT", now=_NOW)


def _unlock_reason(_: Store) -> None:
    PairLocks.unlock_reason("two", now=_NOW)


def _set_custom_data(_: Store) -> None:
    _held().set_custom_data("levels", [2.0, 3.0])


def _save_custom_data(_: Store) -> None:
    CustomDataWrapper.save_custom_data(pair="OLD/USDT", data={"trend": "down", "first": 1, "second": [2]})


def _delete_custom_data(_: Store) -> None:
    _held().delete_custom_data()


def _store_value(_: Store) -> None:
    KeyValueStore.store_value("old", 5)


def _delete_value(_: Store) -> None:
    KeyValueStore.delete_value("old")


def _note_wallet(_: Store) -> None:
    session = WalletHistory.session
    session.add_all(
        WalletHistory(
            timestamp=OPENED + timedelta(hours=hour), currency="USDT", quote_currency="USDT", balance=10.0 + hour
        )
        for hour in range(2)
    )
    Trade.commit()


def _add_many(_: Store) -> None:
    Trade.bulk_add(_plain_trades("bulk", 3), batch_size=2)


def _store_backtest(_: Store) -> None:
    store_backtest(_plain_trades("bt-new", 3), run="new run", batch_size=2)


def _replace_backtest(_: Store) -> None:
    store_backtest(_plain_trades("bt-new", 3), run="old run", replace=True, batch_size=2)


def _delete_backtest(_: Store) -> None:
    delete_backtest("old run")


def _several(store: Store) -> None:
    with store.transaction():
        _write_several(store)


def _several_by_run(store: Store) -> None:
    def work(_: Session) -> None:
        _close_by_fill(store)
        _lock(store)
        _store_value(store)

    store.run(work)


def _write_several(store: Store) -> None:
    _add_trade(store)
    _close_by_fill(store)
    _lock(store)
    with store.transaction():
        _save_custom_data(store)
    _store_value(store)
    _held("OTHER/USDT").delete()


_WORK = {
    "add a trade": _add_trade,
    "close a trade by a fill": _close_by_fill,
    "delete a trade": _delete_trade,
    "change stop losses": _change_stop_losses,
    "lock a pair": _lock,
    "unlock a pair": _unlock,
    "unlock by reason": _unlock_reason,
    "set custom data": _set_custom_data,
    "save custom data of a pair": _save_custom_data,
    "delete custom data": _delete_custom_data,
    "store a value": _store_value,
    "delete a value": _delete_value,
    "note the wallet": _note_wallet,
    "add many trades": _add_many,
    "store a backtest": _store_backtest,
    "replace a backtest": _replace_backtest,
    "delete a backtest": _delete_backtest,
    "several in a transaction": _several,
    "several by run": _several_by_run,
}
OPERATIONS: Mapping[str, Operation] = {name: Operation(work) for name, work in _WORK.items()}
"""By name; each gets the open store."""
