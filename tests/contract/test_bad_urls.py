"""Database URLs that can't be used: each is refused with what to do, and no password is ever shown."""

import logging
import socket
import sys
import traceback
from urllib.parse import quote_plus

import pytest
from sqlalchemy import URL, event, make_url

from tests.servers import PASSWORD
from tradestore import Trade, init_db, resolve_db_url
from tradestore.exceptions import (
    DatabaseNotReady,
    DatabaseUnreachable,
    InvalidDatabaseUrl,
    MissingDriver,
    OperationalException,
)
from tradestore.models import open_engine

SECRET = "Tr0ub4dor"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _shown(error: BaseException, caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that a log file or a terminal would get to see of an error."""
    return "\n".join([str(error), repr(error), *map(str, error.args), *traceback.format_exception(error), caplog.text])


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite+pysqlite:///"])
def test_sqlite_without_a_file_is_refused(url) -> None:
    """Three slashes and no name are a slip; the message says how memory is meant."""
    with pytest.raises(InvalidDatabaseUrl, match="sqlite://`"):
        init_db(url)


@pytest.mark.parametrize("url", ["", "no url", "://host/db", f"postgresql://bot:{SECRET}@host:no-port/db"])
def test_unreadable_url_is_refused(url, caplog) -> None:
    """What is no URL is refused with an example, without quoting it."""
    with pytest.raises(InvalidDatabaseUrl, match=r"sqlite:///trades\.sqlite") as caught:
        init_db(url)
    assert SECRET not in _shown(caught.value, caplog)


@pytest.mark.parametrize("scheme", ["cassandra", "postgresql+nodriver", "mongodb"])
def test_unknown_dialect_is_refused(scheme, caplog) -> None:
    """The message names the dialects that there are."""
    with pytest.raises(OperationalException, match="postgresql") as caught:
        init_db(f"{scheme}://bot:{SECRET}@host/db")
    assert isinstance(caught.value, ValueError)
    assert SECRET not in _shown(caught.value, caplog)


@pytest.mark.parametrize("scheme", ["mssql+pyodbc", "oracle", "postgresql+asyncpg"])
def test_dialect_that_the_library_does_not_support_is_refused(scheme) -> None:
    """Nothing that can be installed makes these work, so nothing is recommended."""
    with pytest.raises(OperationalException) as caught:
        init_db(f"{scheme}://bot:{SECRET}@host/db")
    assert "pip install" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "module", "extra"),
    [
        ("postgresql", "psycopg2", "postgres"),
        ("postgresql+psycopg", "psycopg", "all"),
        ("mysql", "pymysql", "mysql"),
        ("mariadb", "pymysql", "mysql"),
    ],
)
def test_missing_driver_is_named_with_its_extra(scheme, module, extra, monkeypatch, caplog) -> None:
    """The message holds the command that installs what is missing."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDriver, match=module) as caught:
        init_db(f"{scheme}://bot:{SECRET}@host/db")
    assert f"pip install 'tradestore[{extra}]'" in str(caught.value)
    assert isinstance(caught.value, ImportError)
    assert SECRET not in _shown(caught.value, caplog)


def test_missing_folder_is_said(tmp_path) -> None:
    """A file can't be made in a folder that isn't there."""
    with pytest.raises(DatabaseUnreachable, match="folder"):
        init_db(f"sqlite:///{tmp_path / 'missing' / 'trades.sqlite'}")


def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path) -> None:
    """A file of another kind is not touched."""
    file = tmp_path / "notes.txt"
    file.write_text("Buy low, sell high. " * 100)
    with pytest.raises(OperationalException, match=r"notes\.txt"):
        init_db(f"sqlite:///{file}")
    assert file.read_text() == "Buy low, sell high. " * 100


@pytest.mark.needs("networked")
def test_unreachable_server(store_url, caplog) -> None:
    """A port on which nobody listens is told as such, as a connection error too."""
    caplog.set_level(logging.DEBUG)
    url = make_url(store_url).set(port=_free_port())
    with pytest.raises(DatabaseUnreachable, match=str(url.port)) as caught:
        init_db(url.render_as_string(hide_password=False))
    assert isinstance(caught.value, ConnectionError)
    shown = _shown(caught.value, caplog)
    assert PASSWORD not in shown
    assert quote_plus(PASSWORD) not in shown


@pytest.mark.needs("networked")
def test_wrong_password(store_url, caplog) -> None:
    """A refused login says whose it was, never with which password."""
    caplog.set_level(logging.DEBUG)
    url = make_url(store_url).set(password=SECRET)
    with pytest.raises(DatabaseUnreachable, match="bot") as caught:
        init_db(url.render_as_string(hide_password=False))
    assert SECRET not in _shown(caught.value, caplog)


@pytest.mark.needs("networked")
def test_password_in_the_query_of_a_url(store_url, caplog) -> None:
    """Drivers take a password among the options too; it is no less secret there."""
    url = make_url(store_url).set(username=None, password=None).update_query_dict({"user": "bot", "password": SECRET})
    with pytest.raises(DatabaseUnreachable) as caught:
        init_db(url.render_as_string(hide_password=False))
    assert SECRET not in _shown(caught.value, caplog)


@pytest.mark.needs("networked")
@pytest.mark.parametrize("password", [f"{SECRET}@{SECRET}", f"{SECRET}/{SECRET}", f"{SECRET}:{SECRET}", f"@{SECRET}"])
def test_password_that_nobody_escaped(store_url, password, caplog) -> None:
    """A special character moves a part of the password to where the host should be; it isn't shown there either."""
    url = make_url(store_url)
    with pytest.raises(OperationalException) as caught:
        init_db(f"{url.drivername}://bot:{password}@127.0.0.1:{_free_port()}/tradestore")
    assert SECRET not in _shown(caught.value, caplog)


@pytest.mark.needs("networked")
def test_open_store_never_shows_the_password(database, caplog) -> None:
    """Not in its representation, its URL, its engine, or a debug log."""
    caplog.set_level(logging.DEBUG)
    Trade.get_open_trade_count()
    shown = f"{database!r} {database} {database.url} {database.engine!r} {database.engine.url} {caplog.text}"
    assert PASSWORD not in shown
    assert quote_plus(PASSWORD) not in shown
    assert "***" in database.url


def test_question_without_a_database() -> None:
    """Before the first `init_db` and after closing, the message says what to call."""
    init_db("sqlite://").close()
    with pytest.raises(DatabaseNotReady, match="init_db"):
        Trade.get_open_trade_count()
    with pytest.raises(DatabaseNotReady, match="init_db"):
        Trade.get_trades().all()


@pytest.mark.parametrize("url", ["sqlite:///", "cassandra://host/db", "sqlite:////missing/trades.sqlite"])
def test_failed_opening_leaves_the_open_store_in_use(database, url) -> None:
    """Whoever opens another database and fails still has the one from before."""
    with pytest.raises(OperationalException):
        init_db(url)
    assert Trade.session.get_bind() is database.engine
    assert Trade.get_open_trade_count() == 0


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"db_url": "sqlite:///tradesv3.sqlite", "dry_run": True}, "sqlite:///tradesv3.dryrun.sqlite"),
        ({"db_url": "sqlite:///tradesv3.sqlite", "dry_run": False}, "sqlite:///tradesv3.sqlite"),
        ({"db_url": "sqlite:///tradesv3.sqlite"}, "sqlite:///tradesv3.sqlite"),
        ({"db_url": "sqlite:////data/tradesv3.sqlite", "dry_run": True}, "sqlite:////data/tradesv3.dryrun.sqlite"),
        ({"db_url": "sqlite:///tradesv3.dryrun.sqlite", "dry_run": True}, "sqlite:///tradesv3.dryrun.sqlite"),
        ({"db_url": "postgresql://host/db", "dry_run": True}, "postgresql://host/db"),
    ],
)
def test_dry_run_has_its_own_file(config, expected) -> None:
    """A dry run never writes to the file of the live bot."""
    assert resolve_db_url(config) == expected


@pytest.mark.parametrize("config", [{}, {"db_url": ""}, {"db_url": None, "dry_run": True}])
def test_configuration_without_a_url_is_refused(config) -> None:
    """The message shows what to add."""
    with pytest.raises(InvalidDatabaseUrl, match="db_url"):
        resolve_db_url(config)


@pytest.mark.parametrize(
    ("scheme", "options", "expected"),
    [
        ("postgresql", {"user": "bot", "password": SECRET}, {"user": "bot", "password": SECRET}),
        ("postgresql+psycopg", {"sslpassword": SECRET}, {"sslpassword": SECRET}),
        ("mysql", {"passwd": SECRET}, {"password": SECRET.encode()}),
        ("mariadb", {"ssl_key_password": SECRET}, {"ssl_key_password": SECRET}),
    ],
)
def test_secrets_among_the_options_reach_the_driver_alone(scheme, options, expected) -> None:
    """The engine shows its URL; a password must not be in what it shows."""
    engine = open_engine(URL.create(scheme, host="host", database="db", query=options).render_as_string())
    found: dict[str, object] = {}

    def take(_dialect: object, _record: object, _arguments: object, given: dict[str, object]) -> None:
        found.update(given)
        raise InterruptedError

    event.listen(engine, "do_connect", take)
    with pytest.raises(InterruptedError):
        engine.connect()
    assert {name: found[name] for name in expected} == expected
    assert SECRET not in f"{engine!r} {engine.url!r} {engine.url} {engine.pool!r}"


def test_no_trace_of_an_unreadable_url_in_what_led_to_the_error() -> None:
    """An error tracker follows contexts also where a traceback leaves them out."""
    with pytest.raises(InvalidDatabaseUrl) as caught:
        init_db(f"postgresql://bot:{SECRET}@host:no-port/db")
    assert caught.value.__context__ is None
