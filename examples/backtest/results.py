"""What a backtest brought: totals, groups, and the deepest fall of the balance, as numbers and as plain text."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum

from examples.backtest.engine import Result
from examples.backtest.settings import Settings
from tradestore import LocalTrade


@dataclass(frozen=True)
class Group:
    """Some closed trades together.

    Attributes:
        name: What they have in common.
        trades: How many.
        wins: How many of them earned something.
        profit: In stake currency.
        best: The largest profit of one trade.
        worst: The smallest one.
        hours: How long a trade was open on average.
    """

    name: str
    trades: int
    wins: int
    profit: float
    best: float
    worst: float
    hours: float


@dataclass(frozen=True)
class Summary:
    """A whole backtest.

    Attributes:
        settings: What it was told.
        total: All trades.
        by_pair: Of each pair, the best first; so are the others.
        by_reason: Of each exit reason.
        by_tag: Of each side and entry tag.
        drawdown: How far the balance of closed trades fell below its highest point, in stake currency.
        drawdown_ratio: Of that point.
        further_entries: Orders that made a trade larger.
        partial_exits: Orders that made one smaller.
        funding: Received less paid, in stake currency.
        locks: How many were made.
        refusals: How often an entry was refused, by why.
    """

    settings: Settings
    total: Group
    by_pair: list[Group]
    by_reason: list[Group]
    by_tag: list[Group]
    drawdown: float
    drawdown_ratio: float
    further_entries: int
    partial_exits: int
    funding: float
    locks: int
    refusals: dict[str, int]


def summarize(result: Result) -> Summary:
    """Return what a backtest brought."""
    trades = result.trades
    drawdown, ratio = deepest_fall(trades, result.settings.balance)
    return Summary(
        settings=result.settings,
        total=_group("all", trades),
        by_pair=_groups(trades, lambda trade: trade.pair),
        by_reason=_groups(trades, lambda trade: trade.exit_reason or "none"),
        by_tag=_groups(trades, lambda trade: f"{trade.trade_direction} {trade.enter_tag}"),
        drawdown=drawdown,
        drawdown_ratio=ratio,
        further_entries=sum(trade.nr_of_successful_entries - 1 for trade in trades),
        partial_exits=sum(trade.nr_of_successful_exits - 1 for trade in trades),
        funding=fsum(trade.funding_fees or 0.0 for trade in trades),
        locks=len(result.locks),
        refusals=dict(sorted(result.refusals.items())),
    )


def deepest_fall(trades: Iterable[LocalTrade], balance: float) -> tuple[float, float]:
    """Return how far the balance fell below its highest point so far, and which ratio of it that was.

    Args:
        trades: Closed ones.
        balance: Before the first of them, in stake currency.
    """
    highest, fall, ratio = balance, 0.0, 0.0
    for trade in sorted(trades, key=lambda trade: (trade.close_date_utc or trade.open_date_utc, trade.id)):
        balance += trade.close_profit_abs or 0.0
        highest = max(highest, balance)
        if highest - balance > fall:
            fall, ratio = highest - balance, (highest - balance) / highest
    return fall, ratio


def as_text(summary: Summary) -> str:
    """Return the summary as a page for a terminal."""
    settings, total = summary.settings, summary.total
    return "\n\n".join(
        (
            f"{settings.mode.value}, {settings.pairs} pairs, {settings.candles} candles, seed {settings.seed}",
            _table("Pair", summary.by_pair),
            _table("Exit reason", summary.by_reason),
            _table("Side and entry tag", [*summary.by_tag, total]),
            "\n".join(
                f"{name:<36}{value:>18}"
                for name, value in (
                    ("Balance at the end", f"{settings.balance + total.profit:.8f}"),
                    ("Deepest fall", f"{summary.drawdown:.8f}"),
                    ("Deepest fall %", f"{summary.drawdown_ratio * 100:.2f}"),
                    ("Funding received less paid", f"{summary.funding:.8f}"),
                    ("Further entries", summary.further_entries),
                    ("Partial exits", summary.partial_exits),
                    ("Locks", summary.locks),
                    *((f"Refused: {why}", times) for why, times in summary.refusals.items()),
                )
            ),
        )
    )


def _groups(trades: Iterable[LocalTrade], name_of: Callable[[LocalTrade], str]) -> list[Group]:
    named: defaultdict[str, list[LocalTrade]] = defaultdict(list)
    for trade in trades:
        named[name_of(trade)].append(trade)
    groups = [_group(name, members) for name, members in named.items()]
    return sorted(groups, key=lambda group: (-group.profit, group.name))


def _group(name: str, trades: Sequence[LocalTrade]) -> Group:
    profits = [trade.close_profit_abs or 0.0 for trade in trades]
    hours = [
        (trade.close_date_utc - trade.open_date_utc).total_seconds() / 3600
        for trade in trades
        if trade.close_date_utc is not None
    ]
    return Group(
        name=name,
        trades=len(trades),
        wins=sum(profit > 0 for profit in profits),
        profit=fsum(profits),
        best=max(profits, default=0.0),
        worst=min(profits, default=0.0),
        hours=fsum(hours) / len(hours) if hours else 0.0,
    )


def _table(heading: str, groups: Iterable[Group]) -> str:
    lines = [f"{heading:<22}{'trades':>8}{'wins':>7}{'profit USDT':>16}{'best':>10}{'worst':>10}{'hours':>8}"]
    lines += [
        f"{group.name:<22}{group.trades:>8}{group.wins:>7}{group.profit:>16.8f}"
        f"{group.best:>10.2f}{group.worst:>10.2f}{group.hours:>8.1f}"
        for group in groups
    ]
    return "\n".join(lines)
