"""What opens a backup: the passphrase that it is sealed by, and the key of the store that it is of."""

from dataclasses import dataclass, field

__all__ = ["Keys"]


@dataclass(frozen=True, slots=True)
class Keys:
    """Secrets, which are never shown.

    Attributes:
        passphrase: Of the backup, None if it is not sealed.
        store: With which SQLCipher encrypts the file that was backed up, None for any other store.
    """

    passphrase: str | None = field(default=None, repr=False)
    store: str | None = field(default=None, repr=False)
