"""What a repair is going to do, and what it did: plain values that say it in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tradestore.operations.repair.row_text import Row
from tradestore.repair_log import RepairAction

__all__ = ["Change", "RepairPlan", "RepairReport", "RepairStep", "Setting", "Sight", "Unrepairable"]

_SHOWN: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one row.

    Attributes:
        table: Its table.
        row_id: Its primary key; None for a row that is to be added.
        before: The whole row as it is; None if it is to be added.
        after: The whole row as it will be; None if it is to be deleted.
    """

    table: str
    row_id: Any
    before: Row | None
    after: Row | None

    @property
    def action(self) -> RepairAction:
        """What is done."""
        if self.before is None:
            return RepairAction.INSERT
        return RepairAction.DELETE if self.after is None else RepairAction.UPDATE

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """The columns that differ, with the values before and after; of a row that comes or goes, none."""
        if self.before is None or self.after is None:
            return {}
        before, after = self.before, self.after
        return {name: (before[name], after[name]) for name in after if not _is_same(before[name], after[name])}

    def __str__(self) -> str:
        """Return the change in words."""
        match self.action:
            case RepairAction.INSERT:
                return f"a row is added to {self.table}: {_listed(self.after or {})}"
            case RepairAction.DELETE:
                return f"{self.table} {self.row_id} is deleted (the log keeps it whole)"
        values = ", ".join(f"{name} {_shown(old)} -> {_shown(new)}" for name, (old, new) in self.changed.items())
        return f"{self.table} {self.row_id}: {values}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something other than a row that is put right: after the rows, and by itself.

    Attributes:
        kind: ``file mode``, ``journal mode``, ``index`` or ``next id``.
        target: A file's path, a table's or an index's name.
        before: What it is.
        after: What it will be.
    """

    kind: str
    target: str
    before: str | None
    after: str

    def __str__(self) -> str:
        """Return the change in words."""
        return f"{self.kind} of {self.target}: {self.before or 'missing'} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairStep:
    """What is done about one defect.

    Attributes:
        code: Of the finding; None for what was asked for by hand.
        reason: Why, in words.
        table: In which the finding is; None where it is not about a row.
        row_id: The primary key of the row that has it; None likewise.
        changes: To rows.
        settings: Anything else.
    """

    code: str | None
    reason: str
    table: str | None = None
    row_id: Any = None
    changes: Sequence[Change] = ()
    settings: Sequence[Setting] = ()

    def lines(self) -> Iterator[str]:
        """Yield the step in words, a line for each change."""
        begin = f"{self.code}: " if self.code else ""
        for number, change in enumerate((*self.changes, *self.settings)):
            yield f"{begin}{change}" if number else f"{begin}{change} ({self.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrepairable:
    """A finding that a person has to decide about.

    Attributes:
        code: Of the finding.
        table: Of the rows; None where it is not about rows.
        ids: Of the rows.
        reason: Why it cannot be repaired by itself, and what to do.
    """

    code: str
    table: str | None
    ids: Sequence[Any]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Rows that a plan was made by, and which must still be the same when it is carried out.

    Attributes:
        table: Of which table.
        column: The rows that have in this column
        value: this value.
        rows: As texts, see :mod:`tradestore.operations.repair.row_text`.
    """

    table: str
    column: str
    value: Any
    rows: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """All that would be done, and what it depends on.

    Attributes:
        url: Of the database, without its password.
        steps: In their order.
        unrepairable: What is left to a person.
        sights: The preconditions.
    """

    url: str
    steps: Sequence[RepairStep]
    unrepairable: Sequence[Unrepairable] = ()
    sights: Sequence[Sight] = ()

    @property
    def codes(self) -> list[str]:
        """The codes of the findings that are repaired."""
        return sorted({step.code for step in self.steps if step.code})

    @property
    def trade_ids(self) -> set[Any]:
        """The trades that are changed, or whose orders are."""
        ids = set()
        for change in (change for step in self.steps for change in step.changes):
            if change.table == "trades":
                ids.add(change.row_id)
            elif change.table == "orders":
                ids |= {row["ft_trade_id"] for row in (change.before, change.after) if row is not None}
        return ids - {None}

    def lines(self) -> Iterator[str]:
        """Yield the plan in words, a line for each change."""
        for step in self.steps:
            yield from step.lines()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """What was done.

    Attributes:
        batch: By which it can be undone; None if there was nothing to do.
        done_at: When (UTC); None likewise.
        steps: What was done, in its order.
        backup: The copy that was made before; None where there is nothing to copy, as in memory.
    """

    batch: str | None
    done_at: datetime | None
    steps: Sequence[RepairStep]
    backup: str | None


def _is_same(one: Any, other: Any) -> bool:
    # NaN is unequal to itself, and True is equal to 1.
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, datetime) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _listed(row: Row) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in row.items() if value is not None)
