"""Undoing repairs: every row is put back exactly as it was, or nothing is changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tradestore._clock import as_naive_utc, utc_now
from tradestore.exceptions import RepairError
from tradestore.operations.opening import Place, open_to_change, open_to_read
from tradestore.operations.repair.row_text import row_of, text_of
from tradestore.operations.repair.rows import KEY, StoredRows
from tradestore.operations.repair.settings import undo_setting
from tradestore.repair_log import RepairAction, RepairEntry

__all__ = ["LoggedRepair", "UndoReport", "forget_repairs", "repair_history", "undo_repair"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRepair:
    """One repair as the log has it.

    Attributes:
        batch: By which it can be undone.
        done_at: When (UTC).
        undone_at: When it was undone (UTC), None if it was not.
        findings: The codes that it was for; none for an edit by hand.
        reasons: Why, in words, each once.
        changes: How many rows were changed, added or deleted, and settings changed.
        backup: The copy that was made before; None without one.
    """

    batch: str
    done_at: datetime
    undone_at: datetime | None
    findings: Sequence[str]
    reasons: Sequence[str]
    changes: int
    backup: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoReport:
    """What was undone.

    Attributes:
        batch: Which repair.
        rows: How many changes of rows were taken back.
        settings: What else was taken back, in words.
        kept: What else stays as it is, in words: it does no harm, or cannot be taken back.
    """

    batch: str
    rows: int
    settings: Sequence[str]
    kept: Sequence[str]


def repair_history(place: Place) -> list[LoggedRepair]:
    """Return all repairs and edits by hand that the log has, the newest first; nothing is changed.

    Args:
        place: A database URL, or the database that is open.

    Raises:
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    with open_to_read(place) as store, Session(store.engine) as session:
        entries = session.scalars(select(RepairEntry).order_by(RepairEntry.id)).all()
        batches: dict[str, list[RepairEntry]] = {}
        for entry in entries:
            batches.setdefault(entry.batch, []).append(entry)
        return [_logged(each) for each in reversed(batches.values())]


def undo_repair(place: Place, batch: str | None = None) -> UndoReport:
    """Put back every row of a repair exactly as it was, and the settings where that makes sense.

    Args:
        place: A database URL, or the database that is open.
        batch: Which repair, or the beginning of its name; the last one that was not undone if not given.

    Raises:
        RepairError: If there is no such repair, if it was undone already, or if one of its rows has changed since.
            Nothing was changed.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep the database locked; nothing was changed.
        CommitOutcomeUnknown: If the connection was lost while committing.
    """
    with open_to_change(place) as store:
        entries = store.run(lambda session: _undo_rows(session, batch))
        settings = [entry for entry in entries if entry.action == RepairAction.SETTING]
        undone, kept = [], []
        for entry in settings:
            target, before, after = _setting(entry)
            is_undone = undo_setting(store.engine, *target, before=before, after=after)
            (undone if is_undone else kept).append(f"{' of '.join(target)}: {before or 'missing'}")
        return UndoReport(
            batch=entries[0].batch, rows=len(entries) - len(settings), settings=tuple(undone), kept=tuple(kept)
        )


def forget_repairs(place: Place, before: datetime) -> int:
    """Delete the log of repairs that were done before a moment: they cannot be undone any more.

    Args:
        place: A database URL, or the database that is open.
        before: The moment (UTC).

    Returns:
        How many steps were forgotten.

    Raises:
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep the database locked; nothing was changed.
    """
    with open_to_change(place) as store:
        statement = delete(RepairEntry).where(RepairEntry.done_at < as_naive_utc(before))
        return int(store.run(lambda session: session.execute(statement).rowcount))  # type: ignore[attr-defined]


def _undo_rows(session: Session, batch: str | None) -> list[RepairEntry]:
    entries = _entries(session, batch)
    rows = StoredRows(session)
    changed = [entry for entry in entries if entry.action != RepairAction.SETTING]
    rows.lock({(str(entry.table_name), KEY, _key(entry)) for entry in changed})
    try:
        for entry in reversed(changed):
            _undo_row(rows, entry)
    except IntegrityError as e:
        msg = (
            f"The repair {entries[0].batch} cannot be undone ({e.orig}): since then a row was stored that takes the place "
            "of one that would come back. Nothing was changed: delete that row first, or restore the backup."
        )
        raise RepairError(msg) from e
    ids = [entry.id for entry in entries]
    session.expunge_all()
    done = update(RepairEntry).where(RepairEntry.id.in_(ids)).values(undone_at=utc_now())
    session.execute(done.execution_options(synchronize_session=False))
    return entries


def _entries(session: Session, batch: str | None) -> list[RepairEntry]:
    query = select(RepairEntry).order_by(RepairEntry.id)
    if batch is None:
        batch = session.scalar(
            select(RepairEntry.batch).where(RepairEntry.undone_at.is_(None)).order_by(RepairEntry.id.desc()).limit(1)
        )
        entries = list(session.scalars(query.where(RepairEntry.batch == batch)))
    else:
        entries = list(session.scalars(query.where(RepairEntry.batch.startswith(batch, autoescape=True))))
    if not entries or not batch or len({entry.batch for entry in entries}) > 1:
        msg = (
            "There is no repair that could be undone: look at `tradestore repair-log`."
            if not batch
            else f"There is not exactly one repair {batch!r}: see `tradestore repair-log` for their names."
        )
        raise RepairError(msg)
    if entries[0].undone_at is not None:
        msg = f"The repair {entries[0].batch} was undone already, at {entries[0].undone_at} UTC. Nothing was changed."
        raise RepairError(msg)
    return entries


def _undo_row(rows: StoredRows, entry: RepairEntry) -> None:
    table, key = str(entry.table_name), _key(entry)
    present = rows.select(table, KEY, key)
    if [text_of(row) for row in present] != ([] if entry.after is None else [entry.after]):
        msg = (
            f"The repair {entry.batch} cannot be undone: {table} {key} has changed since. Nothing was changed: undo "
            "later repairs first, or correct the row by hand."
        )
        raise RepairError(msg)
    if entry.before is None:
        rows.delete(table, key)
    elif entry.after is None:
        rows.insert(table, row_of(entry.before))
    else:
        before, after = row_of(entry.before), row_of(entry.after)
        rows.update(table, key, {name: value for name, value in before.items() if repr(value) != repr(after[name])})


def _key(entry: RepairEntry) -> Any:
    row = row_of(str(entry.before if entry.after is None else entry.after))
    return row[KEY]


def _setting(entry: RepairEntry) -> tuple[tuple[str, str], str | None, str]:
    before, after = row_of(str(entry.before)), row_of(str(entry.after))
    return (before["kind"], before["target"]), before["value"], after["value"]


def _logged(entries: Sequence[RepairEntry]) -> LoggedRepair:
    first = entries[0]
    return LoggedRepair(
        batch=first.batch,
        done_at=first.done_at,
        undone_at=first.undone_at,
        findings=sorted({entry.finding for entry in entries if entry.finding}),
        reasons=tuple(dict.fromkeys(entry.reason for entry in entries)),
        changes=len(entries),
        backup=first.backup,
    )
