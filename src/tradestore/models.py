"""Opening a database."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, Unpack

from sqlalchemy import URL, Engine, create_engine, inspect
from sqlalchemy.exc import ArgumentError, CompileError, DBAPIError, SQLAlchemyError

from tradestore._answer_timeout import however_long
from tradestore._durability import warn_of_weak_server
from tradestore._engine import (
    check_url,
    engine_arguments,
    extra_for,
    masked,
    options_in_use,
    prepare_engine,
    retire,
    without_secret_options,
)
from tradestore._errors import meaningful, meaningful_errors
from tradestore._file_log import begin_file_log, end_file_log
from tradestore._options import OptionArguments, options_of
from tradestore._session import (
    REQUEST_ID_CTX_KEY,
    bind,
    bound_engine,
    get_request_or_thread_id,
    request_id_context,
    scoped,
)
from tradestore._sqlite_files import is_encrypted, with_quoted_key
from tradestore._table_names import tell_names_as_modelled
from tradestore.base import ModelBase, SessionType
from tradestore.constants import TRANSFER_TABLE
from tradestore.exceptions import (
    DatabaseBusy,
    DatabaseUnreachable,
    InvalidDatabaseUrl,
    MigrationError,
    MissingDriver,
    TransferError,
)
from tradestore.key_value_store import KeyValueStoreModel
from tradestore.migrations import check_migrate, set_sqlite_to_wal
from tradestore.pairlock import PairLock
from tradestore.store import Store
from tradestore.trade_model import Order, Trade
from tradestore.wallet_history import WalletHistory

__all__ = [
    "REQUEST_ID_CTX_KEY",
    "KeyValueStoreModel",
    "ModelBase",
    "Order",
    "PairLock",
    "SessionType",
    "Trade",
    "WalletHistory",
    "check_migrate",
    "create_engine",
    "custom_data_rpc_wrapper",
    "get_request_or_thread_id",
    "init_db",
    "open_engine",
    "prepare_tables",
    "present_tables",
    "refuse_half_a_copy",
    "resolve_db_url",
]

_request_id_ctx_var: Final = request_id_context
"""Web servers set it, under this name, to the id of the request that is answered."""

_P = ParamSpec("_P")
_R = TypeVar("_R")

_HINT_ON_TABLES = (
    "start again, which goes on where this stopped. If that ends the same way, give the user the right to create and "
    "change tables, or put right what is in the way: a table, an index or a view that no start of this version made."
)
_HINT_ON_KEYS = (
    "the key is another one, or the file is not encrypted by SQLCipher. Correct the key, whose special characters are "
    "written as %XX in a URL, or use sqlite:/// for a file that is not encrypted."
)
_HINT_ON_FILES = (
    "it is no SQLite database, or it is encrypted. Correct the path, or use sqlite+pysqlcipher://:KEY@/ for a file "
    "that SQLCipher encrypted."
)
_NO_DATABASE = 26
"""SQLite's code for a file whose first page it cannot read."""
_READ_ONLY, _KIND = 8, 0xFF
"""SQLite's code for what may not be written, and the part of a code that tells the kind of error."""
_LIVE_FILE, _DRY_RUN_FILE = "tradesv3.sqlite", "tradesv3.dryrun.sqlite"


def init_db(db_url: str, **options: Unpack[OptionArguments]) -> Store:
    """Open a database, bring its tables up to date, and let all models use it.

    A database that was open before is closed, and its sessions end.

    Args:
        db_url: ``sqlite://`` for memory, ``sqlite:///file``, ``postgresql://``, ``mysql://`` or ``mariadb://``. After a
            ``?`` it may have any of the options, and such as its driver knows.
        **options: What wins over the URL:
            ``pool_size``, the connections that are kept open (5).
            ``max_overflow``, further ones that may be opened for a while (10).
            ``pool_timeout``, seconds to wait for one of them (30).
            ``pool_recycle``, seconds after which a connection to a server is replaced (1800), -1 for never.
            ``busy_timeout``, seconds to wait for another writer (30).
            ``durability``, ``"full"``: what was committed survives a power cut; or ``"normal"``: a power cut may take
            the last commits, but the database stays whole ("full").
            ``connect_timeout``, seconds to wait for a server to let us in (10).
            ``answer_timeout``, seconds to wait for a server's answer to one statement, its wait for locks among them
            (120, or 30 more than ``busy_timeout`` if that is longer), None or 0 for ever.
            ``slow_statement``, seconds after which the logger ``tradestore.slow`` is told of a statement, with its
            plan (None, which is never).
            ``log_file``, a file for what the library logs, besides where it goes anyway (None).

    Returns:
        The open database: transactions, intents, its state, and closing.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be used, or has an option that cannot be what it is.
        InvalidValue: If an option cannot be what it is.
        OperationalException: If the log file cannot be written to.
        MissingDriver: If the driver that it asks for is not installed.
        DatabaseUnreachable: If nobody answers there, or the login is refused.
        MigrationError: If the tables there cannot be brought up to date, or are newer than the library.
        TransferError: If a transfer into it was cut short, so that a part of its rows is missing.
        DatabaseBusy: If somebody else kept the database locked.
    """
    engine = open_engine(db_url, **options)
    if not isinstance(engine, Engine):
        # Tests of bots put a stand-in in the place of create_engine, to see how it is called.
        return Store(engine)
    # A transaction that this scope left open would lock the same database against its own preparation.
    scoped.remove()
    begin_file_log(engine, options_in_use(engine).log_file)
    try:
        previous_tables = present_tables(engine)
        refuse_half_a_copy(engine, previous_tables)
        prepare_tables(engine, previous_tables)
        warn_of_weak_server(engine, options_in_use(engine).durability)
    except BaseException:
        engine.dispose()
        end_file_log(engine)
        raise
    previous = bound_engine()
    bind(engine)
    if previous is not None:
        retire(previous)
    return Store(engine)


def open_engine(db_url: str, **given: Unpack[OptionArguments]) -> Engine:
    """Return an engine whose connections behave as the library promises; nothing is opened yet, and nothing bound.

    Args:
        db_url: As for :func:`init_db`.
        **given: Options, as there.

    Raises:
        InvalidDatabaseUrl: If the URL cannot be used.
        InvalidValue: If an option cannot be what it is.
        MissingDriver: If the driver that it asks for is not installed.
    """
    url, options = options_of(check_url(db_url), given)
    try:
        shown = with_quoted_key(without_secret_options(url))
        engine = create_engine(shown.render_as_string(hide_password=False), **engine_arguments(url, options))
    except (ArgumentError, TypeError, ValueError) as e:
        raise _unusable(url, e) from None
    except ImportError as e:
        msg = (
            f"The driver {e.name!r} for {masked(url)} is not installed: run pip install 'tradestore[{extra_for(url)}]'."
        )
        raise MissingDriver(msg) from e
    if isinstance(engine, Engine):
        prepare_engine(engine, options)
        if engine.dialect.name in {"mysql", "mariadb"}:
            tell_names_as_modelled(engine.dialect, ModelBase.metadata.tables)
    return engine


def present_tables(engine: Engine) -> list[str]:
    """Return the names of the tables that a database has, which is the first thing that it is asked.

    Raises:
        InvalidDatabaseUrl: If the driver cannot use the URL.
        DatabaseUnreachable: If nobody answers there, or the login is refused.
        DatabaseBusy: If somebody else kept the database locked.
    """
    try:
        with engine.connect() as connection:
            return inspect(connection).get_table_names()
    except DBAPIError as e:
        own = meaningful(e)
        if type(own) is DatabaseBusy:
            raise own from e
        raise _unreachable(engine.url, e) from e
    except (ArgumentError, OSError, TypeError, ValueError) as e:
        raise _unusable(engine.url, e) from None


def prepare_tables(engine: Engine, previous_tables: Sequence[str]) -> None:
    """Bring the tables of a database up to date.

    Args:
        engine: Of the database.
        previous_tables: Those that it has.

    Raises:
        MigrationError: If that cannot be done, or they are newer than the library.
        DatabaseBusy: If somebody else kept the database locked.
    """
    try:
        with however_long(), meaningful_errors():
            check_migrate(engine, ModelBase, previous_tables)
            set_sqlite_to_wal(engine)
    except SQLAlchemyError as e:
        reason = str(e.orig if isinstance(e, DBAPIError) else e).strip()
        advice = "give each text column of your models a length." if isinstance(e, CompileError) else _HINT_ON_TABLES
        msg = f"The tables of {masked(engine.url)} cannot be brought up to date ({reason}): {advice}"
        raise MigrationError(msg) from e


def refuse_half_a_copy(engine: Engine, present: Sequence[str]) -> None:
    """Refuse a database that a transfer was cut short in.

    Args:
        engine: Of the database.
        present: The tables that it has.

    Raises:
        TransferError: If a part of its rows is missing.
    """
    if TRANSFER_TABLE in present:
        msg = (
            f"{masked(engine.url)} has only a part of what a transfer was copying into it. Nothing was changed: run "
            "the same transfer again, which goes on where it stopped, or begin with an empty database."
        )
        raise TransferError(msg)


def _unusable(url: URL, error: Exception) -> InvalidDatabaseUrl:
    # A text that cannot be encoded may be the password; its error would quote it.
    reason = "it has characters that cannot be used there" if isinstance(error, UnicodeError) else error
    return InvalidDatabaseUrl(
        f"{masked(url)} is no valid database URL for its driver ({reason}): correct it, and its options after the ?."
    )


def _unreachable(url: URL, error: DBAPIError) -> DatabaseUnreachable:
    reason = str(error.orig).strip()
    code = getattr(error.orig, "sqlite_errorcode", 0)
    if code & _KIND == _READ_ONLY and not is_encrypted(url):
        return DatabaseUnreachable(
            f"{masked(url)} cannot be opened ({reason}), since SQLite wants to write files beside it: copy it to a "
            f"folder of your own or, if nobody writes to it, read it as sqlite:///file:{url.database}?immutable=1&uri=true"
        )
    if code == _NO_DATABASE:
        return DatabaseUnreachable(
            f"{masked(url)} cannot be read ({reason}): {_HINT_ON_KEYS if is_encrypted(url) else _HINT_ON_FILES}"
        )
    return DatabaseUnreachable(
        f"The database {masked(url)} cannot be opened ({reason}): check that the folder exists or the server runs, "
        "and the user, the password and the database's name."
    )


def custom_data_rpc_wrapper(func: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let a function of another thread read what is stored now, and leave no session behind."""

    @wraps(func)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        Trade.session.rollback()
        try:
            return func(*args, **kwargs)
        finally:
            Trade.session.rollback()
            Trade.session.remove()

    return wrapper


def resolve_db_url(config: Mapping[str, Any]) -> str:
    """Return the database URL of a bot's configuration: dry runs don't share the usual file with live trading.

    ``tradesv3.sqlite`` becomes ``tradesv3.dryrun.sqlite`` for a dry run. A file or server that the operator named
    otherwise is used as it is.

    Args:
        config: ``db_url``, and ``dry_run`` if the bot only pretends.

    Raises:
        InvalidDatabaseUrl: If there is no ``db_url``.
    """
    db_url = config.get("db_url")
    if not db_url:
        msg = "The configuration has no db_url: add one, such as sqlite:///tradesv3.sqlite."
        raise InvalidDatabaseUrl(msg)
    place, mark, options = str(db_url).partition("?")
    folder, slash, file = place.rpartition("/")
    if config.get("dry_run") and file == _LIVE_FILE:
        file = _DRY_RUN_FILE
    return f"{folder}{slash}{file}{mark}{options}"
