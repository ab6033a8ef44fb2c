"""Options: the same in a URL and as arguments, checked alike, and each does what it says."""

import logging
import os
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from tests.builders import store, trade
from tradestore import Trade, init_db
from tradestore._engine import check_url
from tradestore._options import EngineOptions, OptionArguments, options_of
from tradestore.exceptions import InvalidDatabaseUrl, InvalidValue
from tradestore.operations import transfer
from tradestore.testing import MariaDBServer
from tradestore.testing.plugin import serve

OPTIONS: OptionArguments = {
    "pool_size": 3,
    "max_overflow": 2,
    "pool_timeout": 1.5,
    "pool_recycle": 60,
    "busy_timeout": 4.0,
    "durability": "normal",
    "connect_timeout": 7.0,
    "answer_timeout": 9.0,
    "slow_statement": 0.5,
    "log_file": os.devnull,
}
WEAKNESSES = ("fsync", "innodb_flush_log_at_trx_commit")


def _with(url: str, **options: object) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(options)}"


def _setting(database, **questions: str) -> str:
    """Return what a connection of the store answers to the question for its engine."""
    with database.engine.connect() as connection:
        return str(connection.scalar(text(questions[connection.dialect.name])))


def test_url_and_arguments_mean_the_same() -> None:
    """Either way gives the same options; both give the argument's, and neither the documented default."""
    bare = check_url("postgresql://bot:x@host/db?sslmode=require")
    by_url = options_of(check_url(_with("postgresql://bot:x@host/db?sslmode=require", **OPTIONS)), {})
    assert by_url == options_of(bare, OPTIONS) == (bare, EngineOptions(**OPTIONS))
    both = options_of(check_url(_with("sqlite://", pool_size=8, max_overflow=9)), {"pool_size": 4})[1]
    assert (both.pool_size, both.max_overflow, both.pool_timeout) == (4, 9, 30.0)
    defaults = options_of(bare, {})[1]
    assert (defaults.pool_size, defaults.max_overflow, defaults.pool_timeout, defaults.pool_recycle) == (
        5,
        10,
        30,
        1800,
    )
    assert (defaults.busy_timeout, defaults.durability) == (30, "full")
    assert (defaults.connect_timeout, defaults.answer_timeout) == (10, 120)
    assert (defaults.slow_statement, defaults.log_file) == (None, None)


@pytest.mark.parametrize(("given", "expected"), [(0, None), (None, None), (2, 2.0)])
def test_answers_may_take_for_ever(given, expected) -> None:
    """Zero and nothing mean that there is no limit."""
    assert options_of(check_url("sqlite://"), {"answer_timeout": given})[1].answer_timeout == expected


def test_waiting_for_others_is_no_lost_server() -> None:
    """Whoever waits long for locks waits longer than that for an answer, unless told otherwise."""
    url = check_url("sqlite://?busy_timeout=600")
    assert options_of(url, {})[1].answer_timeout == 630
    assert options_of(url, {"answer_timeout": 5})[1].answer_timeout == 5


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("pool_size", -1),
        ("pool_size", 0),
        ("pool_size", 1.5),
        ("max_overflow", -1),
        ("max_overflow", "many"),
        ("pool_timeout", -0.5),
        ("pool_recycle", -2),
        ("busy_timeout", "5s"),
        ("busy_timeout", "nan"),
        ("busy_timeout", -5),
        ("busy_timeout", 1e300),
        ("pool_size", 10**30),
        ("durability", "none"),
        ("connect_timeout", 0),
        ("answer_timeout", -1),
        ("slow_statement", -1),
        ("slow_statement", "often"),
        ("log_file", 5),
    ],
)
def test_bad_value_is_refused_either_way(option, value, tmp_path) -> None:
    """The message names the option, what it was and what it may be; no file is made."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with pytest.raises(InvalidValue, match=f"{option} is .*it has to be") as by_argument:
        init_db(url, **{option: value})
    assert repr(value) in str(by_argument.value)
    with pytest.raises(InvalidDatabaseUrl, match=f"{option} in the db_url is .*it has to be") as by_url:
        init_db(_with(url, **{option: value}))
    assert repr(str(value)) in str(by_url.value)
    assert str(by_argument.value).partition("it has to be")[2] == str(by_url.value).partition("it has to be")[2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("option", "value"), [("pool_size", True), ("busy_timeout", None), ("busy_timeout", "5")])
def test_argument_of_another_type_is_refused(option, value) -> None:
    """An argument is a number where the option is one."""
    with pytest.raises(InvalidValue, match=option):
        init_db("sqlite://", **{option: value})


def test_option_that_does_not_exist_is_refused() -> None:
    """A slip of the pen is told with what there is."""
    slip: Any = {"pool_sise": 5}
    with pytest.raises(TypeError, match=r"'pool_sise': known are pool_size"):
        init_db("sqlite://", **slip)
    with pytest.raises(InvalidDatabaseUrl, match="pool_size"):
        init_db("sqlite://?pool_size=1&pool_size=2")


def test_store_opens_with_all_options_in_its_url(store_url) -> None:
    """The driver never sees them, and the store works."""
    database = init_db(_with(store_url, **OPTIONS))
    try:
        store(trade())
        assert Trade.get_open_trade_count() == 1
        assert database.engine.url.query == {}
        assert "pool_size" not in database.url
    finally:
        database.close()


@pytest.mark.needs("persistent")
def test_transfer_takes_such_a_url(store_url, tmp_path) -> None:
    """What opens a store also names an end of a transfer."""
    url = _with(store_url, **OPTIONS)
    database = init_db(url)
    store(trade())
    database.close()
    report = transfer(url, f"sqlite:///{tmp_path / 'copy.sqlite'}?busy_timeout=5&durability=normal")
    assert report.table("trades").rows == 1


@pytest.mark.needs("persistent", "sets_durability")
@pytest.mark.parametrize(("durability", "expected"), [("full", {"2", "on"}), ("normal", {"1", "off"})])
def test_durability_is_what_connections_are_set_to(store_url, backend, request, durability, expected) -> None:
    """Each connection is told, also where the default of the login is another one."""
    if backend.networked:
        server = request.getfixturevalue("server")
        server.execute(f"ALTER ROLE bot SET synchronous_commit = {'off' if durability == 'full' else 'on'}")
        request.addfinalizer(lambda: server.execute("ALTER ROLE bot RESET synchronous_commit"))
    database = init_db(_with(store_url, durability=durability))
    try:
        assert _setting(database, sqlite="PRAGMA synchronous", postgresql="SHOW synchronous_commit") in expected
    finally:
        database.close()


@pytest.mark.needs("networked")
def test_server_that_promises_less_is_told(store_url, caplog) -> None:
    """The servers of these tests don't wait for their disk; whoever asks for full durability is warned, once."""
    init_db(store_url, durability="normal").close()
    assert [each for each in caplog.messages if any(name in each for name in WEAKNESSES)] == []
    init_db(store_url).close()
    (warning,) = [each for each in caplog.records if any(name in each.getMessage() for name in WEAKNESSES)]
    assert warning.levelno == logging.WARNING


class _WithBinaryLog(MariaDBServer):
    def _command(self) -> list[str]:
        return [*super()._command(), "--log-bin", "--sync-binlog=0"]


@pytest.mark.needs("sets", "first_driver")
def test_binary_log_that_does_not_wait_for_its_disk_is_told(backend, caplog) -> None:
    """Recovery takes back what that log has lost, so its setting counts where there is one."""
    assert backend.networked
    with serve(_WithBinaryLog) as server:
        server.create_database()
        init_db(server.url("mariadb")).close()
    assert [each for each in caplog.messages if "sync_binlog = 0" in each] != []
