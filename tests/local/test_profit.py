"""Profit of a trade at some rate, computed by hand.

10 bought at 20 with fees of 0.1 % and 0.2 %: 200.2 to open, 10 · 22 · 0.998 = 219.56 when closed at 22; as a short
199.8 and 10 · 22 · 1.002 = 220.44.
"""

from decimal import Decimal

import pytest

from tests.local.making import OPENED, after, fill, make_trade
from tradestore.accounting import ProfitStruct
from tradestore.exceptions import InvalidValue, OperationalException


@pytest.mark.parametrize(
    ("values", "closed", "profit", "ratio"),
    [
        ({}, 219.56, 19.36, 0.0967033),  # 19.36 / 200.2 = 0.0967032967...
        ({"is_short": True}, 220.44, -20.64, -0.1033033),  # -20.64 / 199.8 = -0.1033033033...
        ({"trading_mode": "futures", "funding_fees": 3.0, "leverage": 5.0}, 222.56, 22.36, 0.55844156),
        ({"trading_mode": "futures", "funding_fees": None}, 219.56, 19.36, 0.0967033),
        (
            {"trading_mode": "futures", "funding_fees": -3.0, "is_short": True, "leverage": 5.0},
            223.44,
            -23.64,
            -0.59159159,
        ),
        # Half borrowed: 100 · 0.0024 / 24 · 3 h = 0.03, so 219.53; 19.33 / 200.2 · 2 = 0.1931068931...
        ({"trading_mode": "margin", "leverage": 2.0}, 219.53, 19.33, 0.19310689),
        # 10 borrowed: 0.001 · 3 h = 0.003, (10 + 0.003) · 22 · 1.002 = 220.506132; -20.706132 / 199.8 = -0.10363429...
        ({"trading_mode": "margin", "is_short": True}, 220.506132, -20.706132, -0.10363429),
    ],
)
def test_profit(values, closed, profit, ratio):
    """Each mode and side has its close value, profit and ratio."""
    trade = make_trade(**{"interest_rate": 0.0024, "close_date": after(3)} | values)
    assert trade.calc_close_trade_value(22.0) == closed
    assert (trade.calc_profit(22.0), trade.calc_profit_ratio(22.0)) == (profit, ratio)
    result = trade.calculate_profit(22.0)
    assert (result.profit_abs, result.profit_ratio, result.total_profit) == (profit, ratio, profit)


@pytest.mark.parametrize("method", ["calculate_profit", "calc_profit", "calc_profit_ratio"])
def test_a_part_is_compared_with_its_own_cost(method):
    """5 of 10 at 20: half the profit and the same ratio as the whole, by each of the methods."""
    trade = make_trade()
    given, fallen_back = getattr(trade, method)(22.0, 5.0, 20.0), getattr(trade, method)(22.0, 5.0)
    expected = {
        "calculate_profit": ProfitStruct(9.68, 0.0967033, 9.68, 0.0),
        "calc_profit": 9.68,
        "calc_profit_ratio": 0.0967033,
    }
    assert given == fallen_back == expected[method]


def test_an_open_rate_alone():
    """All 10, had they been bought at 21: 219.56 - 210.21 = 9.35."""
    assert make_trade().calc_profit(22.0, open_rate=21.0) == 9.35


def test_zero_is_a_value():
    """An amount of 0 is worth nothing, and an open rate of 0 cost nothing; only None falls back."""
    trade = make_trade()
    assert trade.calc_close_trade_value(22.0, 0.0) == 0.0
    assert (trade.calc_profit(22.0, 0.0), trade.calc_profit_ratio(22.0, 0.0)) == (0.0, 0.0)
    assert (trade.calc_profit(22.0, open_rate=0.0), trade.calc_profit_ratio(22.0, open_rate=0.0)) == (219.56, 0.0)
    assert (trade.calc_profit(0.0), trade.calc_profit_ratio(0.0)) == (-200.2, -1.0)


def test_close_value_without_a_rate():
    """Without a rate the trade's own close rate counts; without that the value is 0."""
    assert make_trade().calc_close_trade_value(None) == 0.0
    assert make_trade(close_rate=22.0).calc_close_trade_value(None) == 219.56
    assert make_trade(close_rate=22.0).calc_close_trade_value(None, 5.0) == 109.78


def test_the_stored_open_value_counts():
    """Without amount and open rate the stored open value is what opening cost: 219.56 - 210 = 9.56."""
    assert make_trade(open_trade_value=210.0).calc_profit(22.0) == 9.56


def test_an_open_value_that_is_not_stored():
    """A trade without a stored open value computes it."""
    trade = make_trade()
    trade.open_trade_value = None
    assert trade.calc_profit(22.0) == 19.36


def test_total_of_a_trade_left_in_part():
    """4 of 10 sold at 25 brought 20; 6 more at 22 would bring 12: 32 of 200 in total."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 4.0, 25.0)
    assert trade.calculate_profit(22.0) == ProfitStruct(12.0, 0.1, 32.0, 0.16)


@pytest.mark.parametrize(("is_short", "ratio"), [(False, 0.08), (True, 0.125)])
def test_total_ratio_has_the_opening_fee(is_short, ratio):
    """A profit of 10 on a largest stake of 100: with fees of 25 % and 20 %, of 125 for a long and of 80 for a short."""
    trade = make_trade(
        is_short=is_short, fee_open=0.2 if is_short else 0.25, max_stake_amount=100.0, realized_profit=10.0, amount=0.0
    )
    assert trade.calculate_profit(20.0).total_profit_ratio == ratio


def test_total_of_a_closed_trade_is_what_was_realised():
    """A closed trade gained 10, whatever the rate is now."""
    trade = make_trade(fee_open=0.0, fee_close=0.0)
    fill(trade, "buy", 10.0, 20.0)
    fill(trade, "sell", 10.0, 21.0)
    result = trade.calculate_profit(30.0)
    assert (result.total_profit, result.total_profit_ratio) == (10.0, 0.05)


def test_total_of_an_old_closed_trade():
    """A closed trade from before profits were realised step by step has its total in close_profit_abs."""
    trade = make_trade(is_open=False, close_profit_abs=7.0, realized_profit=None)
    assert trade.calculate_profit(30.0).total_profit == 7.0


def test_unset_leverage_counts_as_one():
    """A trade from before leverage was known computes like one without."""
    trade = make_trade(leverage=None)
    assert (trade.calc_profit_ratio(22.0), trade.borrowed) == (0.0967033, 0.0)


def test_unknown_mode_is_refused():
    """A mode that is none of the three is refused."""
    with pytest.raises(OperationalException, match="isolated"):
        make_trade(trading_mode="isolated").calc_profit(22.0)


@pytest.mark.parametrize(
    ("values", "borrowed", "interest"),
    [
        ({}, 0.0, 0.0),
        ({"leverage": 2.0}, 100.0, 0.0),  # no interest outside of margin
        ({"trading_mode": "margin"}, 0.0, 0.0),
        ({"trading_mode": "margin", "leverage": 2.0}, 100.0, 0.03),
        ({"trading_mode": "margin", "is_short": True}, 10.0, 0.003),
        ({"trading_mode": "margin", "leverage": 2.0, "exchange": "kraken"}, 100.0, 0.48),
        # Nothing borrowed needs no rule either.
        ({"trading_mode": "margin", "exchange": "bybit"}, 0.0, 0.0),
    ],
)
def test_loan_and_interest(values, borrowed, interest):
    """Three hours at 0.24 %: 100 · 0.0024 · 3/24 = 0.03 on Binance, 100 · 0.0024 · 2 = 0.48 on Kraken."""
    trade = make_trade(**{"interest_rate": 0.0024, "close_date": after(3)} | values)
    assert (trade.borrowed, trade.calculate_interest()) == (borrowed, interest)


def test_interest_of_an_open_trade_runs_until_now(time_machine):
    """While a trade is open its interest grows with the hours begun."""
    trade = make_trade(trading_mode="margin", leverage=2.0, interest_rate=0.0024)
    time_machine.move_to(OPENED, tick=False)
    assert trade.calculate_interest() == 0.0
    time_machine.move_to(after(1.5), tick=False)
    assert trade.calculate_interest() == 0.02


def test_interest_of_an_unknown_exchange_is_refused():
    """A margin loan of an exchange without a known rule is refused."""
    trade = make_trade(trading_mode="margin", leverage=2.0, interest_rate=0.0024, exchange="bybit")
    with pytest.raises(OperationalException, match="bybit"):
        trade.calculate_interest()


def test_interest_of_a_part():
    """Half the amount is charged half the interest: 109.78 - 0.015."""
    trade = make_trade(trading_mode="margin", leverage=2.0, interest_rate=0.0024, close_date=after(3))
    assert trade.calc_close_trade_value(22.0, 5.0) == 109.765


@pytest.mark.parametrize(
    ("values", "target", "rate"),
    [
        ({"fee_open": 0.0, "fee_close": 0.2}, 0.2, 30.0),  # 240 / 8
        ({"fee_open": 0.0, "fee_close": 0.25, "is_short": True}, 0.25, 12.0),  # 150 / 12.5
        ({"fee_open": 0.0, "fee_close": 0.2, "trading_mode": "futures", "funding_fees": 8.0}, 0.2, 29.0),
        ({"fee_close": 0.0}, 0.0, 20.02),  # break-even: 200.2 / 10
    ],
)
def test_rate_for_a_target(values, target, rate):
    """The rate for a target gives that ratio back."""
    trade = make_trade(**values)
    assert trade.calc_close_rate_for_roi(target) == rate
    assert trade.calc_profit_ratio(rate) == target


@pytest.mark.parametrize(("values", "target"), [({"is_short": True}, 2.0), ({"amount": 0.0}, 0.1), ({}, -1.5)])
def test_target_out_of_reach_is_refused(values, target):
    """A target that no rate gives is refused."""
    with pytest.raises(InvalidValue):
        make_trade(**values).calc_close_rate_for_roi(target)


@pytest.mark.parametrize("question", ["calc_profit", "calc_profit_ratio", "calculate_profit"])
def test_a_decimal_that_is_no_number_is_refused(question):
    """A rate that is not finite is refused, also as a decimal, which signals when it is compared."""
    with pytest.raises(InvalidValue):
        getattr(make_trade(), question)(Decimal("NaN"))
