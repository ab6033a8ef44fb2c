"""The tables of a report, for eyes and for screen readers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Final, NamedTuple

from tradestore.operations.report._wording import Money, duration, moment, percent, rate, whole
from tradestore.operations.report.figures import ClosedTrade, GroupFigures, OpenPosition

__all__ = ["closed_table", "groups_table", "positions_table"]

_MOST_ROWS: Final = 200


class _Cell(NamedTuple):
    """What stands in a cell.

    Attributes:
        text: Not escaped yet.
        kind: The classes of the cell: n for a number, t for a text that may be long.
    """

    text: str
    kind: str = "n"


def groups_table(groups: Sequence[GroupFigures], caption: str, what: str, money: Money) -> str:
    """Return what groups of trades brought."""
    rows = [
        [
            _Cell(each.group, "t"),
            _Cell(whole(each.count)),
            _Cell(percent(each.wins / each.count)),
            _signed(money.text(each.profit_abs, signed=True), each.profit_abs),
            _signed(percent(each.profit_ratio, signed=True), each.profit_ratio),
        ]
        for each in groups[:_MOST_ROWS]
    ]
    headings = [_Cell(what, ""), *map(_Cell, ["trades", "won", f"profit ({money.currency})", "mean ratio"])]
    left_out = len(groups) - len(rows)
    note = f'<p class="note">{whole(left_out)} more are left out here.</p>' if left_out else ""
    return _table(caption, headings, rows) + note


def positions_table(positions: Sequence[OpenPosition], now: datetime, money: Money) -> str:
    """Return the open positions."""
    if not positions:
        return '<p class="note">There are none.</p>'
    rows = [
        [
            _Cell(each.pair, "t"),
            _Cell("short" if each.is_short else "long", ""),
            _Cell(rate(each.amount)),
            _Cell(money.text(each.stake_amount)),
            _Cell(rate(each.open_rate)),
            _Cell(rate(each.stop_loss)),
            _Cell(money.text(each.risk)),
            _Cell(money.text(each.realized_profit, signed=True)),
            _Cell(duration((now - each.open_date).total_seconds())),
            _Cell(each.enter_tag or "", "t"),
        ]
        for each in positions[:_MOST_ROWS]
    ]
    numbers = [
        "amount",
        f"stake ({money.currency})",
        "open rate",
        "stop loss",
        "loss at stop",
        "realised",
        "age",
    ]
    headings = [_Cell("pair", ""), _Cell("side", ""), *map(_Cell, numbers), _Cell("enter tag", "")]
    left_out = len(positions) - len(rows)
    note = f'<p class="note">{whole(left_out)} more are left out here.</p>' if left_out else ""
    return _table("Open positions", headings, rows) + note


def closed_table(trades: Iterable[ClosedTrade], money: Money) -> str:
    """Return closed trades."""
    rows = [
        [
            _Cell(str(each.id), "n"),
            _Cell(each.pair, "t"),
            _Cell("short" if each.is_short else "long", ""),
            _Cell(moment(each.close_date)),
            _Cell(duration((each.close_date - each.open_date).total_seconds())),
            _signed(money.text(each.profit_abs, signed=True), each.profit_abs),
            _signed(percent(each.profit_ratio, signed=True), each.profit_ratio),
            _Cell(each.enter_tag or "", "t"),
            _Cell(each.exit_reason or "", "t"),
        ]
        for each in trades
    ]
    if not rows:
        return '<p class="note">There are none.</p>'
    numbers = ["closed", "duration", f"profit ({money.currency})", "ratio"]
    headings = [_Cell("trade"), _Cell("pair", ""), _Cell("side", ""), *map(_Cell, numbers)]
    return _table("Closed trades", [*headings, _Cell("enter tag", ""), _Cell("exit reason", "")], rows)


def _signed(text: str, value: float) -> _Cell:
    return _Cell(text, "n loss" if value < 0 else "n gain" if value > 0 else "n")


def _table(caption: str, headings: Sequence[_Cell], rows: Iterable[Sequence[_Cell]]) -> str:
    head = "".join(f'<th scope="col" class="{cell.kind}">{escape(cell.text)}</th>' for cell in headings)
    body = "".join(f"<tr>{''.join(map(_data, row))}</tr>" for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _data(cell: _Cell) -> str:
    title = f' title="{escape(cell.text)}"' if cell.kind == "t" else ""
    return f'<td class="{cell.kind}"{title}>{escape(cell.text)}</td>'
