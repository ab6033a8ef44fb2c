"""Stores that commands are tried on."""

from datetime import timedelta

from tradestore import KeyValueStore, PairLocks, Trade
from tradestore.testing import KNOWN_TRADES, opened_store
from tradestore.testing.builders import OPENED

__all__ = ["write_known_store"]


def write_known_store(url: str) -> None:
    """Make a store with the trades whose numbers are known, and one of all else that a bot keeps.

    Trade 1 is a closed spot long, 2 an open one with a further entry and a partial exit, 3 a closed futures short with
    funding, 4 a closed margin long.
    """
    with opened_store(url):
        for number, make in enumerate(KNOWN_TRADES):
            known = make().trade
            known.strategy = "Patience"
            known.enter_tag = ("dip", None)[number % 2]
            for place, order in enumerate(known.orders):
                order.order_id = f"known-{number + 1}-{place + 1}"
            Trade.session.add(known)
            Trade.commit()
        Trade.session.get_one(Trade, 2).set_custom_data("target", 25.5)
        KeyValueStore.store_value("bot_start_time", OPENED)
        PairLocks.lock_pair("ADA/USDT", OPENED + timedelta(days=36_500), "no luck", now=OPENED)
        PairLocks.lock_pair("BTC/USDT", OPENED + timedelta(hours=1), "over", now=OPENED)
