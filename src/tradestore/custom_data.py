"""What strategies remember about a trade or a pair, in the database or in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import ForeignKey, ScalarResult, Select, String, UniqueConstraint, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from tradestore._clock import utc_now
from tradestore._sqltypes import LongText
from tradestore._store_session import in_unit_of_work, settle, write
from tradestore.base import ModelBase
from tradestore.constants import CUSTOM_DATA_KEY_LENGTH, PAIR_LENGTH
from tradestore.local_custom_data import PLAIN_TYPES, LocalCustomData, check_key, encode_or_warn
from tradestore.local_trade import LocalTrade

__all__ = ["CustomDataWrapper"]

_TYPE_LENGTH = 25

_Query = TypeVar("_Query", bound=Select[*tuple[Any, ...]])


class _CustomData(ModelBase, LocalCustomData):
    """One remembered value: of a trade, or of a pair where it has no trade."""

    __tablename__ = "trade_custom_data"
    __table_args__ = (
        UniqueConstraint("ft_trade_id", "cd_key", name="_trade_id_cd_key"),
        UniqueConstraint("pair", "cd_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ft_trade_id: Mapped[int | None] = mapped_column(ForeignKey("trades.id"), index=True)
    pair: Mapped[str | None] = mapped_column(String(PAIR_LENGTH))
    cd_key: Mapped[str] = mapped_column(String(CUSTOM_DATA_KEY_LENGTH))
    cd_type: Mapped[str] = mapped_column(String(_TYPE_LENGTH))
    cd_value: Mapped[str] = mapped_column(LongText)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime | None]

    @classmethod
    def query_cd(cls, key: str | None = None, trade_id: int | None = None) -> ScalarResult["_CustomData"]:
        """Return the entries of a trade, or the one with a key, in the order in which they were first set.

        Args:
            key: Without regard to case; all if None.
            trade_id: None for entries without a trade.
        """
        ids = _matching_ids(trade_id, key, None)
        return cls.session.scalars(select(cls).where(cls.id.in_(ids)).order_by(cls.id))


class CustomDataWrapper:
    """Values by trade and key, or by pair. Keys are told apart without regard to case; every character counts.

    Attributes:
        use_db: Whether values are in the database or in memory.
        unserialized_types: Types that are kept as their own text instead of as JSON.
    """

    use_db: ClassVar[bool] = True
    unserialized_types: ClassVar[Sequence[str]] = PLAIN_TYPES

    class _Entries:
        """Shows the entries in memory as a list under ``CustomDataWrapper.custom_data``."""

        def __get__(self, instance: object, owner: type | None = None) -> list[LocalCustomData]:
            return list(LocalTrade.custom_data_book)

    custom_data: ClassVar[_Entries] = _Entries()

    @staticmethod
    def reset_custom_data() -> None:
        """Forget the values in memory; those of a database stay."""
        if not CustomDataWrapper.use_db:
            LocalTrade.custom_data_book.clear()

    @staticmethod
    def set_custom_data(trade_id: int | None, key: str, value: Any) -> None:
        """Remember a value, in place of what the key had before, whatever its type was.

        Args:
            trade_id: None for a value that belongs to no trade.
            key: 1 to 255 characters.
            value: bool, int, float, str, or what JSON can hold; anything else is logged and not stored.

        Raises:
            InvalidValue: If the key is empty or too long.
        """
        _set_all({key: value}, trade_id=trade_id)

    @staticmethod
    def get_custom_data(*, trade_id: int | None = None, key: str | None = None, pair: str | None = None) -> Any:
        """Return what is remembered.

        Args:
            trade_id: Of which trade; None for values without one.
            key: Without regard to case; all if None.
            pair: Of which pair, then as one dict.

        Returns:
            The entries in the order in which they were first set, or for a pair the dict of its values.
        """
        entries = _entries(trade_id, key, pair)
        return entries if pair is None else {entry.cd_key: entry.value for entry in entries}

    @staticmethod
    def save_custom_data(*, pair: str, data: Mapping[str, Any]) -> None:
        """Remember values of a pair, over what was saved for it before; keys that are not given stay.

        Args:
            pair: Which pair.
            data: Values by key, as in :meth:`set_custom_data`.

        Raises:
            InvalidValue: If a key is empty or too long.
        """
        _set_all(data, pair=pair)

    @staticmethod
    def delete_custom_data(trade_id: int | None = None, key: str | None = None, *, pair: str | None = None) -> None:
        """Forget one key, without regard to case, or all of them.

        Args:
            trade_id: Of which trade; None for values without one.
            key: Which key; all if None.
            pair: Of which pair, for what was saved for one.
        """
        if not CustomDataWrapper.use_db:
            LocalTrade.custom_data_book.delete(trade_id, key, pair)
            return
        ids = _matching_ids(trade_id, key, pair)
        write(_CustomData.session(), delete(_CustomData).where(_CustomData.id.in_(ids)))

    @staticmethod
    def _convert_custom_data(entry: LocalCustomData) -> LocalCustomData:
        """Return the entry: its value is read from the text whenever it is asked for."""
        return entry


def _set_all(data: Mapping[str, Any], *, trade_id: int | None = None, pair: str | None = None) -> None:
    if not CustomDataWrapper.use_db:
        for key, value in data.items():
            LocalTrade.custom_data_book.store(trade_id, key, value, pair)
        return
    for key in data:
        check_key(key)
    session = _CustomData.session()
    try:
        _store_all(data, trade_id, pair)
        settle(session)
    except BaseException:
        # Half of the data would stay in the session's transaction, and on SQLite the write lock with it.
        if not in_unit_of_work(session):
            session.rollback()
        raise


def _store_all(data: Mapping[str, Any], trade_id: int | None, pair: str | None) -> None:
    known = {entry.cd_key.casefold(): entry for entry in _entries(trade_id, None, pair)}
    for key, value in data.items():
        encoded = encode_or_warn(key, value, trade_id, pair)
        if encoded is None:
            continue
        cd_type, cd_value = encoded
        entry = known.get(key.casefold())
        if entry is None:
            entry = _CustomData(
                ft_trade_id=trade_id, pair=pair, cd_key=key, cd_type=cd_type, cd_value=cd_value, created_at=utc_now()
            )
            known[key.casefold()] = _insert(entry, key)
        else:
            entry.cd_type, entry.cd_value, entry.updated_at = cd_type, cd_value, utc_now()


def _insert(entry: _CustomData, key: str) -> LocalCustomData:
    """Store a first value; where another writer was quicker, store it in place of theirs."""
    session = _CustomData.session
    try:
        with session.begin_nested():
            session.add(entry)
    except IntegrityError:
        theirs = next(iter(_entries(entry.ft_trade_id, key, entry.pair)), None)
        if theirs is None:
            raise
        theirs.cd_type, theirs.cd_value, theirs.updated_at = entry.cd_type, entry.cd_value, utc_now()
        return theirs
    return entry


def _entries(trade_id: int | None, key: str | None, pair: str | None) -> Sequence[LocalCustomData]:
    if not CustomDataWrapper.use_db:
        return LocalTrade.custom_data_book.select(trade_id, key, pair)
    entries = _CustomData.session.scalars(_of(select(_CustomData), trade_id, pair)).all()
    return [e for e in entries if key is None or e.cd_key.casefold() == key.casefold()]


def _matching_ids(trade_id: int | None, key: str | None, pair: str | None) -> list[int]:
    rows = _CustomData.session.execute(_of(select(_CustomData.id, _CustomData.cd_key), trade_id, pair))
    return [row_id for row_id, known in rows if key is None or known.casefold() == key.casefold()]


def _of(query: _Query, trade_id: int | None, pair: str | None) -> _Query:
    return query.where(
        _CustomData.ft_trade_id.is_(None) if trade_id is None else _CustomData.ft_trade_id == trade_id,
        _CustomData.pair.is_(None) if pair is None else _CustomData.pair == pair,
    ).order_by(_CustomData.id)
