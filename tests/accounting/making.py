"""Terms and fills for the tests, and strategies that draw them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tradestore.accounting import Fill, Loan, Terms

OPENED = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPOT = Terms(is_short=False, leverage=1.0, trading_mode="spot", fee_open=0.0, fee_close=0.0)
LOAN = Loan(exchange="binance", interest_rate=0.0, begins_at=OPENED, ends_at=OPENED + timedelta(days=1))


def terms(**values: Any) -> Terms:
    """Return the terms of a spot long without fees, but for what is given; on margin with a loan of a day."""
    on_loan = {name: values.pop(name) for name in Loan._fields if name in values}
    conditions = SPOT._replace(**values)
    return conditions._replace(loan=LOAN._replace(**on_loan)) if conditions.trading_mode == "margin" else conditions


def numbers(*values: int | str) -> tuple[Decimal, ...]:
    """Return decimals to compare with."""
    return tuple(Decimal(value) for value in values)


def entry(amount: float, price: float, **values: Any) -> Fill:
    return _fill(amount, price, is_entry=True, **values)


def leave(amount: float, price: float, **values: Any) -> Fill:
    """Return the fill of an exit."""
    return _fill(amount, price, is_entry=False, **values)


def _fill(amount: float, price: float, **values: Any) -> Fill:
    return Fill(**{"amount": amount, "price": price, "fee_base": 0.0, "funding_fee": 0.0, "filled_at": None} | values)


def _floats(low: str, high: str, places: int) -> st.SearchStrategy[float]:
    return st.decimals(Decimal(low), Decimal(high), places=places).map(float)


prices = st.one_of(
    _floats("0.01", "99999.99", 2),
    _floats("0.00000001", "0.001", 8),
    st.floats(1e-8, 1e6),
)
fees = st.one_of(st.sampled_from([0.0, 0.001, 0.0026, 0.00075, -0.00025]), st.floats(0.0, 0.01))
fundings = st.one_of(st.just(0.0), _floats("-9.99999999", "9.99999999", 8))
leverages = st.sampled_from([1.0, 2.0, 3.0, 5.0, 7.5, 20.0])
durations = st.timedeltas(timedelta(0), timedelta(days=40))
modes = st.sampled_from([None, "spot", "margin", "futures"])


@st.composite
def some_loans(draw: st.DrawFn) -> Loan:
    """Draw a loan of each lender, rate and length."""
    return LOAN._replace(
        exchange=draw(st.sampled_from(["binance", "kraken"])),
        interest_rate=draw(st.sampled_from([0.0, 0.0005, 0.00024, 0.02])),
        ends_at=OPENED + draw(durations),
    )


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    """Draw terms of any mode, side, leverage and fees."""
    return terms(
        is_short=draw(st.booleans()),
        leverage=draw(leverages),
        trading_mode=draw(modes),
        fee_open=draw(fees),
        fee_close=draw(fees),
        **draw(some_loans())._asdict(),
    )


@st.composite
def some_fills(draw: st.DrawFn) -> list[Fill]:
    """Draw entries and exits that never sell more than is held; a position may end and begin again.

    Amounts are whole numbers of a step, so that what is held is known exactly.
    """
    step = draw(st.sampled_from([1, 1000, 10**8]))
    held, moment, fills = 0, OPENED, []
    for _ in range(draw(st.integers(1, 8))):
        is_entry = not held or draw(st.booleans())
        steps = draw(st.integers(1, 10**9 if is_entry else held))
        fee_steps = draw(st.integers(0, steps)) if is_entry and draw(st.booleans()) else 0
        held += steps - fee_steps if is_entry else -steps
        moment += draw(durations)
        fills.append(
            Fill(
                is_entry=is_entry,
                amount=steps / step,
                fee_base=fee_steps / step,
                price=draw(prices),
                funding_fee=draw(fundings),
                filled_at=draw(st.sampled_from([moment, None])),
            )
        )
    return fills
