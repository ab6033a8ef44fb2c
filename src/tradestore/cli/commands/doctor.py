"""``tradestore doctor``."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text
from typer import Exit, Option

from tradestore.cli._answers import answer, bar_of
from tradestore.cli._arguments import AsJson, database_option
from tradestore.exceptions import InvalidValue
from tradestore.operations.doctor import CATALOGUE, Diagnosis, Finding, LeftOut, Severity, diagnose

__all__ = ["doctor"]

_FOUND: Final = 1
_NAMED: Final = 8
"""Rows that a line names; the document has more."""


class _Level(StrEnum):
    """From which severity on the exit code is 1."""

    WARNING = "warning"
    ERROR = "error"


def doctor(
    db_url: Annotated[
        str | None,
        database_option("The database; it is only read."),
    ] = None,
    only: Annotated[
        str, Option(metavar="CODES", help="Only these checks: codes, or the letters that they begin with.")
    ] = "",
    skip: Annotated[str, Option(metavar="CODES", help="All but these checks.")] = "",
    backups: Annotated[Path | None, Option(metavar="DIR", help="The folder in which the backups are.")] = None,
    max_backup_age: Annotated[float, Option(metavar="DAYS", help="How old the youngest backup may be.")] = 7.0,
    fail_on: Annotated[_Level, Option(help="From which severity on the exit code is 1.")] = _Level.WARNING,
    list_checks: Annotated[bool, Option("--list", help="List all checks, and look at nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for what is wrong with a store; nothing is changed.

    The exit code is 0 if nothing is wrong, and 1 if something is, or if a check could not be done.

    Example: tradestore doctor --db-url sqlite:///tradesv3.sqlite --skip E
    """
    if list_checks:
        answer("doctor", CATALOGUE, _show_catalogue, as_json=as_json)
        return
    if db_url is None:
        msg = "No database was given: add --db-url, or set TRADESTORE_DB_URL."
        raise InvalidValue(msg)
    with bar_of("Checking trades") as progress:
        found = diagnose(
            db_url,
            only=_codes(only) or None,
            skip=_codes(skip),
            backups=backups,
            max_backup_age=timedelta(days=max_backup_age),
            progress=progress,
        )
    answer("doctor", found, lambda console: _show(console, found), as_json=as_json)
    if found.worst is not None and found.worst.rank >= Severity(fail_on.value).rank:
        raise Exit(_FOUND)


def _codes(words: str) -> list[str]:
    return words.replace(",", " ").split()


def _show_catalogue(console: Console) -> None:
    for defect in CATALOGUE.values():
        console.print(f"{defect.code}  {defect.severity:<8} {defect.title}", markup=False)


def _show(console: Console, found: Diagnosis) -> None:
    for severity in reversed(Severity):
        of_it = [each for each in found.findings if each.severity is severity]
        if of_it:
            _print(console, f"{severity.upper()} ({len(of_it)})", style=_STYLES[severity])
        for each in of_it:
            _show_finding(console, each)
    if found.failed:
        _print(console, f"NOT DONE ({len(found.failed)})", style=_STYLES[Severity.ERROR])
        for left_out in found.failed:
            _print(console, f"{left_out.code} {left_out.title}: {left_out.reason}", indent=2)
    _print(console, _summary(found))


def _show_finding(console: Console, found: Finding) -> None:
    where = f" in {found.table}" if found.table else ""
    _print(console, f"{found.code} {found.title}{where}", indent=2)
    _print(console, found.detail, indent=6)
    if found.ids:
        named = ", ".join(map(str, found.ids[:_NAMED]))
        more = f" and {found.rows - _NAMED} more" if found.rows > _NAMED else ""
        _print(console, f"rows: {named}{more}", indent=6)
    _print(console, f"to do: {found.remedy}", indent=6)


def _summary(found: Diagnosis) -> str:
    counts = _counted(found.findings)
    left_out = _left_out(found.not_applicable)
    verdict = "Nothing is wrong" if found.is_clean and not counts else f"Found: {counts or 'nothing else'}"
    return f"{verdict}. {len(found.ran)} checks were done on {found.url}{left_out}."


def _counted(findings: Iterable[Finding]) -> str:
    kinds = [each.severity for each in findings]
    return ", ".join(f"{kinds.count(each)} {each}" for each in reversed(Severity) if each in kinds)


def _left_out(left_out: Sequence[LeftOut]) -> str:
    return f", {len(left_out)} have nothing to look at there" if left_out else ""


def _print(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    if console.soft_wrap:
        # A pipe gets whole lines.
        console.print(Text(" " * indent + text, style=style))
    else:
        console.print(Padding(Text(text, style=style), (0, 0, 0, indent)))


_STYLES: Final = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold"}
