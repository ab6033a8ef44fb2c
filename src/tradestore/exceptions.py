"""Every error that the library raises on purpose.

    TradeStoreError
    ├── OperationalException          the set-up needs a person
    │   ├── InvalidDatabaseUrl        (also ValueError)
    │   ├── MissingDriver             (also ImportError)
    │   ├── DatabaseUnreachable       (also ConnectionError)
    │   ├── DatabaseNotReady          (also RuntimeError) no ``init_db`` yet, or closed since
    │   ├── MigrationError
    │   │   └── SchemaTooNew          written by a newer library: refused before anything is read
    │   └── TransferError             one database cannot be copied into another, or not as a whole
    │       ├── TargetNotEmpty        the other one has rows of its own
    │       └── TransferConflict      both have a row of the same id or key, with different content
    ├── DependencyException           the data that was handed in doesn't fit
    │   ├── InvalidValue              (also ValueError) a number, date or text that can't be kept
    │   └── InvalidOrder              (also ValueError) an exchange answer that is no order of ours
    ├── DatabaseBusy                  (also TimeoutError) still locked after every retry
    └── CommitOutcomeUnknown          (also ConnectionError) the connection went while committing

An error that is also a builtin can be caught as either. Messages say what was found, what was expected, and
what to do next; none of them ever holds a password.
"""

__all__ = [
    "CommitOutcomeUnknown",
    "DatabaseBusy",
    "DatabaseNotReady",
    "DatabaseUnreachable",
    "DependencyException",
    "InvalidDatabaseUrl",
    "InvalidOrder",
    "InvalidValue",
    "MigrationError",
    "MissingDriver",
    "OperationalException",
    "SchemaTooNew",
    "TargetNotEmpty",
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


class DatabaseUnreachable(OperationalException, ConnectionError):
    """The database server does not answer, or refuses the login."""


class DatabaseNotReady(OperationalException, RuntimeError):
    """A database question was asked before ``init_db``, or after the database was closed."""


class MigrationError(OperationalException):
    """The database's schema cannot be brought to the one that the library needs."""


class SchemaTooNew(MigrationError):
    """The database was written by a newer version of the library."""


class TransferError(OperationalException):
    """One database cannot be copied into another one, or what arrived is not what was sent."""


class TargetNotEmpty(TransferError):
    """The database to be copied into has rows that are not the source's."""


class TransferConflict(TransferError):
    """Two databases to be merged have rows of the same id, or of the same key, with different content."""


class DependencyException(TradeStoreError):
    """Data that was handed in does not fit what it is meant for."""


class InvalidValue(DependencyException, ValueError):
    """A number, date or text that the store cannot keep as it is."""


class InvalidOrder(DependencyException, ValueError):
    """An exchange's answer that is no order, or not this order."""


class DatabaseBusy(TradeStoreError, TimeoutError):
    """The database stayed locked through every retry; nothing was written."""


class CommitOutcomeUnknown(TradeStoreError, ConnectionError):
    """The connection was lost while committing: the work may or may not be stored.

    It is never repeated by the library, since that could store it twice. Look whether it is there, then decide.
    """
