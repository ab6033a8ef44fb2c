"""Trades that contradict themselves or their orders."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, func, select, true

from tradestore.constants import AMOUNT_TOLERANCE
from tradestore.enums import TradingMode
from tradestore.operations.doctor._look import Look, rows_that
from tradestore.operations.doctor.findings import Finding
from tradestore.operations.doctor.stories import Story

__all__ = [
    "closed_while_held",
    "closed_without_date_or_rate",
    "closed_without_exit",
    "old_without_orders",
    "open_and_empty",
    "open_twice",
    "open_with_close_date",
    "other_currencies",
    "rates_out_of_order",
    "short_on_spot",
    "too_little_leverage",
    "without_orders",
    "wrong_liquidation",
    "wrong_stop",
]

Rows = Iterator[tuple[int, dict[str, Any]]]
"""Primary keys with facts by column."""

_ORDERS_ARE_KEPT_SINCE: Final = datetime(2020, 10, 1)  # noqa: DTZ001 - as moments are stored


def _one(story: Story, *columns: str, **expected: Any) -> tuple[int, dict[str, Any]]:
    """Return the trade's id, and what was found and expected in some of its columns."""
    facts = {name: {"found": getattr(story.trade, name)} for name in columns}
    for name, value in expected.items():
        facts[name] = {"found": getattr(story.trade, name), "expected": value}
    return story.trade.id, facts


def open_and_empty(story: Story) -> Rows:
    """T11: exits have taken all that was entered, and the trade is open."""
    if (
        story.trade.is_open
        and story.entries
        and story.exits
        and abs(story.left) <= AMOUNT_TOLERANCE + 1e-9 * story.entered
    ):
        yield _one(story, "amount", is_open=False)


def closed_while_held(story: Story) -> Rows:
    """T12: the exits have not taken all that was entered, and the trade is closed."""
    if not story.trade.is_open and story.exits and story.entries and story.left > 0 and not story.is_dust_left:
        yield story.trade.id, {"is_open": {"found": False}, "position": {"found": story.left, "expected": 0.0}}


def closed_without_exit(story: Story) -> Rows:
    """T13: something was entered, nothing left it, and the trade is closed."""
    if not story.trade.is_open and story.entries and not story.exits:
        yield _one(story, "is_open", "close_rate", "close_date")


def without_orders(story: Story) -> Rows:
    """T14: there is no order at all, and the trade is open; older ones never had any."""
    if story.trade.is_open and not story.orders and not _is_from_before_orders(story):
        yield _one(story, "is_open", "amount")


def old_without_orders(story: Story) -> Rows:
    """T24: there is no order at all, and the trade is over, or from before orders were kept."""
    if not story.orders and (not story.trade.is_open or _is_from_before_orders(story)):
        yield _one(story, "amount", "close_profit_abs")


def _is_from_before_orders(story: Story) -> bool:
    return story.trade.open_date < _ORDERS_ARE_KEPT_SINCE


def open_with_close_date(story: Story) -> Rows:
    """T15: the trade is open and has an end."""
    if story.trade.is_open and story.trade.close_date is not None:
        yield _one(story, "is_open", close_date=None)


def closed_without_date_or_rate(story: Story) -> Rows:
    """T16: the trade is closed and has no end; the last exit may tell it."""
    trade = story.trade
    if trade.is_open or (trade.close_date is not None and trade.close_rate is not None):
        return
    last = story.exits[-1] if story.exits else None
    told = {"close_date": last and last.order_filled_date, "close_rate": last and last.safe_price}
    yield _one(story, **{name: value for name, value in told.items() if getattr(trade, name) is None})


def too_little_leverage(story: Story) -> Rows:
    """T18: there is less own money than nothing borrowed."""
    if story.trade.leverage is not None and story.trade.leverage < 1:
        yield _one(story, "leverage")


def short_on_spot(story: Story) -> Rows:
    """T19: what was sold first can't have been bought on spot."""
    if story.trade.is_short and story.trade.trading_mode == TradingMode.SPOT:
        yield _one(story, "is_short", "trading_mode")


def wrong_stop(story: Story) -> Rows:
    """T20: the stop of an open trade lies beyond the best rate it has seen, so it would have been hit at once."""
    trade = story.trade
    if not trade.is_open or not trade.stop_loss:
        return
    best = min(trade.open_rate, trade.min_rate or trade.open_rate)
    if not trade.is_short:
        best = max(trade.open_rate, trade.max_rate or trade.open_rate)
    if trade.stop_loss < best if trade.is_short else trade.stop_loss > best:
        yield _one(story, "stop_loss", "open_rate", "max_rate", "min_rate")


def wrong_liquidation(story: Story) -> Rows:
    """T21: an open trade would be liquidated where it gains."""
    trade = story.trade
    price = trade.liquidation_price
    if trade.is_open and price and (price < trade.open_rate if trade.is_short else price > trade.open_rate):
        yield _one(story, "liquidation_price", "open_rate")


def rates_out_of_order(story: Story) -> Rows:
    """T22: the lowest rate seen is above the highest."""
    lowest, highest = story.trade.min_rate, story.trade.max_rate
    if lowest and highest and lowest > highest:
        yield _one(story, min_rate=highest, max_rate=lowest)


def other_currencies(story: Story) -> Rows:
    """T23: base or stake currency is not that of the pair."""
    trade = story.trade
    base, slash, rest = trade.pair.partition("/")
    told = {"base_currency": base, "stake_currency": rest.partition(":")[0]}
    wrong = {name: value for name, value in told.items() if getattr(trade, name) not in {None, "", value}}
    if slash and wrong:
        yield _one(story, "pair", **wrong)


def open_twice(look: Look) -> Iterator[Finding]:
    """T17: a pair has more than one open trade on the same side."""
    table = look.table("trades")
    is_open = table.c.is_open == true()
    first = select(func.min(table.c.id)).where(is_open).group_by(table.c.pair, table.c.is_short)
    is_further = and_(is_open, table.c.id.not_in(first))
    what = "open trades are on a pair and side that an earlier one is on"
    yield from rows_that(look, "T17", table, is_further, ("pair", "is_short"), what)
