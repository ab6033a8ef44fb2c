"""Old trades moved out of a store into a file, and back; what they brought stays in all reports.

Each portion of trades is copied and stored in the archive first. Then one transaction of the store compares what both
sides have, value by value, keeps the sums and deletes the trades. So a trade is always in at least one place; where a
kill has left it in both, the store's is the one that counts, and the next call takes the copy away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, delete, exists, false, func, select

from tradestore._archive_model import ArchivedProfit
from tradestore._clock import as_utc
from tradestore._engine import take_write_lock
from tradestore._errors import refusals_told
from tradestore._intent_model import UNRESOLVED, OrderIntent
from tradestore._performance import orders_table, trades_table
from tradestore._sqltypes import storable
from tradestore.base import ModelBase
from tradestore.exceptions import ArchiveError, DatabaseBusy
from tradestore.operations._archive_file import archive_number, existing_archive, new_or_existing_archive
from tradestore.operations._archive_rows import (
    Ids,
    cargos_between,
    contents_of,
    copy_rows,
    delete_rows,
    drop_copies,
    lock_rows,
    portions,
    trade_ids,
)
from tradestore.operations._archive_sums import Sums
from tradestore.operations._referring_rows import (
    REMEDY,
    Reference,
    leaving_with,
    refer_to_leaving,
    references_of_others,
)
from tradestore.operations._transfer_plan import Cargo
from tradestore.operations.opening import Place, open_to_change, open_to_read

__all__ = ["ArchivePlan", "ArchiveReport", "UnarchiveReport", "archive", "plan_archive", "unarchive"]

Progress = Callable[[int, int | None], None]
"""Called with how many trades have been moved, and with how many there are."""

_PORTION: Final = 500
"""Trades that are moved at once: a writer waits no longer than for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlan:
    """What would be archived.

    Attributes:
        before: Of trades that were closed before this moment (UTC).
        trades: How many.
        orders: How many belong to them.
        first_closed: When the first of them was closed (UTC); None without one.
        last_closed: Likewise the last.
        staying: Closed trades of that time that stay: somebody waits for an order of theirs, or they have the highest
            id that closed trades have, which must not be given again.
    """

    before: datetime
    trades: int
    orders: int
    first_closed: datetime | None
    last_closed: datetime | None
    staying: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveReport:
    """What was archived.

    Attributes:
        file: The archive.
        before: Trades that were closed before this moment (UTC).
        trades: How many were moved.
        archived_trades: How many the archive has now.
    """

    file: str
    before: datetime
    trades: int
    archived_trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveReport:
    """What was put back.

    Attributes:
        file: The archive.
        trades: How many trades were put back.
        archived_trades: How many the archive still has.
    """

    file: str
    trades: int
    archived_trades: int


def plan_archive(place: Place, before: datetime) -> ArchivePlan:
    """Say what :func:`archive` would move; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        before: Trades that were closed before it; UTC without an offset.

    Raises:
        ArchiveError: If rows of other tables refer to trades that would be moved.
        OperationalException: If the store cannot be opened.
    """
    moment = _moment(before)
    trades, orders = trades_table(), orders_table()
    with open_to_read(place) as store, refusals_told(_refused), store.engine.connect() as connection:
        chosen = select(trades.c.id).where(_may_go(moment))
        _refuse_referring(connection, references_of_others(connection), chosen)
        closed = select(func.count()).select_from(trades).where(*_is_old(moment))
        figures = select(func.count(), func.min(trades.c.close_date), func.max(trades.c.close_date))
        count, first, last = connection.execute(figures.where(_may_go(moment))).one()
        placed = select(func.count()).select_from(orders).where(orders.c.ft_trade_id.in_(chosen))
        return ArchivePlan(
            before=as_utc(moment),
            trades=count,
            orders=connection.scalar(placed) or 0,
            first_closed=None if first is None else as_utc(first),
            last_closed=None if last is None else as_utc(last),
            staying=(connection.scalar(closed) or 0) - count,
        )


def archive(
    place: Place, before: datetime, file: str | PathLike[str], *, progress: Progress | None = None
) -> ArchiveReport:
    """Move trades that were closed before a moment into a file, with their orders and custom data.

    The file is a store of its own: ``init_db`` opens it. Further trades of the same store may be added to it later. A
    call that was cut short, by whatever, lost nothing: the next one goes on.

    Args:
        place: A database URL, or the database that is open; a bot may work with it meanwhile. Trades that it holds in
            its sessions are not told.
        before: Trades that were closed before it; UTC without an offset. Those with orders or intents that are not
            settled stay, and so does what has the highest id of closed trades.
        file: The archive. It is made if it is not there, for its owner alone.
        progress: Called after each portion.

    Raises:
        ArchiveError: If the file is no archive of this store, or an older copy of it; if rows of other tables refer to
            the trades, whatever their foreign keys say about a deletion; if a number of one is infinite or none; or if
            what arrived is not what was there. Each trade is where it was, or archived as a whole.
        DatabaseBusy: If others held a lock, or changed the trades meanwhile.
        OperationalException: If one of both cannot be opened.
    """
    moment, path = _moment(before), Path(file)
    with open_to_change(place) as store, refusals_told(_refused):
        here = store.engine
        references = _free_references(here, moment)
        with new_or_existing_archive(here, path) as archived:
            done = _move(here, archived, path, moment, references, progress)
            return ArchiveReport(file=str(path), before=as_utc(moment), trades=done, archived_trades=_count(archived))


def unarchive(
    place: Place, file: str | PathLike[str], ids: Ids | None = None, *, progress: Progress | None = None
) -> UnarchiveReport:
    """Put archived trades back into their store, under their ids; reports stay what they are.

    All of them come back in one transaction, or none. A call that was cut short after it is ended by the next one.

    Args:
        place: A database URL, or the database that is open.
        file: The archive.
        ids: Of the trades; all of the archive's if None.
        progress: Called after each portion.

    Raises:
        ArchiveError: If the file is no archive of this store, or an older copy of it, or does not have one of the
            trades; if the store has something else under their ids; or if what arrived is not what was there.
            Nothing was changed.
        DatabaseBusy: If others held a lock.
        OperationalException: If one of both cannot be opened.
    """
    path = Path(file)
    with open_to_change(place) as store, refusals_told(_refused), existing_archive(store.engine, path) as archived:
        here = store.engine
        number = archive_number(here, archived, path, may_be_new=False)
        cargos = cargos_between(archived, here)
        _drop_all_copies(here, archived, cargos, number, path)
        with archived.connect() as there:
            # So that nobody archives or puts back the same trades meanwhile.
            take_write_lock(there)
            chosen = _existing(there, ids, path)
            with here.begin() as connection:
                take_write_lock(connection)
                _put_back(connection, there, cargos, chosen, progress)
                _sum_up_rest(connection, there, chosen, number)
        _drop_all_copies(here, archived, cargos, number, path)
        return UnarchiveReport(file=str(path), trades=len(chosen), archived_trades=_count(archived))


def _moment(before: datetime) -> datetime:
    moment: datetime = storable("archive(before)", trades_table().c.close_date.type, before)
    return moment


def _is_old(moment: datetime) -> list[ColumnElement[bool]]:
    trades = trades_table().c
    return [trades.is_open == false(), trades.close_date < moment]


def _may_go(moment: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody needs a trade any more, and that no id of it is given again when it is gone."""
    trades, intents = trades_table(), OrderIntent.__table__.c
    parts = [orders_table(), ModelBase.metadata.tables["trade_custom_data"]]
    waits = exists().where(parts[0].c.ft_trade_id == trades.c.id, parts[0].c.ft_is_open).correlate(trades)
    meant = exists().where(intents.ft_trade_id == trades.c.id, intents.state.in_(UNRESOLVED)).correlate(trades)
    # SQLite counts on from the highest id that is there. A bot deletes open trades, but no closed ones.
    newest = trades.alias("newest")
    last_closed = select(func.max(newest.c.id)).where(newest.c.is_open == false()).scalar_subquery()
    conditions = [*_is_old(moment), ~waits, ~meant, trades.c.id < last_closed]
    for part in parts:
        last, owner = part.alias(), trades.alias()
        of_closed = select(func.max(last.c.id)).join_from(last, owner, last.c.ft_trade_id == owner.c.id)
        highest = of_closed.where(owner.c.is_open == false()).scalar_subquery()
        conditions.append(~exists().where(part.c.ft_trade_id == trades.c.id, part.c.id == highest).correlate(trades))
    return and_(*conditions)


def _chosen(store: Engine, moment: datetime) -> Ids:
    trades = trades_table().c
    with store.connect() as connection:
        # In the order in which they were closed: a portion has few days then, and needs few sums.
        return connection.scalars(select(trades.id).where(_may_go(moment)).order_by(trades.close_date, trades.id)).all()


def _move(
    here: Engine,
    archived: Engine,
    path: Path,
    moment: datetime,
    references: Sequence[Reference],
    progress: Progress | None,
) -> int:
    """Move what may go, a portion at a time; return how many trades there were."""
    number = archive_number(here, archived, path, may_be_new=True)
    cargos = cargos_between(here, archived)
    _drop_all_copies(here, archived, cargos, number, path)
    ids = _chosen(here, moment)
    done = 0
    for some in portions(ids, _PORTION):
        _copy(here, archived, cargos, some)
        _take_out(here, archived, cargos, some, number, moment, references)
        done += len(some)
        if progress is not None:
            progress(done, len(ids))
    return done


def _free_references(store: Engine, moment: datetime) -> Sequence[Reference]:
    """Return by what rows of other tables may refer to trades; none does so by now to one that may go."""
    with store.connect() as connection:
        references = references_of_others(connection)
        _refuse_referring(connection, references, select(trades_table().c.id).where(_may_go(moment)))
        return references


def _refuse_referring(connection: Connection, references: Sequence[Reference], ids: Ids | Select[int]) -> None:
    """Refuse what the engine would do to rows of a user's own tables, and nobody could undo."""
    if found := list(refer_to_leaving(connection, references, leaving_with(ids))):
        msg = (
            f"Rows of other tables refer to trades that would be archived: {'; '.join(found)}. None of these trades "
            f"was moved: {REMEDY}"
        )
        raise ArchiveError(msg)


def _copy(store: Engine, archive: Engine, cargos: Sequence[Cargo], ids: Ids) -> None:
    with archive.begin() as there, store.connect() as here:
        take_write_lock(there)
        drop_copies(here, there, cargos, ids)
        copy_rows(here, there, cargos, ids)


def _take_out(
    store: Engine,
    archive: Engine,
    cargos: Sequence[Cargo],
    ids: Ids,
    number: int,
    moment: datetime,
    references: Sequence[Reference],
) -> None:
    """Delete a portion from the store, if the archive has all of it."""
    with archive.connect() as there, store.begin() as here:
        # As long as it is held, nobody takes the copies for those of a call that was killed.
        take_write_lock(there)
        take_write_lock(here)
        lock_rows(here, cargos, ids)
        trades = trades_table().c
        may_go = here.scalar(
            select(func.count()).select_from(trades_table()).where(trades.id.in_(ids), _may_go(moment))
        )
        if may_go != len(ids) or contents_of(here, cargos, ids) != contents_of(there, cargos, ids):
            msg = "Somebody has changed trades while they were archived. Nothing was lost: do it again."
            raise DatabaseBusy(msg)
        # A bot may have added some meanwhile; by now it has to wait for the locks.
        _refuse_referring(here, references, ids)
        sums = Sums()
        sums.add(here, ids)
        sums.store(here, number)
        delete_rows(here, cargos, ids)


def _drop_all_copies(store: Engine, archive: Engine, cargos: Sequence[Cargo], number: int, path: Path) -> None:
    """Take away what is in the store as well, when the rest is what the store's sums are of."""
    with archive.begin() as there:
        # As long as it is held, nobody changes those sums.
        take_write_lock(there)
        ids, copies = trade_ids(there), 0
        for some in portions(ids, _PORTION):
            with store.connect() as here:
                copies += drop_copies(here, there, cargos, some)
        counted = _counted(store, number)
        if not len(ids) - copies <= counted <= len(ids):
            msg = (
                f"{path} has {len(ids)} trades, but the store counts {counted} in it: it is an older copy of the "
                "archive, or a copy of the store has used it. Nothing was changed: give the file that the trades were "
                "moved to, or archive into another one."
            )
            raise ArchiveError(msg)
        if counted > len(ids) - copies:
            # Somebody has brought trades back by other means, such as from a backup.
            with store.begin() as here:
                take_write_lock(here)
                _sum_up_rest(here, there, [], number)


def _counted(store: Engine, number: int) -> int:
    table: Any = ArchivedProfit.__table__
    with store.connect() as connection:
        return int(connection.scalar(select(func.sum(table.c.trades)).where(table.c.archive_id == number)) or 0)


def _existing(archive: Connection, ids: Ids | None, path: Path) -> Ids:
    present = trade_ids(archive)
    if ids is None:
        return present
    if missing := sorted(set(ids) - set(present)):
        msg = f"The archive {path} has no trade {', '.join(map(str, missing[:10]))}: nothing was changed."
        raise ArchiveError(msg)
    return sorted(set(ids))


def _put_back(
    store: Connection, archive: Connection, cargos: Sequence[Cargo], ids: Ids, progress: Progress | None
) -> None:
    done = 0
    for some in portions(ids, _PORTION):
        copy_rows(archive, store, cargos, some)
        if contents_of(store, cargos, some) != contents_of(archive, cargos, some):
            msg = "What arrived in the store is not what the archive has. Nothing was changed: look after both disks."
            raise ArchiveError(msg)
        done += len(some)
        if progress is not None:
            progress(done, len(ids))


def _sum_up_rest(store: Connection, archive: Connection, gone: Ids, number: int) -> None:
    """Let the sums be those of the trades that stay in an archive: taking away from sums would leave a rest."""
    table: Any = ArchivedProfit.__table__
    store.execute(delete(table).where(table.c.archive_id == number))
    sums, left_out = Sums(), set(gone)
    for some in portions([each for each in trade_ids(archive) if each not in left_out], _PORTION):
        sums.add(archive, some)
    sums.store(store, number)


def _count(archive: Engine) -> int:
    with archive.connect() as connection:
        return connection.scalar(select(func.count()).select_from(trades_table())) or 0


def _refused(cause: object) -> ArchiveError:
    return ArchiveError(
        f"The trades cannot be moved ({str(cause).strip()}). Each of them is where it was, or moved as a whole: "
        "put right what is in the way, then do it again."
    )
