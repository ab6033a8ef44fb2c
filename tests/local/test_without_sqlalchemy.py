"""A backtest runs without the database library."""

import subprocess
import sys

BACKTEST = """
import json, sys
from datetime import UTC, datetime, timedelta
from tradestore import LocalOrder, LocalPairLocks, LocalTrade

opened = datetime(2026, 3, 1, 12, tzinfo=UTC)
trade = LocalTrade(pair="ETH/USDT", exchange="binance", amount=10.0, open_rate=20.0, stake_amount=200.0,
                   open_date=opened, fee_open=0.0, fee_close=0.0, trading_mode="futures")
trade.adjust_stop_loss(20.0, -0.1, initial=True)
LocalTrade.add_bt_trade(trade)
for hours, (side, amount, price) in enumerate([("buy", 10.0, 20.0), ("buy", 10.0, 22.0), ("sell", 5.0, 25.0)]):
    order = LocalOrder(order_id=str(hours), ft_pair=trade.pair, ft_order_side=side, side=side, amount=amount,
                       ft_amount=amount, ft_price=price, price=price, order_date=opened)
    order._trade_bt = trade
    trade.orders.append(order)
    trade.set_funding_fees(0.25)
    order.close_bt_order(opened + timedelta(hours=hours), trade)
    trade.recalc_trade_from_orders()
trade.set_custom_data("seen", [1, 2])
told = {"id": 9, "status": "closed", "filled": 15.0}
exit_order = LocalOrder.parse_from_ccxt_object(told, trade.pair, "sell", 15.0, 24.0)
trade.orders.append(exit_order)
trade.update_trade(exit_order)
LocalTrade.close_bt_trade(trade)
again = LocalTrade.from_json(json.dumps(trade.to_json()))
LocalPairLocks.lock_pair(trade.pair, opened + timedelta(hours=1), "stopped out", now=opened)
assert LocalPairLocks.is_pair_locked(trade.pair, opened, "long")
proxied = LocalTrade.get_trades_proxy(is_open=False, close_date=opened)
assert [again.close_profit_abs, len(proxied), trade.get_custom_data("seen")] == [trade.close_profit_abs, 1, [1, 2]]
print(trade.close_profit_abs, *(name for name in sys.modules if name.partition(".")[0] in {"sqlalchemy", "alembic"}))
"""


def test_a_backtest_loads_no_database_library():
    """From the first entry to the closed trade, neither SQLAlchemy nor alembic is loaded.

    20 bought for 420, so at 21; 5 · (25 - 21) = 20 and 15 · (24 - 21) = 45, and three times 0.25 of funding.
    """
    run = subprocess.run([sys.executable, "-W", "error", "-c", BACKTEST], capture_output=True, text=True, check=False)
    assert (run.stdout.split(), run.stderr) == (["65.75"], "")
