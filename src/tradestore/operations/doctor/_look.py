"""One look at a store: what all checks share, and how they tell what they found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, inspect, literal_column, select

from tradestore._revisions import differences
from tradestore._stored_values import Kind, as_stored, kind_of
from tradestore.base import ModelBase
from tradestore.operations._endpoints import family
from tradestore.operations.doctor.catalogue import CATALOGUE
from tradestore.operations.doctor.findings import Finding, Severity
from tradestore.operations.doctor.surroundings import EngineFacts, Surroundings

__all__ = ["Look", "NotApplicable", "as_text", "counted", "finding", "rows_that"]

_MOMENT: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:*"


class NotApplicable(Exception):
    """A check has nothing to look at here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a check gets.

    Attributes:
        connection: Sees the store as it was when the look began.
        surroundings: Of the store.
        file: Of the database; None for a server or memory.
        most_ids: How many rows a finding names.
        backups: The folder of backups, if it was told.
        max_backup_age: How old the youngest of them may be.
    """

    connection: Connection
    surroundings: Surroundings
    file: Path | None
    most_ids: int
    backups: Path | None = None
    max_backup_age: timedelta | None = None

    @property
    def engine(self) -> str:
        """``sqlite``, ``postgresql`` or ``mysql``, which stands for MariaDB as well."""
        return family(self.connection)

    @cached_property
    def now(self) -> datetime:
        """When the look began (UTC)."""
        return self.surroundings.now()

    @cached_property
    def facts(self) -> EngineFacts:
        """What the engine says of itself."""
        return self.surroundings.engine_facts(self.connection)

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The tables of the library that are there."""
        present = set(inspect(self.connection).get_table_names())
        return {name: table for name, table in ModelBase.metadata.tables.items() if name in present}

    @cached_property
    def changes(self) -> Sequence[tuple[Any, ...]]:
        """What alembic would change to make the tables what the models say."""
        found = differences(self.connection, ModelBase.metadata)
        # Those of one column come together.
        return [each for change in found for each in (change if isinstance(change, list) else [change])]

    def table(self, name: str) -> Table:
        """Return a table of the library.

        Raises:
            NotApplicable: If it is not there.
        """
        if name not in self.tables:
            msg = f"there is no table {name}"
            raise NotApplicable(msg)
        return self.tables[name]

    def only(self, *engines: str) -> None:
        """Leave other engines out.

        Raises:
            NotApplicable: If this one is none of them.
        """
        if self.engine not in engines:
            msg = f"{self.facts.product} has nothing of the kind"
            raise NotApplicable(msg)

    def required_file(self) -> Path:
        """Return the file of the database.

        Raises:
            NotApplicable: If there is none.
        """
        if self.file is None:
            msg = "the database is no file of this machine"
            raise NotApplicable(msg)
        return self.file

    def well_formed(self, column: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """Return a condition that speaks of proper values alone: SQLite takes a text for larger than any number."""
        if self.engine != "sqlite":
            return condition
        kind = kind_of(column.type)
        if kind is Kind.MOMENT:
            return and_(condition, as_text(column).op("GLOB")(_MOMENT))
        if kind in {Kind.NUMBER, Kind.COUNT}:
            return and_(condition, func.typeof(column).in_(("real", "integer")))
        return condition


def as_text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column as it stands, past what its type makes of values."""
    return literal_column(f"{column.table.name}.{column.name}")


def finding(
    code: str,
    detail: str,
    *,
    table: str | None = None,
    rows: int = 0,
    ids: Sequence[Any] = (),
    facts: Mapping[Any, Any] | None = None,
    severity: Severity | None = None,
    remedy: str | None = None,
) -> Finding:
    """Return a finding in the words of the table of codes.

    Args:
        code: Which.
        detail: One sentence with the figures.
        table: In which table.
        rows: How many rows.
        ids: Of the first of them.
        facts: What was found and expected.
        severity: Where it isn't the usual one.
        remedy: Where it isn't the usual one.
    """
    defect = CATALOGUE[code]
    return Finding(
        code=code,
        title=defect.title,
        severity=severity or defect.severity,
        detail=detail,
        remedy=remedy or defect.remedy,
        table=table,
        rows=rows,
        ids=tuple(ids),
        facts=facts or {},
    )


def counted(what: str, count: int) -> str:
    """Return a sentence that is right for any number."""
    return f"{what[0].upper()}{what[1:]}: {count}."


def rows_that(
    look: Look, code: str, table: Table, condition: ColumnElement[bool], shown: Sequence[str], what: str
) -> Iterator[Finding]:
    """Yield a finding if rows of a table are so.

    Args:
        look: Of which this is a part.
        code: Of the finding.
        table: Which.
        condition: What is wrong with them.
        shown: The columns that are told as found.
        what: Is wrong with them, such as ``trades end before they begin``.
    """
    (key,) = table.primary_key.columns
    columns = [as_stored(table.c[name], look.connection.dialect).label(f"value_{at}") for at, name in enumerate(shown)]
    query: Select[*tuple[Any, ...]] = select(key, *columns).where(condition).order_by(key).limit(look.most_ids + 1)
    found = look.connection.execute(query).all()
    if not found:
        return
    count = len(found)
    if count > look.most_ids:
        count = look.connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
    facts = {
        row[0]: {name: {"found": value} for name, value in zip(shown, row[1:], strict=True)}
        for row in found[: look.most_ids]
    }
    yield finding(code, counted(what, count), table=table.name, rows=count, ids=list(facts), facts=facts)
