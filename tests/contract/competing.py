"""Writers that compete in processes of their own: run as a program, so that they share nothing with a test.

Each line that it prints is how one attempt ended: what the work returned, or the name of the error that it raised.
"""

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from tests.builders import ccxt_order, trade_with_entry
from tradestore import Trade, init_db
from tradestore.exceptions import TradeStoreError
from tradestore.store import Store

WRITERS = 8
ATTEMPTS = 3
ANSWER = ccxt_order(id="contested", status="closed", filled=10.0, remaining=0.0, average=20.0)


def open_mixed(database: Store, writer: int) -> str:
    """Open a trade in a pair of the writer's own, or for half of them in one pair."""
    own = f"W{uuid.uuid4().hex}/USDT"
    return _open(database, own if writer < WRITERS / 2 else "ADA/USDT", writer)


def open_same(database: Store, writer: int) -> str:
    """Open a long or short trade in the same pair as all the others."""
    return _open(database, "ADA/USDT", writer)


def upsert(database: Store, _writer: int) -> str:
    """Hand in the same answer as all the others, for the one trade that is there."""
    return database.upsert_order(Trade.get_trades().one(), ANSWER).outcome


WORKS: dict[str, Callable[[Store, int], str]] = {work.__name__: work for work in (open_mixed, open_same, upsert)}


def attempts(database: Store, work: str, writer: int) -> Iterator[str]:
    """Yield how each attempt of a writer ended."""
    for _ in range(ATTEMPTS):
        try:
            yield WORKS[work](database, writer)
        except TradeStoreError as e:
            yield type(e).__name__
        except Exception as e:  # noqa: BLE001 - the test shows what should not have come
            yield repr(e)


def _open(database: Store, pair: str, writer: int) -> str:
    def work(session: Any) -> str:
        # Ids are counted in each process, but orders are told apart in all of them.
        record = trade_with_entry(pair=pair, is_short=writer % 2 == 1, leverage=1.0)
        record.orders[0].order_id += f" of {os.getpid()}"
        session.add(record)
        return "opened"

    return database.run(work)


def main(url: str, work: str) -> None:
    """Let all writers begin at the same moment."""
    reader, writer = os.pipe()
    children = []
    for number in range(WRITERS):
        child = os.fork()
        if child == 0:
            database = init_db(url)
            os.close(writer)
            os.read(reader, 1)  # Until there is no one left who could write.
            for outcome in attempts(database, work, number):
                os.write(1, f"{outcome}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(writer)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
