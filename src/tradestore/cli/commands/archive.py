"""``tradestore archive`` and ``tradestore unarchive``."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Option

from tradestore.cli._answers import answer, bar_of, confirmed
from tradestore.cli._arguments import DATE, AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import counted
from tradestore.operations.archive import archive as move_out
from tradestore.operations.archive import plan_archive
from tradestore.operations.archive import unarchive as put_back

__all__ = ["archive", "unarchive"]


def archive(
    db_url: DatabaseUrl,
    before: Annotated[
        datetime, Option(help="Trades that were closed before this moment, such as 2026-01-01 (UTC).", **DATE)
    ],
    to: Annotated[Path, Option(metavar="FILE", help="The archive; it is made if it is not there.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Move old closed trades into a file; what they brought stays in all reports.

    Example: tradestore archive --db-url sqlite:///tradesv3.sqlite --before 2026-01-01 --to archive.sqlite --yes
    """
    plan = plan_archive(db_url, before)
    moved = f"{counted(plan.trades, 'trade')} with {counted(plan.orders, 'order')}"
    steps = [f"{moved}, closed before {before:%Y-%m-%d %H:%M} UTC, to be moved to {to}."]
    if plan.staying:
        steps.append(
            f"{counted(plan.staying, 'closed trade')} not to be moved: the newest, or somebody waits for an order."
        )
    confirmed(steps, yes=yes)
    with bar_of("Archiving") as progress:
        done = move_out(db_url, before, to, progress=progress)

    def show(console: Console) -> None:
        console.print(f"{counted(done.trades, 'trade')} moved to {done.file}, which has {done.archived_trades} now.")

    answer("archive", done, show, as_json=as_json)


def unarchive(
    db_url: DatabaseUrl,
    source: Annotated[Path, Option("--from", metavar="FILE", help="The archive.")],
    trade_id: Annotated[
        list[int] | None, Option("--id", metavar="ID", help="Only this trade; may be given several times.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put archived trades back into their store.

    Example: tradestore unarchive --db-url sqlite:///tradesv3.sqlite --from archive.sqlite --id 7 --yes
    """
    which = "All trades" if not trade_id else f"The trades {', '.join(map(str, trade_id))}"
    confirmed([f"{which} of {source} are put back into the store and taken out of the file."], yes=yes)
    with bar_of("Putting back") as progress:
        done = put_back(db_url, source, trade_id or None, progress=progress)

    def show(console: Console) -> None:
        console.print(f"{counted(done.trades, 'trade')} put back; {done.file} still has {done.archived_trades}.")

    answer("unarchive", done, show, as_json=as_json)
