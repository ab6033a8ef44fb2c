"""What every start puts right in rows of older bots, and what it leaves alone."""

from typing import Any

import pytest

from tests.builders import CLOSED, OPENED, order, store, trade
from tests.local.making import fill, make_trade
from tests.migrations import kills
from tradestore import Order, Trade, init_db, migrations

ORDERS = {
    # order id: (side, of the open trade, is open afterwards)
    "dry_run_buy_1": ("buy", True, True),
    "dry_run_buy_2": ("buy", False, False),
    "dry_run": ("sell", False, False),
    "dry_run_stoploss_1": ("stoploss", True, False),
    "dry_run_stoploss_2": ("stoploss", False, False),
    "exchange-1": ("stoploss", True, True),
    "exchange-2": ("buy", False, True),
    "not_dry": ("sell", False, True),
}
STAKES: dict[str, tuple[dict[str, Any], float | None, int]] = {
    # pair: (fields, largest stake afterwards, version afterwards)
    "A": ({"leverage": 3.0}, 100.0, 2),
    "B": ({"leverage": 3.0, "record_version": 2}, 300.0, 2),
    "C": ({"leverage": 3.0, "is_open": True, "close_date": None}, 300.0, 1),
    "D": ({"leverage": 1.0}, 300.0, 1),
    "E": ({"leverage": 3.0, "max_stake_amount": 0.0}, 0.0, 1),
    "F": ({"leverage": 3.0, "max_stake_amount": None}, None, 1),
}


def _store_orders() -> None:
    is_open, closed = trade(), trade(is_open=False, close_date=CLOSED)
    for order_id, (side, of_open, _) in ORDERS.items():
        parent = is_open if of_open else closed
        parent.orders.append(order(order_id=order_id, ft_order_side=side, ft_is_open=True, status="open"))
    store(is_open, closed)
    Trade.session.remove()


def _store_trades() -> None:
    defaults: dict[str, Any] = {"is_open": False, "close_date": CLOSED, "max_stake_amount": 300.0, "record_version": 1}
    store(*(trade(pair=pair, **(defaults | fields)) for pair, (fields, _, _) in STAKES.items()))
    Trade.session.remove()


def _stakes() -> dict[str, tuple[float | None, int]]:
    Trade.session.remove()
    return {each.pair: (each.max_stake_amount, each.record_version) for each in Trade.get_trades()}


def test_orders_of_old_dry_runs_are_closed(database) -> None:
    """Stops of dry runs, and their orders of trades that are not open, are closed; no other order is touched."""
    _store_orders()
    for _ in range(2):
        migrations.fix_old_dry_orders(database.engine)
        found = {each.order_id: each.ft_is_open for each in _orders()}
        assert found == {order_id: stays for order_id, (_, _, stays) in ORDERS.items()}


def _orders() -> list[Order]:
    Trade.session.remove()
    return [each for record in Trade.get_trades() for each in record.orders]


def test_largest_stakes_lose_their_leverage_once(database) -> None:
    """Those of closed trades of older bots, and never a second time."""
    _store_trades()
    for _ in range(2):
        migrations.fix_wrong_max_stake_amount(database.engine)
        assert _stakes() == {pair: (stake, version) for pair, (_, stake, version) in STAKES.items()}


@pytest.mark.needs("persistent")
def test_every_start_fixes_and_then_only_reads(database, store_url: str) -> None:
    """The first start afterwards writes, the next one doesn't."""
    _store_orders()
    _store_trades()
    database.close()
    first, second = (kills.steps_of(lambda url: init_db(url).close(), store_url) for _ in range(2))
    writes = ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "BEGIN", "COMMIT", "file")
    assert [each.split()[0] for each in first if each.startswith("UPDATE")] == ["UPDATE"] * 2
    assert [each for each in second if each.startswith(writes)] == []
    again = init_db(store_url)
    assert {each.order_id for each in _orders() if each.ft_is_open} == {
        order_id for order_id, (_, _, stays) in ORDERS.items() if stays
    }
    assert _stakes()["A"] == (100.0, 2)
    Trade.session.remove()
    again.close()


@pytest.mark.needs("persistent")
def test_stake_that_was_computed_anew_is_never_divided(database, store_url: str) -> None:
    """A trade of an older bot that is closed by this one keeps the largest stake that this one computed."""
    store(trade(leverage=4.0, is_open=True, max_stake_amount=200.0, stake_amount=50.0, record_version=1))
    record = Trade.get_trades().one()
    record.orders.append(order(ft_order_side="buy"))
    record.orders.append(order(ft_order_side="sell", order_date=OPENED, order_filled_date=CLOSED))
    record.close(20.0)
    Trade.commit()
    assert (record.max_stake_amount, record.record_version) == (50.0, 2)
    Trade.session.remove()
    for _ in range(2):
        init_db(store_url)
        assert _stakes() == {"ADA/USDT": (50.0, 2)}
    Trade.session.remove()
    init_db("sqlite://").close()


def test_trade_in_memory_notes_that_its_stake_is_new() -> None:
    """It is so in memory, too: such a trade may be stored later."""
    old = make_trade(leverage=4.0, record_version=1)
    fill(old, "buy", 10.0, 20.0)
    old.recalc_trade_from_orders()
    assert (old.max_stake_amount, old.record_version) == (50.0, 2)
