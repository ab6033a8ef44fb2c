"""A report as one picture: the curves, and what pairs and months brought."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from tradestore._extras import load_extra
from tradestore.operations.report._charts import shown_groups
from tradestore.operations.report._wording import Money, percent, quantity, shortened, whole
from tradestore.operations.report.figures import GroupFigures, ReportFigures

__all__ = ["png_of"]

_INCHES: Final = (12.8, 9.6)
_DOTS_PER_INCH: Final = 110
_LABEL: Final = 22
_MOST_MONTH_NAMES: Final = 9

_TEXT, _MUTED, _LINE = "#1b2430", "#566172", "#dfe3e8"
_GAIN, _LOSS = "#0b6aa8", "#c2500a"

_STYLE: Final = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": _TEXT,
    # What stands in the database is text, and never a formula.
    "text.parse_math": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "white",
}


def png_of(figures: ReportFigures, title: str) -> bytes:
    """Return the picture as PNG.

    Args:
        figures: To show.
        title: Above them.

    Raises:
        MissingPackage: If matplotlib is not installed.
    """
    matplotlib = load_extra("matplotlib", "report")
    figure_class = load_extra("matplotlib.figure", "report").Figure
    picture = BytesIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, which is no reason to say anything.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = figure_class(figsize=_INCHES, layout="constrained")
        _draw(figure, figures, title)
        # Without the time at which it was drawn, the same figures give the same file.
        figure.savefig(picture, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return picture.getvalue()


def _draw(figure: Any, figures: ReportFigures, title: str) -> None:
    money = Money(figures)
    figure.get_layout_engine().set(w_pad=0.18, h_pad=0.12, hspace=0.03, wspace=0.03)
    figure.suptitle(f"{shortened(title, 80)}\n", x=0.015, ha="left", fontsize=16, fontweight="bold")
    figure.text(0.0165, 0.945, _headline(figures, money), fontsize=10, color=_MUTED)
    panels = figure.subplot_mosaic(
        [["profit", "profit"], ["drawdown", "drawdown"], ["pairs", "months"]], height_ratios=[5, 2, 5]
    )
    moments = [point.at for point in figures.equity]
    profits = [point.profit_abs for point in figures.equity]
    falls = [0.0 - point.drawdown_abs for point in figures.equity]
    _curve(panels["profit"], moments, profits, _GAIN, f"Closed profit ({money.currency})")
    _curve(panels["drawdown"], moments, falls, _LOSS, f"Drawdown ({money.currency})")
    panels["drawdown"].sharex(panels["profit"])
    _bars_across(panels["pairs"], shown_groups(figures.pairs), f"Profit per pair ({money.currency})")
    _bars_up(panels["months"], figures.months, f"Profit per month ({money.currency})")


def _headline(figures: ReportFigures, money: Money) -> str:
    parts = [
        f"{money.with_currency(figures.profit_abs, signed=True)} in {whole(figures.closed)} trades",
        f"win rate {percent(figures.win_rate)}",
        f"profit factor {quantity(figures.profit_factor)}",
        f"largest drawdown {money.with_currency(figures.drawdown.profit_abs)}",
        f"fees {money.with_currency(figures.fees)}",
    ]
    return "   ·   ".join(parts).replace("\u00a0", " ")


def _curve(panel: Any, moments: Sequence[Any], values: Sequence[float], colour: str, title: str) -> None:
    dates = load_extra("matplotlib.dates", "report")
    panel.set_title(title)
    panel.fill_between(moments, values, step="post", color=colour, alpha=0.13, linewidth=0)
    panel.plot(moments, values, drawstyle="steps-post", color=colour, linewidth=1.4)
    panel.axhline(0, color=_MUTED, linewidth=0.8)
    panel.grid(visible=False, axis="x")
    panel.margins(x=0.01)
    if moments:
        locator = dates.AutoDateLocator(minticks=4, maxticks=10)
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    panel.yaxis.set_major_formatter(_thousands)


def _bars_across(panel: Any, groups: Sequence[GroupFigures], title: str) -> None:
    panel.set_title(title)
    values = [each.profit_abs for each in groups]
    panel.barh(range(len(groups)), values, color=_colours(values), height=0.7)
    panel.set_yticks(range(len(groups)), [shortened(each.group, _LABEL) for each in groups])
    panel.invert_yaxis()
    panel.axvline(0, color=_MUTED, linewidth=0.8)
    panel.grid(visible=False, axis="y")
    panel.xaxis.set_major_formatter(_thousands)


def _bars_up(panel: Any, groups: Sequence[GroupFigures], title: str) -> None:
    panel.set_title(title)
    values = [each.profit_abs for each in groups]
    panel.bar(range(len(groups)), values, color=_colours(values), width=0.7)
    step = -(-len(groups) // _MOST_MONTH_NAMES) or 1
    named = range(0, len(groups), step)
    panel.set_xticks(list(named), [groups[number].group for number in named])
    panel.axhline(0, color=_MUTED, linewidth=0.8)
    panel.grid(visible=False, axis="x")
    panel.yaxis.set_major_formatter(_thousands)


def _colours(values: Sequence[float]) -> list[str]:
    return [_LOSS if value < 0 else _GAIN for value in values]


def _thousands(value: float, _position: int) -> str:
    return f"{value:,.8f}".rstrip("0").rstrip(".").replace("-", "\u2212")
