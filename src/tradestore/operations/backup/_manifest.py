"""What is written down beside each backup: where it comes from, what it holds, and how it was proved."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final

from tradestore._clock import as_utc
from tradestore._table_content import TableContent
from tradestore.exceptions import BackupError
from tradestore.operations.content import StoreContent

__all__ = ["FORMAT", "Kind", "Manifest", "Sealing", "Verification", "manifest_of", "read_manifest", "written_form"]

FORMAT: Final = 1
"""Counts up when a manifest can no longer be read as before."""

_LARGEST: Final = 16 << 20
"""Bytes: no manifest is larger."""


class Kind(Enum):
    """What a backup is, once it is decrypted and decompressed."""

    SQLITE = "sqlite"
    """An SQLite file, which every engine can be filled from."""
    SQLCIPHER = "sqlcipher"
    """An SQLite file that SQLCipher encrypts with the store's key."""
    POSTGRESQL = "pg_dump"
    """An archive of ``pg_dump`` in its custom format."""
    MARIADB = "mariadb-dump"
    """The SQL text of ``mariadb-dump``."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """How a backup is encrypted.

    Attributes:
        algorithm: Of the encryption.
        derivation: How its key comes from the passphrase.
        salt: Of that, in hexadecimal digits.
    """

    algorithm: str
    derivation: str
    salt: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How a backup was proved.

    Attributes:
        restored: Whether it was restored into scratch and every row compared with the source, by content hash.
        how: The same in words; if it was not restored, why.
        findings: How many the doctor had in what was restored; None if it did not look.
    """

    restored: bool
    how: str
    findings: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known of a backup.

    Attributes:
        format: Of the manifest itself.
        made_by: The version of the library that made it.
        made_at: When its source was read (UTC): what was committed later is not in it.
        source: The database URL, without its password.
        database: The database's name, or that of its file without the ending.
        engine: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``, with its version.
        revision: Of the schema; None if it has none.
        kind: What the file is, once decrypted and decompressed.
        compression: ``gzip``, ``xz`` or ``none``.
        encryption: How it is encrypted, None if it is not.
        size: Of the file, in bytes.
        sha256: Of the file, in hexadecimal digits.
        content: What each table held, as :func:`tradestore.operations.content.content_hash` tells it.
        verified: How it was proved.
        left_out: The views and triggers of the source that the backup has not got, such as ``view winners``.
    """

    format: int = FORMAT
    made_by: str
    made_at: datetime
    source: str
    database: str
    engine: str
    revision: str | None
    kind: Kind
    compression: str
    encryption: Sealing | None
    size: int
    sha256: str
    content: StoreContent
    verified: Verification
    left_out: tuple[str, ...] = ()


def manifest_of(backup: Path) -> Path:
    """Return the name of the manifest of a backup."""
    return backup.with_name(f"{backup.name}.json")


def written_form(manifest: Manifest) -> str:
    """Return a manifest as it is written down."""
    fields = asdict(manifest) | {"made_at": manifest.made_at.isoformat(), "kind": manifest.kind.value}
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def read_manifest(backup: Path) -> Manifest:
    """Return what was written down beside a backup.

    Raises:
        BackupError: If there is no manifest, or none that this version can read.
    """
    path = manifest_of(backup)
    if not path.is_file():
        msg = (
            f"There is no manifest {path}, so nobody can tell whether {backup.name} is whole: put both files into one "
            "folder, or take another backup. A plain copy of an SQLite file is copied by `tradestore copy`."
        )
        raise BackupError(msg)
    try:
        with path.open(encoding="utf-8") as file:
            fields = json.loads(file.read(_LARGEST))
        if fields["format"] == FORMAT:
            return _from(fields)
        reason = f"its format is {fields['format']!r}, expected was {FORMAT}: a newer version wrote it"
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError) as e:
        reason = f"{type(e).__name__}: {e}"
    msg = f"{path} cannot be read as the manifest of a backup ({reason}): take another backup."
    raise BackupError(msg)


def _from(fields: Mapping[str, Any]) -> Manifest:
    content, encryption = fields["content"], fields["encryption"]
    tables = {name: TableContent(**table) for name, table in content["tables"].items()}
    return Manifest(
        **{
            **fields,
            "made_at": as_utc(datetime.fromisoformat(fields["made_at"])),
            "kind": Kind(fields["kind"]),
            "encryption": None if encryption is None else Sealing(**encryption),
            "content": StoreContent(content["digest"], tables),
            "verified": Verification(**fields["verified"]),
            "left_out": tuple(fields.get("left_out", ())),
        }
    )
