"""What holds for every trade, whatever its numbers."""

from decimal import (
    ROUND_CEILING,
    Clamped,
    Context,
    Decimal,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Rounded,
    getcontext,
    localcontext,
)

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.accounting.making import (
    durations,
    entry,
    fees,
    fundings,
    leave,
    leverages,
    prices,
    some_fills,
    some_loans,
    some_terms,
    terms,
)
from tradestore.accounting import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    Rounding,
    amount_to_contract_precision,
    borrowed_amount,
    close_value,
    fold_fills,
    interest_on,
    open_value,
    price_to_precision,
    profit_of,
    profit_ratio_of,
    rate_for_profit_ratio,
    rounded,
    stop_price,
)
from tradestore.accounting._decimal import exact_sum
from tradestore.exceptions import InvalidValue

# Coarse, with little room, and refusing all that exact arithmetic would do inside it.
STRANGE = Context(
    prec=3,
    rounding=ROUND_CEILING,
    Emin=-4,
    Emax=4,
    traps=[Inexact, Rounded, Clamped, FloatOperation, InvalidOperation],
)


@given(some_fills(), fundings)
def test_long_gains_what_a_short_loses(fills, funding):
    """Without fees a long's profit is minus a short's, if one receives the funding that the other pays."""
    paid = [fill._replace(funding_fee=funding) for fill in fills]
    received = [fill._replace(funding_fee=-funding) for fill in fills]
    long = fold_fills(paid, terms(trading_mode="futures"))
    short = fold_fills(received, terms(trading_mode="futures", is_short=True))
    assert (long.realized_profit or 0) == -(short.realized_profit or 0)
    assert (long.amount, long.stake) == (short.amount, short.stake)


@given(some_fills(), some_terms(), st.data())
def test_a_split_fill_changes_nothing(fills, conditions, data):
    """A fill in two parts leaves the same amount and stake, and the profit but for one more rounding to 8 decimals."""
    index = data.draw(st.integers(0, len(fills) - 1))
    whole = fills[index]
    half = whole.amount / 2
    assume(not whole.fee_base and Decimal(str(half)) * 2 == Decimal(str(whole.amount)))
    # Funding is paid at the first part; both are filled at the same time.
    first = whole._replace(amount=half, filled_at=conditions.loan and conditions.loan.ends_at)
    second = first._replace(funding_fee=0.0)
    rest = fills[:index], fills[index + 1 :]
    once = fold_fills([*rest[0], first._replace(amount=whole.amount), *rest[1]], conditions)
    twice = fold_fills([*rest[0], first, second, *rest[1]], conditions)
    assert (twice.amount, twice.entry_cost, twice.entry_value) == (once.amount, once.entry_cost, once.entry_value)
    assert abs(twice.stake - once.stake) < Decimal("1e-8")
    if once.realized_profit is None:
        assert twice.realized_profit is None
    else:
        assert twice.realized_profit is not None
        assert abs(twice.realized_profit - once.realized_profit) <= Decimal("1.5e-8")


@given(
    target=st.floats(-0.9, 0.9),
    amount=st.floats(0.001, 1e6),
    open_rate=prices,
    fee_open=fees,
    fee_close=fees,
    leverage=leverages,
    is_short=st.booleans(),
    mode=st.sampled_from([None, "spot", "margin", "futures"]),
    cost=st.floats(0.0, 0.1),
)
def test_the_target_rate_is_the_inverse(target, amount, open_rate, fee_open, fee_close, leverage, is_short, mode, cost):
    """At the rate for a ratio the ratio is that one, to the digits that a rate has."""
    opened = open_value(amount, open_rate, fee_open, is_short=is_short)
    # Costs of up to a tenth of what was opened.
    share = opened * Decimal(str(cost))
    interest = (Decimal(str(amount)) * Decimal(str(cost)) if is_short else share) if mode == "margin" else Decimal(0)
    sides = {
        "is_short": is_short,
        "trading_mode": mode,
        "interest": interest,
        "funding_fees": float(share) if mode == "futures" else 0.0,
    }
    try:
        rate = rate_for_profit_ratio(
            target, amount=amount, opened=opened, fee_close=fee_close, leverage=leverage, **sides
        )
    except InvalidValue:
        # Out of reach: even at a rate of 0 the ratio is on the wrong side of the target.
        closed = close_value(amount, 0.0, fee_close, **sides)
        reached = profit_ratio_of(opened, closed, leverage, is_short=is_short)
        assert reached < Decimal(str(target)) if is_short else reached > Decimal(str(target))
        return
    closed = close_value(amount, rate, fee_close, **sides)
    ratio = profit_ratio_of(opened, closed, leverage, is_short=is_short)
    assert abs(ratio - Decimal(str(target))) < Decimal("1e-13")


@given(
    price=prices,
    precision=st.one_of(
        st.tuples(st.integers(0, 8), st.just(DECIMAL_PLACES)),
        st.tuples(st.integers(1, 8), st.just(SIGNIFICANT_DIGITS)),
        st.tuples(st.sampled_from([1e-8, 0.01, 0.05, 0.1, 0.25, 0.3, 5.0]), st.just(TICK_SIZE)),
    ),
    rounding=st.sampled_from(Rounding),
    sign=st.sampled_from([1, -1]),
)
def test_rounding_twice_is_rounding_once(price, precision, rounding, sign):
    """A rounded price stays, however it is rounded again, and lies on the side that was asked for."""
    places, mode = precision
    once = price_to_precision(sign * price, places, mode, rounding)
    assert {price_to_precision(once, places, mode, again) for again in Rounding} == {once}
    if rounding is Rounding.UP:
        assert once >= sign * price
    if rounding is Rounding.DOWN:
        assert once <= sign * price
    if rounding is Rounding.TRUNCATE:
        assert abs(once) <= price


@given(fills=some_fills(), conditions=some_terms())
def test_the_fold_ignores_the_callers_decimal_context(fills, conditions):
    """A fold inside a coarse decimal context gives what it gives outside."""
    outside = fold_fills(fills, conditions)
    with localcontext(STRANGE):
        inside = fold_fills(fills, conditions)
    assert inside == outside


@given(amount=st.floats(0.001, 1e6), rate=prices, conditions=some_terms(), loan=some_loans(), duration=durations)
def test_formulas_ignore_the_callers_decimal_context(amount, rate, conditions, loan, duration):
    """Each formula inside a coarse decimal context gives what it gives outside."""

    def results() -> list[object]:
        side, fee, leverage = conditions.is_short, conditions.fee_open, conditions.leverage
        opened = open_value(amount, rate, fee, is_short=side)
        interest = interest_on(amount, loan.interest_rate, duration, loan.exchange)
        mode = conditions.trading_mode
        closed = close_value(amount, 1.5, fee, is_short=side, trading_mode=mode, interest=interest, funding_fees=0.3)
        return [
            opened,
            interest,
            closed,
            borrowed_amount(amount, rate, leverage, is_short=side),
            rounded(profit_of(opened, closed, is_short=side)),
            rounded(profit_ratio_of(opened, closed, leverage, is_short=side)),
            rate_for_profit_ratio(
                0.001, amount=amount, opened=opened, fee_close=fee, leverage=leverage, is_short=side, trading_mode=mode
            ),
            price_to_precision(rate, 3, SIGNIFICANT_DIGITS),
            amount_to_contract_precision(amount, 0.25, TICK_SIZE, 0.3),
            stop_price(rate, -0.07, leverage, is_short=side, precision=4, mode=DECIMAL_PLACES),
            exact_sum([amount, rate, None]),
        ]

    outside = results()
    with localcontext(STRANGE):
        inside = results()
    assert inside == outside


def test_the_callers_decimal_context_is_given_back():
    """After a call, failed or not, the caller's own context is in force as it was."""
    with localcontext(STRANGE):
        fold_fills([entry(1.0, 3.0), leave(1.0, 7.0)], terms())
        with pytest.raises(InvalidValue):
            fold_fills([entry(1.0, float("nan"))], terms())
        context = getcontext()
        assert (context.prec, context.rounding, context.Emax) == (3, ROUND_CEILING, 4)
        assert context.flags == STRANGE.flags
