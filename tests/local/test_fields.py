"""The fields of trades and orders: defaults, names, and what follows from them alone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.local.making import OPENED, after, make_trade
from tradestore import LocalOrder, LocalTrade, TradingMode
from tradestore.exceptions import InvalidValue, OperationalException


@pytest.mark.parametrize(
    "field",
    [
        "base_currency",
        "stake_currency",
        "fee_open_currency",
        "fee_close_currency",
        "fee_open_cost",
        "exit_reason",
        "exit_order_status",
        "strategy",
        "enter_tag",
        "stop_loss_pct",
        "initial_stop_loss_pct",
        "max_stake_amount",
        "min_rate",
        "close_rate",
        "close_profit",
        "close_profit_abs",
        "close_date",
        "funding_fees",
        "funding_fee_running",
    ],
)
def test_unknown_field_is_none(field):
    """What isn't known yet is None, neither empty nor 0."""
    assert getattr(LocalTrade(pair="A/B"), field) is None


def test_known_defaults():
    """A trade is open, unleveraged, long, without profit, and has no orders."""
    trade = LocalTrade(pair="A/B")
    assert (trade.id, trade.is_open, trade.leverage, trade.is_short) == (0, True, 1.0, False)
    assert (trade.realized_profit, trade.max_rate, trade.stop_loss, trade.initial_stop_loss) == (0.0, 0.0, 0.0, 0.0)
    assert (trade.is_stop_loss_trailing, trade.record_version, trade.orders) == (False, 2, [])


def test_open_date_is_the_present_in_utc(time_machine):
    """Without an open date the trade was opened now, and now is UTC."""
    time_machine.move_to(datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2))), tick=False)
    trade = LocalTrade(pair="A/B")
    assert trade.open_date == OPENED
    assert trade.open_date_utc.tzinfo is UTC


def test_two_trades_share_no_list():
    """Each trade has a list of orders of its own."""
    first, second = LocalTrade(pair="A/B"), LocalTrade(pair="A/B")
    first.orders.append(LocalOrder())
    assert second.orders == []


def test_orders_may_be_given():
    """A list of orders may be handed in, empty or not."""
    order = LocalOrder(order_id="1")
    assert LocalTrade(pair="A/B", orders=[]).orders == []
    assert LocalTrade(pair="A/B", orders=[order]).orders == [order]


@pytest.mark.parametrize("kind", [LocalTrade, LocalOrder])
def test_unknown_keyword_is_refused(kind):
    """A keyword that is no field is a typing error, and named."""
    with pytest.raises(TypeError, match="amuont"):
        kind(pair="A/B", amuont=1.0) if kind is LocalTrade else kind(amuont=1.0)


@pytest.mark.parametrize("name", ["_trade_bt", "session", "use_db", "bt_trades", "open_orders"])
def test_what_is_no_field_is_refused(name):
    """Neither private names, nor class variables, nor properties can be set by keyword."""
    with pytest.raises(TypeError, match=name):
        LocalTrade(pair="A/B", **{name: None})


def test_subclass_with_fields_of_its_own():
    """A subclass adds fields by annotating them."""

    class Tagged(LocalTrade):
        mood: str = "calm"
        score: float

    trade = Tagged(pair="A/B", score=0.5)
    assert (trade.mood, trade.score, trade.pair) == ("calm", 0.5, "A/B")
    assert Tagged(pair="A/B", mood="wild").mood == "wild"
    with pytest.raises(TypeError):
        LocalTrade(pair="A/B", mood="wild")


def test_open_value_is_computed():
    """10 · 20 · 1.001 = 200.2 for a long, 10 · 20 · 0.999 = 199.8 for a short; a given one stays."""
    assert make_trade().open_trade_value == 200.2
    assert make_trade(is_short=True).open_trade_value == 199.8
    assert make_trade(open_trade_value=201.0).open_trade_value == 201.0


@pytest.mark.parametrize("field", ["amount", "open_rate", "fee_open"])
def test_what_is_no_number_is_refused(field):
    """A trade with NaN for amount, rate or fee isn't built."""
    with pytest.raises(InvalidValue):
        make_trade(**{field: float("nan")})


@pytest.mark.parametrize("mode", ["margin", TradingMode.MARGIN], ids=["text", "member"])
def test_margin_needs_an_interest_rate(mode):
    """A margin trade without an interest rate is refused, one at 0 is not."""
    with pytest.raises(OperationalException, match="interest_rate"):
        make_trade(trading_mode=mode)
    assert make_trade(trading_mode=mode, interest_rate=0.0).interest_rate == 0.0


def test_sides():
    """A long enters by buying, a short by selling."""
    long, short = make_trade(), make_trade(is_short=True)
    assert (long.entry_side, long.exit_side, long.trade_direction) == ("buy", "sell", "long")
    assert (short.entry_side, short.exit_side, short.trade_direction) == ("sell", "buy", "short")


@pytest.mark.parametrize(
    ("values", "without"),
    [
        ({}, True),
        ({"leverage": None}, True),
        ({"leverage": 2.0}, False),
        ({"is_short": True}, False),
    ],
)
def test_has_no_leverage(values, without):
    """Only a long of leverage 1 borrows nothing."""
    assert make_trade(**values).has_no_leverage is without


def test_has_open_position():
    """A trade holds something while it is open and has an amount; a closed one keeps its amount but holds nothing."""
    assert make_trade().has_open_position
    assert not make_trade(amount=0.0).has_open_position
    assert not make_trade(is_open=False).has_open_position


@pytest.mark.parametrize(
    ("pair", "base", "quote"), [("ETH/USDT", "ETH", "USDT"), ("ETH/USDT:USDT", "ETH", "USDT"), ("ETH", "ETH", "")]
)
def test_currencies_of_an_old_trade(pair, base, quote):
    """A trade that lacks its currencies takes them from the pair."""
    trade = LocalTrade(pair=pair)
    assert (trade.safe_base_currency, trade.safe_quote_currency) == (base, quote)


def test_currencies_that_are_known():
    """Currencies of the trade itself win over those of the pair."""
    trade = make_trade(base_currency="WETH", stake_currency="USDC")
    assert (trade.safe_base_currency, trade.safe_quote_currency) == ("WETH", "USDC")


def test_safe_close_rate():
    """The close rate counts, else the one asked for, else 0."""
    assert make_trade(close_rate=21.0, close_rate_requested=22.0).safe_close_rate == 21.0
    assert make_trade(close_rate_requested=22.0).safe_close_rate == 22.0
    assert make_trade().safe_close_rate == 0.0


def test_former_names():
    """buy_tag and sell_reason show the fields under their former names."""
    trade = make_trade(enter_tag="dip", exit_reason="roi")
    assert (trade.buy_tag, trade.sell_reason) == ("dip", "roi")


@pytest.mark.parametrize("field", ["enter_tag", "exit_reason"])
def test_tags_of_a_trade_are_cut(field):
    """A tag keeps its first 255 characters, when the trade is built and later."""
    trade = make_trade(**{field: "a" * 300})
    assert getattr(trade, field) == "a" * 255
    setattr(trade, field, "b" * 256)
    assert getattr(trade, field) == "b" * 255
    setattr(trade, field, None)
    assert getattr(trade, field) is None


def test_tags_have_a_default_on_the_class():
    """Asked of the class, as code that looks for defaults does, a tag is None."""
    assert (LocalTrade.enter_tag, LocalOrder.ft_order_tag) == (None, None)


@pytest.mark.parametrize("field", ["ft_order_tag", "ft_cancel_reason"])
def test_tags_of_an_order_are_cut(field):
    """An order's tags are cut like a trade's."""
    order = LocalOrder(**{field: "a" * 300})
    assert getattr(order, field) == "a" * 255
    assert getattr(LocalOrder(), field) is None


def test_dates_have_their_zone():
    """Naive dates are UTC, and dates of another zone are turned into it."""
    east = timezone(timedelta(hours=3))
    trade = make_trade(open_date=OPENED.replace(tzinfo=None), close_date=after(1).astimezone(east))
    assert (trade.open_date_utc, trade.close_date_utc) == (OPENED, after(1))
    assert trade.close_date_utc is not None
    assert trade.close_date_utc.tzinfo is UTC
    assert make_trade().close_date_utc is None


def test_repr():
    """A trade shows itself in one line, without trailing zeros."""
    assert repr(make_trade(id=7, leverage=3.0)) == (
        "Trade(id=7, pair=ETH/USDT, amount=10, is_short=False, leverage=3, open_rate=20, "
        "open_since=2026-03-01 12:00:00)"
    )
    assert "open_since=closed" in repr(make_trade(is_open=False))
