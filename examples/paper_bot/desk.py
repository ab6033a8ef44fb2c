"""Orders, from the bot to the exchange and back into the store: none is lost, none is stored twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Select, select

from examples.paper_bot.exchange import Answer, Exchange, ExchangeTimeout, OrderRejected
from tradestore import ExitType, IntentState, LocalOrder, Order, OrderIntent, Store, Trade
from tradestore.exceptions import InvalidOrder, TradeLimitReached

__all__ = ["Desk"]


class Desk:
    """Sends orders, and takes in what became of them.

    Attributes:
        counts: How often what has happened.
        has_doubts: Whether there are orders of which only the exchange knows.
    """

    def __init__(self, store: Store, exchange: Exchange, on_fill: Callable[[Trade, LocalOrder], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.has_doubts = False
        self._store = store
        self._exchange = exchange
        self._on_fill = on_fill

    def send(
        self,
        trade: Trade,
        side: str,
        amount: float,
        price: float,
        order_type: str,
        *,
        tag: str | None = None,
    ) -> Order | None:
        """Place an order, and store it with its trade.

        Args:
            trade: A stored one, or a new one.
            side: ``buy``, ``sell`` or ``stoploss``.
            amount: Base currency.
            price: The limit, the trigger of a stop loss, or what is expected of a market order.
            order_type: ``limit``, ``market`` or ``stop``.
            tag: Why.

        Returns:
            The order; None if it was refused, or if nobody knows: then :meth:`resolve` finds out.
        """
        try:
            with self._store.intent(
                trade, side, amount, price, order_type=order_type, order_tag=tag, rejected_by=OrderRejected
            ) as intent:
                answer = self._exchange.create_order(
                    trade.pair,
                    order_type,
                    trade.exit_side if side == "stoploss" else side,
                    amount,
                    price if order_type == "limit" else None,
                    stop_price=price if order_type == "stop" else None,
                    client_order_id=intent.client_order_id,
                    leverage=trade.leverage or 1.0,
                )
                order = intent.placed(answer)
        except OrderRejected:
            self.counts["rejected orders"] += 1
            return None
        except TradeLimitReached:
            self.counts["entries beyond the limits"] += 1
            return None
        except (ExchangeTimeout, InvalidOrder):
            self.counts["orders in doubt"] += 1
            self.has_doubts = True
            return None
        self._look_at(trade, order, answer)
        return order

    def resolve(self) -> None:
        """Ask the exchange for all orders of which only it knows."""
        for intent in self._store.unresolved_intents():
            self._resolve(intent)
        self.has_doubts = False

    def _resolve(self, intent: OrderIntent) -> None:
        state = self._store.resolve(intent, self._exchange.fetch_order_by_name)
        self.counts[f"doubts resolved: {state}"] += 1
        if state is not IntentState.PLACED:
            return
        order = Order.session.scalars(_order_query(intent.pair, intent.order_id)).one()
        trade = Trade.get_trades(Trade.id == order.ft_trade_id).one()
        self._look_at(trade, order, self._exchange.fetch_order(str(order.order_id)))

    def take_in_messages(self, trades: Sequence[Trade]) -> None:
        """Take in what the exchange tells by itself, however often.

        Args:
            trades: The open ones.
        """
        self._take_in_all(self._exchange.messages(), trades)

    def _take_in_all(self, answers: Iterable[Answer], trades: Sequence[Trade]) -> None:
        for answer in answers:
            if (trade := _trade_of(answer, trades)) is None:
                self.counts["messages about unknown orders"] += 1
            else:
                self.take_in(trade, answer)

    def catch_up(self, trades: Sequence[Trade]) -> None:
        """Ask for everything that may have happened while nobody listened, as at the start of the bot.

        Args:
            trades: The open ones.
        """
        for trade in trades:
            self._note_missed_fees(trade)
        for trade in Trade.get_closed_trades_without_assigned_fees():
            self._note_missed_fees(trade)
        answers = [self._exchange.fetch_order(str(order.order_id)) for order in Order.get_open_orders()]
        self._take_in_all([*answers, *self._exchange.fetch_liquidations()], trades)

    def _note_missed_fees(self, trade: Trade) -> None:
        """Note the fees of orders that were stored by their intents just before the bot was killed."""
        for order in trade.select_filled_orders():
            self._note_fee(trade, order, self._exchange.fetch_order(str(order.order_id)))
        if trade.is_open and trade.has_open_position:
            trade.recalc_trade_from_orders()
        Trade.commit()

    def cancel(self, trade: Trade, order: LocalOrder, reason: str) -> None:
        """Cancel an order, unless it was filled meanwhile: either way the answer is taken in."""
        order.ft_cancel_reason = reason
        self.take_in(trade, self._exchange.cancel_order(str(order.order_id)))

    def take_in(self, trade: Trade, answer: Answer) -> None:
        """Store what the exchange tells about an order, and what it did to its trade, in one transaction."""
        known = trade.select_order_by_order_id(answer["id"])
        if known is not None and not known.ft_is_open:
            self.counts["repeated messages"] += 1
            return
        Trade.commit()  # A transaction begins with a session that holds nothing.
        with self._store.transaction():
            if answer["clientOrderId"] is None and trade.is_open:
                trade.exit_reason = ExitType.LIQUIDATION.value
                self.counts["liquidations"] += 1
            side = None if known is None else known.ft_order_side
            order = self._store.upsert_order(trade, answer, side=side).order
            self._note_fee(trade, order, answer)
            trade.update_trade(order)
        if not order.ft_is_open:
            self._on_fill(trade, order)

    def _look_at(self, trade: Trade, order: Order, answer: Answer) -> None:
        """Add to an order that was stored by its intent what only its answer tells."""
        if order.ft_is_open:
            return
        self._note_fee(trade, order, answer)
        if order.ft_fee_base and trade.is_open:
            trade.recalc_trade_from_orders()
        Trade.commit()
        self._on_fill(trade, order)

    @staticmethod
    def _note_fee(trade: Trade, order: LocalOrder, answer: Answer) -> None:
        fee = answer["fee"]
        if order.ft_is_open or not order.filled or not fee:
            return
        is_entry = order.ft_order_side == trade.entry_side
        if is_entry and fee["currency"] == trade.safe_base_currency:
            order.ft_fee_base = fee["cost"]
        trade.update_fee(fee["cost"], fee["currency"], None, trade.entry_side if is_entry else trade.exit_side)


def _trade_of(answer: Answer, trades: Sequence[Trade]) -> Trade | None:
    """Return whose order an answer is about, None if its trade was deleted."""
    for trade in trades:
        if trade.select_order_by_order_id(answer["id"]) is not None:
            return trade
    stored = Order.session.scalars(_order_query(answer["symbol"], answer["id"])).first()
    if stored is not None:
        return Trade.get_trades(Trade.id == stored.ft_trade_id).one()
    if answer["clientOrderId"] is not None:
        return None
    # Nobody has ordered a liquidation: it is of the trade that is open.
    return next((trade for trade in trades if trade.pair == answer["symbol"]), None)


def _order_query(pair: str, order_id: str | None) -> Select["Order"]:
    return select(Order).where(Order.ft_pair == pair, Order.order_id == order_id)
