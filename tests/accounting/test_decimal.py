"""Numbers enter exactly as they are printed, and quotients are cut where nothing is lost."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradestore.accounting._decimal import divide, exact, exact_sum
from tradestore.exceptions import InvalidValue

finite = st.decimals(min_value=Decimal("-1e20"), max_value=Decimal("1e20"), allow_nan=False, places=12)
non_zero = finite.filter(bool)


class ForeignFloat(float):
    """A float that prints differently, as those of number packages do."""

    def __repr__(self) -> str:
        return f"foreign.float64({float.__repr__(self)})"


class Convertible:
    """A number type that is no float but turns into one."""

    def __float__(self) -> float:
        return 0.1


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, "0.1"),
        (1e-8, "1E-8"),
        (123456789.12345679, "123456789.12345679"),
        (-2.5, "-2.5"),
        (0, "0"),
        (7, "7"),
        (2**70, "1180591620717411303424"),
        (True, "1"),
        (Decimal("0.10000000000000000000000000001"), "0.10000000000000000000000000001"),
        (ForeignFloat(0.1), "0.1"),
        (Convertible(), "0.1"),
    ],
)
def test_exact_keeps_the_printed_digits(number, text):
    """A number becomes the decimal with the digits that Python prints for it, whatever its type."""
    assert exact(number) == Decimal(text)


@pytest.mark.parametrize(
    "number",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        ForeignFloat("nan"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
    ],
)
def test_exact_refuses_what_is_not_finite(number):
    """What is no finite number is refused before it can spoil a sum."""
    with pytest.raises(InvalidValue, match="finite"):
        exact(number)


def test_the_refusal_is_a_value_error():
    """A caller who knows only Python's errors can catch the refusal."""
    with pytest.raises(ValueError, match="nan"):
        exact(float("nan"))


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [
        ("1", "4", "0.25"),
        ("6", "3", "2"),
        ("0", "7", "0"),
        # 2/3 = 0.6666..., cut instead of rounded up.
        ("2", "3", "0.666666666666666666"),
        ("-2", "3", "-0.666666666666666666"),
        # 200/3 has its two digits before the point in addition.
        ("200", "3", "66.666666666666666666"),
        # One power of ten between the numbers: one decimal more.
        ("2", "30", "0.0666666666666666666"),
        # 1/30000000: eight zeros after the point would leave ten digits of eighteen.
        ("1", "30000000", "0.0000000333333333333333333"),
    ],
)
def test_divide_cuts_after_eighteen_digits(dividend, divisor, quotient):
    """A quotient is cut at 18 decimals, or as many later as the divisor is larger by powers of ten."""
    assert divide(Decimal(dividend), Decimal(divisor)) == Decimal(quotient)


@given(finite, non_zero)
def test_divide_errs_towards_zero_by_less_than_the_last_decimal(dividend, divisor):
    """What is cut off is less than 1e-18 and never changes the sign."""
    true, ours = Fraction(dividend) / Fraction(divisor), Fraction(divide(dividend, divisor))
    assert abs(ours) <= abs(true) < abs(ours) + Fraction(1, 10**18)
    assert ours * true >= 0


@given(st.floats(1e-300, 1.0), st.floats(1.0, 1e300))
def test_divide_keeps_the_precision_of_tiny_quotients(dividend, divisor):
    """However small the quotient, its first 17 digits are right."""
    true = Fraction(exact(dividend)) / Fraction(exact(divisor))
    ours = Fraction(divide(exact(dividend), exact(divisor)))
    assert true - ours < true / 10**17


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**30))
def test_divide_undoes_a_product(first, second):
    """A quotient that has an end is exact."""
    product = Decimal(f"{first * second}e-24")
    assert divide(product, Decimal(f"{second}e-12")) == Decimal(f"{first}e-12")


def test_exact_sum_adds_printed_digits():
    """0.1 + 0.2 is 0.3, and what is missing counts as nothing."""
    assert exact_sum([0.1, None, 0.2, 0.0]) == 0.3


def test_exact_sum_of_nothing_is_zero():
    """An empty sum is 0.0."""
    total = exact_sum([])
    assert (total, type(total)) == (0.0, float)


def test_exact_sum_keeps_small_numbers_beside_large_ones():
    """A small summand isn't swallowed by a large one that is taken away again."""
    assert exact_sum([1e16, 0.25, -1e16]) == 0.25


def test_exact_sum_refuses_nan():
    """A sum with NaN in it is refused instead of being NaN."""
    with pytest.raises(InvalidValue):
        exact_sum([1.0, float("nan")])
