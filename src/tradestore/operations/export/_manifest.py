"""What an export tells of itself: its version, its tables, and how many rows each has."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tradestore._exported_columns import EXPORT_VERSION, EXPORTED_TABLES, ExportedTable
from tradestore.exceptions import InvalidExport

__all__ = ["MARK", "manifest_of", "read_manifest"]

MARK: Final = "tradestore_export"
"""The field with the version, by which an export is known."""


def manifest_of(tables: Mapping[str, int], exported_at: datetime) -> dict[str, Any]:
    """Return the manifest of tables.

    Args:
        tables: How many rows each has, by their names in the export.
        exported_at: When the snapshot was taken (UTC).
    """
    return {
        MARK: EXPORT_VERSION,
        "exported_at": exported_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "tables": {
            name: {
                "rows": rows,
                "columns": [
                    {"name": column.name, "type": str(column.type), "unit": column.unit}
                    for column in EXPORTED_TABLES[name].columns
                ],
            }
            for name, rows in tables.items()
        },
    }


def read_manifest(text: str | bytes, place: str) -> dict[ExportedTable, int]:
    """Return how many rows an export has of each table.

    Args:
        text: As JSON.
        place: Where it was found.

    Raises:
        InvalidExport: If it is no manifest, or one of another version.
    """
    try:
        found = json.loads(text)
        version = found[MARK]
    except (LookupError, TypeError, ValueError, RecursionError):
        msg = f"{place} does not say which version of an export this is: give a file that `tradestore export` wrote."
        raise InvalidExport(msg) from None
    if version != EXPORT_VERSION:
        msg = (
            f"{place} is an export of version {version!r:.20}, and this is known: {EXPORT_VERSION}. Nothing was "
            "imported: use the version of tradestore that wrote it, or a later one."
        )
        raise InvalidExport(msg)
    try:
        tables = {EXPORTED_TABLES[name]: int(each["rows"]) for name, each in found["tables"].items()}
        for name, each in found["tables"].items():
            _compare(name, [column["name"] for column in each["columns"]], place)
    except (AttributeError, LookupError, TypeError, ValueError) as e:
        if isinstance(e, InvalidExport):
            raise
        msg = f"{place} does not tell the tables of the export, or tells of unknown ones: export them again."
        raise InvalidExport(msg) from None
    return tables


def _compare(name: str, columns: list[str], place: str) -> None:
    expected = EXPORTED_TABLES[name].names
    if set(columns) != set(expected):
        wrong = ", ".join(sorted(set(columns) ^ set(expected)))
        msg = f"{place} tells other columns of {name} than version {EXPORT_VERSION} has ({wrong}): export it again."
        raise InvalidExport(msg)
