"""Backups that were proved before they are needed, and their way back."""

from tradestore.operations.backup._capture import Format
from tradestore.operations.backup._keeping import Backup, existing, list_backups, verify_backup
from tradestore.operations.backup._making import back_up
from tradestore.operations.backup._manifest import Kind, Manifest, Sealing, Verification, read_manifest
from tradestore.operations.backup._packing import Compression
from tradestore.operations.backup._progress import Progress
from tradestore.operations.backup._restoring import RestoreReport, restore

__all__ = [
    "Backup",
    "Compression",
    "Format",
    "Kind",
    "Manifest",
    "Progress",
    "RestoreReport",
    "Sealing",
    "Verification",
    "back_up",
    "existing",
    "list_backups",
    "read_manifest",
    "restore",
    "verify_backup",
]
