"""Carrying out a plan: a backup, one transaction for all rows, and a log that can undo it."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tradestore._clock import as_naive_utc, utc_now
from tradestore._errors import meaningful_errors
from tradestore._sqlite_backup import back_up_file
from tradestore.exceptions import RepairError
from tradestore.operations.backup import back_up
from tradestore.operations.doctor.catalogue import CATALOGUE
from tradestore.operations.doctor.findings import Severity
from tradestore.operations.opening import Place, open_to_change
from tradestore.operations.repair.looking import Place as Defect
from tradestore.operations.repair.looking import View, is_grave, view_of
from tradestore.operations.repair.plan import Change, RepairPlan, RepairReport, RepairStep, Setting, Sight
from tradestore.operations.repair.row_text import text_of
from tradestore.operations.repair.rows import KEY, StoredRows
from tradestore.operations.repair.settings import apply_setting
from tradestore.repair_log import RepairAction, RepairEntry
from tradestore.store import Store

__all__ = ["apply_repair", "place_of", "refuse_changed"]

_LOG: Final[Any] = RepairEntry.__table__


def apply_repair(place: Place, plan: RepairPlan, *, backup_folder: Path | None = None) -> RepairReport:
    """Do what a plan says: all of its rows in one transaction or none, each of them kept in the log.

    Settings that are no rows, such as an index, follow by themselves, one by one.

    Args:
        place: A database URL, or the database that is open.
        plan: From ``plan_repair`` or one of the plans for edits by hand.
        backup_folder: Where the backup goes. If not given, that of an SQLite file lies beside it, and of a server there
            is none: the log keeps every row that changes.

    Returns:
        What was done, and the batch by which it can be undone.

    Raises:
        RepairError: If a row is not what the plan was made by, or if the repair would leave or bring a defect that
            should not be there. Nothing was changed.
        OperationalException: If the database cannot be opened or backed up.
        TradeLimitReached: If a trade would be opened beyond the limits.
        DatabaseBusy: If others keep the database locked; nothing was changed.
        CommitOutcomeUnknown: If the connection was lost while committing; the log tells whether it is stored.
    """
    with open_to_change(place) as store:
        if not plan.steps:
            return RepairReport(batch=None, done_at=None, steps=(), backup=None)
        backup = _back_up(store, backup_folder)
        batch, done_at = str(uuid4()), utc_now()
        write = _Log(batch, done_at, backup)
        if any(step.changes for step in plan.steps):
            _do_all_or_nothing(store, plan, write)
        for step in plan.steps:
            for setting in step.settings:
                apply_setting(store.engine, setting)
                store.run(partial(write.setting, step=step, setting=setting))
        return RepairReport(batch=batch, done_at=done_at, steps=plan.steps, backup=backup)


def refuse_changed(rows: StoredRows, sights: Sequence[Sight]) -> None:
    """Refuse to go on if rows are not what they were.

    Args:
        rows: Of a session in the transaction that is going to change them.
        sights: What they were.

    Raises:
        RepairError: If one of them is another one now.
    """
    rows.lock((sight.table, sight.column, sight.value) for sight in sights)
    for sight in sights:
        present = tuple(text_of(row) for row in rows.select(sight.table, sight.column, sight.value))
        if present != tuple(sight.rows):
            msg = (
                f"Rows of {place_of(sight)} have changed since the plan was made. Nothing was done: make a new "
                "plan, and look at it again."
            )
            raise RepairError(msg)


def place_of(sight: Sight) -> str:
    """Return in words which rows were seen."""
    by_key = f"{sight.table} {sight.value}"
    return by_key if sight.column == KEY else f"{sight.table} with {sight.column} {sight.value!r}"


class _Log:
    """Writes down what one repair does."""

    def __init__(self, batch: str, done_at: datetime, backup: str | None) -> None:
        self._common = {"batch": batch, "done_at": as_naive_utc(done_at), "backup": backup}

    def change(self, session: Session, number: int, step: RepairStep, change: Change, row_id: Any) -> None:
        self._write(
            session,
            step=number,
            action=change.action,
            finding=step.code,
            table_name=change.table,
            row_id=str(row_id),
            before=None if change.before is None else text_of(change.before),
            after=None if change.after is None else text_of({**change.after, KEY: row_id}),
            reason=step.reason,
        )

    def setting(self, session: Session, step: RepairStep, setting: Setting) -> None:
        named = {"kind": setting.kind, "target": setting.target}
        self._write(
            session,
            step=0,
            action=RepairAction.SETTING,
            finding=step.code,
            before=text_of({**named, "value": setting.before}),
            after=text_of({**named, "value": setting.after}),
            reason=step.reason,
        )

    def _write(self, session: Session, **values: Any) -> None:
        session.execute(insert(_LOG).values(**self._common, **values))


def _do_all_or_nothing(store: Store, plan: RepairPlan, log: _Log) -> None:
    try:
        store.run(lambda session: _change_rows(session, plan, log))
    except IntegrityError as e:
        reason = " ".join(str(e.orig).split())
        msg = (
            f"The database does not take a row as it would be ({reason}): another row is like that already, or it "
            "refers to one that is not there. Nothing was changed: look at both rows first."
        )
        raise RepairError(msg) from e


def _change_rows(session: Session, plan: RepairPlan, log: _Log) -> None:
    rows = StoredRows(session)
    refuse_changed(rows, plan.sights)
    before = view_of(rows, plan.trade_ids)
    number = 0
    for step in plan.steps:
        for change in step.changes:
            number += 1
            log.change(session, number, step, change, _write(rows, change))
    _refuse_defects(before, view_of(rows, plan.trade_ids), plan)
    # What the session has loaded is not what is stored any more.
    session.expire_all()


def _back_up(store: Store, folder: Path | None) -> str | None:
    if folder is not None:
        return str(back_up(store, folder).path)
    with meaningful_errors():
        made = back_up_file(store.engine, "repair")
    return None if made is None else str(made)


def _write(rows: StoredRows, change: Change) -> Any:
    if change.after is None:
        rows.delete(change.table, change.row_id)
    elif change.before is None:
        return rows.insert(change.table, change.after)
    else:
        rows.update(change.table, change.row_id, {name: new for name, (_, new) in change.changed.items()})
    return change.row_id


def _refuse_defects(before: View, after: View, plan: RepairPlan) -> None:
    """Refuse a repair after which a defect is new, or that should be gone is still there."""
    repaired = [Defect(step.code, step.table, step.row_id) for step in plan.steps if step.code and step.table]
    # By hand a person may set what only looks odd.
    least = Severity.WARNING if plan.codes else Severity.ERROR
    left = [defect for defect in repaired if defect in after]
    new = [defect for defect in after.new_since(before) if is_grave(defect, least)]
    for defects, what in ((left, "would still be there"), (new, "would be new")):
        for code, table, row_id in sorted(defects, key=str):
            msg = (
                f"Afterwards the finding {code} ({CATALOGUE[code].title}) of {table} {row_id} {what}. Nothing was "
                "changed: correct first by hand what tradestore doctor says about it."
            )
            raise RepairError(msg)
