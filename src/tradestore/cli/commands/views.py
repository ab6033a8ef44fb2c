"""``tradestore views``."""

from collections.abc import Callable

import typer
from rich.console import Console
from rich.table import Table

from tradestore._engine import check_url, masked
from tradestore.cli._answers import answer, confirmed
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import table_of
from tradestore.operations.views import ViewState, create_views, drop_views, list_views

__all__ = ["app"]

app = typer.Typer(help="Views of the tables for dashboards and scripts.", no_args_is_help=True)


@app.command("create")
def create(db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Make the views that are not there yet.

    Example: tradestore views create --db-url sqlite:///tradesv3.sqlite
    """
    found = create_views(db_url)
    answer("views create", found, _shown(found, "made", "was there"), as_json=as_json)


@app.command("drop")
def drop(db_url: DatabaseUrl, yes: Yes = False, as_json: AsJson = False) -> None:
    """Remove the views, and nothing else.

    Example: tradestore views drop --db-url sqlite:///tradesv3.sqlite --yes
    """
    names = [view.name for view in list_views(db_url) if view.is_there]
    if names:
        confirmed([f"Remove {name} from {masked(check_url(db_url))}." for name in names], yes=yes)
    found = drop_views(db_url)
    answer("views drop", found, _shown(found, "removed", "was not there"), as_json=as_json)


@app.command("list")
def list_all(db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Say which views there are.

    Example: tradestore views list --db-url sqlite:///tradesv3.sqlite
    """
    found = list_views(db_url)

    def show(console: Console) -> None:
        console.print(_table(found, lambda view: "there" if view.is_there else "missing"))

    answer("views list", found, show, as_json=as_json)


def _shown(found: list[ViewState], done: str, otherwise: str) -> Callable[[Console], None]:
    return lambda console: console.print(_table(found, lambda view: done if view.is_changed else otherwise))


def _table(found: list[ViewState], state: Callable[[ViewState], str]) -> Table:
    rows = [(view.name, view.meaning, state(view)) for view in found]
    return table_of(["view", "each row is", "state"], rows, unbroken=["view", "state"])
