"""What an export and an import tell: while they are under way, and when they have ended."""

from dataclasses import dataclass

__all__ = ["ExportProgress", "ExportReport", "ExportedRows", "ImportProgress", "ImportReport", "ImportedRows"]


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far an export has come.

    Attributes:
        table: The table that is being written, by its name in the export.
        rows: Rows of all tables that are written by now.
        total: Rows of all tables that are to be written.
    """

    table: str
    rows: int
    total: int


@dataclass(frozen=True, slots=True)
class ExportedRows:
    """A table that was exported.

    Attributes:
        table: Its name in the export.
        rows: How many there are.
    """

    table: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was exported.

    Attributes:
        source: The database's URL, without a password.
        target: The file or folder, None for a stream.
        file_format: ``csv``, ``jsonl`` or ``parquet``.
        version: Of the columns.
        tables: All that were exported.
    """

    source: str
    target: str | None
    file_format: str
    version: int
    tables: tuple[ExportedRows, ...]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import has come.

    Attributes:
        table: The table that is being read, by its name in the export.
        rows: Rows of all tables that were read by now.
        total: Rows of all tables in the export, None if it does not tell.
    """

    table: str
    rows: int
    total: int | None


@dataclass(frozen=True, slots=True)
class ImportedRows:
    """A table that was imported.

    Attributes:
        table: Its name in the export.
        added: How many rows were stored.
        skipped: How many were there already, or belong to what was.
    """

    table: str
    added: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What was imported.

    Attributes:
        source: The file or folder, None for a stream.
        target: The database's URL, without a password.
        version: Of the export's columns.
        tables: All that the export has.
    """

    source: str | None
    target: str
    version: int
    tables: tuple[ImportedRows, ...]

    @property
    def added(self) -> int:
        """Rows of all tables that were stored."""
        return sum(table.added for table in self.tables)

    @property
    def skipped(self) -> int:
        """Rows of all tables that were passed over."""
        return sum(table.skipped for table in self.tables)
