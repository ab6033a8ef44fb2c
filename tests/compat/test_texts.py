"""Texts that bots and their tests look for, word by word, and at a level that they see: INFO."""

import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import OPENED, local_order, local_trade, order, store, trade, trade_with_entry
from tests.migrations.legacy import FOLDER
from tradestore import LocalOrder, LocalPairLock, LocalTrade, Order, PairLock, PairLocks, Trade, init_db
from tradestore.exceptions import DependencyException, OperationalException

OLD_FILE = FOLDER / "036_2024.3_trade_custom_data.sql"
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
LIMIT, MARKET, STOP = "limit", "market", "stop_loss_limit"


@pytest.fixture
def info(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return what is logged from INFO upwards, as the root logger gets it."""
    caplog.set_level(logging.INFO)
    return caplog


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Order, LocalOrder])
def test_answer_about_another_order_is_refused(kind: type[LocalOrder]) -> None:
    """An order does not take what belongs to another one."""
    with pytest.raises(DependencyException, match=r"^Order-id's don't match"):
        kind(order_id="1").update_from_ccxt_object({"id": "2"})


def test_order_that_is_neither_entry_nor_exit_is_refused() -> None:
    """A trade does not take what it has no rule for."""
    with pytest.raises(ValueError, match=r"^Unknown order type: "):
        local_trade().update_trade(local_order(ft_order_side="transfer"))


@pytest.mark.parametrize("text", ["Bad db-url", "For in-memory database, please use"])
def test_sqlite_without_a_file_is_refused_with_the_way_to_memory(text: str) -> None:
    """The bot's own word for its setting stands in the error, and what to write instead."""
    with pytest.raises(OperationalException, match=text):
        init_db("sqlite:///")


@pytest.mark.parametrize("url", ["unknown:///some.url", "mysql2://host/name", "no url", ""])
def test_url_of_no_database_is_called_that(url: str) -> None:
    """Whatever is wrong about it, these words are in the error."""
    with pytest.raises(OperationalException, match="no valid database URL"):
        init_db(url)


# --- log lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_type", "is_short", "line"),
    [
        (LIMIT, False, "LIMIT_BUY has been fulfilled for {}."),
        (MARKET, False, "MARKET_BUY has been fulfilled for {}."),
        (LIMIT, True, "LIMIT_SELL has been fulfilled for {}."),
    ],
)
def test_entry_that_was_filled_is_told_with_its_trade(
    database, info, order_type: str, is_short: bool, line: str
) -> None:
    """The line shows the trade as the fill left it: 8 bought at 21, though 10 at 20 were wanted."""
    bought = trade(is_short=is_short)
    side = bought.entry_side
    bought.orders.append(order(ft_order_side=side, side=side, order_type=order_type, amount=8.0, price=21.0))
    store(bought)
    bought.update_trade(bought.orders[0])
    shown = (
        f"Trade(id={bought.id}, pair=ADA/USDT, amount=8, is_short={is_short}, leverage=1, open_rate=21, "
        "open_since=2026-03-01 12:00:00)"
    )
    assert line.format(shown) in info.messages


@pytest.mark.parametrize(
    ("order_type", "is_short", "line"),
    [
        (LIMIT, False, "LIMIT_SELL has been fulfilled for {}."),
        (MARKET, True, "MARKET_BUY has been fulfilled for {}."),
    ],
)
def test_exit_that_was_filled_is_told_with_the_trade_that_it_leaves(
    database, info, order_type: str, is_short: bool, line: str
) -> None:
    """The line shows the trade that the order leaves, still open."""
    sold = trade_with_entry(is_short=is_short)
    store(sold)
    shown, side = repr(sold), sold.exit_side
    sold.orders.append(order(ft_order_side=side, side=side, order_type=order_type))
    sold.update_trade(sold.orders[-1])
    assert not sold.is_open
    assert line.format(shown) in info.messages


def test_stop_that_was_hit_is_told_by_its_type(database, info) -> None:
    """Its type stands in capitals."""
    stopped = trade_with_entry()
    store(stopped)
    shown = repr(stopped)
    stopped.orders.append(order(ft_order_side="stoploss", side="sell", order_type=STOP))
    stopped.update_trade(stopped.orders[-1])
    assert f"STOP_LOSS_LIMIT is hit for {shown}." in info.messages


def test_fill_in_memory_is_told_as_well(info) -> None:
    """With the same words."""
    bought = local_trade(orders=[local_order()])
    bought.update_trade(bought.orders[0])
    assert f"LIMIT_BUY has been fulfilled for {bought!r}." in info.messages


def test_lock_that_is_released_is_told(database, info) -> None:
    """The line shows the lock that held until now."""
    store(lock := PairLock(pair="ETH/BTC", lock_time=NEW_YEAR, lock_end_time=OPENED))
    shown = repr(lock)
    PairLocks.unlock_pair("ETH/BTC", now=NEW_YEAR)
    assert not lock.active
    assert info.messages == [f"Releasing {shown}."]


def test_stop_that_moves_is_told_with_both_rates(database, info) -> None:
    """An operator reads that a stop follows the rate: from 10 % below 20 to 10 % below 30."""
    store(held := trade())
    held.adjust_stop_loss(20.0, -0.1)
    held.adjust_stop_loss(30.0, -0.1)
    moved = [text for text in info.messages if text.startswith("ADA/USDT - Adjusting stoploss...")]
    assert moved == ["ADA/USDT - Adjusting stoploss... from 18.0 to 27.0."]


def test_backtest_does_not_write_a_line_for_each_stop_that_moves(caplog) -> None:
    """It has many of them: only who asks for every detail reads them."""
    held = local_trade()
    held.adjust_stop_loss(20.0, -0.1)
    for level, expected in ((logging.INFO, 0), (logging.DEBUG, 1)):
        caplog.set_level(level)
        held.adjust_stop_loss(30.0 + level, -0.1, allow_refresh=True)
        assert sum("ADA/USDT - Adjusting stoploss..." in text for text in caplog.messages) == expected


@pytest.mark.parametrize("answer", ["not_a_dict", None, 5, ["a"]])
def test_answer_that_is_no_order_is_told_and_left(info, answer: Any) -> None:
    """It is shown, and nothing else happens; on the trade as on the class."""
    Order.update_orders([], answer)
    local_trade().update_order(answer)
    assert info.messages == [f"{answer} is not a valid response object."] * 2


def test_upgrade_of_an_old_file_tells_where_the_old_tables_are(tmp_path: Path, info) -> None:
    """A log tells under which names the old tables stay, and when the upgrade is over."""
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        connection.executescript(OLD_FILE.read_text(encoding="utf-8"))
    connection.close()
    init_db(f"sqlite:///{tmp_path / 'old.sqlite'}").close()
    told = [text for text in info.messages if "igration" in text]
    assert told[0] == "Running database migration for trades - backup: trades_bak0, orders_bak0"
    assert told[-1] == "Database migration finished."


def test_loggers_hand_on_what_they_are_told() -> None:
    """A bot configures the root logger alone."""
    ours = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("tradestore")]
    assert {each.propagate for each in ours} == {True}
    assert {each.level for each in ours} == {logging.NOTSET}


# --- one line for each object --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trade, LocalTrade])
def test_trade_is_one_line_as_documented(kind: type[LocalTrade]) -> None:
    """As the documents show it."""
    shown = kind(id=1, pair="ETH/BTC", amount=30.0, leverage=3.0, open_rate=2.0, stake_amount=60.0, open_date=NEW_YEAR)
    assert repr(shown) == (
        "Trade(id=1, pair=ETH/BTC, amount=30, is_short=False, leverage=3, open_rate=2, open_since=2024-01-01 00:00:00)"
    )


def test_trade_in_one_line_has_few_decimals() -> None:
    """At most 8, and 1 for the leverage; zeros at the end are left out, and so is the date of a closed trade."""
    values: dict[str, Any] = {"amount": 0.123456789, "leverage": 3.75, "open_rate": 0.00000012, "is_short": True}
    assert repr(local_trade(id=2, is_open=False, **values)) == (
        "Trade(id=2, pair=ADA/USDT, amount=0.12345679, is_short=True, leverage=3.8, open_rate=0.00000012, "
        "open_since=closed)"
    )


@pytest.mark.parametrize("number", [100.0, 1200000.0, 0.0])
def test_whole_numbers_keep_their_zeros(number: float) -> None:
    """Only those behind the point are left out."""
    assert f"amount={int(number)}, " in repr(local_trade(amount=number))


def test_order_is_one_line_with_its_trade(database) -> None:
    """With the trade that it belongs to."""
    store(bought := trade_with_entry())
    placed = bought.orders[0]
    assert repr(placed) == (
        f"Order(id={placed.id}, trade={bought.id}, order_id={placed.order_id}, side=buy, filled=10.0, price=20.0, "
        "amount=10.0, status=closed, date=2026-03-01 12:00:00)"
    )


def test_lock_is_the_same_line_in_database_and_memory(database) -> None:
    """In the database and in memory."""
    fields = {"pair": "ETH/BTC", "reason": "rest", "lock_time": NEW_YEAR, "lock_end_time": OPENED}
    store(lock := PairLock(**fields))
    line = (
        "PairLock(id={}, pair=ETH/BTC, side=*, lock_time=2024-01-01 00:00:00, lock_end_time=2026-03-01 12:00:00, "
        "reason=rest, active=True)"
    )
    assert repr(lock) == line.format(lock.id)
    assert repr(LocalPairLock(**fields)) == line.format(None)
