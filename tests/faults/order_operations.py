"""What is done about orders at an exchange and about limits, to be done again after a failure at any point of it.

Here a failure may leave more than nothing or all: an intent that was written down is there to be resolved.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tests.builders import OPENED, ccxt_order, trade
from tradestore import Store, Trade

__all__ = ["ORDER_OPERATIONS", "Operation", "at_the_exchange"]

Work = Callable[[Store], None]

at_the_exchange: dict[str, Mapping[str, Any]] = {}
"""The orders that the exchange has, by our names of them."""


@dataclass(frozen=True)
class Operation:
    """One way to write.

    Attributes:
        work: Does it.
        ready: Prepares the store for it.
        halves: Each leaves what a failure may leave, besides nothing and all.
        finish: Goes on from one of these.
    """

    work: Work
    ready: Work | None = None
    halves: tuple[Work, ...] = ()
    finish: Work | None = None


class _Refused(Exception):
    """The exchange has no such order."""


def _held() -> Trade:
    return Trade.get_trades(Trade.pair == "HELD/USDT").one()


def _answer(pair: str = "HELD/USDT", side: str = "buy", **fields: Any) -> dict[str, Any]:
    filled = {"status": "closed", "filled": 10.0, "remaining": 0.0, "average": 20.0, "cost": 200.0}
    return ccxt_order(**{"id": "answered", "symbol": pair, "side": side} | filled | fields)


def _send(name: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    at_the_exchange[name] = answer
    return answer


def _intend(store: Store, trade_or_pair: Trade | str, side: str = "buy") -> Any:
    is_new = isinstance(trade_or_pair, str)
    told: dict[str, Any] = {"exchange": "binance", "trade_fields": {"open_date": OPENED}} if is_new else {}
    return store.intent(
        trade_or_pair, side, 10.0, 20.0, client_order_id="mine", order_tag="dip", rejected_by=_Refused, **told
    )


def _write_down_for_new_trade(store: Store) -> None:
    with _intend(store, "NEW/USDT"):
        pass


def _place_with_new_trade(store: Store) -> None:
    with _intend(store, "NEW/USDT") as intent:
        intent.placed(_send("mine", _answer("NEW/USDT")))


def _write_down_exit(store: Store) -> None:
    with _intend(store, _held(), "sell"):
        pass


def _place_exit(store: Store) -> None:
    with _intend(store, _held(), "sell") as intent:
        intent.placed(_send("mine", _answer(side="sell", average=25.0, cost=250.0)))


def _be_refused(store: Store) -> None:
    with _intend(store, "NEW/USDT") as intent:
        intent.rejected("no funds")


def _leave_filled_exit(store: Store) -> None:
    _write_down_exit(store)
    _send("mine", _answer(side="sell", average=25.0, cost=250.0))


def _resolve(store: Store) -> None:
    for left in store.unresolved_intents():
        store.resolve(left, at_the_exchange.get)


def _resolve_or_send(work: Work, store: Store) -> None:
    """Send an order again that the exchange has never heard of."""
    _resolve(store)
    if "mine" not in at_the_exchange:
        _delete_intents(store)
        work(store)


def _delete_intents(store: Store) -> None:
    store.delete_intents(datetime(2100, 1, 1, tzinfo=UTC))


def _upsert(store: Store, *answers: dict[str, Any], into: Trade | None = None) -> None:
    for answer in answers:
        store.upsert_order(into or _held(), answer)


_NAMELESS = _answer(id=None, clientOrderId="mine", status="open", filled=0.0, remaining=10.0, average=None)
_NAMED = _answer(id="named", clientOrderId="mine")


def _set_limits(store: Store) -> None:
    store.set_limits(9, one_per_pair_and_side=True)


def _lift_limits(store: Store) -> None:
    store.lift_limits()


def _had_limits(store: Store) -> None:
    _set_limits(store)
    store.lift_limits()


def _open_within_limits(_: Store) -> None:
    Trade.session.add(trade(pair="NEW/USDT"))
    Trade.commit()


ORDER_OPERATIONS: Mapping[str, Operation] = {
    # The block's end may fail when the intent is there already.
    "write an intent down": Operation(_write_down_for_new_trade, halves=(_write_down_for_new_trade,)),
    "place an order with a new trade": Operation(
        _place_with_new_trade,
        ready=_set_limits,
        halves=(_write_down_for_new_trade,),
        finish=partial(_resolve_or_send, _place_with_new_trade),
    ),
    "place an exit": Operation(_place_exit, halves=(_write_down_exit,), finish=partial(_resolve_or_send, _place_exit)),
    "be refused by the exchange": Operation(_be_refused, halves=(_write_down_for_new_trade,), finish=_resolve),
    "resolve an order that is there": Operation(_resolve, ready=_leave_filled_exit),
    "resolve an order that never was": Operation(_resolve, ready=_write_down_for_new_trade),
    "delete intents": Operation(_delete_intents, ready=_be_refused),
    "store an answer": Operation(lambda store: _upsert(store, _answer())),
    "store an answer with a new trade": Operation(
        lambda store: _upsert(store, _answer("NEW/USDT"), into=trade(pair="NEW/USDT"))
    ),
    "update by an answer": Operation(lambda store: _upsert(store, _answer(id="held-exit", side="sell"))),
    "store an answer without an id": Operation(lambda store: _upsert(store, _NAMELESS)),
    "complete an order without an id": Operation(
        lambda store: _upsert(store, _NAMED), ready=lambda store: _upsert(store, _NAMELESS)
    ),
    "unite an order with one without an id": Operation(
        lambda store: _upsert(store, _NAMED),
        ready=lambda store: _upsert(store, _NAMED | {"clientOrderId": None}, _NAMELESS),
    ),
    # Where tables can only be locked outside of a transaction, the row for the limits is made before them.
    "set the first limits": Operation(_set_limits, halves=(_had_limits,), finish=_set_limits),
    "set other limits": Operation(_set_limits, ready=lambda store: store.set_limits(12)),
    "lift limits": Operation(_lift_limits, ready=_set_limits),
    "open a trade within limits": Operation(_open_within_limits, ready=_set_limits),
}
"""By name; each gets the open store."""
