"""What all steps of a transfer share: its two ends, its tables, and how both are looked at."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, func, inspect, select
from sqlalchemy.exc import DBAPIError

from tradestore._engine import masked, take_write_lock
from tradestore._errors import is_retryable
from tradestore._sequences import continue_ids, next_id
from tradestore._table_content import RunningContent, TableContent, content_of, row_texts
from tradestore.base import ModelBase
from tradestore.exceptions import DatabaseBusy, TransferError
from tradestore.operations._journal import NOTHING, drop_journal
from tradestore.operations._target_limits import TargetLimits
from tradestore.operations._transfer_plan import Cargo, TransferPlan
from tradestore.operations._transfer_report import TransferProgress, TransferredTable

__all__ = ["Way", "told_interruptions"]


@contextmanager
def told_interruptions() -> Iterator[None]:
    """Turn what drivers raise into errors that say what has become of the transfer.

    Raises:
        DatabaseBusy: If others held a lock, or a connection was lost.
        TransferError: If an engine failed otherwise.
    """
    try:
        yield
    except DBAPIError as e:
        reason = str(e.orig).strip()
        if e.connection_invalidated or is_retryable(e):
            msg = f"The transfer was interrupted ({reason}). Run it again: it goes on with what is not copied yet."
            raise DatabaseBusy(msg) from e
        msg = (
            f"The transfer failed ({reason}). What was copied before stays: put right what is in the way, then run it "
            "again, which goes on there."
        )
        raise TransferError(msg) from e


@dataclass(slots=True)
class Way:
    """A transfer under way.

    Attributes:
        source: Its snapshot.
        target: Its engine.
        plan: What goes along.
        progress: To be told.
        batch_size: In rows.
        contents: What the source has of each table, once it was surveyed.
        arrived: Rows of all tables that the target has.
    """

    source: Connection
    target: Engine
    plan: TransferPlan
    progress: Callable[[TransferProgress], None] | None
    batch_size: int
    contents: dict[str, TableContent] = field(default_factory=dict)
    arrived: int = 0

    @property
    def target_name(self) -> str:
        """The target's URL, without a password."""
        return masked(self.target.url)

    @property
    def source_name(self) -> str:
        """The source's URL, without a password."""
        return masked(self.source.engine.url)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Return a connection to the target within a transaction, which is committed at the end of the block."""
        with self.target.begin() as connection:
            take_write_lock(connection)
            yield connection

    def survey(self, journal: Mapping[str, TableContent]) -> dict[str, TableContent]:
        """Look at every value of the source, and take down its contents.

        Args:
            journal: How far each table has been copied.

        Returns:
            What the source has in the place of what was copied: the same, if nobody has changed it since.

        Raises:
            InvalidValue: If the target cannot hold a value.
        """
        begun = {}
        for cargo in self.plan.cargos:
            limits, running, first = TargetLimits(cargo, self.target.dialect), RunningContent(), RunningContent()
            done = journal.get(cargo.name, NOTHING).rows
            with closing(self.rows_of(cargo)) as batches:
                for values in batches:
                    limits.check(values)
                    texts = row_texts(cargo.stored.kinds, values)
                    first.add(texts[: max(0, done - running.rows)])
                    running.add(texts)
            self.contents[cargo.name], begun[cargo.name] = running.content, first.content
        return begun

    def rows_of(self, cargo: Cargo, *, skip: int = 0) -> Generator[Sequence[Sequence[Any]]]:
        """Yield the source's rows of a table in the order of its key, some at a time."""
        return cargo.stored.batches(self.source, size=self.batch_size, order=cargo.key, skip=skip)

    def target_counts(self, connection: Connection) -> dict[str, int]:
        """Return how many rows the target has of each table that it could get any of, and has."""
        present = set(inspect(connection).get_table_names())
        tables = {**ModelBase.metadata.tables, **{cargo.name: cargo.table for cargo in self.plan.cargos}}
        counting = {name: select(func.count()).select_from(table) for name, table in tables.items() if name in present}
        return {name: connection.scalar(query) or 0 for name, query in counting.items()}

    def target_content(self, connection: Connection, cargo: Cargo) -> TableContent:
        """Return what the target has of a table."""
        columns = {column.name for column in cargo.stored.columns}
        return content_of(connection, cargo.table, columns=columns, batch_size=self.batch_size)

    def differences(self) -> list[str]:
        """Tell of which tables the target's content is not the source's."""
        found = []
        with self.target.connect() as connection:
            for cargo in self.plan.cargos:
                ours, theirs = self.contents[cargo.name], self.target_content(connection, cargo)
                if ours != theirs:
                    rows = f"{ours.rows} rows at the source, {theirs.rows} at the target"
                    found.append(f"{cargo.name} ({rows}, digests {ours.digest} and {theirs.digest})")
        return found

    def arrive(self, name: str, rows: int) -> None:
        """Count rows that the target has by now."""
        self.arrived += rows
        if self.progress is not None and rows:
            total = sum(content.rows for content in self.contents.values())
            self.progress(TransferProgress(name, self.arrived, total))

    def finish(self) -> None:
        """Let the target's next ids follow, and forget that a transfer was under way."""
        with self.writing() as connection:
            for cargo in self.plan.cargos:
                continue_ids(connection, cargo.table, next_id(self.source, cargo.name))
            drop_journal(connection)

    def result(self, copied: Mapping[str, int]) -> list[TransferredTable]:
        """Return all tables.

        Args:
            copied: How many rows of each were written.
        """
        return [
            TransferredTable(name, self.contents[name].rows, copied.get(name, 0), self.contents[name].digest)
            for name in (cargo.name for cargo in self.plan.cargos)
        ]
