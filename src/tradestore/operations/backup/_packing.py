"""From what a database holds to the bytes of a backup's file, and back: compressed, encrypted, a bit at a time."""

import lzma
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from tradestore.exceptions import BackupError
from tradestore.operations._private_files import private_file
from tradestore.operations.backup._manifest import Manifest
from tradestore.operations.backup._sealing import Seal, opened, sealed

__all__ = ["ENDINGS", "Compression", "Packed", "file_chunks", "pack", "unpacked", "write_private"]

Compression = Literal["gzip", "xz", "none"]

ENDINGS: Final[dict[Compression, str]] = {"gzip": ".gz", "xz": ".xz", "none": ""}
_CHUNK: Final = 256 << 10
_GZIP: Final = 31
"""What tells zlib to write gzip's frame."""
_XZ_PRESET: Final = 3
"""Stronger ones take ten times the memory."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A file that was written.

    Attributes:
        size: In bytes.
        sha256: In hexadecimal digits.
    """

    size: int
    sha256: str


def pack(chunks: Iterator[bytes], path: Path, compression: Compression, seal: Seal | None) -> Packed:
    """Write a file: compressed, then encrypted, then safe on the disk, readable by its owner alone.

    Args:
        chunks: Of what is to be packed.
        path: Of the file, which must not be there.
        compression: By what.
        seal: To encrypt with, None for a file that everybody can read who gets hold of it.
    """
    compressed = _compressed(chunks, compression)
    return write_private(path, compressed if seal is None else sealed(compressed, seal))


def unpacked(path: Path, manifest: Manifest, key: str | None) -> Iterator[bytes]:
    """Yield what was packed; at its end the whole file has been compared with its manifest.

    Raises:
        BackupError: If the file is not what the manifest tells, or the passphrase is not right.
        MissingPackage: If a package that decrypts is not installed.
    """
    if manifest.encryption is not None and not key:
        msg = f"{path.name} is encrypted: give its passphrase in TRADESTORE_BACKUP_KEY, or in a file by --key-file."
        raise BackupError(msg)
    raw = _proved(path, manifest)
    plain = raw if manifest.encryption is None else opened(raw, key or "")
    try:
        yield from _decompressed(plain, manifest.compression)
        # What comes after a compressed end would else go unread.
        for _ in raw:
            pass
    except (zlib.error, lzma.LZMAError) as e:
        msg = f"{path} is damaged ({e}): take another backup."
        raise BackupError(msg) from e


def write_private(path: Path, chunks: Iterable[bytes]) -> Packed:
    """Write a file that only its owner may read, and wait until it is on the disk."""
    digest, size = sha256(), 0
    with private_file(path) as file:
        for chunk in chunks:
            digest.update(chunk)
            size += file.write(chunk)
    return Packed(size, digest.hexdigest())


def file_chunks(path: Path) -> Iterator[bytes]:
    """Yield what is in a file, a bit at a time."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _proved(path: Path, manifest: Manifest) -> Iterator[bytes]:
    digest, size = sha256(), 0
    for chunk in file_chunks(path):
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if (size, digest.hexdigest()) != (manifest.size, manifest.sha256):
        msg = (
            f"{path} is not the file that was backed up: it has {size} bytes and the SHA-256 {digest.hexdigest()}, "
            f"expected were {manifest.size} and {manifest.sha256}. Take another backup."
        )
        raise BackupError(msg)


def _compressed(chunks: Iterator[bytes], compression: Compression) -> Iterator[bytes]:
    if compression == "none":
        yield from chunks
        return
    compressor: Any = zlib.compressobj(wbits=_GZIP) if compression == "gzip" else lzma.LZMACompressor(preset=_XZ_PRESET)
    for chunk in chunks:
        if done := compressor.compress(chunk):
            yield done
    yield compressor.flush()


def _decompressed(chunks: Iterator[bytes], compression: str) -> Iterator[bytes]:
    if compression == "none":
        yield from chunks
        return
    decompressor: Any = zlib.decompressobj(wbits=_GZIP) if compression == "gzip" else lzma.LZMADecompressor()
    for chunk in chunks:
        waiting = chunk
        # A few bytes may stand for many: they come out a bit at a time, too.
        while not decompressor.eof and (done := decompressor.decompress(waiting, _CHUNK)):
            yield done
            waiting = getattr(decompressor, "unconsumed_tail", b"")
    if not decompressor.eof:
        msg = "The backup was cut off: take another one."
        raise BackupError(msg)
