"""A report on what trades brought: figures, one HTML file with all in it, and a picture."""

from tradestore.operations.report.figures import ReportFigures
from tradestore.operations.report.reading import read_figures
from tradestore.operations.report.writing import refuse_unwritable, write_report

__all__ = ["ReportFigures", "read_figures", "refuse_unwritable", "write_report"]
