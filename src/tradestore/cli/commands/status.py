"""``tradestore status``."""

from rich.console import Console

from tradestore.cli._answers import answer
from tradestore.cli._arguments import AsJson, DatabaseUrl
from tradestore.operations.status import read_status

__all__ = ["status"]


def status(db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Say how a store is doing.

    Example: tradestore status --db-url sqlite:///tradesv3.sqlite
    """
    found = read_status(db_url)

    def show(console: Console) -> None:
        console.print(f"{found.url}: {found.open_trades} open trades")

    answer("status", found, show, as_json=as_json)
