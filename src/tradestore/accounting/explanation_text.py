"""An explanation in words, as a trader reads it: a formula with its numbers, line by line, 80 columns wide."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tradestore.accounting._decimal import ZERO, exact, multiply
from tradestore.accounting.precision import DECIMAL_PLACES, SIGNIFICANT_DIGITS
from tradestore.accounting.profit import fee_factor
from tradestore.constants import DATETIME_FORMAT
from tradestore.enums import TradingMode

if TYPE_CHECKING:
    from tradestore.accounting.explanation import (
        ExitExplanation,
        OrderExplanation,
        Rounded,
        RoundingRule,
        TradeExplanation,
    )

__all__ = ["lines_of", "rule_text"]

_WIDTH: Final = 80
_LABEL: Final = 15
_DIGITS: Final = 24
"""How many significant digits of an exact number are shown; what is cut off is marked."""

_LONGEST: Final = 26
"""A number with more characters gets an exponent."""

_UNIT: Final = re.compile(r"(?<=[0-9.]) (?=[%A-Za-z])")
"""The blank between a number and its unit, at which no line is broken."""

_PERCENT: Final = Decimal(100)


def rule_text(rule: "RoundingRule") -> str:
    """Return a rule of rounding in words."""
    if rule.precision is None:
        return "not rounded"
    how = "cut" if rule.method == "truncate" else f"rounded {rule.method}"
    if rule.mode == DECIMAL_PLACES:
        steps = f"to {_count(rule.precision, 'decimal')}"
    elif rule.mode == SIGNIFICANT_DIGITS:
        steps = f"to {_count(rule.precision, 'significant digit')}"
    else:
        steps = f"to steps of {number(rule.precision)}"
    if rule.contract_size and rule.contract_size != 1:
        steps += f" contracts of {number(rule.contract_size)}"
    return f"{how} {steps}"


def number(value: float | Decimal) -> str:
    """Return a number without trailing zeros, with a mark where digits were cut off."""
    digits = exact(value)
    shown = digits.normalize() or ZERO
    if len(digits.as_tuple().digits) > _DIGITS:
        excess = len(digits.as_tuple().digits) - _DIGITS
        shown = digits.quantize(Decimal(1).scaleb(int(digits.as_tuple().exponent) + excess), "ROUND_DOWN")
    text = f"{shown:f}"
    if len(text) > _LONGEST:
        text = f"{shown:e}"
    return text if shown == digits else f"{text}..."


def lines_of(explanation: "TradeExplanation") -> list[str]:
    """Return an explanation in lines of at most 80 characters."""
    lines = [*_head(explanation)]
    for order in explanation.orders:
        lines += ["", *_order(order, explanation)]
    return [*lines, "", *_closing(explanation)]


def _head(explanation: "TradeExplanation") -> Iterator[str]:
    trade, terms = explanation.trade, explanation.terms
    side, state = "short" if terms.is_short else "long", "open" if trade.is_open else "closed"
    leverage = "" if terms.leverage == 1 else f", leverage {number(terms.leverage)}"
    mode = TradingMode(terms.trading_mode or TradingMode.SPOT).value
    yield from _wrapped(f"Trade {trade.id}: {trade.pair}, {side}, {mode} on {trade.exchange}{leverage}, {state}")
    yield f"Fees: {_percent(terms.fee_open)} to open, {_percent(terms.fee_close)} to close"


def _order(order: "OrderExplanation", explanation: "TradeExplanation") -> Iterator[str]:
    base, stake = explanation.trade.base_currency, explanation.trade.stake_currency
    told = [order.filled_at.strftime(DATETIME_FORMAT) if order.filled_at else "", order.order_id or "", order.tag or ""]
    facts = ", ".join(each for each in told if each)
    yield from _wrapped(
        f"{order.number}. {order.side} {number(order.filled)} {base} at {number(order.rate)} {stake}"
        + (f" ({facts})" if facts else ""),
        "   ",
    )
    if order.fee_base:
        text = f"{number(order.filled)} - {number(order.fee_base)} fee = {number(order.amount)} {base}"
        yield from _line("after fee", text)
    yield from _line("value", f"{number(order.amount)} x {number(order.rate)} = {number(order.cost)} {stake}")
    yield from _line("fee", f"{_percent(order.fee_ratio)} of it = {number(order.fee)} {stake}")
    if order.funding_fee:
        yield from _line("funding", f"{number(order.funding_fee)} {stake} on this order")
    if order.exit:
        yield from _exit(order, order.exit, explanation)
    before, after = order.before, order.after
    yield from _line("amount", f"{_change(before.amount, after.amount)} {base}{_rounding(after.amount)}")
    yield from _line("open rate", f"{_rate(order)} {stake}")
    yield from _line("own stake", f"{_change(before.stake_amount, after.stake_amount)} {stake}")
    if order.exit:
        text = f"{number(order.realized_profit)} {stake} ({_ratio(order.realized_ratio)})"
        yield from _line("realised so far", text)


def _exit(order: "OrderExplanation", leave: "ExitExplanation", explanation: "TradeExplanation") -> Iterator[str]:
    terms, stake = explanation.terms, explanation.trade.stake_currency
    sign = "+" if terms.is_short else "-"
    parts = [number(order.cost), f"{sign} {number(order.fee)} fee"]
    if leave.interest:
        parts.append(f"{sign} {number(leave.interest)} interest")
    if leave.funding_fees:
        gains = (leave.funding_fees > 0) != terms.is_short
        parts.append(f"{'+' if gains else '-'} {number(abs(leave.funding_fees))} funding")
    yield from _line(
        "costs" if terms.is_short else "brings in", f"{' '.join(parts)} = {number(leave.proceeds)} {stake}"
    )
    factor = number(fee_factor(terms.fee_open, not terms.is_short))
    average = number(order.before.open_rate.exact)
    text = f"{number(order.amount)} x {average} x {factor} = {number(leave.had_cost)} {stake}"
    yield from _line("had brought in" if terms.is_short else "had cost", text)
    first, second = (leave.had_cost, leave.proceeds) if terms.is_short else (leave.proceeds, leave.had_cost)
    text = f"{number(first)} - {number(second)} = {number(leave.profit.exact)} {stake}"
    if leave.profit.exact != exact(leave.profit.value):
        text += f", {rule_text(leave.profit.rule)}: {number(leave.profit.value)} {stake}"
    yield from _line("profit", f"{text} ({_ratio(leave.profit_ratio.value)})")


def _closing(explanation: "TradeExplanation") -> Iterator[str]:
    if not explanation.orders:
        yield "No order has been filled: there is nothing to explain."
        return
    if explanation.funding_fee_running:
        stake = explanation.trade.stake_currency
        yield f"Funding since the last fill: {number(explanation.funding_fee_running)} {stake}"
    wrong = {difference.field for difference in explanation.differences}
    yield f"   {'the trade':<18}{'by its orders':>26}{'as stored':>26}"
    for field in fields(explanation.totals):
        told, kept = (getattr(each, field.name) for each in (explanation.totals, explanation.stored))
        if told is None and kept is None:
            continue
        mark = " !" if field.name in wrong else ""
        yield f"   {field.name:<18}{_or_dash(told):>26}{_or_dash(kept):>26}{mark}"
    if wrong:
        yield from _wrapped(f"NOT EQUAL: {', '.join(sorted(wrong))}. The trade was edited, or not computed anew since.")
    else:
        yield "All are equal to the last bit."


def _line(label: str, text: str) -> Iterator[str]:
    yield from _wrapped(f"   {label:<{_LABEL}} {text}", " " * (_LABEL + 4))


def _wrapped(text: str, indent: str = "") -> Iterator[str]:
    kept_together = _UNIT.sub("\u00a0", text)
    for line in textwrap.wrap(kept_together, _WIDTH, subsequent_indent=indent, break_on_hyphens=False):
        yield line.replace("\u00a0", " ")


def _change(before: "Rounded", after: "Rounded") -> str:
    if before.value == after.value:
        return number(after.value)
    return f"{number(before.value)} -> {number(after.value)}"


def _rate(order: "OrderExplanation") -> str:
    before, after = order.before.open_rate, order.after.open_rate
    if not order.before.amount.value:
        return f"{number(after.value)}{_rounding(after)}"
    return _change(before, after) + ("" if before == after else _rounding(after))


def _rounding(rounded: "Rounded") -> str:
    if rounded.exact == exact(rounded.value):
        return ""
    if rounded.rule.precision is None:
        return f" (exactly {number(rounded.exact)})"
    return f" ({number(rounded.exact)} {rule_text(rounded.rule)})"


def _percent(ratio: float) -> str:
    return f"{number(multiply(exact(ratio), _PERCENT))} %"


def _ratio(ratio: float) -> str:
    return f"{ratio:.6%}".rstrip("%").rstrip("0").rstrip(".") + " %"


def _count(precision: float, what: str) -> str:
    return f"{number(precision)} {what}{'' if precision == 1 else 's'}"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else number(value)
