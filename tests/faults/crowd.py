"""A crowd of writers on the same few rows: what one process of it does."""

import logging
import random
import threading
import time
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.builders import order
from tests.faults.children import Tell
from tradestore import CustomDataWrapper, Database, Trade, init_db
from tradestore.models import KeyValueStoreModel

__all__ = ["COUNTER", "Crowd", "Tally", "work_in_crowd"]

COUNTER = "units"


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """How many write what.

    Attributes:
        processes: That run at the same time.
        threads: Of each process.
        units: Of work of each process.
        trades: Ids of the trades that all share.
        crossing: Share of the units that lock two trades in any order, and so meet in deadlocks; 0 for none.
        order_every: After how many units of a thread it appends an order.
    """

    processes: int
    threads: int
    units: int
    trades: tuple[int, ...]
    crossing: float = 0.0
    order_every: int = 20


@dataclass
class Tally:
    """What a process has seen.

    Attributes:
        units: Done.
        orders: Appended.
        changes: Of a trade's field.
        retries: Attempts that `Database.run` repeated.
        deadlocks: Those of them that an engine ended as a deadlock.
        errors: That reached the caller.
        longest: Seconds that the slowest unit took, with its waiting.
    """

    units: int = 0
    orders: int = 0
    changes: int = 0
    retries: int = 0
    deadlocks: int = 0
    errors: list[str] = field(default_factory=list)
    longest: float = 0.0


class _Retries(logging.Handler):
    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self.tally = tally

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        self.tally.retries += "Attempt" in message
        self.tally.deadlocks += "deadlock" in message.lower()


def work_in_crowd(tell: Tell, url: str, crowd: Crowd, number: int) -> None:
    """Do one process's share of the units, and tell the tally."""
    database = init_db(url, pool_size=crowd.threads, max_overflow=0)
    tally = Tally()
    log = logging.getLogger("tradestore")
    log.addHandler(_Retries(tally))
    log.propagate = False
    threads = [
        threading.Thread(target=_write, args=(database, crowd, f"{number}-{thread}", tally))
        for thread in range(crowd.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    tell(tally)


def _write(database: Database, crowd: Crowd, name: str, tally: Tally) -> None:
    rng = random.Random(name)
    share = crowd.units // crowd.threads
    for unit in range(1, share + 1):
        first, second = rng.sample(crowd.trades, 2)
        crosses = rng.random() < crowd.crossing
        appends = unit % crowd.order_every == 0
        changed = [first, second] if crosses else [first]

        def work(session: Session, changed=changed, appends=appends, unit=unit) -> None:
            for place, trade_id in enumerate(changed):
                if place:
                    time.sleep(0.001)  # Long enough for somebody else to take the other one.
                _add_to_trade(session, trade_id)
            CustomDataWrapper.set_custom_data(changed[0], f"by {name}", unit)
            if appends:
                session.add(order(ft_trade_id=changed[0], order_id=f"{name}-{unit}"))
            _count(session)

        started = time.monotonic()
        try:
            database.run(work)
        except Exception as error:  # noqa: BLE001 - the test shows it
            tally.errors.append(f"{name}, unit {unit}: {error!r}")
            continue
        tally.units += 1
        tally.changes += len(changed)
        tally.orders += appends
        tally.longest = max(tally.longest, time.monotonic() - started)


def _add_to_trade(session: Session, trade_id: int) -> None:
    found = session.scalars(select(Trade).where(Trade.id == trade_id).with_for_update()).one()
    assert found.max_rate is not None
    found.max_rate += 1
    session.flush()


def _count(session: Session) -> None:
    row = session.scalars(select(KeyValueStoreModel).where(KeyValueStoreModel.key == COUNTER).with_for_update()).one()
    assert row.int_value is not None
    row.int_value += 1
