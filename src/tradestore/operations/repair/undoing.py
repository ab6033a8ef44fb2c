"""Undoing repairs: every row is put back exactly as it was, or nothing is changed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Engine, Row, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tradestore._clock import as_naive_utc, utc_now
from tradestore._schema_lock import alone
from tradestore.exceptions import RepairError
from tradestore.operations.opening import Place, open_to_change, open_to_read
from tradestore.operations.repair.row_text import row_of, text_of
from tradestore.operations.repair.rows import KEY, StoredRows
from tradestore.operations.repair.settings import undo_setting
from tradestore.repair_log import RepairAction, RepairEntry
from tradestore.store import Store

__all__ = ["LoggedRepair", "UndoReport", "forget_repairs", "repair_history", "undo_repair"]


_Entry = Row[Any]
_LOG: Final[Any] = RepairEntry.__table__
_OF_MISSING_TRADES: Final = frozenset({"O01", "S09", "L06"})
"""The findings whose rows referred to no trade before they were repaired."""
_IN_ORDER: Final = select(_LOG).order_by(_LOG.c.id)


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
    with open_to_read(place) as store, store.engine.connect() as connection:
        batches: dict[str, list[_Entry]] = {}
        for entry in connection.execute(_IN_ORDER):
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
        entries = _undone(store, batch)
        settings = [entry for entry in entries if entry.action == RepairAction.SETTING]
        undone: list[str] = []
        kept: list[str] = []
        for entry in settings:
            before, after = row_of(entry.before), row_of(entry.after)
            kind, target = before["kind"], before["target"]
            if undo_setting(store.engine, kind, target, before=before["value"], after=after["value"]):
                undone.append(f"{kind} of {target}: {before['value'] or 'missing'}")
            else:
                kept.append(f"{kind} of {target}: {after['value']}")
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
        statement = delete(_LOG).where(_LOG.c.done_at < as_naive_utc(before))
        return store.run(lambda session: cast("CursorResult[Any]", session.execute(statement)).rowcount)


def _undone(store: Store, batch: str | None) -> Sequence[_Entry]:
    try:
        return store.run(lambda session: _undo_rows(session, batch))
    except IntegrityError as e:
        error = e
    try:
        with _without_references(store.engine) as session:
            return _undo_rows(session, batch)
    except IntegrityError as e:
        error = e
    msg = (
        f"The repair cannot be undone ({error.orig}): a row that would come back has no place any more, or refers to "
        "one that is not there. Nothing was changed: look at what was stored since, or restore the backup."
    )
    raise RepairError(msg) from error


@contextmanager
def _without_references(engine: Engine) -> Iterator[Session]:
    """Let rows come back that referred to nothing before they were repaired, where the engine has a way for that."""
    if engine.dialect.name == "sqlite":
        with alone(engine, reshaping=True) as connection, Session(connection) as session:
            yield session
        return
    with engine.connect() as connection:
        if engine.dialect.name != "postgresql":
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
        try:
            with Session(connection) as session:
                yield session
            connection.commit()
        finally:
            # The setting is the connection's, and a pool would keep it.
            connection.invalidate()


def _undo_rows(session: Session, batch: str | None) -> Sequence[_Entry]:
    entries = _entries(session, batch)
    rows = StoredRows(session)
    changed = [entry for entry in entries if entry.action != RepairAction.SETTING]
    rows.lock({(entry.table_name, KEY, _key(entry)) for entry in changed})
    for entry in reversed(changed):
        _undo_row(rows, entry)
    session.execute(update(_LOG).where(_LOG.c.batch == entries[0].batch).values(undone_at=utc_now()))
    # What the session has loaded is not what is stored any more.
    session.expire_all()
    return entries


def _entries(session: Session, batch: str | None) -> Sequence[_Entry]:
    if batch is None:
        last = select(_LOG.c.batch).where(_LOG.c.undone_at.is_(None)).order_by(_LOG.c.id.desc()).limit(1)
        batch = session.scalar(last) or ""
    entries = session.execute(_IN_ORDER.where(_LOG.c.batch.startswith(batch, autoescape=True))).all()
    if not batch or len({entry.batch for entry in entries}) != 1:
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


def _undo_row(rows: StoredRows, entry: _Entry) -> None:
    table, key = entry.table_name, _key(entry)
    present = rows.select(table, KEY, key)
    if [text_of(row) for row in present] != ([] if entry.after is None else [entry.after]):
        msg = (
            f"The repair {entry.batch} cannot be undone: {table} {key} has changed since. Nothing was changed: undo "
            "later repairs first, or correct the row by hand."
        )
        raise RepairError(msg)
    if entry.finding not in _OF_MISSING_TRADES:
        _refuse_missing_trade(rows, entry)
    if entry.before is None:
        rows.delete(table, key)
    elif entry.after is None:
        rows.insert(table, row_of(entry.before))
    else:
        before, after = row_of(entry.before), row_of(entry.after)
        rows.update(table, key, {name: value for name, value in before.items() if repr(value) != repr(after[name])})


def _refuse_missing_trade(rows: StoredRows, entry: _Entry) -> None:
    """Refuse to bring back a row of a trade that was there then, and was deleted or archived since."""
    trade_id = None if entry.before is None else row_of(entry.before).get("ft_trade_id")
    if trade_id is not None and not rows.select("trades", KEY, trade_id):
        msg = (
            f"The repair {entry.batch} cannot be undone: the trade {trade_id} that {entry.table_name} {_key(entry)} "
            "belongs to is not there any more. Nothing was changed: put the trade back first, if it was archived."
        )
        raise RepairError(msg)


def _key(entry: _Entry) -> Any:
    return row_of(entry.before if entry.after is None else entry.after)[KEY]


def _logged(entries: Sequence[_Entry]) -> LoggedRepair:
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
