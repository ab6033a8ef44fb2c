"""``tradestore upgrade``, ``downgrade`` and ``history``."""

from typing import Annotated

from rich.console import Console
from typer import Argument, Exit, Option

from tradestore.cli._answers import answer, confirmed
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import fields_of, table_of
from tradestore.operations.schema import (
    SchemaChange,
    SchemaPlan,
    downgrade_schema,
    plan_downgrade,
    plan_upgrade,
    read_history,
    upgrade_schema,
)

__all__ = ["downgrade", "history", "upgrade"]

_OnlyPlan = Annotated[bool, Option("--plan", help="Only say what would be done.")]


def upgrade(
    db_url: DatabaseUrl,
    plan: _OnlyPlan = False,
    create: Annotated[bool, Option("--create", help="Make the file, or the tables, where there are none.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring the tables of a store up to date, after a backup.

    The backup is verified. Bots do the same when they start. With --plan nothing is changed.

    Example: tradestore upgrade --plan --db-url sqlite:///tradesv3.sqlite
    """
    planned = plan_upgrade(db_url, create=create)
    if plan:
        _answer_plan("upgrade --plan", planned, as_json=as_json)
        return
    if planned.steps and not planned.blockers:
        confirmed(_all_steps(planned), yes=yes)
    changed = upgrade_schema(db_url, create=create)
    answer("upgrade", changed, lambda console: _show_change(console, changed), as_json=as_json)


def downgrade(
    revision: Annotated[str, Argument(help="The revision to go back to, the beginning of its name, or base.")],
    db_url: DatabaseUrl,
    plan: _OnlyPlan = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring the tables of a store back to an older version.

    A verified backup comes first. What the older tables cannot hold is never dropped: then it is refused.

    Example: tradestore downgrade 0004 --plan --db-url sqlite:///tradesv3.sqlite
    """
    planned = plan_downgrade(db_url, revision)
    if plan:
        _answer_plan("downgrade --plan", planned, as_json=as_json)
        return
    if planned.steps and not planned.blockers:
        confirmed(_all_steps(planned), yes=yes)
    changed = downgrade_schema(db_url, revision)
    answer("downgrade", changed, lambda console: _show_change(console, changed), as_json=as_json)


def history(db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """List the versions of the tables, and say where a store is.

    Example: tradestore history --db-url sqlite:///tradesv3.sqlite
    """
    found = read_history(db_url)
    rows = [("*" if each.is_current else " ", each.name, each.summary) for each in found]
    answer(
        "history", found, lambda console: console.print(table_of(["at", "revision", "summary"], rows)), as_json=as_json
    )


def _all_steps(plan: SchemaPlan) -> list[str]:
    backup = ["back up the file beside it, and compare the copy"] if plan.url.startswith("sqlite") else []
    return [f"in {plan.url}, which is {plan.state}:", *backup, *plan.steps]


def _answer_plan(command: str, plan: SchemaPlan, *, as_json: bool) -> None:
    answer(command, plan, lambda console: _show_plan(console, plan), as_json=as_json)
    if plan.blockers:
        raise Exit(1)


def _show_plan(console: Console, plan: SchemaPlan) -> None:
    console.print(
        fields_of(
            [
                ("database", plan.url),
                ("state", plan.state.value),
                ("revision", plan.revision),
                ("target", plan.target or "base"),
                *(("rows now", f"{rows} in {name}") for name, rows in plan.rows.items() if rows),
                *(("would be done", step) for step in plan.steps),
                *(("in the way", blocker) for blocker in plan.blockers),
            ]
        )
    )
    if not plan.steps and not plan.blockers:
        console.print("Nothing has to be done.")


def _show_change(console: Console, change: SchemaChange) -> None:
    if not change.steps:
        console.print(f"{change.url} is at {change.after} already: nothing was changed.")
        return
    console.print(f"{change.url} was {_at(change.before)} and is {_at(change.after)} now.")
    for backup in change.backups:
        console.print(f"Backup: {backup}")


def _at(revision: str | None) -> str:
    return "without a revision" if revision is None else f"at {revision}"
