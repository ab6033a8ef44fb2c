"""``tradestore performance``."""

from typing import Annotated

from rich.console import Console
from typer import Option

from tradestore.cli._answers import answer
from tradestore.cli._arguments import AsJson, DatabaseUrl, Since
from tradestore.cli._formats import number, percent, table_of
from tradestore.operations.performance import Grouping, read_performance

__all__ = ["performance"]


def performance(
    db_url: DatabaseUrl,
    by: Annotated[Grouping, Option(help="What the trades are grouped by.")] = Grouping.PAIR,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Sum up what closed trades brought.

    --since goes by the date of closing.

    Example: tradestore performance --by month --db-url sqlite:///tradesv3.sqlite
    """
    found = read_performance(db_url, by, since=since)

    def show(console: Console) -> None:
        rows = [(each.group, each.count, number(each.profit_abs), percent(each.profit_ratio)) for each in found]
        columns = [by.value, "trades", "profit", "ratio"]
        console.print(table_of(columns, rows, numbers=columns[1:]))

    answer("performance", {"by": by, "since": since, "groups": found}, show, as_json=as_json)
