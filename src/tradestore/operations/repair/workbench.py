"""Rows on their way to being repaired: what was read, what becomes of it, and step by step why."""

import copy
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any

from tradestore._clock import as_naive_utc
from tradestore._engine import masked
from tradestore.operations.repair.plan import Change, RepairPlan, RepairStep, Setting, Sight, Unrepairable
from tradestore.operations.repair.row_text import Row, text_of
from tradestore.operations.repair.rows import KEY, StoredRows

__all__ = ["Workbench"]

_Place = tuple[str, Any]


class Workbench:
    """A picture of the rows in which repairs are tried; each sees what those before it have done.

    Nothing is written. Whatever is read is noted: a plan holds only as long as these rows are the same.
    """

    def __init__(self, rows: StoredRows) -> None:
        """Begin with what is stored."""
        self.rows = rows
        self._sights: dict[tuple[str, str, Any], Sight] = {}
        self._stored: dict[_Place, Row | None] = {}
        self._present: dict[_Place, dict[str, Any] | None] = {}
        self._before_step: dict[_Place, Row | None] = {}
        self._steps: list[RepairStep] = []
        self._unrepairable: list[Unrepairable] = []
        self._new = count(1)

    def row(self, table: str, row_id: Any) -> dict[str, Any] | None:
        """Return a row as it is by now, None if it isn't there."""
        if (table, row_id) not in self._present:
            self._look(table, KEY, row_id)
            self._present.setdefault((table, row_id), None)
        return copy.copy(self._present[table, row_id])

    def select(self, table: str, column: str, value: Any) -> list[dict[str, Any]]:
        """Return the rows that by now have a value in a column, by id; new ones last."""
        self._look(table, column, value)
        found = [
            (key, row)
            for (name, key), row in self._present.items()
            if name == table and row is not None and row[column] == value
        ]
        return [copy.copy(row) for key, row in sorted(found, key=lambda each: (isinstance(each[0], str), each[0]))]

    def change(self, table: str, row_id: Any, **values: Any) -> None:
        """Give a row other values."""
        row = self.row(table, row_id)
        if row is None:
            msg = f"There is no row {row_id} in {table}."
            raise LookupError(msg)
        self._set(table, row_id, row | values)

    def delete(self, table: str, row_id: Any) -> None:
        """Take a row away."""
        self._set(table, row_id, None)

    def add(self, table: str, values: Row) -> None:
        """Add a row; what is not given is NULL, and the engine gives it its id."""
        names = [column.name for column in self.rows.table(table).columns if column.name != KEY]
        self._set(table, f"new {next(self._new)}", {name: values.get(name) for name in names})

    def finish_step(
        self,
        reason: str,
        *,
        code: str | None = None,
        table: str | None = None,
        row_id: Any = None,
        settings: Iterable[Setting] = (),
    ) -> None:
        """End a step: all changes since the last one are done for one reason.

        Args:
            reason: In words.
            code: Of the finding.
            table: Of the row that has it.
            row_id: Its primary key.
            settings: What is to be done beside rows.
        """
        changes = [
            Change(
                table=table,
                row_id=None if before is None else row_id,
                before=before,
                after=self._present[table, row_id],
            )
            for (table, row_id), before in self._before_step.items()
        ]
        self._before_step.clear()
        changes = [change for change in changes if change.before is None or change.after is None or change.changed]
        settings = tuple(settings)
        if changes or settings:
            step = RepairStep(
                code=code, reason=reason, table=table, row_id=row_id, changes=tuple(changes), settings=settings
            )
            self._steps.append(step)

    def give_up_step(self) -> None:
        """Forget what was changed since the last step."""
        for place, before in self._before_step.items():
            self._present[place] = None if before is None else dict(before)
        self._before_step.clear()

    def leave_to_a_person(self, code: str, table: str | None, ids: Sequence[Any], reason: str) -> None:
        """Note a finding that is not repaired."""
        self._unrepairable.append(Unrepairable(code=code, table=table, ids=ids, reason=reason))

    def is_left_to_a_person(self, code: str, table: str, row_id: Any) -> bool:
        """Say whether a finding was noted as one that is not repaired."""
        return any((each.code, each.table) == (code, table) and row_id in each.ids for each in self._unrepairable)

    def changed_trades(self) -> list[Any]:
        """Return the trades that were changed, or whose orders were, by id."""
        return sorted(self.plan().trade_ids)

    def plan(self) -> RepairPlan:
        """Return all steps, with what they depend on."""
        return RepairPlan(
            url=masked(self.rows.connection.engine.url),
            steps=tuple(self._steps),
            unrepairable=tuple(self._unrepairable),
            sights=tuple(self._sights.values()),
        )

    def _look(self, table: str, column: str, value: Any) -> None:
        with suppress(KeyError):
            self._sights[table, column, value]
            return
        found = self.rows.select(table, column, value)
        for row in found:
            self._present.setdefault((table, row[KEY]), dict(row))
        self._sights[table, column, value] = Sight(
            table=table, column=column, value=value, rows=tuple(text_of(row) for row in found)
        )

    def _set(self, table: str, row_id: Any, row: dict[str, Any] | None) -> None:
        self._before_step.setdefault((table, row_id), copy.copy(self._present.get((table, row_id))))
        # The math knows moments with their zone, the columns those without.
        self._present[table, row_id] = row and {
            name: as_naive_utc(value) if isinstance(value, datetime) else value for name, value in row.items()
        }
