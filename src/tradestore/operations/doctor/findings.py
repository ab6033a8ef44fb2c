"""What a look at a store can find, in words that the table of codes, the commands and repairs share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

__all__ = ["MOST_IDS", "Diagnosis", "Finding", "LeftOut", "Severity"]

MOST_IDS: Final = 100
"""How many rows a finding names, unless it is told otherwise."""


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    """Worth knowing; nothing has to be done."""
    WARNING = "warning"
    """Numbers may be doubted, or trouble is to come."""
    ERROR = "error"
    """The bot or its reports are wrong now, or data can be lost."""

    @property
    def rank(self) -> int:
        """The place in the order of severities, the worst last."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of defect, with all rows of one table that have it.

    Attributes:
        code: Its name in the table of codes, such as ``T01``.
        title: What it is, in a few words.
        severity: How bad it is.
        detail: One sentence with the figures.
        remedy: What to do.
        table: In which table; None where it is not about rows.
        rows: How many rows have it; 0 where it is not about rows.
        ids: Their primary keys in ascending order, the first hundred unless more were asked for.
        facts: By primary key what was found and, where there is one right answer, what was expected: the columns'
            names, each with ``found`` and ``expected``. Where it is not about rows, names with what was found.
    """

    code: str
    title: str
    severity: Severity
    detail: str
    remedy: str
    table: str | None = None
    rows: int = 0
    ids: Sequence[int | str] = ()
    facts: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A check that has nothing to look at here, or that could not be done.

    Attributes:
        code: Of the check.
        title: What it looks for.
        reason: Why it was left out.
    """

    code: str
    title: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What a look at a store has found.

    Attributes:
        url: Of the database, without its password.
        engine: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``.
        findings: The worst first, and by code.
        ran: The checks that were done, titles by code.
        not_applicable: Those that have nothing to look at here, such as a file's mode for a server.
        failed: Those that failed themselves; nothing is known of what they look for.
    """

    url: str
    engine: str
    findings: Sequence[Finding]
    ran: Mapping[str, str]
    not_applicable: Sequence[LeftOut] = ()
    failed: Sequence[LeftOut] = ()

    @property
    def worst(self) -> Severity | None:
        """The worst severity; a check that failed counts as an error, and None means that there is nothing."""
        if self.failed:
            return Severity.ERROR
        return max((finding.severity for finding in self.findings), key=lambda each: each.rank, default=None)

    @property
    def is_clean(self) -> bool:
        """Whether all checks were done, and nothing needs to be."""
        return self.worst in {None, Severity.INFO}
