"""Trades written to files that other programs read, and read back from them."""

from tradestore.operations.export._reports import (
    ExportedRows,
    ExportProgress,
    ExportReport,
    ImportedRows,
    ImportProgress,
    ImportReport,
)
from tradestore.operations.export.exporting import export_trades
from tradestore.operations.export.importing import import_trades

__all__ = [
    "ExportProgress",
    "ExportReport",
    "ExportedRows",
    "ImportProgress",
    "ImportReport",
    "ImportedRows",
    "export_trades",
    "import_trades",
]
