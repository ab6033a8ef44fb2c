"""Limits on open trades that the database holds, so that all who write to it keep them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, Executable, TextClause, event, select, text, true, update
from sqlalchemy.orm import Mapped, ORMExecuteState, Session, mapped_column

from tradestore._clock import as_utc, utc_now
from tradestore._engine import is_read
from tradestore._errors import meaningful_errors
from tradestore._intent_fields import stored_trade
from tradestore._intent_model import UNRESOLVED, OrderIntent
from tradestore._openings import OPENINGS, POSITIONS, note_opening
from tradestore._session import scoped
from tradestore._store_session import StoreSession, in_unit_of_work
from tradestore._units_of_work import unit_of_work
from tradestore._upsert import upsert
from tradestore.base import ModelBase
from tradestore.exceptions import DependencyException, InvalidValue, TradeLimitReached
from tradestore.trade_model import Trade

__all__ = ["OpenTradeLimits", "TradeLimits", "check_room", "lift_limits", "read_limits", "set_limits"]

_ONLY_ROW: Final = 1
_LARGEST: Final = 2**31 - 1
_ADVICE: Final = (
    "Nothing was stored: close a trade or resolve an intent first, or change the limits (set_limits, lift_limits)."
)
_TOO_LATE: Final = "The limits were not changed: close trades or resolve intents first, or set others."
_MYSQL: Final = frozenset({"mysql", "mariadb"})


class TradeLimits(ModelBase):
    """The limits: one row, or none as long as there never were any.

    The row stays when the limits are lifted: transactions that open trades lock it, and whoever sets limits must be
    able to wait for them.

    Attributes:
        id: Always 1.
        max_open_trades: How many trades may be open at once; None for any number.
        one_per_pair_and_side: Whether a pair may have only one open long and only one open short trade.
        updated_at: When they were set (UTC).
    """

    __tablename__ = "trade_limits"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    max_open_trades: Mapped[int | None]
    one_per_pair_and_side: Mapped[bool]
    updated_at: Mapped[datetime]


_ROWS: Final[Any] = TradeLimits.__table__
_TRADES: Final[Any] = Trade.__table__
_LIMITS: Final = (_ROWS.c.max_open_trades, _ROWS.c.one_per_pair_and_side)
_LOOK: Final = select(*_LIMITS, _ROWS.c.updated_at).where(_ROWS.c.id == _ONLY_ROW)
_SENT: Final = select(OrderIntent.pair, OrderIntent.side, OrderIntent.trade_fields).where(
    OrderIntent.state.in_(UNRESOLVED), OrderIntent.ft_trade_id.is_(None)
)
_OPEN: Final = select(_TRADES.c.id, _TRADES.c.pair, _TRADES.c.is_short).where(_TRADES.c.is_open == true())

_LOCK_ROW: Final = select(*_LIMITS).where(_ROWS.c.id == _ONLY_ROW).with_for_update()
# Unlike a lock, a change is also noticed by a transaction that goes on seeing the past.
_TOUCH_ROW: Final = update(_ROWS).where(_ROWS.c.id == _ONLY_ROW).values(id=_ROWS.c.id).returning(*_LIMITS)


@dataclass(frozen=True, slots=True)
class OpenTradeLimits:
    """The limits in force.

    Attributes:
        max_open_trades: How many trades may be open at once; None for any number.
        one_per_pair_and_side: Whether a pair may have only one open long and only one open short trade.
        set_at: When they were set (UTC).
    """

    max_open_trades: int | None
    one_per_pair_and_side: bool
    set_at: datetime


class _Position(NamedTuple):
    """A trade as limits count it; without an id as long as it is not stored."""

    trade_id: int | None
    pair: str
    is_short: bool


def set_limits(max_open_trades: int | None = None, *, one_per_pair_and_side: bool = False) -> None:
    """Set limits on open trades, in place of those before, for all processes that write by this library.

    They are looked at before each commit that may open a trade, open one again, or change pair or side of an open one.

    Args:
        max_open_trades: How many trades may be open at once; None for any number.
        one_per_pair_and_side: Whether a pair may have only one open long and only one open short trade.

    Raises:
        InvalidValue: If the number is no whole number from 0, or there is no limit at all.
        TradeLimitReached: If more is open already; nothing was set.
        DependencyException: Within a unit of work, or if the session holds changes that were not committed.
        DatabaseBusy: If the database stayed locked; nothing was set.
    """
    is_count = isinstance(max_open_trades, int) and not isinstance(max_open_trades, bool)
    if max_open_trades is not None and not (is_count and 0 <= max_open_trades <= _LARGEST):
        msg = f"max_open_trades must be a whole number from 0 to {_LARGEST} or None, but was {max_open_trades!r}."
        raise InvalidValue(msg)
    if max_open_trades is None and not one_per_pair_and_side:
        msg = "No limit was given: give max_open_trades or one_per_pair_and_side, or call lift_limits()."
        raise InvalidValue(msg)
    with _alone() as connection:
        _check(connection, max_open_trades, one_per_pair_and_side, None)
        _store(connection, max_open_trades, one_per_pair_and_side)


def lift_limits() -> None:
    """Let any number of trades be open again.

    Raises:
        DependencyException: Within a unit of work, or if the session holds changes that were not committed.
        DatabaseBusy: If the database stayed locked; nothing was changed.
    """
    if read_limits() is not None:
        with _alone() as connection:
            _store(connection, None, one_per_pair_and_side=False)


def read_limits() -> OpenTradeLimits | None:
    """Return the limits in force, None without any."""
    row = scoped().execute(_LOOK).one_or_none()
    if row is None or (row.max_open_trades is None and not row.one_per_pair_and_side):
        return None
    return OpenTradeLimits(row.max_open_trades, row.one_per_pair_and_side, as_utc(row.updated_at))


@contextmanager
def _alone() -> Iterator[Connection]:
    """Begin a transaction beside which nobody opens a trade."""
    session = scoped()
    if in_unit_of_work(session):
        msg = "Limits are set and lifted by themselves: leave the transaction that this is in, and do it then."
        raise DependencyException(msg)
    with meaningful_errors():
        engine = session.get_bind().engine
        if engine.dialect.name in _MYSQL:
            with unit_of_work(session):
                pass  # What the session has read so far is let go of: it would be waited for.
            _make_row(engine)
        with unit_of_work(session):
            connection = session.connection()
            if connection.dialect.name == "postgresql":
                # Where there is no row yet, the table stands for it.
                connection.execute(text("LOCK TABLE trade_limits IN SHARE ROW EXCLUSIVE MODE"))
            connection.execute(_question(connection))
            yield connection


def _make_row(engine: Engine) -> None:
    """Make the row that openers lock, after the last of those that found none has ended."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.execute(_LOOK).one_or_none() is not None:
            return
        driver_connection: Any = connection.connection.driver_connection
        connection.detach()  # Its end is the lock's end, whatever happens; nobody is to get it with the lock.
        try:
            connection.execute(text("LOCK TABLES trade_limits WRITE"))
            _store(connection, None, one_per_pair_and_side=False)
        except BaseException:
            if connection.invalidated:
                # One that is detached is forgotten then, not closed, and would keep the lock.
                with suppress(Exception):
                    driver_connection.close()
            raise


def _store(connection: Connection, max_open_trades: int | None, one_per_pair_and_side: bool) -> None:
    values = {
        "id": _ONLY_ROW,
        "max_open_trades": max_open_trades,
        "one_per_pair_and_side": one_per_pair_and_side,
        "updated_at": utc_now(),
    }
    connection.execute(upsert(connection.dialect.name, _ROWS, ["id"], values))


def _question(connection: Connection) -> Executable:
    """Return what asks for the limits and lets no one else pass until the transaction ends."""
    match connection.dialect.name:
        case "sqlite":
            return _LOOK  # Whoever has written is alone.
        case "postgresql":
            return _TOUCH_ROW
        case _:
            return _LOCK_ROW


def check_room(session: Session, pair: str, *, is_short: bool) -> None:
    """Refuse an order that would open a trade beyond the limits, before it is sent.

    What the exchange has is stored whatever the limits say, so this is the last moment to hold them.

    Args:
        session: In a transaction in which the order's intent is about to be written down.
        pair: Of the trade to be.
        is_short: Its side.

    Raises:
        TradeLimitReached: If there is no room for another trade.
    """
    with meaningful_errors():
        connection = session.connection()
        limits = connection.execute(_question(connection)).one_or_none()
        if limits is not None:
            position = _Position(None, pair, is_short)
            _check(connection, limits.max_open_trades, limits.one_per_pair_and_side, (), [position])


@event.listens_for(StoreSession, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> None:
    """Note a statement that changes trades past the session's objects."""
    if state.is_select:
        return
    statement: Any = state.statement
    if isinstance(statement, TextClause):
        opens = not is_read(statement.text) and _TRADES.name in statement.text.lower()
    else:
        opens = (state.is_insert or state.is_update) and statement.table.name == _TRADES.name
    if opens:
        note_opening(state.session)


@event.listens_for(StoreSession, "before_commit")
def _hold_limits(session: Session) -> None:
    """Refuse to commit more open trades than the limits admit, where any may have been opened."""
    if session.in_nested_transaction():
        return
    if session.new or session.dirty or session.deleted:
        session.flush()
    opened = session.info.get(OPENINGS)
    if opened is None and POSITIONS not in session.info:
        return
    # The commit itself is not reached yet: a connection that is lost here has stored nothing.
    with meaningful_errors():
        connection = session.connection()
        # Who counts meanwhile must find either the intent that a trade is for, or the trade.
        limits = connection.execute(_question(connection)).one_or_none()
        if limits is not None and opened is not None:
            _check(connection, limits.max_open_trades, limits.one_per_pair_and_side, opened)


def _check(
    connection: Connection,
    max_open_trades: int | None,
    one_per_pair: bool,
    opened: Sequence[Any] | None,
    more: Sequence[_Position] = (),
) -> None:
    """Count the open trades, and with them those that are opened by orders which the exchange may have.

    Args:
        connection: Within a transaction beside which nobody opens a trade.
        max_open_trades: The one limit.
        one_per_pair: The other one.
        opened: Trades that were opened in this transaction; None for limits that are about to be set.
        more: Of orders that are about to be sent.

    Raises:
        TradeLimitReached: If there are more than the limits admit.
    """
    if max_open_trades is None and not one_per_pair:
        return
    are, advice = ("are", _TOO_LATE) if opened is None else ("would be", _ADVICE)
    new = {trade.__dict__.get("id") for trade in opened or ()}
    positions = [*map(_Position._make, connection.execute(_OPEN)), *_sent(connection), *more]
    if max_open_trades is not None and len(positions) > max_open_trades:
        msg = f"{len(positions)} trades {are} open, and the limit is {max_open_trades} (max_open_trades). {advice}"
        raise TradeLimitReached(msg, limit="max_open_trades", open_trades=len(positions))
    if not one_per_pair:
        return
    alike: defaultdict[tuple[str, bool], list[int | None]] = defaultdict(list)
    for trade_id, pair, is_short in positions:
        alike[pair, is_short].append(trade_id)
    for (pair, is_short), ids in alike.items():
        if len(ids) > 1:
            side = "short" if is_short else "long"
            stored = [trade_id for trade_id in ids if trade_id is not None]
            earlier = min((each for each in stored if each not in new), default=min(stored, default=None))
            which = "an order was sent" if earlier is None else f"trade {earlier} is open"
            msg = (
                f"{len(ids)} {side} trades in {pair} {are} open, and the limit is one for each pair and side "
                f"(one_per_pair_and_side): {which} already. {advice}"
            )
            raise TradeLimitReached(
                msg, limit="one_per_pair_and_side", open_trades=len(ids), pair=pair, side=side, trade_id=earlier
            )


def _sent(connection: Connection) -> Iterator[_Position]:
    """Return the trades that orders will open of which only the exchange knows."""
    for pair, side, fields in connection.execute(_SENT):
        if stored_trade(fields or "{}") is None:
            yield _Position(None, pair, side == "sell")
