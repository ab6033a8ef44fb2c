"""What the wallet held over time."""

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradestore._clock import to_text
from tradestore.base import ModelBase
from tradestore.constants import CURRENCY_LENGTH

__all__ = ["WalletHistory"]


class WalletHistory(ModelBase):
    """The balance of one currency at one time; one row per currency and time.

    ``rate`` is in quote currency per unit; ``total_quote``, ``total_position_value`` and ``collateral`` are in quote
    currency, ``balance`` in the currency itself.
    """

    __tablename__ = "wallet_history"
    __table_args__ = (UniqueConstraint("timestamp", "currency", name="unique_wallet_daily"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(index=True)
    currency: Mapped[str] = mapped_column(String(CURRENCY_LENGTH))
    rate: Mapped[float | None]
    quote_currency: Mapped[str] = mapped_column(String(CURRENCY_LENGTH))
    balance: Mapped[float]
    total_quote: Mapped[float | None]
    total_position_value: Mapped[float | None]
    collateral: Mapped[float | None]
    leverage: Mapped[float] = mapped_column(default=1.0)
    bot_managed: Mapped[bool] = mapped_column(default=True)

    def __repr__(self) -> str:
        """Return the balance in one line."""
        return (
            f"WalletHistory(timestamp={to_text(self.timestamp)}, currency={self.currency}, rate={self.rate}, "
            f"total_quote={self.total_quote}, balance={self.balance}, leverage={self.leverage})"
        )
