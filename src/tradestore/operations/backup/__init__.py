"""Backups that were proved before they are needed, and their way back."""

from tradestore.operations.backup._keeping import Backup, list_backups, verify_backup
from tradestore.operations.backup._making import back_up
from tradestore.operations.backup._manifest import Kind, Manifest, Sealing, Verification

__all__ = [
    "Backup",
    "Kind",
    "Manifest",
    "Sealing",
    "Verification",
    "back_up",
    "list_backups",
    "verify_backup",
]
