"""Cost against size, as a picture."""

from collections.abc import Sequence
from itertools import groupby
from math import ceil
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from benchmarks.report import Result

__all__ = ["draw"]

_COLUMNS = 3
_PANEL_INCHES = (5.2, 4.6)


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw one panel for each subject that was measured at several sizes."""
    drawn = [result for result in results if len(result.measured) > 1 and result.case.quantity == "time"]
    panels = [(subject, list(group)) for subject, group in groupby(drawn, key=lambda result: result.case.subject)]
    rows = ceil(len(panels) / _COLUMNS) or 1
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(_COLUMNS * _PANEL_INCHES[0], rows * _PANEL_INCHES[1]), layout="constrained")
        figure.suptitle("What one operation costs: tradestore solid, the floor dotted")
        axes = figure.subplots(rows, _COLUMNS, squeeze=False).flat
        for panel, (subject, group) in zip(axes, panels, strict=False):
            _draw_panel(panel, subject, group)
        for panel in list(axes)[len(panels) :]:
            panel.set_axis_off()
        figure.savefig(path, dpi=110)


def _draw_panel(panel: Axes, subject: str, group: Sequence[Result]) -> None:
    for number, result in enumerate(group):
        sizes = [m.size for m in result.measured]
        colour = f"C{number % 10}"
        label = result.case.name.partition(": ")[2]
        marker = "os^vD"[number // 10 + number % 2]
        panel.plot(sizes, [m.ours * 1e6 for m in result.measured], color=colour, marker=marker, ms=3, label=label)
        panel.plot(sizes, [m.floor * 1e6 for m in result.measured], color=colour, linestyle=":")
    panel.set(title=subject, xlabel=group[0].case.unit, ylabel="µs", xscale="log", yscale="log")
    shown = sorted({m.size for result in group for m in result.measured})
    panel.set_xticks(shown, [f"{size:,}" for size in shown])
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:,.10g}"))
    panel.minorticks_off()
    panel.grid(visible=True, which="major", alpha=0.3)
    panel.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
