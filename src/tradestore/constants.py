"""Fixed numbers and formats that several floors share."""

from typing import Final, Literal

__all__ = [
    "AMOUNT_TOLERANCE",
    "CLIENT_ID_LENGTH",
    "CURRENCY_LENGTH",
    "CUSTOM_DATA_KEY_LENGTH",
    "DATETIME_FORMAT",
    "EXCHANGE_LENGTH",
    "FINAL_ORDER_STATUSES",
    "ID_LENGTH",
    "KEY_LENGTH",
    "NAME_LENGTH",
    "ORDER_TYPE_LENGTH",
    "PAIR_LENGTH",
    "PLACEHOLDER",
    "PROFIT_DECIMALS",
    "RECORD_VERSION",
    "SIDE_LENGTH",
    "TAG_LENGTH",
    "TRANSFER_TABLE",
    "BuySell",
    "LongShort",
]

BuySell = Literal["buy", "sell"]
LongShort = Literal["long", "short"]

PROFIT_DECIMALS: Final = 8
"""Profits and profit ratios are rounded to this many decimals."""

AMOUNT_TOLERANCE: Final = 1e-14
"""Two amounts (base currency) closer than this are the same position."""

DATETIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"
"""The text form of dates in JSON and representations."""

FINAL_ORDER_STATUSES: Final = frozenset({"closed", "canceled", "cancelled", "expired", "rejected"})
"""Statuses after which an order can never be filled again."""

RECORD_VERSION: Final = 2
"""Trades of lower versions were stored with the leverage in their largest stake."""

EXCHANGE_LENGTH: Final = 25
PAIR_LENGTH: Final = 50
"""Options have names such as ``BTC/USDT:USDT-260327-100000-C``."""
SIDE_LENGTH: Final = 25
CURRENCY_LENGTH: Final = 25
NAME_LENGTH: Final = 100
TAG_LENGTH: Final = 255
ID_LENGTH: Final = 255
CLIENT_ID_LENGTH: Final = 64
ORDER_TYPE_LENGTH: Final = 50
KEY_LENGTH: Final = 50
CUSTOM_DATA_KEY_LENGTH: Final = 255

PLACEHOLDER: Final = "placeholder:"
"""What the id of an order begins with as long as the exchange's own is unknown; our name for the order follows."""

TRANSFER_TABLE: Final = "tradestore_transfer"
"""How far a transfer into a database has come; the table is there until the transfer has ended."""
