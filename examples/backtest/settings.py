"""What a backtest is told before it begins."""

from dataclasses import dataclass

from tradestore import TradingMode


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a result depends on: the same settings give the same trades.

    Attributes:
        mode: How trades are financed.
        pairs: How many pairs are traded, up to 20.
        candles: How many hours.
        seed: Of the candles.
        balance: To begin with, in stake currency.
        stake: Own money for a trade's first entry, in stake currency.
        max_open_trades: At the same time.
        fee: Of every fill, as a ratio of its value.
        maintenance: Ratio of a position's value that must be left: below it, the exchange liquidates.
        interest_rate: On margin, a ratio per day of what is borrowed.
    """

    mode: TradingMode = TradingMode.SPOT
    pairs: int = 20
    candles: int = 720
    seed: int = 1
    balance: float = 1000.0
    stake: float = 100.0
    max_open_trades: int = 8
    fee: float = 0.0005
    maintenance: float = 0.01
    interest_rate: float = 0.0006

    @property
    def is_futures(self) -> bool:
        """Whether positions are futures: with funding, leverage and shorts."""
        return self.mode == TradingMode.FUTURES

    @property
    def is_margin(self) -> bool:
        """Whether positions are paid with borrowed money or coins: with interest, leverage and shorts."""
        return self.mode == TradingMode.MARGIN

    @property
    def most_leverage(self) -> float:
        """How many times the own money a position may be."""
        return 1.0 if self.mode == TradingMode.SPOT else 20.0
