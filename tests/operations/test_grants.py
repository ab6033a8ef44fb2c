"""Each role logs in with what `grants` prints for it, does all that it is for, and is refused everything else."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.builders import store, trade_with_entry
from tests.capabilities import Backend
from tests.servers import ADMIN, PASSWORD, PostgresServer, Server
from tradestore import PairLocks, Trade, migrations
from tradestore._engine import check_url
from tradestore.exceptions import InvalidValue
from tradestore.operations.grants import Grants, least_grants
from tradestore.operations.opening import open_to_read
from tradestore.testing import opened_store

pytestmark = pytest.mark.needs("networked", "first_driver")

DATABASE: Final = "trade_store 100%"
BOT, OTHER = "My \"b`ot'", "tradestore_other"
FORBIDDEN = (
    "INSERT INTO wallet_history (currency) VALUES ('X')",
    "UPDATE trades SET amount = 0",
    "DELETE FROM orders",
    "CREATE TABLE mine (id INTEGER)",
    "DROP TABLE trades",
    "ALTER TABLE trades ADD COLUMN mine INTEGER",
)

Role = Callable[..., str]


@pytest.fixture
def role(backend: Backend, server: Server) -> Iterator[Role]:
    """Return what makes a role, and returns its URL; they are gone afterwards."""
    server.create_database(DATABASE)
    made: list[tuple[Grants, str]] = []
    is_postgresql = backend.server is PostgresServer

    def make(name: str, **options: Any) -> str:
        engine = "postgresql" if is_postgresql else "mysql"
        grants = least_grants(engine, name, database=DATABASE, **options)  # type: ignore[arg-type]
        assert PASSWORD[:6] not in repr(grants)
        quoted = grants.statements[0].removeprefix("CREATE ROLE ").removeprefix("CREATE USER ")
        account = quoted.removesuffix(" LOGIN").removesuffix(" ACCOUNT LOCK")
        made.append((grants, account))
        for statement in grants.statements:
            _as_it_stands(server, statement)
        # What the administrator is told to do: psql sends this for \password.
        way = f"ALTER ROLE {account} PASSWORD" if is_postgresql else f"ALTER USER {account} IDENTIFIED BY"
        _as_it_stands(server, f"{way} '{PASSWORD}'{'' if is_postgresql else ' ACCOUNT UNLOCK'}")
        return server._url(backend.scheme, grants.user, DATABASE).render_as_string(hide_password=False)

    yield make
    server.disconnect(DATABASE)
    for _, account in reversed(made):
        if is_postgresql:
            _as_it_stands(server, f"DROP OWNED BY {account} CASCADE")
            _as_it_stands(server, f"DROP ROLE {account}")
        else:
            _as_it_stands(server, f"DROP USER {account}")


def test_bot_lives_its_whole_life(role: Role, server: Server) -> None:
    """It makes its tables, keeps trades, and brings the tables up to date."""
    url = role("bot", user=BOT)
    with opened_store(url) as opened:
        store(trade_with_entry())
        PairLocks.lock_pair("BTC/USDT", Trade.get_open_trades()[0].open_date_utc.replace(year=2030))
        opened.run(lambda session: session.add(trade_with_entry()))
        Trade.session.remove()
        migrations.downgrade(opened.engine, "0002")
    with opened_store(url) as opened:
        assert Trade.get_open_trade_count() == 2
        assert migrations.current(opened.engine) == migrations.HEAD
        Trade.session.delete(Trade.get_open_trades()[0])
        Trade.commit()
        assert Trade.get_open_trade_count() == 1


def test_bot_does_nothing_to_what_is_not_its_own(role: Role, server: Server) -> None:
    """Another program's table in the same database, other databases, and users."""
    server.create_database(OTHER)
    _as_it_stands(server, "CREATE TABLE theirs (id INTEGER)")
    with opened_store(role("bot", user=BOT)) as opened:
        for statement in (
            "DROP TABLE theirs",
            "SELECT * FROM theirs",
            f"DROP DATABASE {OTHER}",
            "CREATE DATABASE mine",
            "CREATE USER another",
        ):
            assert_refused(opened.engine, statement)


def test_bot_without_ddl_keeps_trades_and_changes_no_table(role: Role, server: Server, backend: Backend) -> None:
    """Somebody else brings the tables up to date before."""
    with opened_store(server._url(backend.scheme, ADMIN, DATABASE).render_as_string(hide_password=False)):
        pass
    with opened_store(role("bot", user=BOT, ddl=False)) as opened:
        store(trade_with_entry())
        opened.run(lambda session: session.add(trade_with_entry()))
        assert Trade.get_open_trade_count() == 2
        Trade.session.remove()
        for statement in FORBIDDEN[3:]:
            assert_refused(opened.engine, statement)


def test_reader_sees_everything_and_changes_nothing(role: Role, server: Server, backend: Backend) -> None:
    """All reports, and tables and views that the bot makes later."""
    bot = role("bot", user=BOT)
    with opened_store(bot):
        store(trade_with_entry())
    reader = role("reader", owner=BOT)
    with _engine(bot if backend.server is PostgresServer else None, server) as maker, maker.begin() as connection:
        connection.execute(text("CREATE TABLE later (id INTEGER)"))
        connection.execute(text("CREATE VIEW later_too AS SELECT * FROM later"))
    with open_to_read(reader) as opened:
        assert Trade.get_open_trade_count() == 1
        assert Trade.get_overall_performance() == []
        assert Trade.total_open_trades_stakes() > 0
        Trade.session.remove()
        with opened.engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM later_too")).scalar() == 0
    with _engine(reader, server) as engine:
        assert_reads_only(engine)


def test_backup_dumps_everything_and_changes_nothing(
    role: Role, server: Server, tmp_path: Path, backend: Backend
) -> None:
    """By the engine's own tool, with the password from a file or a variable."""
    bot = role("bot", user=BOT)
    with opened_store(bot):
        store(trade_with_entry(strategy="a strategy to find again"))
    backup = role("backup", owner=BOT)
    assert "a strategy to find again" in _dump(server, tmp_path, is_postgresql=backend.server is PostgresServer)
    with _engine(backup, server) as engine:
        assert_reads_only(engine)


@pytest.mark.parametrize(
    "wrong",
    [{"engine": "sqlite"}, {"role": "admin"}, {"user": ""}, {"user": "x" * 100}, {"database": "a\0b"}, {"host": ""}],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, str]) -> None:
    given: dict[str, Any] = {"engine": "mysql", "role": "bot"} | wrong
    with pytest.raises(InvalidValue, match=r"is unknown|is no name"):
        least_grants(given.pop("engine"), given.pop("role"), **given)


def assert_refused(engine: Engine, statement: str) -> None:
    """Expect the server to refuse a statement for want of a right, and for nothing else."""
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(DBAPIError, match=r"permission denied|must be owner|denied") as caught,
    ):
        connection.exec_driver_sql(statement)
    assert "read-only" not in str(caught.value)


def assert_reads_only(engine: Engine) -> None:
    """Expect every change to be refused, also when the session says that it wants to write."""
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM trades")).scalar() == 1
    for statement in FORBIDDEN:
        assert_refused(engine, statement)


@contextmanager
def _engine(url: str | None, server: Server) -> Iterator[Engine]:
    """Return a plain engine, of the administrator without a URL."""
    # A role that only asked not to write, and had the right to, would be found out.
    options = {"options": "-c default_transaction_read_only=off"} if isinstance(server, PostgresServer) else {}
    chosen = check_url(url) if url else server._url(server.scheme, ADMIN, DATABASE)
    engine = create_engine(chosen, connect_args=options)
    try:
        yield engine
    finally:
        engine.dispose()


def _as_it_stands(server: Server, statement: str) -> None:
    """Run a statement as an administrator would paste it, without a driver reading anything into it."""
    with _engine(None, server) as engine, engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.connection.commit()


def _dump(server: Server, folder: Path, *, is_postgresql: bool) -> str:
    """Return what the engine's own tool writes."""
    if is_postgresql:
        words = ["pg_dump", f"--port={server.port}", "--host=127.0.0.1", "--username=tradestore_backup", DATABASE]
        environment = os.environ | {"PGPASSWORD": PASSWORD}
    else:
        options = folder / "options.cnf"
        options.touch(0o600)
        escaped = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        options.write_text(
            f'[client]\nuser=tradestore_backup\nhost=127.0.0.1\nport={server.port}\npassword="{escaped}"\n'
        )
        words = ["mariadb-dump", f"--defaults-extra-file={options}", "--single-transaction", "--triggers", DATABASE]
        environment = dict(os.environ)
    assert shutil.which(words[0])
    ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
