"""The open database as a bot works with it: what needs the tables, on top of units of work."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from tradestore import intents, limits, order_upserts
from tradestore.database import Database
from tradestore.intents import IntentState, OrderIntent, RunningIntent
from tradestore.limits import OpenTradeLimits
from tradestore.local_trade import LocalTrade
from tradestore.order_upserts import UpsertedOrder
from tradestore.trade_model import Trade

__all__ = ["Store"]


class Store(Database):
    """An open database, as ``init_db`` returns it."""

    def upsert_order(
        self,
        trade: LocalTrade,
        ccxt_order: Mapping[str, Any],
        *,
        side: str | None = None,
        amount: float | None = None,
        price: float | None = None,
        tag: str | None = None,
        client_order_id: str | None = None,
    ) -> UpsertedOrder:
        """Store an exchange's answer once; see :func:`tradestore.order_upserts.upsert_order`."""
        self._require_open()
        return order_upserts.upsert_order(
            trade, ccxt_order, side=side, amount=amount, price=price, tag=tag, client_order_id=client_order_id
        )

    def set_limits(self, max_open_trades: int | None = None, *, one_per_pair_and_side: bool = False) -> None:
        """Limit the open trades of all who write to the database; see :func:`tradestore.limits.set_limits`."""
        self._require_open()
        limits.set_limits(max_open_trades, one_per_pair_and_side=one_per_pair_and_side)

    def lift_limits(self) -> None:
        """Let any number of trades be open again; see :func:`tradestore.limits.lift_limits`."""
        self._require_open()
        limits.lift_limits()

    def limits(self) -> OpenTradeLimits | None:
        """Return the limits on open trades, None without any."""
        self._require_open()
        return limits.read_limits()

    def intent(
        self,
        trade_or_pair: Trade | str,
        side: str,
        amount: float,
        price: float | None = None,
        *,
        order_type: str | None = None,
        order_tag: str | None = None,
        exchange: str | None = None,
        client_order_id: str | None = None,
        trade_fields: Mapping[str, Any] | None = None,
        rejected_by: type[BaseException] | tuple[type[BaseException], ...] = (),
    ) -> AbstractContextManager[RunningIntent]:
        """Write down an order before the ``with`` block sends it; see :func:`tradestore.intents.intent`."""
        return intents.intent(
            self,
            trade_or_pair,
            side,
            amount,
            price,
            order_type=order_type,
            order_tag=order_tag,
            exchange=exchange,
            client_order_id=client_order_id,
            trade_fields=trade_fields,
            rejected_by=rejected_by,
        )

    def unresolved_intents(self) -> list[OrderIntent]:
        """Return the intents of which only the exchange knows; see :func:`tradestore.intents.unresolved_intents`."""
        return intents.unresolved_intents(self)

    def resolve(self, intent: OrderIntent, fetch: Callable[[str], Mapping[str, Any] | None]) -> IntentState:
        """Ask the exchange for the order of an intent, and store it; see :func:`tradestore.intents.resolve`."""
        return intents.resolve(self, intent, fetch)

    def delete_intents(self, before: datetime) -> int:
        """Forget intents that were closed before a time (UTC); see :func:`tradestore.intents.delete_intents`."""
        return intents.delete_intents(self, before)
