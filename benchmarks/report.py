"""What was measured, as a table for the terminal and for a page, and as JSON."""

import json
import math
import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.measuring import Case, Measurement

__all__ = ["Result", "markdown_table", "print_results", "write_json", "write_page"]

HEADINGS: Final = (
    "what",
    "size",
    "ours",
    "floor",
    "ratio",
    "allowed",
    "larger\nsize",
    "ours\nthere",
    "ratio\nthere",
    "growth",
    "allowed\ngrowth",
    "",
)
OVER: Final = "OVER"
_NOTHING: Final = "-"
_BEGIN, _END = "<!-- the last run -->", "<!-- end of the last run -->"
_WIDTH: Final = 180

_TIME_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_MEMORY_UNIT: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Result:
    """A case with what was measured at each of its sizes, smallest first."""

    case: Case
    measured: Sequence[Measurement]

    @property
    def growth(self) -> float | None:
        """How many times the cost at the first size the last one costs, None where there is one size only."""
        first, last = self.measured[0], self.measured[-1]
        return None if last is first else last.ours / first.ours

    @property
    def is_over(self) -> bool:
        """Whether anything costs more than was allowed."""
        allowed, growth = self.case.allowed_ratio, self.case.allowed_growth
        return (allowed is not None and any(m.ratio > allowed for m in self.measured)) or (
            growth is not None and self.growth is not None and self.growth > growth
        )


def print_results(results: Iterable[Result], console: Console | None = None) -> None:
    """Print the table; a pipe gets it in full width too."""
    console = console or Console(width=None if Console().is_terminal else _WIDTH)
    table = Table(title=_machine_line(), title_justify="left", row_styles=("", "dim"))
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number > 0)
    for _, group in groupby(results, key=lambda result: result.case.subject):
        for result in group:
            table.add_row(*(Text(cell, "bold red") if result.is_over else Text(cell) for cell in _cells(result)))
        table.add_section()
    console.print(table)


def markdown_table(results: Iterable[Result]) -> str:
    """Return the same table for a page."""
    lines = [
        tuple(heading.replace("\n", " ") for heading in HEADINGS),
        ("---", *["---:"] * (len(HEADINGS) - 1)),
        *map(_cells, results),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_json(results: Iterable[Result], path: Path) -> None:
    """Write all turns of all cases, in seconds and bytes."""
    content = {"machine": _machine(), "results": [_as_json(result) for result in results]}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_page(results: Iterable[Result], path: Path) -> None:
    """Put the table in the place of the one that the page has."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        msg = f"{path} needs the lines {_BEGIN} and {_END}: the table goes between them."
        raise ValueError(msg)
    path.write_text(
        f"{before}{begin}\n\n{_machine_line()}\n\n{markdown_table(results)}\n\n{end}{after}", encoding="utf-8"
    )


def _cells(result: Result) -> tuple[str, ...]:
    case, first, last = result.case, result.measured[0], result.measured[-1]
    several = last is not first
    return (
        case.name,
        f"{first.size:,} {case.unit}" if case.unit else _NOTHING,
        _cost(case, first.ours),
        _cost(case, first.floor),
        _times(first.ratio),
        _times(case.allowed_ratio),
        f"{last.size:,}" if several else _NOTHING,
        _cost(case, last.ours) if several else _NOTHING,
        _times(last.ratio if several else None),
        _times(result.growth),
        _times(case.allowed_growth),
        OVER if result.is_over else "",
    )


def _cost(case: Case, cost: float) -> str:
    if math.isnan(cost):
        return _NOTHING
    if case.quantity == "memory":
        return f"{cost / _MEMORY_UNIT:.1f} MB"
    unit, name = next(((unit, name) for unit, name in _TIME_UNITS if cost >= unit), _TIME_UNITS[-1])
    return f"{_short(cost / unit)} {name}"


def _times(ratio: float | None) -> str:
    return _NOTHING if ratio is None or math.isnan(ratio) else f"{_short(ratio)} x"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "sqlalchemy": sqlalchemy.__version__,
        "sqlite": sqlite3.sqlite_version,
    }


def _machine_line() -> str:
    machine = _machine()
    versions = ", ".join(f"{name} {machine[name.casefold()]}" for name in ("Python", "SQLAlchemy", "SQLite"))
    return f"{machine['system']}, {machine['cpus']} CPUs, {versions}"


def _as_json(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "name": case.name,
        "unit": case.unit,
        "quantity": "seconds" if case.quantity == "time" else "bytes",
        "allowed_ratio": case.allowed_ratio,
        "allowed_growth": case.allowed_growth,
        "growth": result.growth,
        "over": result.is_over,
        "sizes": [
            {name: _number(getattr(m, name)) for name in ("size", "ours", "floor", "ratio")}
            | {"turns": [[_number(side) for side in turn] for turn in m.turns]}
            for m in result.measured
        ],
    }


def _number(number: float) -> float | None:
    return None if math.isnan(number) else number
