"""Encryption by a passphrase, block by block, so that a backup of any size passes through little memory.

Each block is sealed for itself by ChaCha20-Poly1305; its nonce has its number and whether it is the last one. So a
block that was changed, left out, repeated or moved is noticed, and so is an end that was cut off.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any, Final

from tradestore._extras import load_extra
from tradestore.exceptions import BackupError

__all__ = ["ALGORITHM", "DERIVATION", "Seal", "opened", "sealed"]

ALGORITHM: Final = "ChaCha20-Poly1305 in blocks of 64 KiB, numbered, the last one marked"
DERIVATION: Final = "scrypt, N = 2^15, r = 8, p = 1"

_MAGIC: Final = b"tradestore sealed 1\n"
_SALT, _PREFIX, _CHECK, _TAG = 16, 7, 16, 16
_HEADER: Final = len(_MAGIC) + _SALT + _PREFIX + _CHECK
_BLOCK: Final = 64 << 10
_COST: Final = {"n": 1 << 15, "r": 8, "p": 1, "length": 32}


@dataclass(frozen=True, slots=True)
class Seal:
    """A passphrase, and what makes each use of it differ from the others.

    Attributes:
        passphrase: Secret.
        salt: Random.
    """

    passphrase: str
    salt: bytes

    @staticmethod
    def new(passphrase: str) -> "Seal":
        """Return a new seal.

        Raises:
            BackupError: If the passphrase is empty.
            MissingPackage: If the package that encrypts is not installed.
        """
        load_extra("cryptography", "encryption")
        if not passphrase:
            msg = "The passphrase of the backup is empty: give one in TRADESTORE_BACKUP_KEY, or in a file."
            raise BackupError(msg)
        return Seal(passphrase, os.urandom(_SALT))

    def __repr__(self) -> str:
        """Tell nothing."""
        return "Seal(***)"

    @property
    def key(self) -> bytes:
        """What the blocks are sealed with; it takes a moment on purpose."""
        scrypt: Any = load_extra("cryptography.hazmat.primitives.kdf.scrypt", "encryption").Scrypt
        key: bytes = scrypt(salt=self.salt, **_COST).derive(self.passphrase.encode())
        return key


def sealed(chunks: Iterator[bytes], seal: Seal) -> Iterator[bytes]:
    """Yield what was given, encrypted."""
    key, prefix = seal.key, os.urandom(_PREFIX)
    header = _MAGIC + seal.salt + prefix + _check(key)
    yield header
    cipher = _cipher(key)
    for number, block, is_last in _blocks(chunks, _BLOCK):
        yield cipher.encrypt(_nonce(prefix, number, is_last=is_last), block, header)


def opened(chunks: Iterator[bytes], passphrase: str) -> Iterator[bytes]:
    """Yield what was encrypted.

    Raises:
        BackupError: If the passphrase is another one, or anything is not as it was sealed.
        MissingPackage: If the package that decrypts is not installed.
    """
    invalid: type[Exception] = load_extra("cryptography.exceptions", "encryption").InvalidTag
    header, rest = _header(chunks)
    start = len(_MAGIC)
    salt, prefix = header[start : start + _SALT], header[start + _SALT : -_CHECK]
    key = Seal(passphrase, salt).key
    if _check(key) != header[-_CHECK:]:
        msg = "The passphrase is not the one that the backup was encrypted with: give the right one."
        raise BackupError(msg)
    cipher = _cipher(key)
    for number, block, is_last in _blocks(rest, _BLOCK + _TAG):
        try:
            yield cipher.decrypt(_nonce(prefix, number, is_last=is_last), block, header)
        except invalid:
            msg = "The backup was changed or cut off since it was encrypted: take another one."
            raise BackupError(msg) from None


def _header(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    begun = b""
    for chunk in chunks:
        begun += chunk
        if len(begun) >= _HEADER:
            break
    if len(begun) < _HEADER or not begun.startswith(_MAGIC):
        msg = "The backup does not begin as an encrypted one does: it was changed or cut off, take another one."
        raise BackupError(msg)
    return begun[:_HEADER], _joined(begun[_HEADER:], chunks)


def _joined(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _blocks(chunks: Iterator[bytes], size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Yield numbered blocks of one size, the last one, which may be shorter or empty, with a mark."""
    numbers, waiting = count(), b""
    for chunk in chunks:
        waiting += chunk
        while len(waiting) > size:
            yield next(numbers), waiting[:size], False
            waiting = waiting[size:]
    yield next(numbers), waiting, True


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4) + bytes([is_last])


def _cipher(key: bytes) -> Any:
    return load_extra("cryptography.hazmat.primitives.ciphers.aead", "encryption").ChaCha20Poly1305(key)


def _check(key: bytes) -> bytes:
    # Tells a wrong passphrase from a damaged file; of the key it tells nothing.
    return sha256(b"tradestore key check" + key).digest()[:_CHECK]
