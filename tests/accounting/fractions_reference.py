"""The accounting once more, as plainly as it can be written, on fractions that never round.

Nothing here is shared with the library but the records that carry the numbers: what both agree on is right
because it follows from the formulas, not because one was copied from the other.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from tradestore.accounting import Fill, Loan, Terms

UNIT = Fraction(1, 10**8)
"""Profits are rounded to this."""


def fraction(number: float | Decimal) -> Fraction:
    """Return the number with the digits that are printed for it."""
    return Fraction(str(number))


def half_even(number: Fraction) -> Fraction:
    """Round to 8 decimals, halves to the even neighbour."""
    return round(number / UNIT) * UNIT


def open_value(amount: Fraction, rate: Fraction, terms: Terms) -> Fraction:
    fee = fraction(terms.fee_open)
    return amount * rate * (1 - fee if terms.is_short else 1 + fee)


def interest(owed: Fraction, duration: timedelta, loan: Loan) -> Fraction:
    """Return the interest on what is owed, by hours or periods of four hours begun."""
    microseconds = max(0, duration // timedelta(microseconds=1))
    hours = Fraction(microseconds, 3_600_000_000)
    charge = owed * fraction(loan.interest_rate)
    if loan.exchange == "binance":
        return charge * _begun(hours) / 24
    return charge * (1 + _begun(hours / 4)) if owed else Fraction(0)


def _begun(periods: Fraction) -> int:
    return -(-periods.numerator // periods.denominator)


def borrowed(amount: Fraction, rate: Fraction, terms: Terms) -> Fraction:
    leverage = fraction(terms.leverage)
    return amount if terms.is_short else amount * rate * (leverage - 1) / leverage


def close_value(amount: Fraction, rate: Fraction, owed: Fraction, funding: Fraction, terms: Terms) -> Fraction:
    fee = fraction(terms.fee_close)
    if terms.is_short:
        if terms.trading_mode == "margin":
            amount += owed
        value = amount * rate * (1 + fee)
        return value - funding if terms.trading_mode == "futures" else value
    value = amount * rate * (1 - fee)
    if terms.trading_mode == "margin":
        value -= owed
    return value + funding if terms.trading_mode == "futures" else value


@dataclass
class Ledger:
    """What a walk over fills has come to; `exit_profits` are not rounded."""

    terms: Terms
    amount: Fraction = Fraction(0)
    stake: Fraction = Fraction(0)
    average: Fraction = Fraction(0)
    entry_cost: Fraction = Fraction(0)
    entry_value: Fraction = Fraction(0)
    funding: Fraction = Fraction(0)
    funding_since_exit: Fraction = Fraction(0)
    exit_profits: list[Fraction] = field(default_factory=list)

    def take(self, fill: Fill) -> None:
        """Take in the next fill."""
        self.funding += fraction(fill.funding_fee)
        self.funding_since_exit += fraction(fill.funding_fee)
        amount = fraction(fill.amount) - fraction(fill.fee_base)
        if amount <= 0:
            return
        if fill.is_entry:
            self._enter(amount, fraction(fill.price))
        else:
            self._exit(amount, fill)

    def _enter(self, amount: Fraction, price: Fraction) -> None:
        self.amount += amount
        self.stake += amount * price
        self.average = self.stake / self.amount
        self.entry_cost += amount * price
        self.entry_value += open_value(amount, price, self.terms)

    def _exit(self, amount: Fraction, fill: Fill) -> None:
        self.amount -= amount
        self.stake -= amount * self.average
        owed = Fraction(0)
        if (loan := self.terms.loan) is not None:
            until = fill.filled_at if self.amount and fill.filled_at else loan.ends_at
            owed = interest(borrowed(amount, self.average, self.terms), until - loan.begins_at, loan)
        opened = open_value(amount, self.average, self.terms)
        closed = close_value(amount, fraction(fill.price), owed, self.funding_since_exit, self.terms)
        self.exit_profits.append(opened - closed if self.terms.is_short else closed - opened)
        self.funding_since_exit = Fraction(0)
