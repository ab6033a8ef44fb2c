"""Pair locks as an operator looks at them and releases them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from tradestore._clock import utc_now
from tradestore.exceptions import InvalidValue
from tradestore.local_pairlock import ANY
from tradestore.operations.opening import Place, open_to_change, open_to_read
from tradestore.pairlock import PairLock

__all__ = ["Lock", "find_locks", "list_locks", "release_locks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A pair that must not be entered for a while.

    Attributes:
        id: Its number.
        pair: ``*`` for all.
        side: ``long``, ``short``, or ``*`` for both.
        reason: Why; None if nobody said.
        begin: UTC.
        end: UTC.
        holds: Whether it keeps anybody from anything now: it is neither over nor released.
    """

    id: int
    pair: str
    side: str
    reason: str | None
    begin: datetime
    end: datetime
    holds: bool


def list_locks(place: Place, *, include_over: bool = False) -> tuple[Lock, ...]:
    """Return the pair locks in the order in which they were made; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        include_over: Also those that are over or were released.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place):
        found = PairLock.get_all_locks() if include_over else PairLock.query_pair_locks(None)
        return tuple(_lock(each) for each in found)


def find_locks(
    place: Place, *, ids: Collection[int] = (), pair: str | None = None, side: str | None = None
) -> tuple[Lock, ...]:
    """Return the locks that hold and are meant; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        ids: These, and all of the pair.
        pair: All of this pair, ``*`` for those that lock every pair; none if None.
        side: With a pair: those that hold for ``long`` or ``short``; of any side if None or ``*``.

    Raises:
        InvalidValue: If an id is none of a lock that holds.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place) as store:
        holding = {each.id: _lock(each) for each in PairLock.query_pair_locks(None)}
        if missing := sorted(set(ids) - holding.keys()):
            names = ", ".join(map(str, missing))
            msg = f"No lock with the id {names} holds in {store.url}: see `tradestore locks`."
            raise InvalidValue(msg)
        meant = set(ids)
        if pair is not None:
            meant |= {each.id for each in PairLock.query_pair_locks(pair, side=None if side == ANY else side)}
        return tuple(lock for lock_id, lock in holding.items() if lock_id in meant)


def release_locks(place: Place, ids: Collection[int]) -> tuple[Lock, ...]:
    """Release locks, all of them or none.

    Args:
        place: A database URL, or the database that is open.
        ids: Which.

    Returns:
        Those that were released, as they were before; a lock that nobody holds any more is not among them.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_change` raises it.
        DatabaseBusy: Likewise; nothing was released.
    """
    with open_to_change(place) as store, store.transaction() as session:
        wanted = select(PairLock).where(PairLock.id.in_(ids), PairLock.active).order_by(PairLock.id)
        found = session.scalars(wanted).all()
        released = tuple(_lock(each) for each in found)
        for each in found:
            each.active = False
        return released


def _lock(lock: PairLock) -> Lock:
    return Lock(
        id=lock.id,
        pair=lock.pair,
        side=lock.side,
        reason=lock.reason,
        begin=lock.lock_time_utc,
        end=lock.lock_end_time_utc,
        holds=lock.holds(utc_now()),
    )
