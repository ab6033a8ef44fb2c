"""``tradestore health``."""

from typing import Annotated

import typer
from rich.console import Console
from typer import Option

from tradestore.cli._answers import answer
from tradestore.cli._arguments import AsJson, DatabaseUrl
from tradestore.operations.health import HealthState
from tradestore.operations.health import health as look

__all__ = ["health"]


def health(
    db_url: DatabaseUrl,
    deadline: Annotated[float, Option(min=0.05, metavar="SECONDS", help="When the answer has to be there.")] = 2.0,
    strict: Annotated[bool, Option("--strict", help="Fail also where only a person should look.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether a store can be worked with, in time for a liveness probe: exit code 0 if it can, else 1.

    Example: tradestore health --db-url sqlite:///tradesv3.sqlite --deadline 2
    """
    found = look(db_url, deadline=deadline)

    def show(console: Console) -> None:
        console.print(f"{found.database}: {found.state} ({found.seconds:.2f} s)")
        for reason in found.reasons:
            console.print(f"  {reason.state}: {reason.text}", markup=False)

    answer("health", found, show, as_json=as_json)
    if found.state is HealthState.FAILED or (strict and found.state is HealthState.DEGRADED):
        raise typer.Exit(1)
