"""Every error that the library raises on purpose.

    TradeStoreError
    ├── OperationalException          the set-up needs a person
    │   ├── InvalidDatabaseUrl        (also ValueError)
    │   ├── MissingDriver             (also ImportError)
    │   ├── MissingPackage            (also ImportError)
    │   ├── DatabaseUnreachable       (also ConnectionError)
    │   ├── DatabaseNotReady          (also RuntimeError) no ``init_db`` yet, or closed since
    │   ├── DatabaseFull              (also OSError) no room on the disk
    │   ├── EncryptionError           a file cannot be encrypted, decrypted, or given another key
    │   ├── MigrationError
    │   │   └── SchemaTooNew          written by a newer library: refused before anything is read
    │   ├── BackupError               a backup cannot be made, is not good, or cannot be restored there
    │   ├── TransferError             one database cannot be copied into another, or not as a whole
    │   │   ├── TargetNotEmpty        the other one has rows of its own
    │   │   └── TransferConflict      both have a row of the same id or key, with different content
    │   ├── ExportError               an export cannot be written where it was to go
    │   ├── ArchiveError              trades cannot be moved to an archive, or back
    │   ├── RepairError               what was to be repaired or undone is not what it was, or it would not help
    │   └── CompatError               a bot cannot be run on this library as it is
    ├── DependencyException           the data that was handed in doesn't fit
    │   ├── InvalidValue              (also ValueError) a number, date or text that can't be kept
    │   ├── InvalidOrder              (also ValueError) an exchange answer that is no order of ours
    │   ├── InvalidExport             (also ValueError) a file to be imported that is not as an export is
    │   ├── ImportConflict            a row to be imported is in the database already
    │   ├── DuplicateOrder            the exchange's order is stored already, with another trade
    │   └── TradeLimitReached         one open trade more than the database's limits admit
    ├── DatabaseBusy                  (also TimeoutError) nothing was stored; the same may work a moment later
    │   ├── ConnectionLost            (also ConnectionError) the connection went before the commit
    │   ├── DatabaseReadOnly          it takes no changes now, such as a server that was replaced by another one
    │   └── PoolExhausted             all connections are in use
    └── CommitOutcomeUnknown          (also ConnectionError) the connection went while committing

An error that is also a builtin can be caught as either. Messages say what was found, what was expected, and
what to do next; none of them ever holds a password.
"""

__all__ = [
    "ArchiveError",
    "BackupError",
    "CommitOutcomeUnknown",
    "CompatError",
    "ConnectionLost",
    "DatabaseBusy",
    "DatabaseFull",
    "DatabaseNotReady",
    "DatabaseReadOnly",
    "DatabaseUnreachable",
    "DependencyException",
    "DuplicateOrder",
    "EncryptionError",
    "ExportError",
    "ImportConflict",
    "InvalidDatabaseUrl",
    "InvalidExport",
    "InvalidOrder",
    "InvalidValue",
    "MigrationError",
    "MissingDriver",
    "MissingPackage",
    "OperationalException",
    "PoolExhausted",
    "RepairError",
    "SchemaTooNew",
    "TargetNotEmpty",
    "TradeLimitReached",
    "TradeStoreError",
    "TransferConflict",
    "TransferError",
]


class TradeStoreError(Exception):
    """Base of every error of the library."""


class OperationalException(TradeStoreError):
    """The set-up is wrong, and only a person can put it right."""


class InvalidDatabaseUrl(OperationalException, ValueError):
    """A database URL that cannot be used as it stands."""


class MissingDriver(OperationalException, ImportError):
    """The database driver that a URL asks for is not installed."""


class MissingPackage(OperationalException, ImportError):
    """A package that something optional needs is not installed."""


class DatabaseUnreachable(OperationalException, ConnectionError):
    """The database server does not answer, or refuses the login."""


class DatabaseNotReady(OperationalException, RuntimeError):
    """A database question was asked before ``init_db``, or after the database was closed."""


class DatabaseFull(OperationalException, OSError):
    """The disk, or what the database may take of it, is full; nothing was stored."""


class EncryptionError(OperationalException):
    """A file cannot be encrypted, decrypted, or given another key, or what was written is not what was read."""


class MigrationError(OperationalException):
    """The database's schema cannot be brought to the one that the library needs."""


class SchemaTooNew(MigrationError):
    """The database was written by a newer version of the library."""


class RepairError(OperationalException):
    """A repair, an edit by hand or its undoing does not fit what is stored now; nothing was changed."""


class BackupError(OperationalException):
    """A backup cannot be made, is not good, or cannot be restored where it was to be."""


class TransferError(OperationalException):
    """One database cannot be copied into another one, or what arrived is not what was sent."""


class TargetNotEmpty(TransferError):
    """The database to be copied into has rows that are not the source's."""


class TransferConflict(TransferError):
    """Two databases to be merged have rows of the same id, or of the same key, with different content."""


class ExportError(OperationalException):
    """An export cannot be written where it was to go; nothing was left there."""


class ArchiveError(OperationalException):
    """Trades cannot be moved to an archive, or back, or what arrived is not what was there; nothing is lost."""


class CompatError(OperationalException):
    """A bot cannot be run on the library as it is; nothing was changed."""


class DependencyException(TradeStoreError):
    """Data that was handed in does not fit what it is meant for."""


class InvalidValue(DependencyException, ValueError):
    """A number, date or text that the store cannot keep as it is."""


class InvalidOrder(DependencyException, ValueError):
    """An exchange's answer that is no order, or not this order."""


class InvalidExport(DependencyException, ValueError):
    """A file to be imported that is not as an export is; the message says where."""


class ImportConflict(DependencyException):
    """A row to be imported is in the database already, or another one is in its place."""


class DuplicateOrder(DependencyException):
    """An order of the exchange that was to be stored a second time.

    Attributes:
        order_id: As the exchange gave it; None where the database does not tell which of many it is.
        pair: The bot's name of its pair.
        trade_id: The trade that has the order already; None where that cannot be found out.
    """

    order_id: str | None = None
    pair: str | None = None
    trade_id: int | None = None


class TradeLimitReached(DependencyException):
    """A trade that was to be opened, beyond the limits that the database holds.

    Attributes:
        limit: Which one: ``max_open_trades`` or ``one_per_pair_and_side``.
        open_trades: How many trades would be open; with the second limit, of the pair and side.
        pair: Of which there would be too many; None with the first limit.
        side: ``long`` or ``short``; None with the first limit.
        trade_id: The one that is open already; None with the first limit.
    """

    def __init__(
        self,
        message: str,
        *,
        limit: str | None = None,
        open_trades: int | None = None,
        pair: str | None = None,
        side: str | None = None,
        trade_id: int | None = None,
    ) -> None:
        """Say what was found; what is left out is None."""
        super().__init__(message)
        self.limit = limit
        self.open_trades = open_trades
        self.pair = pair
        self.side = side
        self.trade_id = trade_id


class DatabaseBusy(TradeStoreError, TimeoutError):
    """The database stayed locked through every retry; nothing was written."""


class ConnectionLost(DatabaseBusy, ConnectionError):
    """The connection to the server was lost before the commit; nothing was written."""


class DatabaseReadOnly(DatabaseBusy):
    """The database takes no changes now; nothing was written."""


class PoolExhausted(DatabaseBusy):
    """All connections that there may be are in use, and none came back in time."""


class CommitOutcomeUnknown(TradeStoreError, ConnectionError):
    """The connection was lost while committing: the work may or may not be stored.

    ``Database.run`` raises it only where nobody answered any more what became of the commit; whatever else commits
    cannot ask, and doing it again could store it twice. Look whether it is there, then decide.
    """
