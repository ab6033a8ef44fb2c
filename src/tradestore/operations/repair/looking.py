"""The doctor's checks within a transaction: what a repair was for, and what it must not bring."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from tradestore.operations.doctor._look import Look, NotApplicable
from tradestore.operations.doctor.catalogue import CATALOGUE
from tradestore.operations.doctor.checks import CHECKS, STORY_CHECKS
from tradestore.operations.doctor.findings import Finding, Severity
from tradestore.operations.doctor.stories import Story
from tradestore.operations.doctor.surroundings import Surroundings
from tradestore.operations.repair.rows import KEY, StoredRows
from tradestore.operations.repair.totals import story_of

__all__ = ["EVERY_ID", "UNUSABLE", "Place", "StoryFinding", "View", "is_grave", "look_at", "story_findings", "view_of"]

EVERY_ID: Final = 1_000_000_000
"""More rows than a finding names."""

_OF_ROWS: Final = frozenset("OLN") | {"S09"}
UNUSABLE: Final = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


StoryFinding = tuple[str, str, Any, Mapping[str, Any]]
"""A code, the table and the primary key of the row that has it, and the facts."""


class Place(NamedTuple):
    """Where a defect is.

    Attributes:
        code: Which defect.
        table: Of the row that has it.
        row_id: The row's primary key.
    """

    code: str
    table: str
    row_id: Any


@dataclass(frozen=True, slots=True)
class View:
    """The defects that can be seen within a transaction.

    Attributes:
        of_rows: Of all rows, one by one.
        of_trades: Of trades with their orders, by trade; a trade whose values cannot be used has none.
    """

    of_rows: Collection[Place]
    of_trades: Mapping[Any, Collection[Place]]

    def new_since(self, before: "View") -> Iterator[Place]:
        """Yield the defects that were not there before. Of a trade that could not be judged then, nobody knows."""
        yield from (place for place in self.of_rows if place not in before.of_rows)
        for trade_id, places in self.of_trades.items():
            if trade_id in before.of_trades:
                yield from (place for place in places if place not in before.of_trades[trade_id])

    def __contains__(self, place: Place) -> bool:
        """Say whether a defect can be seen."""
        return place in self.of_rows or any(place in places for places in self.of_trades.values())


def look_at(connection: Connection, file: Path | None = None) -> Look:
    """Return what the checks need, to see what a connection sees.

    Args:
        connection: To the database.
        file: Of the database; None for a server or memory, or where files do not matter.
    """
    return Look(connection=connection, surroundings=Surroundings(), file=file, most_ids=EVERY_ID)


def view_of(rows: StoredRows, trade_ids: Collection[Any]) -> View:
    """Return the defects of all rows, and of some trades.

    Args:
        rows: Of a session in a transaction.
        trade_ids: The trades that the transaction is about: to go through all would keep a bot waiting.
    """
    look = look_at(rows.connection)
    of_rows = set()
    for check in CHECKS:
        if check.code in _OF_ROWS or check.code[0] in _OF_ROWS:
            with suppress(NotApplicable):
                for found in check.run(look):
                    of_rows |= _places(found)
    of_trades = {}
    for trade_id in trade_ids:
        for trade in rows.select("trades", KEY, trade_id):
            orders = rows.select("orders", "ft_trade_id", trade_id)
            with suppress(*UNUSABLE):
                found_here = story_findings(story_of(trade, orders))
                of_trades[trade_id] = {Place(code, table, row_id) for code, table, row_id, _ in found_here}
    return View(of_rows, of_trades)


def story_findings(story: Story) -> Sequence[StoryFinding]:
    """Return the codes, tables, primary keys and facts of what is wrong with one trade."""
    return [(check.code, check.table, row_id, facts) for check in STORY_CHECKS for row_id, facts in check.run(story)]


def is_grave(place: Place, least: Severity) -> bool:
    """Say whether a defect is at least so bad."""
    return CATALOGUE[place.code].severity.rank >= least.rank


def _places(found: Finding) -> set[Place]:
    return {Place(found.code, found.table or "", row_id) for row_id in found.ids}
