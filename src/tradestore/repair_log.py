"""The table that keeps what repairs and edits by hand changed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from tradestore._sqltypes import LongText
from tradestore.base import ModelBase
from tradestore.constants import TAG_LENGTH

__all__ = ["RepairAction", "RepairEntry"]

_BATCH_LENGTH, _ACTION_LENGTH, _CODE_LENGTH, _TABLE_LENGTH = 36, 20, 50, 64


class RepairAction(StrEnum):
    """What was done."""

    UPDATE = "update"
    """A row was changed."""
    DELETE = "delete"
    """A row was deleted: ``before`` is all that is left of it."""
    INSERT = "insert"
    """A row was added."""
    SETTING = "setting"
    """Something other than a row: an index, a sequence, the mode of a file."""


class RepairEntry(ModelBase):
    """One row that a repair changed, with all that is needed to undo it.

    Attributes:
        batch: Which repair; a UUID.
        step: The place in the repair, from 1.
        done_at: When (UTC).
        action: One of :class:`RepairAction`.
        finding: The code of the finding that was repaired; None for what was asked for by hand.
        table_name: The row's table; None for what is no row.
        row_id: The row's primary key, as text.
        before: The whole row before, as JSON that gives every value back exactly; None if there was none.
        after: The whole row after, in the same form; None if there is none.
        reason: Why, in words.
        backup: Where the backup is that was made before; None without one.
        undone_at: When it was undone (UTC); None as long as it was not.
    """

    __tablename__ = "repair_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    batch: Mapped[str] = mapped_column(String(_BATCH_LENGTH), index=True)
    step: Mapped[int]
    done_at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(_ACTION_LENGTH))
    finding: Mapped[str | None] = mapped_column(String(_CODE_LENGTH))
    table_name: Mapped[str | None] = mapped_column(String(_TABLE_LENGTH))
    row_id: Mapped[str | None] = mapped_column(String(TAG_LENGTH))
    before: Mapped[str | None] = mapped_column(LongText)
    after: Mapped[str | None] = mapped_column(LongText)
    reason: Mapped[str] = mapped_column(LongText)
    backup: Mapped[str | None] = mapped_column(LongText)
    undone_at: Mapped[datetime | None]
