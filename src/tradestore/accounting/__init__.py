"""The money math: pure functions on plain numbers, with neither clock nor database."""

from tradestore.accounting.fills import Fill, Loan, Position, Terms, fold_fills
from tradestore.accounting.interest import interest_on
from tradestore.accounting.precision import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    Rounding,
    amount_to_contract_precision,
    amount_to_precision,
    price_to_precision,
)
from tradestore.accounting.profit import (
    ProfitStruct,
    borrowed_amount,
    close_value,
    fee_factor,
    open_value,
    profit_of,
    profit_ratio_of,
    rate_for_profit_ratio,
    rounded,
    total_profit_ratio_of,
)
from tradestore.accounting.stoploss import stop_price, tighter_stop
from tradestore.accounting.timeframes import next_candle

__all__ = [
    "DECIMAL_PLACES",
    "SIGNIFICANT_DIGITS",
    "TICK_SIZE",
    "Fill",
    "Loan",
    "Position",
    "ProfitStruct",
    "Rounding",
    "Terms",
    "amount_to_contract_precision",
    "amount_to_precision",
    "borrowed_amount",
    "close_value",
    "fee_factor",
    "fold_fills",
    "interest_on",
    "next_candle",
    "open_value",
    "price_to_precision",
    "profit_of",
    "profit_ratio_of",
    "rate_for_profit_ratio",
    "rounded",
    "stop_price",
    "tighter_stop",
    "total_profit_ratio_of",
]
