"""A report as one HTML file that needs nothing else: no network, no font, no other file."""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from tradestore._extras import load_extra
from tradestore.operations.report._charts import MOST_BARS, chart_data
from tradestore.operations.report._tables import closed_table, groups_table, positions_table
from tradestore.operations.report._wording import (
    NOTHING,
    Money,
    duration,
    json_for_script,
    moment,
    percent,
    quantity,
    whole,
)
from tradestore.operations.report.figures import ClosedTrade, GroupFigures, ReportFigures, ReportScope

__all__ = ["html_of"]

_POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"

_GROUPS: Final = (
    ("pairs", "Profit per pair", "pair"),
    ("months", "Profit per month", "month"),
    ("enter_tags", "Profit per enter tag", "enter tag"),
    ("exit_reasons", "Profit per exit reason", "exit reason"),
    ("weekdays", "Profit per weekday", "weekday"),
    ("hours", "Profit per hour", "hour (UTC)"),
)


_RANKED: Final = frozenset({"pairs", "enter_tags", "exit_reasons"})

_FOOTER: Final = (
    "<footer>Made by tradestore. Profits are of closed trades; open positions are not valued, since that takes the "
    "prices of an exchange. All times are UTC.</footer>"
)


def html_of(figures: ReportFigures, title: str) -> str:
    """Return the page.

    Args:
        figures: To show.
        title: Above them.

    Raises:
        MissingPackage: If plotly is not installed.
    """
    money = Money(figures)
    plotly = load_extra("plotly.offline", "report").get_plotlyjs()
    body = "\n".join(
        [
            *_header(figures, title),
            "<main>",
            *_tiles(figures, money),
            *_cards(figures, money),
            "</main>",
            _FOOTER,
        ]
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>
{_resource("page.css")}</style>
</head>
<body>
{body}
<script type="application/json" id="report-data">{json_for_script(chart_data(figures, money))}</script>
<script>{plotly}</script>
<script>
{_resource("page.js")}</script>
</body>
</html>
"""


def scope_text(scope: ReportScope) -> str:
    """Return in words which trades a report is about."""
    parts = [f"Pair {scope.pair}" if scope.pair else "All pairs"]
    if scope.since and scope.until:
        parts.append(f"closed from {moment(scope.since)} to before {moment(scope.until)} UTC")
    elif scope.since:
        parts.append(f"closed since {moment(scope.since)} UTC")
    elif scope.until:
        parts.append(f"closed before {moment(scope.until)} UTC")
    if scope.stake_currency:
        parts.append(f"in {scope.stake_currency}")
    left_out = f" {whole(scope.archived)} archived trades are not in it." if scope.archived else ""
    return f"{', '.join(parts)}. Read on {moment(scope.made_at)} UTC.{left_out}"


def _header(figures: ReportFigures, title: str) -> Iterator[str]:
    yield f'<header><h1>{escape(title)}</h1><p class="note">{escape(scope_text(figures.scope))}</p></header>'


def _tiles(figures: ReportFigures, money: Money) -> Iterator[str]:
    drawdown, capital = figures.drawdown, figures.scope.capital
    of_capital = [f"{percent(figures.profit_abs / capital, signed=True)} of the capital"] if capital else []
    unstopped = sum(position.stop_loss is None for position in figures.open_positions)
    yield '<dl class="tiles" aria-label="Headline figures">'
    total = [f"sum of ratios {percent(figures.profit_ratio_sum, signed=True)}", *of_capital]
    yield _tile("Total profit", money.with_currency(figures.profit_abs, signed=True), total, figures.profit_abs)
    counts = [f"{whole(figures.wins)} won,", f"{whole(figures.losses)} lost,", f"{whole(figures.draws)} even"]
    yield _tile("Closed trades", whole(figures.closed), counts)
    yield _tile("Win rate", percent(figures.win_rate), [f"average duration {duration(figures.mean_seconds)}"])
    yield _tile("Profit factor", quantity(figures.profit_factor), ["all profits by all losses"])
    mean = [f"{percent(figures.expectancy_ratio, signed=True)} per trade"]
    yield _tile("Expectancy", money.with_currency(figures.expectancy, signed=True), mean, figures.expectancy)
    yield _tile("Largest drawdown", money.with_currency(drawdown.profit_abs), _fall_words(figures))
    yield _tile("Best trade", *_trade_words(figures.best, money))
    yield _tile("Worst trade", *_trade_words(figures.worst, money))
    funding = [f"funding {money.with_currency(figures.funding_fees, signed=True)}"]
    yield _tile("Fees paid", money.with_currency(figures.fees), funding)
    held = [f"{whole(len(figures.open_positions))} open, all left at their stops"]
    without = [f"{unstopped} without a stop count whole"] if unstopped else []
    yield _tile("Open risk", money.with_currency(figures.open_risk), held + without)
    yield "</dl>"


def _tile(name: str, figure: str, more: Sequence[str], sign: float | None = None) -> str:
    kind = "" if not sign else " loss" if sign < 0 else " gain"
    number, _, unit = escape(figure).partition(" ")
    small = f" <small>{unit}</small>" if unit else ""
    # A date is rather moved to the next line than broken.
    words = " ".join(f"<span>{escape(each)}</span>" for each in more)
    return (
        f'<div class="tile"><dt>{escape(name)}</dt><dd class="figure{kind}">{number}{small}</dd>'
        f'<dd class="more">{words}</dd></div>'
    )


def _fall_words(figures: ReportFigures) -> list[str]:
    drawdown = figures.drawdown
    if drawdown.to_date is None:
        return ["nothing fell"]
    since = f"{drawdown.from_date:%Y-%m-%d}" if drawdown.from_date else "the start"
    dates = [f"{since} to", f"{drawdown.to_date:%Y-%m-%d}"]
    if drawdown.ratio is None:
        return dates
    base = "of capital and profit then" if figures.scope.capital else "of the profit then"
    return [f"{percent(drawdown.ratio)} {base},", *dates]


def _trade_words(trade: ClosedTrade | None, money: Money) -> tuple[str, list[str]]:
    if trade is None:
        return NOTHING, []
    words = [f"{percent(trade.profit_ratio, signed=True)},", f"{trade.pair},", f"{trade.close_date:%Y-%m-%d}"]
    return money.with_currency(trade.profit_abs, signed=True), words


def _cards(figures: ReportFigures, money: Money) -> Iterator[str]:
    yield '<div class="cards">'
    if figures.closed:
        yield from _chart_cards(figures, money)
    note = "As the database has them, whatever dates the report is about. Not valued: no prices are asked for."
    table = positions_table(figures.open_positions, figures.scope.made_at, money)
    yield from _card(None, "Open positions", note, "", "wide long", table)
    note = f"The last {whole(len(figures.last_closed))} of {whole(figures.closed)}, latest first."
    yield from _card(None, "Closed trades", note, "", "wide long", closed_table(figures.last_closed, money))
    yield "</div>"


def _chart_cards(figures: ReportFigures, money: Money) -> Iterator[str]:
    text = f"Closed profit rose and fell to {money.with_currency(figures.profit_abs, signed=True)}."
    yield from _card("equity", "Closed profit", "Of all trades closed so far, by date of closing.", text, "wide tall")
    text = f"The deepest fall was {money.with_currency(figures.drawdown.profit_abs)}."
    yield from _card("drawdown", "Drawdown", "How far the closed profit lies below its highest.", text, "wide low")
    for name, heading, what in _GROUPS:
        groups: Sequence[GroupFigures] = getattr(figures, name)
        is_cut = len(groups) > MOST_BARS and name in _RANKED
        cut = f"The best and the worst of {whole(len(groups))}." if is_cut else ""
        numbers = (
            f"<details><summary>Numbers per {what}</summary>{groups_table(groups, heading, what, money)}</details>"
        )
        yield from _card(name, heading, cut, f"{heading}, {len(groups)} of them; the numbers follow.", "", numbers)
    note = "How many trades ended with which profit ratio; the outermost hold all beyond."
    yield from _card("bins", "Profit ratios of the trades", note, "How often which profit ratio came about.", "wide")


def _card(
    name: str | None, heading: str, note: str, description: str, kinds: str = "", more: str = ""
) -> Iterator[str]:
    size = " ".join(kind for kind in kinds.split() if kind in {"tall", "low"})
    place = " ".join(["card", *(kind for kind in kinds.split() if kind in {"wide", "long"})])
    yield f'<section class="{place}"><h2>{escape(heading)}</h2>'
    if note:
        yield f'<p class="note">{escape(note)}</p>'
    if name:
        yield f'<div class="chart {size}" id="chart-{name}" role="img" aria-label="{escape(description)}"></div>'
    yield f"{more}</section>"


def _resource(name: str) -> str:
    return (files("tradestore.operations.report") / name).read_text(encoding="utf-8")
