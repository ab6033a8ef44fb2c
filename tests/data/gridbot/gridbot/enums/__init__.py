from gridbot.enums.exittype import ExitType
from gridbot.enums.tradingmode import TradingMode

__all__ = ["ExitType", "TradingMode"]
