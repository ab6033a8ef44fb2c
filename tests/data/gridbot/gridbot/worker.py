"""The bot itself: buys, sells, locks pairs, on orders as CCXT gives them."""

import logging

from gridbot.enums import ExitType, TradingMode
from gridbot.exceptions import DependencyException, OperationalException, PricingError
from gridbot.persistence import KeyValueStore, Order, PairLocks, Trade, init_db
from gridbot.persistence.key_value_store import set_startup_time

logger = logging.getLogger(__name__)

RETRY = (DependencyException,)


class Worker:
    def __init__(self, db_url, trading_mode=TradingMode.SPOT):
        self.trading_mode = TradingMode(trading_mode)
        init_db(db_url)
        set_startup_time()
        PairLocks.timeframe = "5m"

    def buy(self, answer):
        if not answer.get("price"):
            raise PricingError("no price")
        trade = Trade(
            pair=answer["symbol"],
            exchange="kucoin",
            open_rate=answer["price"],
            amount=answer["amount"],
            stake_amount=answer["price"] * answer["amount"],
            fee_open=0.001,
            fee_close=0.001,
            trading_mode=self.trading_mode,
        )
        return self._take(trade, answer, trade.entry_side)

    def sell(self, trade, answer, reason=ExitType.EXIT_SIGNAL):
        trade.exit_reason = reason.value
        return self._take(trade, answer, trade.exit_side)

    def _take(self, trade, answer, side):
        order = Order.parse_from_ccxt_object(answer, trade.pair, side)
        trade.orders.append(order)
        Trade.session.add(trade)
        trade.update_trade(order)
        Trade.commit()
        return trade

    def step(self, action):
        """Return what became of it: a known error stops, another one is passed on."""
        try:
            return action()
        except RETRY as e:
            return f"retry: {e}"
        except OperationalException as e:
            return f"stopped: {e}"

    @property
    def started(self):
        return KeyValueStore.get_datetime_value("startup_time")


def answer(identifier, side, price, amount, **others):
    return {
        "id": identifier,
        "symbol": "LTC/USDT",
        "type": "limit",
        "side": side,
        "status": "closed",
        "price": price,
        "average": price,
        "amount": amount,
        "filled": amount,
        "remaining": 0.0,
        "cost": price * amount,
        "timestamp": 1756720800000,
        **others,
    }
