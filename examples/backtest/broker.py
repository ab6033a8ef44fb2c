"""What an exchange would do: fill orders, charge funding, lend, liquidate.

Every fill is complete and costs the fee; the price is the caller's business.
"""

from datetime import datetime
from itertools import count
from typing import Final

from examples.backtest.books import Book
from examples.backtest.candles import CANDLE, STAKE_CURRENCY, Market
from examples.backtest.settings import Settings
from examples.backtest.strategy import Entry
from tradestore import ExitType, LocalOrder, LocalTrade
from tradestore.accounting import (
    DECIMAL_PLACES,
    Rounding,
    amount_to_precision,
    borrowed_amount,
    interest_on,
    open_value,
    price_to_precision,
    rate_for_profit_ratio,
)

EXCHANGE: Final = "binance"
_MONEY_DECIMALS: Final = 8


class Broker:
    """Fills orders of a backtest, and keeps their trades in a book.

    After each fill it calls ``trade.commit()``: questions to a database know only what was written. Plain trades have
    it too, and it does nothing.
    """

    def __init__(self, settings: Settings, book: Book, strategy_name: str) -> None:
        """Begin with order number 1."""
        self._settings = settings
        self._book = book
        self._strategy_name = strategy_name
        self._order_numbers = count(1)

    def enter(self, market: Market, entry: Entry, stake: float, rate: float, moment: datetime) -> LocalTrade | None:
        """Open a trade and return it, or None if the stake buys nothing.

        Args:
            market: What to trade.
            entry: How.
            stake: Own money, in stake currency.
            rate: At which it is filled.
            moment: When (UTC).
        """
        amount = _cut(stake * entry.leverage / rate, market.amount_decimals)
        if not amount:
            return None
        settings = self._settings
        trade = self._book.trade_class(
            pair=market.pair(is_future=settings.is_futures),
            base_currency=market.base,
            stake_currency=STAKE_CURRENCY,
            exchange=EXCHANGE,
            strategy=self._strategy_name,
            timeframe=int(CANDLE.total_seconds() // 60),
            enter_tag=entry.tag,
            trading_mode=settings.mode,
            is_short=entry.is_short,
            leverage=entry.leverage,
            interest_rate=settings.interest_rate if settings.is_margin else 0.0,
            fee_open=settings.fee,
            fee_close=settings.fee,
            open_date=moment,
            open_rate=rate,
            open_rate_requested=rate,
            amount=amount,
            amount_requested=amount,
            stake_amount=stake,
            amount_precision=float(market.amount_decimals),
            price_precision=float(market.price_decimals),
            precision_mode=DECIMAL_PLACES,
        )
        self._fill(trade, trade.entry_side, amount, rate, moment, entry.tag)
        trade.adjust_stop_loss(trade.open_rate, -entry.stop_distance * entry.leverage, initial=True)
        self._set_liquidation_price(trade)
        self._book.add(trade)
        return trade

    def add(self, trade: LocalTrade, stake: float, rate: float, moment: datetime) -> bool:
        """Enter a trade further; tell whether the stake bought anything."""
        amount = _cut(stake * (trade.leverage or 1.0) / rate, trade.amount_precision)
        if amount:
            self._fill(trade, trade.entry_side, amount, rate, moment, "further_entry")
            self._set_liquidation_price(trade)
            trade.commit()
        return bool(amount)

    def reduce(self, trade: LocalTrade, stake: float, rate: float, moment: datetime) -> bool:
        """Leave a part of a trade; tell whether there was a part, and a rest."""
        amount = _cut(trade.amount * stake / trade.stake_amount, trade.amount_precision)
        if not 0.0 < amount < trade.amount:
            return False
        self._fill(trade, trade.exit_side, amount, rate, moment, ExitType.PARTIAL_EXIT.value)
        trade.recalc_trade_from_orders()
        trade.commit()
        return True

    def leave(self, trade: LocalTrade, rate: float, moment: datetime, reason: ExitType) -> None:
        """Close a trade."""
        self._fill(trade, trade.exit_side, trade.amount, rate, moment, reason.value)
        trade.exit_reason = reason.value
        trade.close_rate_requested = rate
        trade.close(rate, show_msg=False)
        self._book.close(trade)
        trade.commit()

    def charge_funding(self, trade: LocalTrade, funding_rate: float, rate: float) -> None:
        """Let a trade pay or receive funding, to eight decimals, as exchanges do.

        Args:
            trade: Open, on futures.
            funding_rate: A ratio of the position, which longs pay to shorts where it is positive.
            rate: What the position is valued at, in stake currency.
        """
        paid_by_longs = trade.amount * rate * funding_rate
        fee = (trade.funding_fee_running or 0.0) + (paid_by_longs if trade.is_short else -paid_by_longs)
        trade.set_funding_fees(round(fee, _MONEY_DECIMALS))

    def rate_with_profit(self, trade: LocalTrade, ratio: float, moment: datetime) -> float:
        """Return the first rate of the market at which a trade has earned a ratio.

        Args:
            trade: Open.
            ratio: With leverage and fees (0.01 is 1 %).
            moment: Until when interest is owed (UTC).
        """
        if self._settings.is_margin:
            rate = self._margin_rate_with_profit(trade, ratio, moment)
        else:
            rate = trade.calc_close_rate_for_roi(ratio)
        rounding = Rounding.DOWN if trade.is_short else Rounding.UP
        return price_to_precision(rate, trade.price_precision, DECIMAL_PLACES, rounding)

    def _margin_rate_with_profit(self, trade: LocalTrade, ratio: float, moment: datetime) -> float:
        # An open trade owes interest up to the present, which is long after the candles.
        leverage = trade.leverage or 1.0
        loan = borrowed_amount(trade.amount, trade.open_rate, leverage, is_short=trade.is_short)
        return rate_for_profit_ratio(
            ratio,
            amount=trade.amount,
            opened=open_value(trade.amount, trade.open_rate, trade.fee_open, is_short=trade.is_short),
            fee_close=trade.fee_close,
            leverage=leverage,
            is_short=trade.is_short,
            trading_mode=trade.trading_mode,
            interest=interest_on(loan, trade.interest_rate, moment - trade.open_date_utc, trade.exchange),
        )

    def _fill(
        self, trade: LocalTrade, side: str, amount: float, rate: float, moment: datetime, tag: str | None
    ) -> LocalOrder:
        order = self._book.order_class(
            order_id=str(next(self._order_numbers)),
            ft_pair=trade.pair,
            symbol=trade.pair,
            ft_order_side=side,
            side=side,
            order_type="market",
            status="open",
            ft_amount=amount,
            amount=amount,
            filled=0.0,
            remaining=amount,
            ft_price=rate,
            price=rate,
            average=rate,
            cost=round(amount * rate, _MONEY_DECIMALS),
            order_date=moment,
            order_update_date=moment,
            ft_order_tag=tag,
        )
        trade.orders.append(order)
        order.belong_to(trade)
        order.close_bt_order(moment, trade)
        return order

    def _set_liquidation_price(self, trade: LocalTrade) -> None:
        """Set the rate at which the own money is used up but for the maintenance; nothing borrowed, nothing set."""
        if trade.has_no_leverage:
            return
        distance = 1.0 / (trade.leverage or 1.0) - self._settings.maintenance
        trade.set_liquidation_price(trade.open_rate * (1.0 + distance if trade.is_short else 1.0 - distance))


def _cut(amount: float, decimals: float | None) -> float:
    return amount_to_precision(amount, decimals, DECIMAL_PLACES)
