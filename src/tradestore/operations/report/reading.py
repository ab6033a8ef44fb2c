"""The figures of a report, read from a store in one pass that sees it as it was at one moment."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, false, func, or_, select

from tradestore._clock import as_naive_utc, as_utc, utc_now
from tradestore._performance import archived_table, orders_table, trades_table
from tradestore._plain_twin import plain_trade
from tradestore.accounting._decimal import exact_sum
from tradestore.exceptions import InvalidValue
from tradestore.local_trade import LocalTrade
from tradestore.operations._endpoints import snapshot
from tradestore.operations.opening import Place, open_to_read
from tradestore.operations.report._tallies import Curve, Tally
from tradestore.operations.report.figures import ClosedTrade, OpenPosition, ReportFigures, ReportScope

__all__ = ["read_figures"]

Progress = Callable[[int, int | None], None]

_BATCH: Final = 2000
"""Rows that are in memory at once."""


def read_figures(
    place: Place,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    pair: str | None = None,
    stake_currency: str | None = None,
    capital: float | None = None,
    progress: Progress | None = None,
) -> ReportFigures:
    """Return the figures of a report; nothing is changed. However many trades there are, few are in memory.

    Args:
        place: A database URL, or the database that is open.
        since: Only trades closed then or later (UTC).
        until: Only trades closed before (UTC).
        pair: Only of this pair.
        stake_currency: Only trades in it; needed where the trades are in several.
        capital: Own money at the start, in stake currency: what a drawdown is measured by.
        progress: Is told how many closed trades have been read, of how many.

    Raises:
        InvalidValue: If trades in several stake currencies match, which nobody can add up, or the capital is no
            positive number.
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    if capital is not None and not (math.isfinite(capital) and capital > 0):
        msg = f"The capital must be a positive number, but was {capital!r}."
        raise InvalidValue(msg)
    made_at = utc_now()
    with open_to_read(place) as store, snapshot(store.engine) as connection:
        conditions = [] if pair is None else [trades_table().c.pair == pair]
        currency, of_currency = _one_currency(connection, conditions, stake_currency)
        conditions += of_currency
        tally, fees = _closed(connection, [*conditions, *_between(since, until)], capital, progress)
        positions = tuple(_open_positions(connection, conditions))
        archived = _archived(connection, since, until, pair, currency)
    scope = ReportScope(
        since=None if since is None else as_utc(since),
        until=None if until is None else as_utc(until),
        pair=pair,
        stake_currency=currency,
        capital=capital,
        made_at=made_at,
        archived=archived,
    )
    return _figures(scope, tally, fees, positions)


def _archived(
    connection: Connection, since: datetime | None, until: datetime | None, pair: str | None, currency: str
) -> int:
    """Count trades that are in an archive: of them only sums are known, from which no curve can be drawn."""
    table = archived_table()
    conditions = [
        column == value for column, value in ((table.c.pair, pair), (table.c.stake_currency, currency)) if value
    ]
    if since is not None:
        first_day = as_utc(since).replace(hour=0, minute=0, second=0, microsecond=0)
        conditions.append(table.c.closed_on >= first_day)
    if until is not None:
        conditions.append(table.c.closed_on < until)
    return int(connection.scalar(select(func.sum(table.c.trades)).where(*conditions)) or 0)


def _figures(scope: ReportScope, tally: Tally, fees: float, positions: tuple[OpenPosition, ...]) -> ReportFigures:
    return ReportFigures(
        scope=scope,
        closed=tally.count,
        wins=tally.wins,
        losses=tally.losses,
        draws=tally.draws,
        win_rate=tally.share_of_wins(),
        profit_abs=float(tally.profit),
        profit_ratio_sum=float(tally.ratios),
        profit_factor=tally.profit_factor(),
        expectancy=tally.per_trade(tally.profit),
        expectancy_ratio=tally.per_trade(tally.ratios),
        best=tally.best,
        worst=tally.worst,
        mean_seconds=tally.open_for.total_seconds() / tally.count if tally.count else None,
        fees=fees,
        funding_fees=float(tally.funding_fees),
        drawdown=tally.curve.drawdown(),
        open_risk=exact_sum(position.risk for position in positions),
        equity=tally.curve.points(),
        pairs=tally.pairs.best_first(),
        enter_tags=tally.enter_tags.best_first(),
        exit_reasons=tally.exit_reasons.best_first(),
        months=tally.months.in_order(),
        weekdays=tally.weekdays_in_order(),
        hours=tally.hours.in_order(),
        bins=tally.histogram.bins(),
        open_positions=positions,
        last_closed=tuple(reversed(tally.last)),
    )


def _one_currency(connection: Connection, conditions: list[Any], wanted: str | None) -> tuple[str, list[Any]]:
    """Return the stake currency of the trades, and the conditions that leave out those in another one."""
    trades = trades_table()
    query = select(trades.c.stake_currency, trades.c.pair).where(*conditions).distinct()
    pairs_of: dict[str, set[str]] = {}
    for stated, pair in connection.execute(query):
        # Old trades have it in their pair only.
        currency = stated or LocalTrade(pair=pair).safe_quote_currency
        pairs_of.setdefault(currency, set()).update([] if stated else [pair])
    if wanted is None and len(pairs_of) > 1:
        msg = f"The trades are in {', '.join(sorted(pairs_of))}, which nobody can add up: choose one stake currency."
        raise InvalidValue(msg)
    chosen = wanted if wanted is not None else next(iter(pairs_of), "")
    if not pairs_of.keys() - {chosen}:
        return chosen, []
    unnamed = or_(trades.c.stake_currency.is_(None), trades.c.stake_currency == "")
    return chosen, [
        or_(trades.c.stake_currency == chosen, and_(unnamed, trades.c.pair.in_(sorted(pairs_of.get(chosen, ())))))
    ]


def _between(since: datetime | None, until: datetime | None) -> list[Any]:
    closed = trades_table().c.close_date
    return [
        *([] if since is None else [closed >= as_naive_utc(since)]),
        *([] if until is None else [closed < as_naive_utc(until)]),
    ]


def _closed(
    connection: Connection, conditions: list[Any], capital: float | None, progress: Progress | None
) -> tuple[Tally, float]:
    trades = trades_table()
    wanted = [trades.c.is_open == false(), trades.c.close_date.is_not(None), *conditions]
    closed = trades.c.close_date
    count, *span = connection.execute(select(func.count(), func.min(closed), func.max(closed)).where(*wanted)).one()
    first, last = (utc_now() if moment is None else as_utc(moment) for moment in span)
    tally = Tally(Curve(first, last, capital))
    columns = [trades.c[name] for name in _CLOSED]
    query = select(*columns).where(*wanted).order_by(closed, trades.c.id)
    with _streamed(connection, query) as rows:
        for batch in rows.partitions():
            for row in batch:
                tally.add(_closed_trade(row), row.funding_fees or 0.0)
            if progress is not None:
                progress(tally.count, count)
    return tally, _fees(connection, wanted)


_CLOSED: Final = (
    "id",
    "pair",
    "is_short",
    "enter_tag",
    "exit_reason",
    "open_date",
    "close_date",
    "close_profit_abs",
    "close_profit",
    "funding_fees",
)


def _closed_trade(row: Any) -> ClosedTrade:
    return ClosedTrade(
        id=row.id,
        pair=row.pair,
        is_short=bool(row.is_short),
        enter_tag=row.enter_tag,
        exit_reason=row.exit_reason,
        open_date=as_utc(row.open_date),
        close_date=as_utc(row.close_date),
        profit_abs=row.close_profit_abs or 0.0,
        profit_ratio=row.close_profit or 0.0,
    )


def _fees(connection: Connection, wanted: list[Any]) -> float:
    """Return the fees of all fills: their values times the fee ratio of their side."""
    trades, orders = trades_table(), orders_table()
    query = (
        select(
            *(trades.c[name] for name in ("is_short", "fee_open", "fee_close")),
            *(orders.c[name] for name in ("ft_order_side", "filled", "ft_fee_base", "average", "price")),
            *(orders.c[name] for name in ("stop_price", "ft_price")),
        )
        .join_from(orders, trades, orders.c.ft_trade_id == trades.c.id)
        .where(*wanted, orders.c.ft_is_open == false(), orders.c.filled > 0)
    )
    with _streamed(connection, query) as rows:
        # However the engine orders the fills, their sum is the float nearest to that of all.
        return math.fsum(map(_fee, rows))


def _fee(row: Any) -> float:
    is_short, fee_open, fee_close, side, filled, fee_base, average, price, stop_price, asked = row
    ratio = fee_open if side == ("sell" if is_short else "buy") else fee_close
    fee: float = (ratio or 0.0) * (filled - (fee_base or 0.0)) * (average or price or stop_price or asked or 0.0)
    return fee


@contextmanager
def _streamed(connection: Connection, query: Any) -> Iterator[Any]:
    result = connection.execution_options(yield_per=_BATCH).execute(query)
    try:
        yield result
    finally:
        result.close()


def _open_positions(connection: Connection, conditions: list[Any]) -> Iterator[OpenPosition]:
    trades = trades_table()
    names = trades.columns.keys()
    query = select(trades).where(trades.c.is_open != false(), *conditions).order_by(trades.c.id)
    for row in connection.execute(query):
        trade = plain_trade(dict(zip(names, row, strict=True)), ())
        stop = trade.stoploss_or_liquidation or None
        yield OpenPosition(
            id=trade.id,
            pair=trade.pair,
            is_short=bool(trade.is_short),
            enter_tag=trade.enter_tag,
            open_date=trade.open_date_utc,
            amount=trade.amount or 0.0,
            stake_amount=trade.stake_amount or 0.0,
            open_rate=trade.open_rate,
            stop_loss=stop,
            risk=(trade.stake_amount or 0.0) if stop is None else 0.0 - trade.calc_profit(stop),
            realized_profit=trade.realized_profit or 0.0,
        )
