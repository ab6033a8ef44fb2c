"""The library's accounting against a reference on fractions, over random numbers."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.accounting import fractions_reference as reference
from tests.accounting.fractions_reference import UNIT, Ledger, fraction, half_even
from tests.accounting.making import durations, fundings, prices, some_fills, some_loans, some_terms
from tradestore.accounting import (
    borrowed_amount,
    close_value,
    fold_fills,
    interest_on,
    open_value,
    profit_of,
    profit_ratio_of,
    rounded,
)

CUT = Fraction(1, 10**9)
"""More than what cutting quotients at 18 decimals can add up to for amounts of a billion."""

amounts = st.one_of(st.integers(1, 10**9).map(lambda n: n / 1000), st.floats(1e-8, 1e6))


@given(amounts, prices, some_terms())
def test_open_value_is_exact(amount, rate, terms):
    """The open value is the formula's, to the last digit."""
    ours = open_value(amount, rate, terms.fee_open, is_short=terms.is_short)
    assert Fraction(ours) == reference.open_value(fraction(amount), fraction(rate), terms)


@given(amounts, prices, prices, fundings, some_terms())
def test_close_value_is_exact(amount, rate, owed, funding, terms):
    """The close value is the formula's in each mode, to the last digit."""
    ours = close_value(
        amount,
        rate,
        terms.fee_close,
        is_short=terms.is_short,
        trading_mode=terms.trading_mode,
        interest=Decimal(str(owed)),
        funding_fees=funding,
    )
    expected = reference.close_value(fraction(amount), fraction(rate), fraction(owed), fraction(funding), terms)
    assert Fraction(ours) == expected


@given(amounts, prices, prices, some_terms())
def test_profit_and_ratio_are_rounded_from_the_exact_number(amount, open_rate, rate, terms):
    """Profit and ratio are the exact numbers, rounded half even at 8 decimals."""
    opened = open_value(amount, open_rate, terms.fee_open, is_short=terms.is_short)
    closed = close_value(amount, rate, terms.fee_close, is_short=terms.is_short, trading_mode="spot")
    profit = (Fraction(closed) - Fraction(opened)) * (-1 if terms.is_short else 1)
    ratio = profit / Fraction(opened) * fraction(terms.leverage)
    assert rounded(profit_of(opened, closed, is_short=terms.is_short)) == float(half_even(profit))
    ours = profit_ratio_of(opened, closed, terms.leverage, is_short=terms.is_short)
    assert abs(Fraction(ours) - ratio) < Fraction(20, 10**18)
    assert rounded(ours) in {float(half_even(ratio - CUT / 10**6)), float(half_even(ratio + CUT / 10**6))}


@given(amounts, prices, some_terms())
def test_borrowed_is_exact_to_eighteen_decimals(amount, rate, terms):
    """The loan is the formula's but for the cut of a quotient without an end."""
    ours = borrowed_amount(amount, rate, terms.leverage, is_short=terms.is_short)
    missing = reference.borrowed(fraction(amount), fraction(rate), terms) - Fraction(ours)
    assert 0 <= missing < Fraction(1, 10**18)


@given(amounts, durations, some_loans())
def test_interest_is_exact_to_eighteen_decimals(owed, duration, loan):
    """Interest is the formula's but for the cut of a quotient without an end."""
    ours = interest_on(owed, loan.interest_rate, duration, loan.exchange)
    missing = reference.interest(fraction(owed), duration, loan) - Fraction(ours)
    assert 0 <= missing < Fraction(1, 10**18)


@settings(max_examples=300)
@given(some_fills(), some_terms())
def test_fold_equals_the_reference(fills, terms):
    """Amount, stake, average, entries and funding of any series of fills are the reference's."""
    ledger = Ledger(terms)
    for fill in fills:
        ledger.take(fill)
    position = fold_fills(fills, terms)
    assert Fraction(position.amount) == ledger.amount
    assert Fraction(position.entry_cost) == ledger.entry_cost
    assert Fraction(position.entry_value) == ledger.entry_value
    assert Fraction(position.funding_fees) == ledger.funding
    assert abs(Fraction(position.stake) - ledger.stake) < CUT
    assert abs(Fraction(position.average_price) - ledger.average) < Fraction(1, 10**17)


@settings(max_examples=300)
@given(some_fills(), some_terms())
def test_each_exit_is_rounded_from_the_exact_profit(fills, terms):
    """The profit of each exit is the exact one rounded to 8 decimals, and they add up to what is realised."""
    ledger, realized = Ledger(terms), Fraction(0)
    for number, fill in enumerate(fills, start=1):
        ledger.take(fill)
        position = fold_fills(fills[:number], terms)
        if not ledger.exit_profits:
            assert position.realized_profit is None
            assert position.last_exit_profit is None
            continue
        assert position.realized_profit is not None
        assert position.last_exit_profit is not None
        if not fill.is_entry:
            profit, exact = Fraction(position.last_exit_profit), ledger.exit_profits[-1]
            assert profit in {half_even(exact - CUT), half_even(exact + CUT)}
            assert profit % UNIT == 0
            realized += profit
        assert Fraction(position.realized_profit) == realized
