"""A small bot on SQLite, from its first order to its performance table.

It lives through six trades: a spot long with a second entry and a partial exit, one that a trailing stop loss on the
exchange ends (and that gets its pair locked), a futures short with funding, a margin long with interest, and two that
stay open. At the end it closes the file, opens it again, and compares every number; if one differs it says so and exits
with 1.

The orders are real: exchanges sent them, the CCXT project recorded them. Wherever one had to be changed to fit into the
story, the change stands in the call that reads it. Nothing is sent anywhere.

    python examples/bot.py               # a file in a temporary folder
    python examples/bot.py trades.sqlite # a new file that stays
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from tradestore import (
    CustomDataWrapper,
    ExitType,
    LocalTrade,
    Order,
    PairLocks,
    Trade,
    TradingMode,
    init_db,
)
from tradestore.accounting import TICK_SIZE

RECORDED_ORDERS = Path(__file__).parents[1] / "tests" / "data" / "ccxt_orders"

Answer = dict[str, Any]
Cell = Callable[[Any], str]

console = Console()


def recorded(exchange: str, order_id: str, **changes: Any) -> Answer:
    """Return what an exchange answered, with the changes that make it a part of this story."""
    answers = json.loads((RECORDED_ORDERS / f"{exchange}.json").read_text(encoding="utf-8"))
    answer: Answer = next(entry["order"] for entry in answers if entry["order"]["id"] == order_id)
    return answer | changes


def at(text: str) -> datetime:
    """Read a moment of the story (UTC)."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def placed_at(text: str) -> Answer:
    """Return the time of an order that waits, in the exchange's form."""
    return {"timestamp": int(at(text).timestamp() * 1000), "lastTradeTimestamp": None}


def filled_at(text: str) -> Answer:
    """Return the times of an order that is filled at once, in the exchange's form."""
    milliseconds = int(at(text).timestamp() * 1000)
    return {"timestamp": milliseconds, "lastTradeTimestamp": milliseconds}


def place(trade: Trade, answer: Answer, side: str) -> Order:
    """Store what the exchange answered to a new order, and what the order did if it is filled already."""
    order = Order.parse_from_ccxt_object(answer, trade.pair, side)
    trade.orders.append(order)
    Trade.session.add(trade)
    Trade.commit()  # From here on the order is known, whatever happens to the bot.
    take_in(trade, order, answer)
    return order


def poll(trade: Trade, order: Order, answer: Answer) -> None:
    """Store what the exchange tells about an order that was waiting."""
    trade.update_order(answer)
    take_in(trade, order, answer)


def take_in(trade: Trade, order: Order, answer: Answer) -> None:
    """Note the fee of an order, then let its fills change the trade; a waiting order changes nothing."""
    fee = answer.get("fee") or {}
    if order.filled and fee.get("cost"):
        cost, currency = float(fee["cost"]), fee["currency"]
        if currency == trade.safe_base_currency:
            order.ft_fee_base = cost  # The exchange took it out of what was bought.
        is_entry = order.ft_order_side == trade.entry_side  # A stop loss order exits.
        trade.update_fee(cost, currency, None, trade.entry_side if is_entry else trade.exit_side)
    trade.update_trade(order)


def spot_with_second_entry_and_partial_exit() -> Trade:
    """Buy, buy more when it is cheap, sell half, sell the rest."""
    trade = Trade(
        pair="LTC/USDT",
        exchange="kucoin",
        open_date=at("2025-09-01 10:00"),
        open_rate=68.1,
        amount=0.1,
        stake_amount=6.81,
        fee_open=0.001,
        fee_close=0.001,
        enter_tag="dip",
    )
    place(trade, recorded("kucoin", "65ba3fc497c9e300079f2003", **filled_at("2025-09-01 10:00")), "buy")
    trade.adjust_stop_loss(trade.open_rate, -0.25, initial=True)

    # A second entry 19 % lower: the limit order waits first, then the exchange reports it filled.
    limit = recorded("kucoin", "6556088034d111000738f7b8", **placed_at("2025-09-01 18:00"))
    second_entry = place(trade, limit, "buy")
    done = {"status": "closed", "filled": 0.1, "remaining": 0.0, "average": 55.0, "cost": 5.5}
    poll(trade, second_entry, limit | done | filled_at("2025-09-02 04:30"))
    trade.set_custom_data("entries", {"count": trade.nr_of_successful_entries, "why": ["dip", "deeper dip"]})

    fee = {"currency": "USDT", "cost": 0.007835}  # 0.1 % as in the whole trade; this exchange took 0.2 %.
    place(trade, recorded("xt", "371185259911612992", fee=fee, **filled_at("2025-09-03 12:00")), "sell")

    last_half = {"amount": 0.1, "filled": 0.1, "cost": 6.701}  # 0.2 were sold in reality.
    trade.exit_reason = ExitType.EXIT_SIGNAL.value
    place(trade, recorded("htx", "992699963541108", **last_half, **filled_at("2025-09-04 16:00")), "sell")
    return trade


def spot_until_the_stop_loss_is_hit() -> Trade:
    """Buy, follow the rate with a stop loss order on the exchange, be stopped out, and keep away from the pair."""
    trade = Trade(
        pair="LTC/USDT",
        exchange="kraken",
        open_date=at("2025-09-05 08:00"),
        open_rate=71.05741,
        amount=0.1,
        stake_amount=7.105741,
        fee_open=0.0026,
        fee_close=0.0026,
        enter_tag="breakout",
        price_precision=0.01,
        precision_mode=TICK_SIZE,
    )
    place(trade, recorded("kraken", "OGMZCL-KC6MC-ZRBGM6", **filled_at("2025-09-05 08:00")), "buy")
    trade.adjust_stop_loss(trade.open_rate, -0.2, initial=True)
    trade.adjust_stop_loss(75.0, -0.2)  # The rate rose to 75, and the stop follows.

    # The recorded order would trigger at 55; this one triggers where the trade says: 20 % below 75.
    stop = recorded("kraken", "OIIQBL-6PV3A-7M2AJJ", stopLossPrice=trade.stop_loss, price=59.0)
    stop_order = place(trade, stop | placed_at("2025-09-05 09:00"), "stoploss")
    hit = {"status": "closed", "filled": 0.1, "remaining": 0.0, "average": 59.9, "cost": 5.99}
    hit |= {"fee": {"currency": "USDT", "cost": 0.015574}}
    poll(trade, stop_order, stop | hit | filled_at("2025-09-05 21:07"))

    now = at("2025-09-05 21:07")
    PairLocks.lock_pair(trade.pair, now + timedelta(hours=6), reason="stopped out", now=now, side="long")
    return trade


def futures_short_with_funding() -> Trade:
    """Sell with three times leverage, receive funding, buy back lower."""
    trade = Trade(
        pair="LTC/USDT:USDT",
        exchange="kucoin",
        open_date=at("2025-09-06 00:30"),
        open_rate=74.7,
        amount=0.1,
        stake_amount=2.49,
        fee_open=0.0005,
        fee_close=0.0005,
        enter_tag="overbought",
        trading_mode=TradingMode.FUTURES,
        is_short=True,
        leverage=3.0,
        amount_precision=1.0,
        contract_size=0.1,
        price_precision=0.01,
        precision_mode=TICK_SIZE,
    )
    contract = {"amount": 0.1, "filled": 0.1}  # The exchange counts contracts, a trade counts LTC.
    place(trade, recorded("kucoinfutures", "129888283827113984", **contract, **filled_at("2025-09-06 00:30")), "sell")
    trade.adjust_stop_loss(trade.open_rate, -0.3, initial=True)
    trade.set_liquidation_price(98.1234)

    trade.set_funding_fees(0.003)  # What was received since the last fill, as the exchange sums it up ...
    trade.set_funding_fees(0.0045)  # ... and again eight hours later.

    trade.exit_reason = ExitType.ROI.value
    place(trade, recorded("bingx", "1729799444544843776", **filled_at("2025-09-06 17:00")), "buy")
    return trade


def margin_long_with_interest() -> Trade:
    """Buy with two thirds of borrowed money, pay interest for 30 hours, sell."""
    trade = Trade(
        pair="SOL/USDT",
        exchange="binance",
        open_date=at("2025-09-07 06:00"),
        open_rate=241.0,
        amount=0.05,
        stake_amount=12.05 / 3,
        fee_open=0.001,
        fee_close=0.001,
        enter_tag="breakout",
        trading_mode=TradingMode.MARGIN,
        leverage=3.0,
        interest_rate=0.0006,
    )
    limit = recorded("binance", "9780331417", **placed_at("2025-09-07 05:59"))
    entry = place(trade, limit, "buy")
    done = {"status": "closed", "filled": 0.05, "remaining": 0.0, "average": 241.0, "cost": 12.05}
    poll(trade, entry, limit | done | filled_at("2025-09-07 06:00"))

    trade.exit_reason = ExitType.ROI.value
    sold = {"symbol": "SOL/USDT", "amount": 0.05, "filled": 0.05, "price": 250.0, "average": 250.0, "cost": 12.5}
    place(trade, recorded("binance", "3397148653", **sold, **filled_at("2025-09-08 12:00")), "sell")
    return trade


def open_with_its_fee_in_the_coin() -> Trade:
    """Buy one coin, of which the exchange keeps a little as its fee."""
    trade = Trade(
        pair="XRP/USDT",
        exchange="cryptocom",
        open_date=at("2025-09-10 12:00"),
        open_rate=0.61877,
        amount=1.0,
        stake_amount=0.61877,
        fee_open=0.00075,
        fee_close=0.00075,
        enter_tag="dip",
    )
    place(trade, recorded("cryptocom", "6142909896902261394", **filled_at("2025-09-10 12:00")), "buy")
    trade.adjust_stop_loss(trade.open_rate, -0.1, initial=True)
    CustomDataWrapper.save_custom_data(pair=trade.pair, data={"last_signal": "dip", "strength": 0.75})
    Trade.commit()
    return trade


def open_with_an_exit_that_waits() -> Trade:
    """Buy for 5 USDT: this exchange answers with the money as the amount, which is told apart on the way in."""
    trade = Trade(
        pair="ETH/USDT",
        exchange="toobit",
        open_date=at("2025-09-11 20:07:20"),
        open_rate=4425.21,
        amount=0.0011,
        stake_amount=4.867731,
        fee_open=0.001,
        fee_close=0.001,
        enter_tag="breakout",
    )
    place(trade, recorded("toobit", "2037469073319734528", **filled_at("2025-09-11 20:07:20")), "buy")
    trade.adjust_stop_loss(trade.open_rate, -0.1, initial=True)
    exit_order = {"amount": trade.amount, "remaining": trade.amount}
    place(trade, recorded("toobit", "2037456947184238848", **exit_order, **placed_at("2025-09-11 20:10")), "sell")
    trade.set_custom_data("target", 8234.0)
    return trade


def all_numbers(trades: Sequence[Trade]) -> dict[str, Any]:
    """Return the trades and all that the database tells about them, as JSON-ready values."""
    return {
        "trades": [trade.to_json() for trade in trades],
        "by pair": Trade.get_overall_performance(),
        "by entry tag": Trade.get_enter_tag_performance(None),
        "by exit reason": Trade.get_exit_reason_performance(None),
        "by entry tag and exit reason": Trade.get_mix_tag_performance(None),
        "closed profit": Trade.get_total_closed_profit(),
        "open stakes": Trade.total_open_trades_stakes(),
        "trading volume": Trade.get_trading_volume(),
        "locks": [lock.to_json() for lock in PairLocks.get_all_locks()],
        "custom data": [[entry.cd_key, entry.value] for trade in trades for entry in trade.get_all_custom_data()],
        "data of XRP/USDT": CustomDataWrapper.get_custom_data(pair="XRP/USDT"),
    }


def show(title: str, rows: Sequence[Any], columns: dict[str, Cell]) -> None:
    """Print rows as a table; each column has its heading and the function that reads its cell."""
    table = Table(title=title, title_justify="left", padding=(0, 1, 0, 0), box=None)
    for number, heading in enumerate(columns):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*(cell(row) for cell in columns.values()))
    console.print(table, "")


def show_performance(numbers_of: dict[str, Any]) -> None:
    """Print what each pair brought, and each entry tag with each exit reason."""
    numbers: dict[str, Cell] = {
        "%": lambda row: f"{row['profit_pct']:.2f}",
        "profit USDT": lambda row: f"{row['profit_abs']:.8f}",
        "trades": lambda row: str(row["count"]),
    }
    show("Performance by pair", numbers_of["by pair"], {"pair": lambda row: row["pair"], **numbers})
    mixed: dict[str, Cell] = {"entry tag, exit reason": lambda row: row["mix_tag"], **numbers}
    show("Performance by entry tag and exit reason", numbers_of["by entry tag and exit reason"], mixed)


def show_trades() -> None:
    """Print the trades themselves, the open ones with the rate at which they would break even."""
    common: dict[str, Cell] = {
        "trade": lambda trade: f"{trade.id} {trade.pair}",
        "side": lambda trade: f"{trade.trade_direction} {trade.leverage:g}x",
        "entered": lambda trade: f"{trade.open_rate:.5g}",
    }
    of_closed: dict[str, Cell] = {
        "left": lambda trade: f"{trade.close_rate:.5g}",
        "reason": lambda trade: trade.exit_reason,
        "%": lambda trade: f"{trade.close_profit * 100:.2f}",
        "profit USDT": lambda trade: f"{trade.close_profit_abs:.8f}",
    }
    of_open: dict[str, Cell] = {
        "amount": lambda trade: f"{trade.amount:.8g}",
        "stake USDT": lambda trade: f"{trade.stake_amount:.8f}",
        "stop": lambda trade: f"{trade.stop_loss:.6g}",
        "waiting": lambda trade: str(len(trade.open_orders)),
        "break-even": lambda trade: f"{trade.calc_close_rate_for_roi(0.0):.6g}",
    }
    closed: Sequence[LocalTrade] = Trade.get_closed_trades()
    show("Closed trades", closed, common | of_closed)
    show("Open trades", Trade.get_open_trades(), common | of_open)


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return one line for each part of the database that tells something else than before."""
    return [
        f"{name}: {before.get(name)!r} became {after.get(name)!r}"
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    ]


def run(path: Path) -> int:
    """Trade, report, reopen, compare; return the exit status."""
    database = init_db(f"sqlite:///{path}")
    PairLocks.timeframe = "5m"
    story = (
        spot_with_second_entry_and_partial_exit,
        spot_until_the_stop_loss_is_hit,
        futures_short_with_funding,
        margin_long_with_interest,
        open_with_its_fee_in_the_coin,
        open_with_an_exit_that_waits,
    )
    before = all_numbers([live_through() for live_through in story])  # Of the objects as the bot has them.
    database.close()

    database = init_db(f"sqlite:///{path}")
    after = all_numbers(Trade.get_trades().all())  # Of the file alone.
    show_performance(after)
    show_trades()
    for lock in PairLocks.get_pair_locks(None, now=at("2025-09-05 22:00")):
        console.print(
            f"{lock.pair} was locked ({lock.side}) until {lock.lock_end_time_utc:%Y-%m-%d %H:%M} UTC: {lock.reason}"
        )
    console.print(f"Closed profit {after['closed profit']:.8f} USDT, volume {after['trading volume']:.8f} USDT")
    database.close()

    changed = differences(before, after)
    for line in changed:
        print(f"Not the same after reopening: {line}", file=sys.stderr)
    if not changed:
        console.print(f"{len(after['trades'])} trades: every number is the same after reopening the file.")
    return 1 if changed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="A small bot on SQLite; see the top of this file.")
    parser.add_argument("file", nargs="?", type=Path, help="a new database file; a temporary one if left out")
    path = parser.parse_args().file
    if path is None:
        with TemporaryDirectory() as folder:
            return run(Path(folder) / "trades.sqlite")
    if path.exists():
        parser.error(f"{path} exists already: name a new file")
    return run(path)


if __name__ == "__main__":
    sys.exit(main())
