"""Open and close values, profit and ratio, computed by hand.

All tables buy or sell A = 10 at R = 20 and close at 22, with an opening fee of 0.1 % and a closing fee of 0.2 %:

    open value    long   10 · 20 · 1.001 = 200.2      short  10 · 20 · 0.999 = 199.8
    close value   long   10 · 22 · 0.998 = 219.56     short  10 · 22 · 1.002 = 220.44
"""

from decimal import Context, Decimal

import pytest

from tradestore.accounting import (
    borrowed_amount,
    close_value,
    fee_factor,
    open_value,
    profit_of,
    profit_ratio_of,
    rounded,
    total_profit_ratio_of,
)
from tradestore.enums import TradingMode
from tradestore.exceptions import InvalidValue, OperationalException

LONG, SHORT = False, True


@pytest.mark.parametrize(
    ("is_short", "amount", "rate", "fee", "value"),
    [
        (LONG, 10.0, 20.0, 0.001, "200.2"),
        (SHORT, 10.0, 20.0, 0.001, "199.8"),
        (LONG, 10.0, 20.0, 0.0, "200"),
        (SHORT, 10.0, 20.0, 0.0, "200"),
        # A rebate: the exchange pays 0.025 %. 10 · 20 · 0.99975 and 10 · 20 · 1.00025.
        (LONG, 10.0, 20.0, -0.00025, "199.95"),
        (SHORT, 10.0, 20.0, -0.00025, "200.05"),
        (LONG, 0.0, 20.0, 0.001, "0"),
        # 0.1 · 0.2 · 1.0025 = 0.02 · 1.0025, where floats see 0.020000000000000004.
        (LONG, 0.1, 0.2, 0.0025, "0.02005"),
        # 30000000 · 0.00000123 = 36.9; 36.9 · 1.001 = 36.9369.
        (LONG, 3e7, 1.23e-6, 0.001, "36.9369"),
    ],
)
def test_open_value(is_short, amount, rate, fee, value):
    """Opening costs A·R·(1 + fee) for a long and brings in A·R·(1 - fee) for a short."""
    assert open_value(amount, rate, fee, is_short=is_short) == Decimal(value)


VALUES = [
    # side, mode, interest, funding, close value
    (LONG, None, "0", 0.0, "219.56"),
    (LONG, "spot", "0", 0.0, "219.56"),
    (SHORT, "spot", "0", 0.0, "220.44"),
    (LONG, "margin", "0", 0.0, "219.56"),
    (LONG, "margin", "1.5", 0.0, "218.06"),  # 219.56 - 1.5 in stake currency
    (SHORT, "margin", "0.5", 0.0, "231.462"),  # (10 + 0.5) · 22 · 1.002 = 231 · 1.002
    (LONG, "futures", "0", 0.0, "219.56"),
    (LONG, "futures", "0", 3.0, "222.56"),  # 219.56 + 3
    (LONG, "futures", "0", -3.0, "216.56"),  # 219.56 - 3
    (SHORT, "futures", "0", 3.0, "217.44"),  # 220.44 - 3
    (SHORT, "futures", "0", -3.0, "223.44"),  # 220.44 + 3
    (LONG, "spot", "1.5", 3.0, "219.56"),  # neither interest nor funding belongs to spot
    (LONG, "margin", "1.5", 3.0, "218.06"),  # no funding on margin
    (SHORT, "futures", "0.5", 3.0, "217.44"),  # no interest on futures
]


@pytest.mark.parametrize(("is_short", "mode", "interest", "funding", "value"), VALUES)
def test_close_value(is_short, mode, interest, funding, value):
    """Closing is worth what the table of the mode says, exactly."""
    closed = close_value(
        10.0, 22.0, 0.002, is_short=is_short, trading_mode=mode, interest=Decimal(interest), funding_fees=funding
    )
    assert closed == Decimal(value)


def test_close_value_takes_the_enum():
    """The modes may be given as members, too."""
    assert close_value(10.0, 22.0, 0.002, is_short=LONG, trading_mode=TradingMode.FUTURES) == Decimal("219.56")


@pytest.mark.parametrize("mode", ["isolated", "", "SPOT"])
def test_close_value_refuses_another_mode(mode):
    """An unknown trading mode is refused by name instead of being taken for spot."""
    with pytest.raises(OperationalException, match="Unknown trading mode"):
        close_value(10.0, 22.0, 0.002, is_short=LONG, trading_mode=mode)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_values_refuse_numbers_that_are_none(number):
    """No value is computed from NaN or infinity."""
    with pytest.raises(InvalidValue):
        open_value(number, 20.0, 0.001, is_short=LONG)
    with pytest.raises(InvalidValue):
        close_value(10.0, number, 0.001, is_short=LONG, trading_mode="spot")


@pytest.mark.parametrize(
    ("is_short", "closed", "leverage", "profit", "ratio"),
    [
        # Long, opened for 200.2: profit = closed - 200.2, ratio = profit / 200.2 · leverage.
        (LONG, "219.56", 1.0, 19.36, 0.0967033),  # 19.36 / 200.2 = 0.096703296703...
        (LONG, "218.06", 3.0, 17.86, 0.26763237),  # 17.86 / 200.2 · 3 = 0.267632367632...
        (LONG, "222.56", 5.0, 22.36, 0.55844156),  # 22.36 / 200.2 · 5 = 0.558441558441...
        (LONG, "216.56", 5.0, 16.36, 0.40859141),  # 16.36 / 200.2 · 5 = 0.408591408591...
        (LONG, "200.2", 10.0, 0.0, 0.0),
        (LONG, "0", 1.0, -200.2, -1.0),
        # Short, opened for 199.8: profit = 199.8 - closed, ratio = profit / 199.8 · leverage.
        (SHORT, "220.44", 1.0, -20.64, -0.1033033),  # -20.64 / 199.8 = -0.103303303303...
        (SHORT, "231.462", 3.0, -31.662, -0.47540541),  # -31.662 / 199.8 · 3 = -0.475405405405...
        (SHORT, "217.44", 5.0, -17.64, -0.44144144),  # -17.64 / 199.8 · 5 = -0.441441441441...
        (SHORT, "223.44", 5.0, -23.64, -0.59159159),  # -23.64 / 199.8 · 5 = -0.591591591591...
        (SHORT, "0", 2.0, 199.8, 2.0),
    ],
)
def test_profit_and_ratio(is_short, closed, leverage, profit, ratio):
    """A long gains what closing brings above opening, a short what opening brought above closing."""
    opened, value = Decimal("199.8" if is_short else "200.2"), Decimal(closed)
    assert rounded(profit_of(opened, value, is_short=is_short)) == profit
    assert rounded(profit_ratio_of(opened, value, leverage, is_short=is_short)) == ratio


def test_ratio_of_nothing_is_zero():
    """Where nothing was opened there is no ratio, and no division by zero."""
    assert profit_ratio_of(Decimal(0), Decimal(5), 3.0, is_short=LONG) == 0


@pytest.mark.parametrize(
    ("number", "result"),
    [
        ("0.123456784", 0.12345678),
        ("0.123456786", 0.12345679),
        ("0.000000005", 0.0),  # halfway, to the even 0
        ("0.000000015", 0.00000002),  # halfway, to the even 2
        ("0.000000025", 0.00000002),
        ("-0.000000015", -0.00000002),
        ("1234567890123456.123456789", 1234567890123456.123456789),
    ],
)
def test_rounded_is_half_even_at_eight_decimals(number, result):
    """Profits and ratios are rounded to 8 decimals, halves to the even neighbour."""
    assert rounded(Decimal(number)) == result


@pytest.mark.parametrize(
    ("is_short", "total", "staked", "fee", "ratio"),
    [
        (LONG, "10", 100.0, 0.25, "0.08"),  # 10 / (100 · 1.25)
        (SHORT, "10", 100.0, 0.2, "0.125"),  # 10 / (100 · 0.8)
        (LONG, "-10", 100.0, 0.0, "-0.1"),
        (LONG, "10", 0.0, 0.25, "0"),
        (LONG, "10", None, 0.25, "0"),
    ],
)
def test_total_profit_ratio(is_short, total, staked, fee, ratio):
    """The total is compared with the largest stake and its opening fee; without a stake it is 0."""
    assert total_profit_ratio_of(Decimal(total), staked, fee, is_short=is_short) == Decimal(ratio)


@pytest.mark.parametrize(
    ("is_short", "leverage", "loan"),
    [
        (LONG, 1.0, "0"),
        (LONG, 2.0, "100"),  # 200 · 1/2
        (LONG, 5.0, "160"),  # 200 · 4/5
        (LONG, 3.0, "133.333333333333333333"),  # 200 · 2/3
        (LONG, 1.25, "40"),  # 200 · 0.25/1.25
        (SHORT, 1.0, "10"),
        (SHORT, 5.0, "10"),
    ],
)
def test_borrowed_amount(is_short, leverage, loan):
    """A long borrows stake beyond its own, a short all of the base currency that it sells."""
    assert borrowed_amount(10.0, 20.0, leverage, is_short=is_short) == Decimal(loan)


def test_a_decimal_fee_does_not_stand_for_a_float() -> None:
    """Decimal(0.001) is equal to 0.001 and has more digits: neither is taken for the other, whichever came first."""
    long = Decimal(0.0012345)  # noqa: RUF032 - with all of its digits
    exact_one_more = Context(prec=100).add(Decimal(1), long)
    for fee, factor in ((long, exact_one_more), (0.0012345, Decimal("1.0012345")), (long, exact_one_more)):
        assert fee_factor(fee, True) == factor


def test_funding_counts_on_futures_only() -> None:
    """Where funding doesn't count it isn't looked at either, be it what it may."""
    assert close_value(1.0, 2.0, 0.0, is_short=False, trading_mode="spot", funding_fees=float("nan")) == 2
    with pytest.raises(InvalidValue):
        close_value(1.0, 2.0, 0.0, is_short=False, trading_mode="futures", funding_fees=float("nan"))
