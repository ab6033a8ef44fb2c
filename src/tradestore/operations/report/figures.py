"""What a report tells, as plain data. Money is in stake currency, ratios are 0.01 for 1 %, moments are UTC."""

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "ClosedTrade",
    "Drawdown",
    "EquityPoint",
    "GroupFigures",
    "OpenPosition",
    "ProfitBin",
    "ReportFigures",
    "ReportScope",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportScope:
    """Which trades a report is about.

    Attributes:
        since: Closed then or later; None for all.
        until: Closed before; None for all.
        pair: Only this one; None for all.
        stake_currency: All of them are in it; empty without trades.
        capital: Own money at the start, None where unknown.
        made_at: When the database was read.
        archived: How many such trades, by the day of closing, are in an archive, and so in no figure.
    """

    since: datetime | None
    until: datetime | None
    pair: str | None
    stake_currency: str
    capital: float | None
    made_at: datetime
    archived: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """A closed trade.

    Attributes:
        profit_abs: Stake currency; 0 where the trade has none.
        profit_ratio: With leverage.
    """

    id: int
    pair: str
    is_short: bool
    enter_tag: str | None
    exit_reason: str | None
    open_date: datetime
    close_date: datetime
    profit_abs: float
    profit_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall of the closed profit below the highest it had reached.

    Attributes:
        profit_abs: How deep, in stake currency; never negative.
        ratio: The same as a ratio of the capital and the profit at the top; without a capital, of that profit alone;
            None where that is nothing.
        from_date: When the top was reached; None if that was the start, before the first trade was closed.
        to_date: When it was deepest; None where nothing fell.
    """

    profit_abs: float
    ratio: float | None
    from_date: datetime | None
    to_date: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """What some closed trades brought together.

    Attributes:
        group: What they have in common.
        count: How many they are.
        wins: How many of them had a profit.
        losses: How many had a loss.
        profit_abs: Of all.
        profit_ratio: The mean of their ratios.
    """

    group: str
    count: int
    wins: int
    losses: int
    profit_abs: float
    profit_ratio: float


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The closed profit after a trade was closed.

    Attributes:
        at: When.
        profit_abs: Of all trades closed so far.
        drawdown_abs: How far that is below the highest so far; never negative.
    """

    at: datetime
    profit_abs: float
    drawdown_abs: float


@dataclass(frozen=True, slots=True)
class ProfitBin:
    """How many trades had a profit ratio in a range; the outermost ranges hold all beyond as well.

    Attributes:
        low: Where it begins.
        high: Where it ends; that ratio belongs to the next one.
        count: How many trades.
    """

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosition:
    """An open trade, without a look at any exchange.

    Attributes:
        amount: Base currency.
        stake_amount: Own money in it.
        stop_loss: Rate at which it is left: the stop loss, or the liquidation price if that comes first; None where
            there is none.
        risk: What is lost there, fees included; the whole stake where there is no stop. Negative is a profit that
            is safe.
        realized_profit: Of exits so far.
    """

    id: int
    pair: str
    is_short: bool
    enter_tag: str | None
    open_date: datetime
    amount: float
    stake_amount: float
    open_rate: float
    stop_loss: float | None
    risk: float
    realized_profit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFigures:
    """All figures of a report.

    Attributes:
        scope: Which trades it is about. Open positions are those of now, whatever the dates.
        closed: How many trades were closed.
        wins: With a profit.
        losses: With a loss.
        draws: With neither.
        win_rate: Wins as a ratio of all; None without trades.
        profit_abs: Of all.
        profit_ratio_sum: Of all.
        profit_factor: All profits over all losses; None without a loss.
        expectancy: Mean profit of a trade; None without trades.
        expectancy_ratio: Mean ratio of a trade; None without trades.
        best: The trade with the highest profit.
        worst: The trade with the lowest.
        mean_seconds: How long a trade was open; None without trades.
        fees: Of all fills of those trades, by their ratios.
        funding_fees: Of those trades; positive where received.
        drawdown: The deepest.
        open_risk: What would be lost if all open positions were left at their stops.
        equity: In order; of many trades the first, last, lowest and highest of each stretch of time.
        pairs: Best first, as enter tags and exit reasons are.
        months: In order, such as ``2026-03``; weekdays and hours as well, by the date of closing.
        bins: From low to high.
        open_positions: By id.
        last_closed: Latest first.
    """

    scope: ReportScope
    closed: int
    wins: int
    losses: int
    draws: int
    win_rate: float | None
    profit_abs: float
    profit_ratio_sum: float
    profit_factor: float | None
    expectancy: float | None
    expectancy_ratio: float | None
    best: ClosedTrade | None
    worst: ClosedTrade | None
    mean_seconds: float | None
    fees: float
    funding_fees: float
    drawdown: Drawdown
    open_risk: float
    equity: tuple[EquityPoint, ...]
    pairs: tuple[GroupFigures, ...]
    enter_tags: tuple[GroupFigures, ...]
    exit_reasons: tuple[GroupFigures, ...]
    months: tuple[GroupFigures, ...]
    weekdays: tuple[GroupFigures, ...]
    hours: tuple[GroupFigures, ...]
    bins: tuple[ProfitBin, ...]
    open_positions: tuple[OpenPosition, ...]
    last_closed: tuple[ClosedTrade, ...]
