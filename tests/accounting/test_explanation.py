"""What an explanation says, worked out by hand; and that its parts add up whatever the trade."""

from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from tests.accounting.making import OPENED, entry, leave, numbers, some_fills, some_terms, terms
from tradestore.accounting import Fill, Terms, fold_fills
from tradestore.accounting.explaining import FilledOrder, Steps, explain_orders
from tradestore.accounting.explanation import TradeExplanation, TradeHead, TradeTotals
from tradestore.accounting.explanation_text import number
from tradestore.accounting.fills import effects_of, outcome_of

NO_STEPS = Steps(None, None, None, None, None)
HEAD = TradeHead(id=1, pair="ADA/USDT", exchange="binance", base_currency="ADA", stake_currency="USDT", is_open=True)


def explained(fills: list[Fill], conditions: Terms, steps: Steps = NO_STEPS, running: float = 0.0) -> TradeExplanation:
    """Explain fills without orders around them."""
    orders = [FilledOrder(fill, "buy" if fill.is_entry else "sell") for fill in fills]
    return explain_orders(HEAD, orders, conditions, steps, running, TradeTotals())


def test_a_partial_exit_leaves_at_the_average():
    """10 at 20 and 10 at 18 cost 380, 19 each. 5 bring in 104.895 of 105, had cost 95 · 1.001, and 15 remain."""
    fills = [entry(10.0, 20.0), entry(10.0, 18.0), leave(5.0, 21.0)]
    _, second, third = explained(fills, terms(fee_open=0.001, fee_close=0.001)).orders
    assert (second.cost, second.fee) == numbers(180, "0.18")
    assert (second.before.amount.value, second.after.amount.value) == (10.0, 20.0)
    assert (second.before.open_rate.value, second.after.open_rate.value) == (20.0, 19.0)
    assert second.after.open_trade_value.exact == Decimal("380.38")
    assert third.exit is not None
    assert (third.cost, third.fee, third.exit.proceeds) == numbers(105, "0.105", "104.895")
    assert (third.exit.had_cost, third.exit.profit.exact) == (Decimal("95.095"), Decimal("9.8"))
    assert third.exit.profit_ratio.value == round(9.8 / 95.095, 8)
    assert (third.after.amount.value, third.after.stake_amount.value, third.realized_profit) == (15.0, 285.0, 9.8)


def test_numbers_are_rounded_by_the_rules_of_the_exchange():
    """3 at 10 and 4 at 11 average at 74/7 = 10.571428…; in steps of 0.05 that is 10.55. 6.99 is cut to 6.9."""
    steps = Steps(amount_precision=0.1, precision_mode=4, contract_size=None, price_precision=0.05, price_mode=4)
    held = explained([entry(3.0, 10.0), entry(4.0, 11.0, fee_base=0.01)], terms(), steps).orders[-1].after
    assert (held.amount.exact, held.amount.value) == (Decimal("6.99"), 6.9)
    assert str(held.amount.rule) == "cut to steps of 0.1"
    # 30 + 3.99 · 11 = 73.89, by 6.99.
    assert number(held.open_rate.exact) == "10.570815450643776824"
    assert (held.open_rate.value, str(held.open_rate.rule)) == (10.55, "rounded half up to steps of 0.05")


def test_contracts_are_named():
    """On futures an amount is cut to whole contracts: 1.29 of 0.1 each are 12."""
    steps = Steps(amount_precision=0, precision_mode=2, contract_size=0.1, price_precision=None, price_mode=None)
    held = explained([entry(1.29, 10.0)], terms(trading_mode="futures"), steps).orders[0].after.amount
    assert (held.value, str(held.rule)) == (1.2, "cut to 0 decimals contracts of 0.1")


def test_a_shorts_interest_is_valued_and_bears_the_fee():
    """The loan of 10 costs 0.0024 · 10 / 24 = 0.001 an hour; bought back at 18 with 1 % fee."""
    conditions = terms(trading_mode="margin", is_short=True, interest_rate=0.0024, fee_close=0.01, ends_at=OPENED)
    last = explained(
        [entry(10.0, 20.0), leave(10.0, 18.0, filled_at=None)],
        conditions._replace(loan=conditions.loan._replace(ends_at=OPENED.replace(hour=13))),  # type: ignore[union-attr]
    ).orders[-1]
    assert last.exit is not None
    assert last.exit.interest == Decimal("0.018")
    assert last.fee == Decimal("1.80018")
    assert last.exit.proceeds == Decimal(180) + Decimal("0.018") + Decimal("1.80018")


def test_what_the_fee_took_changes_nothing():
    """A fill of which the fee took everything has neither cost nor fee."""
    eaten = explained([entry(10.0, 20.0), leave(1.0, 20.0, fee_base=1.0)], terms(fee_close=0.01)).orders[-1]
    assert (eaten.amount, eaten.cost, eaten.fee) == numbers(0, 0, 0)
    assert eaten.exit is None
    assert eaten.before == eaten.after


def test_long_numbers_are_cut_visibly():
    """What is shown of a number is true: digits that are left out have a mark."""
    assert number(Decimal("1.10")) == "1.1"
    assert number(Decimal("1E+3")) == "1000"
    assert number(Decimal("1E-9")) == "0.000000001"
    assert number(Decimal("0.123456789012345678901234567")) == "0.123456789012345678901234..."


@given(some_fills(), some_terms(), st.sampled_from([0.0, -0.5]))
def test_totals_are_those_of_the_fold(fills, conditions, running):
    """The last step is what the fold over all fills gives, and each line of an exit adds up to its proceeds."""
    orders = explained(fills, conditions, running=running)
    outcome = outcome_of(fold_fills(fills, conditions), conditions, running)
    totals = orders.totals
    assert (totals.max_stake_amount, totals.funding_fees) == (outcome.own_entry_cost, outcome.funding_fees)
    assert totals.realized_profit == (outcome.realized_profit or 0.0)
    assert orders.orders[-1].after.amount.value == outcome.amount
    assert effects_of(fills, conditions)[-1].position == fold_fills(fills, conditions)
    sign = -1 if conditions.is_short else 1
    # Enough for the smallest float there is.
    with localcontext(prec=2000):
        for order in orders.orders:
            if order.exit:
                costs = order.fee + order.exit.interest
                assert order.cost - sign * costs + sign * order.exit.funding_fees == order.exit.proceeds


@given(some_fills(), some_terms())
def test_lines_fit_a_terminal(fills, conditions):
    """No line is wider than 80 columns, whatever the numbers."""
    lines = explained(fills, conditions).lines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith(f"{len(fills)}. ") for line in lines) == 1


def test_a_difference_needs_a_filled_order():
    """A trade that waits for its first fill has nothing to be compared with."""
    told = explain_orders(HEAD, [], terms(), NO_STEPS, 0.0, TradeTotals(amount=10.0))
    assert told.differences == ()
    assert "No order has been filled" in str(told)
