"""Where floats answer, they answer what decimals do: a million cases by chance for each, the meanest ones among them.

The cases are drawn by plain chance with fixed seeds: hypothesis would take minutes for as many.
"""

import math
import random
from collections.abc import Iterator
from decimal import Context, Decimal

import pytest

from tests.accounting.making import entry
from tests.accounting.making import terms as some
from tradestore.accounting import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    TICK_SIZE,
    Rounding,
    close_value,
    open_value,
    price_to_precision,
    profit_of,
    profit_ratio_of,
    rounded,
    stop_price,
)
from tradestore.accounting._decimal import exact
from tradestore.accounting.fills import Fill, Terms, fold_fills, outcome_of
from tradestore.accounting.float_profit import sure_profit, sure_profit_ratio
from tradestore.accounting.precision import _round, _round_by_floats
from tradestore.accounting.unit_fold import Row, fold_units, open_value_by_units

SEEDS = range(10)
CASES_PER_SEED = 100_000
by_chance = pytest.mark.parametrize("seed", SEEDS)

ROOMY = Context(prec=100)

FEES = (0.0, 0.001, 0.00075, 0.0026, -0.00025, 0.1 + 0.2)


def wide(chance: random.Random) -> float:
    """Return a number of any size and up to 17 digits."""
    return math.ldexp(chance.random(), chance.randint(-40, 30))


def short(chance: random.Random) -> float:
    """Return a number with few digits, such as people and exchanges use."""
    digits = str(chance.randint(10**8, 10**9))[: chance.randint(1, 9)]
    return float(f"{digits}e-{chance.randint(0, 8)}")


def beside(number: float, chance: random.Random) -> float:
    """Return a number or one of its next neighbours."""
    for _ in range(chance.choice((0, 0, 1, 2))):
        number = math.nextafter(number, chance.choice((0.0, math.inf)))
    return number


def positions(chance: random.Random, count: int) -> Iterator[tuple[float, float, float, float, float, float]]:
    """Draw amount, rate, closing fee, open value, funding and leverage; a third of them lie on or beside a tie."""
    for _ in range(count):
        kind, leverage = chance.randrange(3), chance.choice((1.0, 1.0, 3.0, 7.5, 125.0, wide(chance)))
        draw = wide if kind == 0 else short
        amount, rate, opened, fee = draw(chance), draw(chance), draw(chance), chance.choice(FEES)
        if kind == 2:
            # value / opened = k·10^-8 / 2 ends in 5 at the ninth decimal for each odd k, whatever the amount.
            amount, fee, opened = 2.0 ** chance.randint(-8, 8), 0.0, 2.0 ** chance.randint(-3, 6)
            rate = chance.randint(1, 10**10) * 1e-8 * opened / amount / 2
            amount, rate, opened = beside(amount, chance), beside(rate, chance), beside(opened, chance)
        else:
            opened = chance.choice((opened, amount * rate, amount * rate * chance.uniform(0.5, 2.0)))
        funding = chance.choice((0.0, chance.uniform(-1.0, 1.0) * opened, short(chance)))
        yield amount, rate, fee, opened, funding, leverage


def same(fast: float, right: float) -> bool:
    """Tell whether two floats are the same, the sign of a zero included."""
    return fast == right and math.copysign(1.0, fast) == math.copysign(1.0, right)


@by_chance
def test_profit_by_floats_is_the_exact_one(seed):
    """Whenever floats tell a profit or a ratio it is that of the decimals, and they nearly always tell one."""
    chance = random.Random(seed)
    told = 0
    for amount, rate, fee, opened, funding, leverage in positions(chance, CASES_PER_SEED):
        is_short, mode = chance.random() < 0.5, chance.choice((None, "spot", "futures"))
        profit = sure_profit(amount, rate, fee, opened, mode, funding, is_short)
        ratio = sure_profit_ratio(amount, rate, fee, opened, mode, funding, leverage, is_short)
        told += (profit is not None) + (ratio is not None)
        before = exact(opened)
        after = close_value(amount, rate, fee, is_short=is_short, trading_mode=mode, funding_fees=funding)
        case = (amount, rate, fee, opened, mode, funding, leverage, is_short)
        if profit is not None:
            assert same(profit, rounded(profit_of(before, after, is_short=is_short))), case
        if ratio is not None:
            assert same(ratio, rounded(profit_ratio_of(before, after, leverage, is_short=is_short))), case
    assert told > CASES_PER_SEED


@by_chance
def test_steps_by_floats_are_the_exact_ones(seed):
    """Whenever floats round a price to a step it is where decimals round it, and they nearly always do."""
    chance = random.Random(seed)
    told = 0
    for _ in range(CASES_PER_SEED):
        mode = chance.choice((TICK_SIZE, DECIMAL_PLACES))
        if mode == TICK_SIZE:
            precision: float = chance.choice((0.01, 0.05, 1e-8, 0.25, 5, 0.3, 1e-5, 3e-7, 10.0, short(chance)))
        else:
            precision = chance.randint(-2, 9)
        step = precision if mode == TICK_SIZE else 10.0**-precision
        # On a step, half way between two, beside either, or anywhere.
        price = step * chance.choice((chance.randint(0, 10**6), chance.randint(0, 10**6) + 0.5, wide(chance)))
        price = beside(chance.choice((price, round(price, 8), short(chance), wide(chance))), chance)
        rounding = chance.choice(list(Rounding))
        fast = _round_by_floats(price, precision, mode, rounding)
        if fast is not None:
            told += 1
            assert same(fast, float(_round(exact(price), precision, mode, rounding))), (
                price,
                precision,
                mode,
                rounding,
            )
    assert told > CASES_PER_SEED / 2


@by_chance
def test_stop_by_whole_numbers_is_the_exact_one(seed):
    """A stop is the float nearest to price times distance, however many digits the price has."""
    chance = random.Random(seed)
    for _ in range(CASES_PER_SEED):
        price = beside(chance.choice((short, wide))(chance), chance)
        stoploss, leverage = chance.choice((-0.1, -0.05, -0.237)), chance.choice((1.0, 4.0, 5.0))
        is_short = chance.random() < 0.5
        distance = ROOMY.divide(Decimal(repr(stoploss)), Decimal(leverage))
        right = float(ROOMY.multiply(Decimal(repr(price)), 1 - distance if is_short else 1 + distance))
        assert stop_price(price, stoploss, leverage, is_short, None, None) == right, (price, stoploss, leverage)


def fills_of(chance: random.Random) -> list[Row]:
    """Draw the fills of a trade; now and then it ends and begins again, or more is sold than was held."""
    held = 0.0
    fills: list[Row] = []
    price = short(chance)
    for _ in range(chance.randint(1, 6)):
        is_entry = not held or chance.random() < 0.6
        amount = short(chance)
        if not is_entry and chance.random() < 0.95:
            amount = min(held, chance.choice((held, amount)))
        held = round(held + amount if is_entry else max(0.0, held - amount), 8)
        price = chance.choice((short(chance), round(price * chance.uniform(0.9, 1.1), chance.randint(2, 8)), price))
        fee_base = 0.0 if chance.random() < 0.8 else round(amount * 0.001, chance.randint(4, 9))
        funding = chance.choice((0.0, 0.0, round(chance.uniform(-5, 5), 8), chance.uniform(-5, 5)))
        fills.append((is_entry, amount, fee_base, wide(chance) if chance.random() < 0.02 else price, funding, None))
    return fills


@by_chance
def test_fold_in_whole_numbers_is_the_exact_one(seed):
    """Whenever whole numbers fold fills, every float of the outcome is that of the decimals; mostly they do."""
    chance = random.Random(seed)
    told = 0
    for _ in range(CASES_PER_SEED // 4):  # with three or four fills each
        fills, running = fills_of(chance), chance.choice((0.0, 0.0, chance.uniform(-1, 1)))
        terms = Terms(
            chance.random() < 0.5,
            chance.choice((1.0, 1.0, 3.0, 7.0, 12.5, 0.3)),
            chance.choice((None, "spot", "futures")),
            chance.choice(FEES),
            chance.choice(FEES),
        )
        quick = fold_units(fills, terms, running)
        if quick is not None:
            told += 1
            right = outcome_of(fold_fills(map(Fill._make, fills), terms), terms, running)
            assert list(map(repr, quick)) == list(map(repr, right)), (fills, terms, running)
    assert told > CASES_PER_SEED / 10


@by_chance
def test_open_value_in_whole_numbers_is_the_exact_one(seed):
    """An open value is the float nearest to the product of amount, rate and fee."""
    chance = random.Random(seed)
    told = 0
    for _ in range(CASES_PER_SEED // 10):
        draw = chance.choice((short, short, wide))
        amount, rate, fee, is_short = draw(chance), draw(chance), chance.choice(FEES), chance.random() < 0.5
        value = open_value_by_units(amount, rate, fee, is_short)
        if value is not None:
            told += 1
            assert same(value, float(open_value(amount, rate, fee, is_short=is_short))), (amount, rate, fee, is_short)
    assert told > CASES_PER_SEED / 40


@pytest.mark.parametrize(
    ("values", "terms"),
    [
        ({"amount": float("nan")}, {}),
        ({"amount": float("inf")}, {}),
        ({"amount": 1e-9}, {}),
        ({"amount": 1e8}, {}),
        ({"amount": Decimal(1)}, {}),
        ({"price": 0.1 + 0.2}, {}),
        ({"price": -1.0}, {}),
        ({"price": "1"}, {}),
        ({"fee_base": 1e-9}, {}),
        ({"funding_fee": 1e-30}, {}),
        ({"funding_fee": float("nan")}, {}),
        ({"is_entry": False}, {}),  # more sold than held
        ({}, {"leverage": 1 / 3}),
        ({}, {"fee_open": 1e-9}),
        ({}, {"fee_open": 1.0, "is_short": True}),  # all of the open value goes to the fee
        ({}, {"trading_mode": "margin"}),
        ({}, {"trading_mode": "isolated"}),
    ],
)
def test_whole_numbers_know_what_they_cannot_tell(values, terms):
    """What does not fit into whole numbers, or is to be refused, is left to the decimals."""
    fill = entry(1.0, 2.0)._replace(**values)
    assert fold_units([entry(1.0, 2.0)], some(), 0.0) is not None
    assert fold_units([fill], some(**terms), 0.0) is None


@pytest.mark.parametrize(
    ("amount", "rate", "fee", "opened", "funding", "leverage"),
    [
        (float("nan"), 1.0, 0.0, 1.0, 0.0, 1.0),
        (1.0, float("inf"), 0.0, 1.0, 0.0, 1.0),
        (1.0, 1.0, 0.0, float("nan"), 0.0, 1.0),
        (1.0, 1.0, 0.0, 1.0, float("nan"), 1.0),
        (1.0, 1.0, float("nan"), 1.0, 0.0, 1.0),
        (0.0, 1.0, 0.0, 1.0, 0.0, 1.0),
        (1e-310, 1e300, 0.0, 1.0, 0.0, 1.0),  # a subnormal has fewer digits
        (1e300, 1e300, 0.0, 1.0, 0.0, 1.0),
        (1.0, 1.0, 0.999999, 1.0, 0.0, 1.0),  # a fee that takes nearly all leaves few digits
        (1.0, 1.0, 0.0, 1.0, 1e9, 1.0),  # funding beyond the position as well
        (1.0, 1.0000000050000001, 0.0, 1.0, 0.0, 1.0),  # half way between two results
        (1.0, 5000.0, 0.0, 1.0, 0.0, 1.0),
        (Decimal(1), 1.0, 0.0, 1.0, 0.0, 1.0),
        ("1", 1.0, 0.0, 1.0, 0.0, 1.0),
        (10**400, 1.0, 0.0, 1.0, 0.0, 1.0),
    ],
)
def test_floats_know_what_they_cannot_tell(amount, rate, fee, opened, funding, leverage):
    """What floats cannot decide, or must not calculate with, is left to the exact path."""
    assert sure_profit_ratio(amount, rate, fee, opened, "futures", funding, leverage, False) is None


@pytest.mark.parametrize("mode", ["margin", "isolated"])
def test_other_modes_are_left_to_the_exact_path(mode):
    """Interest, and the refusal of an unknown mode, are the exact path's."""
    assert sure_profit(1.0, 2.0, 0.0, 1.0, mode, 0.0, False) is None
    assert sure_profit_ratio(1.0, 2.0, 0.0, 1.0, mode, 0.0, 1.0, False) is None


def test_large_profits_are_left_to_the_exact_path():
    """Floats of ten million have no eight decimals to spare."""
    assert sure_profit(1.0, 1e7 + 0.1, 0.001, 1e7, None, 0.0, False) is None
    assert sure_profit(1.0, 1000.5, 0.001, 1000.0, None, 0.0, False) == -0.5005


@pytest.mark.parametrize(
    ("price", "precision", "mode"),
    [
        (123.456, 3, SIGNIFICANT_DIGITS),
        (1.0, 0.0, TICK_SIZE),
        (-1.0, 0.1, TICK_SIZE),
        (1e13, 1.0, TICK_SIZE),
        (0.3 - 2**-54, 0.1, TICK_SIZE),  # the neighbour of a step
        (1.0, 2, 7),
        (Decimal("1.1"), 2, DECIMAL_PLACES),
        (float("nan"), 2, DECIMAL_PLACES),
    ],
)
def test_steps_that_floats_cannot_count(price, precision, mode):
    """Where there is no one step, no certainty or no float, decimals round."""
    assert _round_by_floats(price, precision, mode, Rounding.NEAREST) is None


def test_an_unknown_stop_distance_of_a_fine_price():
    """A price with more than 15 digits keeps all of them: 0.1234567890123456 · 0.9 = 0.11111111011111104."""
    assert stop_price(0.1234567890123456, -0.1, 1.0, False, None, None) == 0.11111111011111104
    assert price_to_precision(0.1234567890123456, 8, DECIMAL_PLACES) == 0.12345679
