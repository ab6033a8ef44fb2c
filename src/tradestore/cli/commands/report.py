"""``tradestore report``."""

from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import BadParameter, Option

from tradestore.cli._answers import answer, bar_of
from tradestore.cli._arguments import AsJson, DatabaseUrl, Since, Until
from tradestore.cli._formats import fields_of, moment, number, percent
from tradestore.operations.report import ReportFigures, read_figures, refuse_unwritable, write_report

__all__ = ["report"]


def report(
    db_url: DatabaseUrl,
    to: Annotated[Path | None, Option(metavar="FILE", help="The HTML file to be written.")] = None,
    png: Annotated[Path | None, Option(metavar="FILE", help="A picture of the same, as PNG.")] = None,
    since: Since = None,
    until: Until = None,
    pair: Annotated[str | None, Option(metavar="PAIR", help="Only this pair.")] = None,
    stake: Annotated[
        str | None, Option(metavar="CURRENCY", help="Only trades in this stake currency, if there are several.")
    ] = None,
    capital: Annotated[
        float | None, Option(metavar="AMOUNT", help="Own money at the start, by which a drawdown is measured.")
    ] = None,
    title: Annotated[str, Option(metavar="TEXT", help="Above the report.")] = "Trading report",
    force: Annotated[bool, Option("--force", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Report what trades brought, as one HTML file.

    The file needs no network and no other file, and only its owner may read it. --since and --until go by the date of
    closing. Without a file, the headline figures are printed alone; --json has all of them.

    Example: tradestore report --to report.html --db-url sqlite:///tradesv3.sqlite
    """
    if to is not None and to == png:
        raise BadParameter("it is the file of --to as well: give each its own.", param_hint="--png")
    files = [each for each in (to, png) if each is not None]
    for file in files:
        refuse_unwritable(file, overwrite=force)
    with bar_of("Reading trades") as progress:
        figures = read_figures(
            db_url, since=since, until=until, pair=pair, stake_currency=stake, capital=capital, progress=progress
        )
    write_report(figures, html=to, png=png, title=title, overwrite=force)
    written = {"files": files, "figures": figures}
    answer("report", written, lambda console: _show(console, figures, files), as_json=as_json)


def _show(console: Console, figures: ReportFigures, files: list[Path]) -> None:
    currency, drawdown = figures.scope.stake_currency, figures.drawdown
    rows = [
        ("closed trades", f"{figures.closed} ({figures.wins} won, {figures.losses} lost, {figures.draws} even)"),
        *([("archived, left out", figures.scope.archived)] if figures.scope.archived else []),
        ("win rate", percent(figures.win_rate)),
        ("profit", f"{number(figures.profit_abs)} {currency}".strip()),
        ("sum of ratios", percent(figures.profit_ratio_sum)),
        ("profit factor", figures.profit_factor and f"{figures.profit_factor:.2f}"),
        ("expectancy", number(figures.expectancy)),
        ("largest drawdown", f"{number(drawdown.profit_abs)} ({percent(drawdown.ratio) or 'no ratio'})"),
        ("drawdown until", moment(drawdown.to_date)),
        ("fees paid", number(figures.fees)),
        ("funding", number(figures.funding_fees)),
        ("open positions", len(figures.open_positions)),
        ("open risk", number(figures.open_risk)),
        *(("written", file) for file in files),
    ]
    console.print(fields_of(rows))
