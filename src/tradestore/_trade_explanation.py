"""A trade explained: the formulas of :mod:`tradestore.accounting.explaining`, fed with the trade's own fields."""

from dataclasses import fields
from typing import TYPE_CHECKING

from tradestore.accounting.explaining import FilledOrder, Steps, explain_orders
from tradestore.accounting.explanation import TradeExplanation, TradeHead, TradeTotals
from tradestore.accounting.fills import Fill, Terms

if TYPE_CHECKING:
    from tradestore.local_trade import LocalTrade


def explain_trade(trade: "LocalTrade", fills: list[Fill], terms: Terms, price_mode: int | None) -> TradeExplanation:
    """Explain a trade.

    Args:
        trade: Which one.
        fills: Of its orders that count, in the order in which it has them.
        terms: Of the trade.
        price_mode: How its price precision counts.
    """
    counted = [each for each in trade.orders if each.filled and not each.ft_is_open and each.safe_price is not None]
    orders = [
        FilledOrder(fill, order.ft_order_side or "", order.order_id, order.ft_order_tag)
        for order, fill in zip(counted, fills, strict=True)
    ]
    return explain_orders(
        TradeHead(
            id=trade.id,
            pair=trade.pair,
            exchange=trade.exchange,
            base_currency=trade.safe_base_currency,
            stake_currency=trade.safe_quote_currency,
            is_open=trade.is_open,
        ),
        orders,
        terms,
        Steps(trade.amount_precision, trade.precision_mode, trade.contract_size, trade.price_precision, price_mode),
        trade.funding_fee_running or 0.0,
        TradeTotals(**{field.name: getattr(trade, field.name) for field in fields(TradeTotals)}),
    )
