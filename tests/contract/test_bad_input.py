"""Data that doesn't fit: refused alike on every engine, nothing of it stored, and the session goes on."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.builders import NO_MOMENTS, OPENED, amend, ccxt_order, columns_of, local_trade, order, store, trade
from tradestore import CustomDataWrapper, LocalOrder, LocalTrade, ModelBase, Order, PairLocks, Trade, WalletHistory
from tradestore.exceptions import DependencyException, InvalidOrder, InvalidValue, OperationalException

NAN, INFINITE = float("nan"), float("inf")

LONG_TEXTS = {
    "pair": 51,
    "exchange": 26,
    "strategy": 101,
    "base_currency": 26,
    "stake_currency": 26,
    "fee_open_currency": 26,
    "fee_close_currency": 26,
    "exit_order_status": 101,
}
BAD_FIELDS: list[dict[str, Any]] = [
    *({name: "x" * length} for name, length in LONG_TEXTS.items()),
    {"enter_tag": "nul\0"},
    {"strategy": "half a character \ud800"},
    *({name: bad} for name in ("open_rate", "amount", "fee_open") for bad in (NAN, INFINITE, -INFINITE)),
    {"stake_amount": NAN},
    {"max_rate": INFINITE},
    {"open_rate": "abc"},
    {"amount": "10"},
    {"stake_amount": b"10"},
    {"stop_loss": []},
    {"leverage": 1j},
    {"amount": 10**400},
    {"timeframe": "5m"},
    {"timeframe": 5.5},
    {"timeframe": 2**31},
    {"is_open": "yes"},
    {"is_short": 2},
    {"open_date": "2026-03-01"},
    {"close_date": date(2026, 3, 1)},
    {"close_date": 1772366400000},
    *({"close_date": bad} for bad in NO_MOMENTS),
    {"trading_mode": "lottery"},
    {"trading_mode": 1},
]
BAD_ORDER_FIELDS: list[dict[str, Any]] = [
    {"ft_pair": "x" * 51},
    {"symbol": "x" * 51},
    {"ft_order_side": "x" * 26},
    {"order_type": "x" * 51},
    {"order_id": "x" * 256},
    {"status": "x" * 256},
    *({name: bad} for name in ("ft_price", "ft_amount", "filled", "cost") for bad in (NAN, INFINITE, "abc")),
    {"order_date": "yesterday"},
    *({"order_filled_date": bad} for bad in NO_MOMENTS),
]


def _name(fields: dict[str, Any]) -> str:
    return "-".join(f"{name}-{ascii(value)[:12]}" for name, value in fields.items())


@pytest.fixture
def refused(database) -> Iterator[Callable[..., Any]]:
    """Return a context manager for what must be refused; afterwards nothing is stored, and a commit works."""
    tables = [ModelBase.metadata.tables[name] for name in ("trades", "orders", "trade_custom_data", "wallet_history")]

    yield lambda error=DependencyException, **match: pytest.raises(error, **match)

    for table in tables:
        assert Trade.session.scalar(select(func.count()).select_from(table)) == 0, table.name
    store(trade(pair="AFTER/USDT"))
    Trade.session.remove()
    assert [t.pair for t in Trade.get_trades()] == ["AFTER/USDT"]


def test_new_trade_with_a_bad_value(database, statements) -> None:
    """A value that doesn't fit is refused before the database is asked, and nothing of the trade is stored."""
    accepted = []
    for fields in BAD_FIELDS:
        with statements() as sent:
            try:
                store(trade(**fields))
                accepted.append(_name(fields))
            except DependencyException:
                pass
            except Exception as error:  # noqa: BLE001 - all the wrong ones are told together
                accepted.append(f"{_name(fields)} {type(error).__name__}")
            accepted += [f"{_name(fields)} {statement[:20]}" for statement in sent]
    assert not accepted, accepted
    store(trade())
    assert Trade.get_open_trade_count() == 1


def test_stored_trade_that_gets_a_bad_value(database) -> None:
    """Afterwards the trade is as it was, in the session and in the database."""
    record = trade()
    record.orders.append(order())
    store(record)
    before = columns_of(record)
    accepted = []
    for fields in BAD_FIELDS:
        try:
            amend(record, **fields)
            Trade.commit()
            accepted.append(_name(fields))
        except DependencyException:
            pass
        except Exception as error:  # noqa: BLE001 - all the wrong ones are told together
            accepted.append(f"{_name(fields)} {type(error).__name__}")
        assert accepted or columns_of(record) == before
    assert not accepted, accepted
    amend(record, enter_tag="after")
    Trade.commit()
    Trade.session.remove()
    assert columns_of(Trade.get_trades().one()) == before | {"enter_tag": "after"}


def test_order_with_a_bad_value(database) -> None:
    """A trade isn't stored without its order."""
    accepted = []
    for fields in BAD_ORDER_FIELDS:
        try:
            record = trade()
            record.orders.append(order(**fields))
            store(record)
            accepted.append(_name(fields))
        except DependencyException:
            pass
    assert not accepted, accepted
    assert Trade.get_trades().all() == []


def test_message_says_what_and_why(refused) -> None:
    """It names the column, shows the value and tells what fits."""
    with refused(InvalidValue, match=r"Trade\.pair.*'x{20}.*60.*50"):
        store(trade(pair="x" * 60))


def test_message_about_a_number_that_is_none_is_of_whole_sentences(refused) -> None:
    """The reason that arithmetic gives is a sentence of its own, with a full stop; the message needs no second one."""
    with refused(InvalidValue, match=r"^Trade\.max_rate cannot be inf: .*, but was inf\. Nothing was stored\.$"):
        store(trade(max_rate=INFINITE))


def test_commit_of_many_is_all_or_nothing(refused) -> None:
    """One bad record keeps the good ones of the same commit out too."""
    with refused():
        store(
            trade(),
            trade(exchange="x" * 26),
            WalletHistory(timestamp=OPENED, currency="A", quote_currency="B", balance=1),
        )


@pytest.mark.parametrize("build", [trade, local_trade])
def test_margin_trade_without_interest_rate(refused, build) -> None:
    """Both kinds of trade refuse it when they are built."""
    with refused(OperationalException, match="interest_rate"):
        build(trading_mode="margin")


@pytest.mark.parametrize("build", [trade, local_trade])
def test_margin_trade_with_an_interest_rate_of_zero(build) -> None:
    """Zero is a rate."""
    assert build(trading_mode="margin", interest_rate=0.0).interest_rate == 0.0


def test_unknown_trading_mode_computes_nothing() -> None:
    """A trade whose mode nobody knows has no value."""
    with pytest.raises(OperationalException, match="lottery"):
        local_trade(trading_mode="lottery").calc_profit(21.0)


@pytest.mark.parametrize("kind", [Trade, LocalTrade, Order, LocalOrder])
def test_unknown_keyword(kind) -> None:
    """A misspelt field is no field."""
    with pytest.raises(TypeError, match="open_rat"):
        kind(open_rat=20.0)


@pytest.mark.parametrize("kind", [Order, LocalOrder])
def test_answer_about_another_order(kind) -> None:
    """An update with another id changes nothing."""
    known = kind.parse_from_ccxt_object(ccxt_order(id="mine"), "ADA/USDT", "buy")
    with pytest.raises(DependencyException, match=r"(?s)'other'.*'mine'"):
        known.update_from_ccxt_object(ccxt_order(id="other", filled=5.0))
    assert known.filled == 0.0


@pytest.mark.parametrize("kind", [Order, LocalOrder])
@pytest.mark.parametrize("key", ["price", "amount", "filled", "average", "remaining", "cost", "stopPrice", "timestamp"])
@pytest.mark.parametrize("value", [NAN, INFINITE, "abc", [], "nan"], ids=repr)
def test_answer_with_a_number_that_is_none(kind, key, value) -> None:
    """The answer is refused when it is read, as a new order and as an update that changes nothing."""
    with pytest.raises(InvalidOrder, match=key):
        kind.parse_from_ccxt_object(ccxt_order(**{key: value}), "ADA/USDT", "buy")
    known = kind.parse_from_ccxt_object(ccxt_order(id="mine"), "ADA/USDT", "buy")
    with pytest.raises(InvalidOrder, match=key):
        known.update_from_ccxt_object(ccxt_order(id="mine", status="closed") | {key: value})
    assert (known.status, known.ft_is_open, known.order_filled_date) == ("open", True, None)


@pytest.mark.parametrize(
    "asked", [{"price": NAN}, {"price": INFINITE}, {"amount": NAN}, {"amount": -INFINITE}], ids=str
)
def test_asked_number_that_is_none(refused, asked) -> None:
    """What the bot itself asked for is looked at as well, at the latest when it is stored."""
    with refused():
        record = trade()
        record.orders.append(Order.parse_from_ccxt_object(ccxt_order(), "ADA/USDT", "buy", **asked))
        store(record)


@pytest.mark.parametrize("bad", [NAN, INFINITE])
def test_trade_in_memory_with_a_number_that_is_none(bad) -> None:
    """A backtest learns of it at once."""
    for name in ("open_rate", "amount", "fee_open"):
        with pytest.raises(InvalidValue):
            local_trade(**{name: bad})


def test_tags_and_reasons_are_cut(database) -> None:
    """Notes keep their first 255 characters, whatever alphabet and however they are set."""
    text = "ü" * 250 + "0123456789"
    record = trade(enter_tag=text)
    record.orders.append(order(ft_order_tag=text))
    amend(record, exit_reason=text)
    amend(record.orders[0], ft_cancel_reason=text)
    store(record)
    lock = PairLocks.lock_pair("ADA/USDT", OPENED, text)
    shown = [record.enter_tag, record.exit_reason, lock.reason]
    Trade.session.remove()
    read = Trade.get_trades().one()
    stored = [read.enter_tag, read.exit_reason, read.orders[0].ft_order_tag, read.orders[0].ft_cancel_reason]
    assert set(shown + stored + [lock.reason for lock in PairLocks.get_all_locks()]) == {"ü" * 250 + "01234"}


def test_tags_in_memory_are_cut() -> None:
    """A backtest sees the tags that a live bot would have."""
    record = local_trade(enter_tag="x" * 300)
    record.exit_reason = "y" * 300
    placed = LocalOrder(ft_order_tag="z" * 300)
    assert (record.enter_tag, record.exit_reason, placed.ft_order_tag) == ("x" * 255, "y" * 255, "z" * 255)


def test_longest_texts_are_kept(database) -> None:
    """What just fits is stored whole."""
    longest = {name: "ü" * (length - 1) for name, length in LONG_TEXTS.items()} | {"enter_tag": "🚀" * 255}
    store(trade(**longest))
    Trade.session.remove()
    read = Trade.get_trades().one()
    assert {name: getattr(read, name) for name in longest} == longest


def test_custom_data_that_is_no_text(database) -> None:
    """A text that the engines can't hold is refused alike, and what was there stays."""
    CustomDataWrapper.set_custom_data(None, "key", "former")
    for text in ("nul\0", "half a character \ud800"):
        with pytest.raises(InvalidValue):
            CustomDataWrapper.set_custom_data(None, "key", text)
    assert [entry.value for entry in CustomDataWrapper.get_custom_data(trade_id=None)] == ["former"]
