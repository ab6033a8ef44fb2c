"""JSON of many trades: the same as of each one, read in batches."""

import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import tradestore
from tests.builders import CLOSED, OPENED, amend, order, store, trade
from tests.contract.conftest import Watch
from tests.history import fill_history
from tradestore import LocalTrade, Order, Trade

TOLD_BY_ORDERS = {
    "open_fill_date",
    "open_fill_timestamp",
    "stoploss_last_update",
    "stoploss_last_update_timestamp",
    "nr_of_successful_entries",
    "nr_of_successful_exits",
    "has_open_orders",
    "orders",
}


def _chance(dice: random.Random, value: object) -> Any:
    return value if dice.random() < 0.6 else None


def _random_order(dice: random.Random, pair: str) -> Order:
    side = dice.choice(["buy", "sell", "stoploss"])
    placed = OPENED + timedelta(microseconds=dice.randrange(10**12))
    # Set afterwards: the builder works some fields out from others.
    record = order(ft_pair=pair)
    amend(
        record,
        ft_order_side=side,
        side="sell" if side == "stoploss" else side,
        ft_is_open=dice.random() < 0.3,
        status=dice.choice(["open", "closed", "canceled", "expired", None]),
        average=_chance(dice, dice.uniform(0, 1e5)),
        price=_chance(dice, dice.uniform(0, 1e-5)),
        stop_price=_chance(dice, 3.0),
        amount=_chance(dice, dice.uniform(0, 10)),
        ft_amount=dice.uniform(0, 10),
        filled=dice.choice([None, 0.0, dice.uniform(0, 10)]),
        remaining=_chance(dice, 0.0),
        cost=_chance(dice, dice.uniform(0, 1e9)),
        order_date=placed,
        order_filled_date=_chance(dice, placed + timedelta(microseconds=dice.randrange(10**10))),
        ft_order_tag=_chance(dice, "täg"),
        funding_fee=_chance(dice, -0.25),
        ft_fee_base=_chance(dice, 0.001),
    )
    return record


def _random_trade(dice: random.Random) -> Trade:
    is_open = dice.random() < 0.5
    pair = dice.choice(["ADA/USDT", "ETH/USDT:USDT"])
    record = trade(
        pair=pair,
        base_currency=_chance(dice, "ADA"),
        stake_currency=_chance(dice, "USDT"),
        is_open=is_open,
        amount=dice.uniform(0, 1e3),
        amount_requested=_chance(dice, 1 / 3),
        open_date=OPENED + timedelta(microseconds=dice.randrange(10**9)),
        close_date=None if is_open else CLOSED + timedelta(microseconds=dice.randrange(10**12)),
        close_profit=_chance(dice, dice.uniform(-1, 1)),
        close_profit_abs=_chance(dice, dice.uniform(-100, 100)),
        realized_profit=_chance(dice, 1.5),
        max_stake_amount=_chance(dice, 400.0),
        stop_loss=_chance(dice, 18.0),
        stop_loss_pct=_chance(dice, -0.1),
        fee_open_currency=_chance(dice, "USDT"),
        trading_mode=_chance(dice, tradestore.TradingMode.FUTURES),
        is_short=dice.random() < 0.5,
        leverage=dice.choice([1.0, 3.0, None]),
        enter_tag=_chance(dice, "täg"),
        exit_reason=_chance(dice, "roi"),
        timeframe=_chance(dice, 5),
    )
    record.orders += [_random_order(dice, pair) for _ in range(dice.randrange(5))]
    return record


@pytest.fixture
def chance_trades(database) -> None:
    """Sixty trades with up to four orders each, of every state and with gaps everywhere."""
    dice = random.Random(20260301)
    store(*(_random_trade(dice) for _ in range(60)))
    Trade.session.remove()


@pytest.mark.parametrize("minified", [False, True])
def test_stream_is_what_each_trade_gives(chance_trades, minified) -> None:
    """Trade by trade, key by key, in the same order of keys; and the plain class gives the same of the same values."""
    mapped = Trade.get_trades().all()
    expected = [record.to_json(minified) for record in mapped]
    streamed = list(Trade.get_trades_json(minified=minified))
    assert streamed == expected
    assert [list(values) for values in streamed] == [list(values) for values in expected]
    assert [LocalTrade.to_json(record, minified) for record in mapped] == expected


def test_expired_and_new_trades_give_all_their_values(chance_trades) -> None:
    """What is not loaded is loaded for it, and what was never stored is told as it stands."""
    stored = Trade.get_trades().all()
    expected = [record.to_json() for record in stored]
    Trade.rollback()
    assert [record.to_json() for record in stored] == expected
    new = trade(enter_tag="new")
    new.orders.append(order(order_id="first"))
    assert new.to_json() == LocalTrade.to_json(new)
    assert new.to_json()["nr_of_successful_entries"] == 1


BOT_WITH_ORDERS_OF_ITS_OWN = """
import sys
import tradestore
from tests.builders import columns_of, order, store, trade_with_entry
from tradestore import Order, Trade

class TellingOrder(Order):
    @property
    def safe_price(self):
        return 7.5

    def to_json(self, entry_side, minified=False):
        return {**super().to_json(entry_side, minified), "told_by": "bot"}

database = tradestore.init_db(sys.stdin.read())
store(trade_with_entry())
record = Trade.get_trades().one()
record.orders.append(TellingOrder(**columns_of(order(), without=["id", "ft_trade_id"])))
plain, own = record.to_json()["orders"]
print(plain["safe_price"], plain.get("told_by"), own["safe_price"], own.get("told_by"))
Trade.session.remove()
database.close()
"""


def test_order_of_a_bot_tells_itself(store_url) -> None:
    """A bot may have orders that tell something else; only our own ones are told by the short way.

    In a process of its own: a class stays mapped for good.
    """
    # A server that is not durable would be complained of.
    url = f"{store_url}?durability=normal"
    run = subprocess.run(
        [sys.executable, "-c", BOT_WITH_ORDERS_OF_ITS_OWN], input=url, capture_output=True, text=True, check=False
    )
    assert (run.stdout.strip(), run.stderr) == ("20.0 None 7.5 bot", "")


def test_stream_takes_a_filter(chance_trades) -> None:
    """Only matching trades come, by id; no match gives nothing."""
    wanted = [Trade.is_open.is_(True), Trade.pair == "ADA/USDT"]
    ids = [record.id for record in Trade.get_trades(wanted)]
    assert 0 < len(ids) < 60
    assert [values["trade_id"] for values in Trade.get_trades_json(wanted)] == ids
    assert list(Trade.get_trades_json(Trade.pair == "none")) == []


def test_stream_without_orders_tells_nothing_false(chance_trades) -> None:
    """Everything that only orders tell is left out instead of being told as if there were none."""
    full = list(Trade.get_trades_json())
    bare = list(Trade.get_trades_json(include_orders=False))
    assert bare == [{key: value for key, value in values.items() if key not in TOLD_BY_ORDERS} for values in full]
    assert full[0].keys() - bare[0].keys() == TOLD_BY_ORDERS


def test_statements_grow_with_the_batches_only(database, statements: Watch) -> None:
    """Two statements for each 500 trades, sent as they are needed; one each without orders. No object is kept."""
    fill_history(database.engine, closed=1_200, waiting=3)
    with statements() as sent:
        stream = Trade.get_trades_json()
        first = [next(stream)["trade_id"] for _ in range(500)]
        assert len(sent) == 2
        rest = [values["trade_id"] for values in stream]
    assert first + rest == list(range(1, 1_204))
    assert len(sent) == 6
    assert len(Trade.session.identity_map) == 0
    with statements() as sent:
        assert sum(1 for _ in Trade.get_trades_json(include_orders=False)) == 1_203
    assert len(sent) == 3


def test_last_batch_may_be_full(database) -> None:
    """Exactly as many trades as one batch holds come once."""
    fill_history(database.engine, closed=490, waiting=10)
    assert [values["trade_id"] for values in Trade.get_trades_json()] == list(range(1, 501))


def _keep_adding(stream: Iterator[dict[str, Any]]) -> Iterator[int]:
    for number, values in enumerate(stream):
        if number == 10:
            Trade.session.remove()
            store(trade(enter_tag="late"))
        yield values["trade_id"]


def test_stream_survives_work_in_between(chance_trades) -> None:
    """Whoever stores something while reading loses nothing of what was there."""
    assert list(_keep_adding(Trade.get_trades_json()))[:60] == list(range(1, 61))


@pytest.mark.parametrize("kind", [Trade, LocalTrade])
def test_stream_is_refused_in_memory(kind) -> None:
    """The refusal comes at once, not with the first trade."""
    with tradestore.FtNoDBContext("5m"), pytest.raises(NotImplementedError, match="get_trades_json"):
        kind.get_trades_json()
