"""What an operator does with a whole database; results are objects, and nothing is printed."""

from tradestore.operations.transfer import TransferProgress, TransferredTable, TransferReport, transfer

__all__ = ["TransferProgress", "TransferReport", "TransferredTable", "transfer"]
