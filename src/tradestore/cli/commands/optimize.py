"""``tradestore optimize``."""

from typing import Annotated

from rich.console import Console
from typer import Option

from tradestore.cli._answers import answer, bar_of
from tradestore.cli._arguments import AsJson, DatabaseUrl
from tradestore.cli._formats import size
from tradestore.operations.optimize import optimize as do_it

__all__ = ["optimize"]


def optimize(
    db_url: DatabaseUrl,
    vacuum: Annotated[
        bool | None,
        Option(
            "--vacuum/--no-vacuum",
            show_default=False,
            help="Give back room that is empty; by default where it is worth it and keeps nobody waiting. On SQLite "
            "writers wait until it is done.",
        ),
    ] = None,
    reindex: Annotated[bool, Option("--reindex", help="Make the indexes anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Keep a database quick and small: statistics for its planner, and room that is empty given back.

    Example: tradestore optimize --db-url sqlite:///tradesv3.sqlite
    """
    with bar_of("Optimizing") as progress:
        done = do_it(db_url, vacuum=vacuum, reindex=reindex, progress=progress)

    def show(console: Console) -> None:
        for step in done.steps:
            console.print(f"{'done' if step.done else 'left':4}  {step.what}{': ' if step.reason else ''}{step.reason}")
        console.print(f"{done.database}: {size(done.bytes_before)} before, {size(done.bytes_after)} now")

    answer("optimize", done, show, as_json=as_json)
