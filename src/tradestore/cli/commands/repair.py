"""``tradestore repair``, its log, and its undoing."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tradestore.cli._answers import answer, bar_of, confirmed, tell
from tradestore.cli._arguments import DATE, AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import counted, table_of
from tradestore.operations.repair import (
    RepairPlan,
    RepairReport,
    apply_repair,
    forget_repairs,
    plan_repair,
    repair_history,
    undo_repair,
)

__all__ = ["BackupFolder", "carry_out", "repair", "repair_log", "repair_undo"]

BackupFolder = Annotated[
    Path | None,
    typer.Option(
        "--backup-folder",
        metavar="DIR",
        help="Where the backup goes that is made before anything is changed. Without it, an SQLite file is copied "
        "beside itself, and a server's database is not: the log keeps every row that changes.",
    ),
]


def repair(
    db_url: DatabaseUrl,
    only: Annotated[
        str, typer.Option("--only", metavar="CODES", help="Only these findings, such as T04,O01 or L.")
    ] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this, the plan is shown.")] = False,
    backup_folder: BackupFolder = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Show what can be done about what `tradestore doctor` finds, or do it.

    What only a person can decide is done by hand: edit-trade, edit-order, delete-order, close-trade, reopen-trade,
    delete-trade, rename-pair. All of it is kept in a log (repair-log) and can be undone (repair-undo). Exit code 1:
    something is left to be repaired or decided.

    Example: tradestore repair --db-url sqlite:///tradesv3.sqlite --apply
    """
    with bar_of("Looking at trades") as show:
        plan = plan_repair(
            db_url, only=[code for code in only.replace(",", " ").split() if code] or None, progress=show
        )
    if not apply or not plan.steps:
        answer("repair", _document(plan, None), lambda console: _show_plan(console, plan), as_json=as_json)
        raise typer.Exit(1 if plan.steps or plan.unrepairable else 0)
    confirmed(plan.lines(), yes=yes)
    report = apply_repair(db_url, plan, backup_folder=backup_folder)
    answer("repair", _document(plan, report), lambda console: _show_report(console, plan, report), as_json=as_json)
    raise typer.Exit(1 if plan.unrepairable else 0)


def repair_undo(
    db_url: DatabaseUrl,
    batch: Annotated[
        str | None, typer.Argument(help="Which repair, or the beginning of its name; the last one.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put every row back exactly as it was before a repair or an edit by hand.

    Example: tradestore repair-undo --db-url sqlite:///tradesv3.sqlite
    """
    logged = repair_history(db_url)
    meant = [each for each in logged if each.batch.startswith(batch or "") and (batch or not each.undone_at)][:1]
    if meant:
        # Without one there is nothing to ask for, and the error says so.
        confirmed([f"undo the repair {meant[0].batch}: {'; '.join(meant[0].reasons)}"], yes=yes)
    report = undo_repair(db_url, meant[0].batch if meant else batch)

    def show(console: Console) -> None:
        console.print(f"The repair {report.batch} was undone: {counted(report.rows, 'change')} of rows taken back.")
        for line in report.settings:
            console.print(f"  also taken back: {line}", markup=False)
        for line in report.kept:
            console.print(f"  left as it is: {line}", markup=False)

    answer("repair-undo", report, show, as_json=as_json)


def repair_log(
    db_url: DatabaseUrl,
    forget_before: Annotated[
        datetime | None,
        typer.Option(
            help="Forget repairs that were done before this moment (UTC): they cannot be undone any more.", **DATE
        ),
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """List all repairs and edits by hand, the newest first.

    Example: tradestore repair-log --db-url sqlite:///tradesv3.sqlite
    """
    if forget_before is not None:
        confirmed([f"forget all repairs before {forget_before} UTC"], yes=yes)
        tell(f"{counted(forget_repairs(db_url, forget_before), 'step')} forgotten.")
    logged = repair_history(db_url)

    def show(console: Console) -> None:
        if not logged:
            console.print("Nothing was repaired or edited by hand.")
            return
        rows = [
            (each.batch[:8], each.done_at, each.changes, "; ".join([*each.findings, *each.reasons]), each.undone_at)
            for each in logged
        ]
        columns = ["batch", "done", "changes", "why", "undone"]
        console.print(table_of(columns, rows, numbers=["changes"], unbroken=["batch", "done", "undone"]))

    answer("repair-log", logged, show, as_json=as_json)


def carry_out(
    command: str, db_url: str, plan: RepairPlan, *, backup_folder: Path | None, yes: bool, as_json: bool
) -> None:
    """Show the plan of an edit by hand, do it if that is wanted, and say how to undo it."""
    confirmed(plan.lines(), yes=yes)
    report = apply_repair(db_url, plan, backup_folder=backup_folder)
    answer(command, _document(plan, report), lambda console: _show_report(console, plan, report), as_json=as_json)


def _document(plan: RepairPlan, report: RepairReport | None) -> dict[str, Any]:
    return {
        "url": plan.url,
        "applied": report is not None,
        "batch": report and report.batch,
        "done_at": report and report.done_at,
        "backup": report and report.backup,
        "steps": [
            {"code": step.code, "reason": step.reason, "table": step.table, "id": step.row_id, "lines": [*step.lines()]}
            for step in plan.steps
        ],
        "unrepairable": plan.unrepairable,
    }


def _show_plan(console: Console, plan: RepairPlan) -> None:
    if not plan.steps and not plan.unrepairable:
        console.print("Nothing has to be repaired.")
    if plan.steps:
        console.print("This would be done, see `tradestore repair --apply`:")
    for line in plan.lines():
        console.print(f"  * {line}", markup=False)
    _show_unrepairable(console, plan)


def _show_report(console: Console, plan: RepairPlan, report: RepairReport) -> None:
    changes = sum(len(step.changes) + len(step.settings) for step in report.steps)
    if report.batch is None:
        console.print("Nothing had to be changed.")
    else:
        console.print(f"{counted(changes, 'change')} made. Undo with `tradestore repair-undo {report.batch[:8]}`.")
    if report.backup:
        console.print(f"What was there before is in {report.backup}.", markup=False)
    _show_unrepairable(console, plan)


def _show_unrepairable(console: Console, plan: RepairPlan) -> None:
    if plan.unrepairable:
        console.print("A person has to decide about the rest:")
    for each in plan.unrepairable:
        ids = ", ".join(map(str, each.ids[:10])) + (", ..." if len(each.ids) > 10 else "")
        place = f" {each.table} {ids}" if each.table else ""
        console.print(f"  - {each.code}{place}: {each.reason}", markup=False)
