"""The tables of what was archived: which files there are, and what their trades brought, for all reports to count."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from tradestore._sqltypes import LongText
from tradestore.base import ModelBase
from tradestore.constants import CURRENCY_LENGTH, EXCHANGE_LENGTH, NAME_LENGTH, PAIR_LENGTH

__all__ = ["Archive", "ArchivedProfit"]

_UUID_LENGTH = 36


class Archive(ModelBase):
    """A file that trades of this store were moved to.

    Attributes:
        uuid: By which the file is known, whatever its name is.
        file: Its name when it was made.
        created_at: When (UTC).
    """

    __tablename__ = "archives"

    id: Mapped[int] = mapped_column(primary_key=True)
    uuid: Mapped[str] = mapped_column(String(_UUID_LENGTH), unique=True)
    file: Mapped[str] = mapped_column(LongText)
    created_at: Mapped[datetime]


class ArchivedProfit(ModelBase):
    """What trades that are alike, closed on the same day and archived, brought together.

    Attributes:
        archive_id: Where the trades are.
        closed_on: The beginning of the day in UTC.
        trades: How many.
        wins: How many of them with a profit above 0.
        close_profit: The sum of their profit ratios.
        close_profit_abs: Of their profits, in stake currency.
        invested: Of what their entries took without what was borrowed, in stake currency.
        volume: Of what all their orders that were filled cost, in stake currency.
        stake_amount: Of their stakes, in stake currency.
    """

    __tablename__ = "archived_profits"
    __table_args__ = (Index(None, "pair", "closed_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    archive_id: Mapped[int] = mapped_column(ForeignKey("archives.id"), index=True)
    exchange: Mapped[str] = mapped_column(String(EXCHANGE_LENGTH))
    pair: Mapped[str] = mapped_column(String(PAIR_LENGTH))
    stake_currency: Mapped[str | None] = mapped_column(String(CURRENCY_LENGTH))
    strategy: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    is_short: Mapped[bool]
    enter_tag: Mapped[str | None]
    exit_reason: Mapped[str | None]
    closed_on: Mapped[datetime] = mapped_column(index=True)
    trades: Mapped[int]
    wins: Mapped[int]
    close_profit: Mapped[float]
    close_profit_abs: Mapped[float]
    invested: Mapped[float]
    volume: Mapped[float]
    stake_amount: Mapped[float]
