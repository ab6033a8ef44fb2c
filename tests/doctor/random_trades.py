"""Many trades of all kinds whose totals the library has computed itself."""

import random
from datetime import timedelta

from tests.builders import OPENED, local_order, local_trade
from tradestore import LocalTrade

__all__ = ["random_trades"]

_MODES = ("spot", "futures", "margin")


def random_trades(count: int, seed: int = 7) -> list[LocalTrade]:
    """Return trades in memory: longs and shorts, with further entries, partial exits, fees, funding and interest."""
    chance = random.Random(seed)
    return [_trade(number, chance) for number in range(1, count + 1)]


def _trade(number: int, chance: random.Random) -> LocalTrade:
    mode = chance.choice(_MODES)
    suffix = ":USDT" if mode == "futures" else ""
    trade = local_trade(
        id=number,
        pair=f"R{number}/USDT{suffix}",
        base_currency=f"R{number}",
        trading_mode=mode,
        is_short=mode != "spot" and chance.random() < 0.5,
        leverage=1.0 if mode == "spot" else chance.choice([1.0, 3.0, 5.0]),
        fee_open=0.001,
        fee_close=chance.choice([0.001, 0.0006]),
        interest_rate=0.0005 if mode == "margin" else 0.0,
        open_date=OPENED + timedelta(minutes=7 * number),
        price_precision=chance.choice([None, 1e-6]),
        precision_mode=4,
        amount_precision=1e-6,
    )
    rate = chance.uniform(0.001, 900)
    for _ in range(chance.randint(1, 3)):
        _fill(trade, trade.entry_side, round(chance.uniform(0.5, 50), 6), rate * chance.uniform(0.9, 1.1), chance)
    if chance.random() < 0.4:
        _fill(trade, trade.exit_side, round(trade.amount / 3, 6), rate * chance.uniform(0.9, 1.1), chance)
    if chance.random() < 0.9:
        _fill(trade, trade.exit_side, trade.amount, rate * chance.uniform(0.8, 1.3), chance)
    return trade


def _fill(trade: LocalTrade, side: str, amount: float, rate: float, chance: random.Random) -> None:
    moment = trade.open_date + timedelta(minutes=33 * len(trade.orders))
    order = local_order(
        ft_pair=trade.pair,
        symbol=trade.pair,
        ft_order_side=side,
        amount=amount,
        price=round(rate, 6),
        order_date=moment,
        order_filled_date=moment + timedelta(seconds=5),
    )
    trade.orders.append(order)
    order.belong_to(trade)
    if trade.trading_mode == "futures":
        trade.set_funding_fees(round(chance.uniform(-1, 1), 4))
    trade.update_trade(order)
