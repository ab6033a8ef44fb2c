"""Trades in memory: candles are rows of (date, price)."""

from datetime import datetime

from gridbot.enums import ExitType
from gridbot.persistence import LocalTrade, Order, PairLocks, Trade, disable_database_use, enable_database_use


class Backtesting:
    def __init__(self, pair, timeframe="5m"):
        self.pair = pair
        self.timeframe = timeframe
        self.order_id_counter = 0

    def _order(self, trade, date, price, amount, side, tag):
        self.order_id_counter += 1
        order = Order(
            id=self.order_id_counter,
            ft_trade_id=trade.id,
            order_date=date,
            order_filled_date=date,
            order_update_date=date,
            ft_is_open=True,
            ft_pair=trade.pair,
            order_id=str(self.order_id_counter),
            symbol=trade.pair,
            ft_order_side=side,
            side=side,
            order_type="limit",
            status="open",
            ft_price=price,
            price=price,
            average=price,
            amount=amount,
            filled=0,
            remaining=amount,
            cost=amount * price,
            ft_order_tag=tag,
        )
        order._trade_bt = trade
        trade.orders.append(order)
        order.close_bt_order(date, trade)
        return order

    def enter(self, date: datetime, price, amount):
        trade = LocalTrade(
            id=self.order_id_counter + 1,
            pair=self.pair,
            exchange="kucoin",
            open_date=date,
            open_rate=price,
            open_rate_requested=price,
            amount=amount,
            amount_requested=amount,
            stake_amount=amount * price,
            fee_open=0.001,
            fee_close=0.001,
            is_open=True,
            enter_tag="grid",
            orders=[],
        )
        self._order(trade, date, price, amount, trade.entry_side, "grid")
        Trade.add_bt_trade(trade)
        return trade

    def leave(self, trade, date, price, reason=ExitType.GRID_EXIT):
        order = self._order(trade, date, price, trade.amount, trade.exit_side, str(reason))
        trade.exit_reason = reason.value
        trade.close_date = date
        trade.close(price, show_msg=False)
        Trade.close_bt_trade(trade)
        return order

    def run(self, candles):
        disable_database_use(self.timeframe)
        Trade.reset_trades()
        PairLocks.reset_locks()
        try:
            dates_and_prices = iter(candles)
            for (bought, low), (sold, high) in zip(dates_and_prices, dates_and_prices, strict=True):
                self.leave(self.enter(bought, low, 2.0), sold, high)
            trades = list(LocalTrade.bt_trades)
            return {
                "trades": trades,
                "profit": LocalTrade.bt_total_profit,
                "order_types": {type(order).__name__ for trade in trades for order in trade.orders},
                "are_orders": all(isinstance(order, Order) for trade in trades for order in trade.orders),
                "json": [trade.to_json(minified=True) for trade in trades],
            }
        finally:
            enable_database_use()
