"""A trade as a fold over its fills, computed by hand."""

from collections.abc import Iterator
from decimal import Decimal, getcontext, localcontext

import pytest

from tests.accounting.making import entry, leave, numbers, terms
from tradestore.accounting import Fill, Position, fold_fills
from tradestore.exceptions import InvalidValue, OperationalException

FEES = terms(fee_open=0.001, fee_close=0.002)
SHORT_FEES = terms(fee_open=0.001, fee_close=0.002, is_short=True)


def test_no_fills():
    """Without a fill there is nothing, and nothing was realised."""
    position = fold_fills([], FEES)
    assert position == Position()
    assert position.realized_profit is None
    assert position.profit_ratio(1.0) == 0.0


def test_one_entry():
    """An entry of 10 at 20 holds 10 for a stake of 200; 200 · 1.001 = 200.2 with fee."""
    position = fold_fills([entry(10.0, 20.0)], FEES)
    assert position == Position(
        amount=Decimal(10),
        stake=Decimal(200),
        own_stake=Decimal(200),
        average_price=Decimal(20),
        entry_cost=Decimal(200),
        entry_value=Decimal("200.2"),
        own_entry_cost=Decimal(200),
    )


def test_what_leverage_lends_is_not_ones_own():
    """Of 200 + 800 at fivefold leverage 200 are the trade's own; 500 leave with half of it, 100 of them its own."""
    position = fold_fills([entry(10.0, 20.0), entry(10.0, 80.0), leave(10.0, 60.0)], terms(leverage=5.0))
    assert (position.stake, position.own_stake) == numbers(500, 100)
    assert (position.entry_cost, position.own_entry_cost) == numbers(1000, 200)


def test_entries_move_the_average_price():
    """10 at 20 and 30 at 24 make 40 for 200 + 720 = 920, so 23 each."""
    position = fold_fills([entry(10.0, 20.0), entry(30.0, 24.0)], FEES)
    assert (position.amount, position.stake, position.average_price) == numbers(40, 920, 23)
    assert (position.entry_cost, position.entry_value) == numbers(920, "920.92")


def test_partial_exit_leaves_at_the_average_price():
    """10 of 40 at 23 sold at 25: 10 · 25 · 0.998 - 10 · 23 · 1.001 = 249.5 - 230.23 = 19.27; 690 stays at 23."""
    position = fold_fills([entry(10.0, 20.0), entry(30.0, 24.0), leave(10.0, 25.0)], FEES)
    assert (position.amount, position.stake, position.average_price) == numbers(30, 690, 23)
    assert position.last_exit_profit == position.realized_profit == Decimal("19.27")
    assert position.realized_of == Decimal("920.92")
    # 19.27 / 920.92 = 0.02092472744646..., three times that with leverage.
    assert position.profit_ratio(1.0) == pytest.approx(0.0209247274464666, rel=1e-14)
    assert position.profit_ratio(3.0) == pytest.approx(0.0627741823393997, rel=1e-14)


def test_last_exit_ends_the_position():
    """The other 30 at 20: 30 · 20 · 0.998 - 30 · 23 · 1.001 = 598.8 - 690.69 = -91.89; 19.27 - 91.89 = -72.62."""
    position = fold_fills([entry(10.0, 20.0), entry(30.0, 24.0), leave(10.0, 25.0), leave(30.0, 20.0)], FEES)
    assert (position.amount, position.stake, position.average_price) == numbers(0, 0, 23)
    assert position.last_exit_profit == Decimal("-91.89")
    assert position.realized_profit == Decimal("-72.62")


def test_short():
    """Sold 10 at 20, bought 4 at 15: 4 · 20 · 0.999 - 4 · 15 · 1.002 = 79.92 - 60.12 = 19.8; 6 at 20 stay."""
    position = fold_fills([entry(10.0, 20.0), leave(4.0, 15.0)], SHORT_FEES)
    assert (position.amount, position.stake, position.average_price) == numbers(6, 120, 20)
    assert position.realized_profit == Decimal("19.8")
    assert position.realized_of == Decimal("199.8")


def test_exits_that_cancel_out_realise_zero():
    """Exits of +10 and -10 realise 0, which isn't the same as no exit."""
    position = fold_fills([entry(10.0, 20.0), leave(5.0, 22.0), leave(5.0, 18.0)], terms())
    assert (position.realized_profit, position.last_exit_profit) == numbers(0, -10)
    assert position.profit_ratio(5.0) == 0.0


def test_each_exit_is_rounded_half_even():
    """A profit of 5e-9 rounds to the even 0, one of 15e-9 to the even 2e-8."""
    fills = [entry(10.0, 1.0), leave(1.0, 1.000000005), leave(1.0, 1.000000015)]
    assert fold_fills(fills[:2], terms()).realized_profit == 0
    assert fold_fills(fills, terms()).realized_profit == Decimal("0.00000002")


def test_large_profit_keeps_its_eight_decimals():
    """1 bought at 0.00000001 and sold at 99999999.99 gains 99999999.98999999, which a float cannot hold."""
    position = fold_fills([entry(1.0, 0.00000001), leave(1.0, 99999999.99)], terms())
    assert position.realized_profit == Decimal("99999999.98999999")


def test_fee_in_base_currency_shrinks_an_entry():
    """10 filled with a fee of 0.01 in base currency hold 9.99, for a stake of 9.99 · 20 = 199.8."""
    position = fold_fills([entry(10.0, 20.0, fee_base=0.01)], terms())
    assert (position.amount, position.stake, position.average_price) == numbers("9.99", "199.8", 20)


@pytest.mark.parametrize("fee", [10.0, 10.5])
def test_fee_that_eats_the_whole_fill(fee):
    """A fill of which the fee takes all or more holds nothing, alone or before another."""
    eaten = entry(10.0, 20.0, fee_base=fee)
    assert fold_fills([eaten], terms()) == Position()
    assert fold_fills([eaten, entry(4.0, 25.0)], terms()) == fold_fills([entry(4.0, 25.0)], terms())
    assert fold_fills([entry(4.0, 25.0), eaten], terms()) == fold_fills([entry(4.0, 25.0)], terms())


def test_reentry_after_the_whole_position_was_sold():
    """Sold out with +50, then 5 bought at 30: the average starts anew, what was realised stays."""
    position = fold_fills([entry(10.0, 20.0), leave(10.0, 25.0), entry(5.0, 30.0)], terms())
    assert (position.amount, position.stake, position.average_price) == numbers(5, 150, 30)
    assert (position.realized_profit, position.entry_cost) == numbers(50, 350)
    assert position.realized_of == 200
    assert position.profit_ratio(1.0) == 0.25


def test_exit_after_a_reentry_counts_all_entries():
    """Sold the 5 at 28 as well: 50 - 10 = 40 of 350."""
    fills = [entry(10.0, 20.0), leave(10.0, 25.0), entry(5.0, 30.0), leave(5.0, 28.0)]
    position = fold_fills(fills, terms())
    assert (position.realized_profit, position.last_exit_profit, position.realized_of) == numbers(40, -10, 350)


def test_average_without_an_end():
    """1 at 1 and 2 at 2 average 5/3; selling all of it at 5/3 or so leaves no stake behind."""
    fills = [entry(1.0, 1.0), entry(2.0, 2.0)]
    assert fold_fills(fills, terms()).average_price == Decimal("1.666666666666666666")
    assert fold_fills([*fills, leave(3.0, 2.0)], terms()).stake == 0


def test_more_sold_than_held():
    """An exit beyond what is held leaves a negative amount, and a later entry fills it up first."""
    fills = [entry(10.0, 20.0), leave(12.0, 21.0)]
    position = fold_fills(fills, terms())
    assert (position.amount, position.stake, position.realized_profit) == numbers(-2, -40, 12)
    assert fold_fills([*fills, entry(1.0, 30.0)], terms()).average_price == 20
    assert fold_fills([*fills, entry(12.0, 24.0)], terms()).amount == 10


def test_a_generator_is_enough():
    """The fills are walked once, in order."""
    assert fold_fills((fill for fill in [entry(10.0, 20.0), leave(10.0, 21.0)]), terms()).realized_profit == 10


def test_unknown_mode_is_refused():
    """An exit under an unknown trading mode is refused."""
    with pytest.raises(OperationalException, match="isolated"):
        fold_fills([entry(10.0, 20.0), leave(5.0, 21.0)], terms(trading_mode="isolated"))


def test_what_is_no_number_is_refused():
    """A fill with a price of NaN is refused."""
    with pytest.raises(InvalidValue):
        fold_fills([entry(10.0, float("nan"))], terms())


def test_own_stake_without_leverage_is_the_exact_product():
    """0.20367472 at 5.005809842292362 cost 1.01955691800214098848864, of which nothing is cut without a division."""
    position = fold_fills([entry(0.20367472, 5.005809842292362)], terms())
    assert position.own_stake == position.own_entry_cost == Decimal("1.01955691800214098848864")


def test_what_was_sold_too_much_and_bought_back_begins_anew():
    """Once nothing is held or owed any more, the next entry alone makes the average."""
    position = fold_fills([leave(2.0, 10.0), entry(2.0, 30.0), entry(5.0, 7.0)], terms())
    assert (position.amount, position.stake, position.average_price) == numbers(5, 35, 7)


def test_fills_are_made_in_the_context_of_whoever_makes_them():
    """A generator of fills finds its own decimal context in force, and can do no harm to ours."""

    def fills() -> Iterator[Fill]:
        getcontext().prec = 5
        yield entry(1.0, 1.123456789)

    with localcontext():
        assert fold_fills(fills(), terms()).average_price == Decimal("1.123456789")
        assert getcontext().prec == 5
    assert fold_fills([entry(1.0, 1.123456789)] * 2, terms()).stake == Decimal("2.246913578")
