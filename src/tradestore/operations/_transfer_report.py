"""What a transfer tells: while it is under way, and when it has ended."""

from dataclasses import dataclass

__all__ = ["TransferProgress", "TransferReport", "TransferredTable"]


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """How far a transfer has come.

    Attributes:
        table: The table that is being copied.
        rows: Rows of all tables that are at the target by now.
        total: Rows of all tables of the source.
    """

    table: str
    rows: int
    total: int


@dataclass(frozen=True, slots=True)
class TransferredTable:
    """A table that is at the target now, whole and compared.

    Attributes:
        name: The table's.
        rows: How many rows the source has.
        copied: How many of them this call has written; the others were there.
        digest: A hash of the source's rows, equal to that of the target's.
    """

    name: str
    rows: int
    copied: int
    digest: str


@dataclass(frozen=True, slots=True)
class TransferReport:
    """What a transfer has done.

    Attributes:
        source: Its database URL, without a password.
        target: Its database URL, without a password.
        tables: All that were transferred, parents first.
    """

    source: str
    target: str
    tables: tuple[TransferredTable, ...]

    @property
    def rows(self) -> int:
        """How many rows the source has."""
        return sum(table.rows for table in self.tables)

    @property
    def copied(self) -> int:
        """How many of them this call has written."""
        return sum(table.copied for table in self.tables)

    def table(self, name: str) -> TransferredTable:
        """Return one table.

        Raises:
            KeyError: If it was not transferred.
        """
        return {table.name: table for table in self.tables}[name]
