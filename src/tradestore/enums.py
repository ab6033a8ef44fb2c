"""Words with a fixed set of values."""

from enum import StrEnum

__all__ = ["ExitType", "TradingMode"]


class TradingMode(StrEnum):
    """How a trade is financed. The database holds the member's name, callers see its value."""

    SPOT = "spot"
    MARGIN = "margin"
    FUTURES = "futures"


class ExitType(StrEnum):
    """Why a trade was closed."""

    ROI = "roi"
    STOP_LOSS = "stop_loss"
    STOPLOSS_ON_EXCHANGE = "stoploss_on_exchange"
    TRAILING_STOP_LOSS = "trailing_stop_loss"
    LIQUIDATION = "liquidation"
    EXIT_SIGNAL = "exit_signal"
    FORCE_EXIT = "force_exit"
    EMERGENCY_EXIT = "emergency_exit"
    CUSTOM_EXIT = "custom_exit"
    PARTIAL_EXIT = "partial_exit"
    SOLVED = "solved"
    NONE = ""
