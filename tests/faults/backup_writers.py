"""A writer beside a backup: a trade with two orders after the other, each in one transaction, timed."""

import time
from itertools import count

from tests.builders import order, trade
from tests.faults.children import Tell
from tradestore import Trade, init_db

__all__ = ["BUSY_TIMEOUT", "write_trades"]

BUSY_TIMEOUT = 10.0
"""Seconds."""


def write_trades(tell: Tell, url: str, name: str) -> None:
    """Write until the end of the process; tell how many trades are stored, and how long the last one took."""
    init_db(url, busy_timeout=BUSY_TIMEOUT)
    for number in count(1):
        written = trade(enter_tag=f"{name} {number}")
        written.orders += [order(order_id=f"{name} {number} {leg}") for leg in range(2)]
        begun = time.monotonic()
        Trade.session.add(written)
        Trade.commit()
        tell((number, time.monotonic() - begun))
        Trade.session.remove()
