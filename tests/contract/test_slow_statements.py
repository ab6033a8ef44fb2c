"""The log of slow statements: what it tells, what it keeps to itself, and that nothing depends on it."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.builders import store, trade
from tradestore import Store, Trade, init_db
from tradestore.testing import opened_store

SECRET = "PRIVATE/USDT"


@pytest.fixture
def watched(store_url: str) -> Iterator[Store]:
    """Return a store in which every statement counts as slow."""
    with opened_store(store_url, slow_statement=0) as opened:
        yield opened


def _lines(caplog: pytest.LogCaptureFixture, beginning: str) -> list[str]:
    """Return what was logged of the statements that begin so."""
    found = [each.getMessage() for each in caplog.records if each.name == "tradestore.slow"]
    return [line for line in found if f": {beginning}" in line]


def test_line_tells_the_statement_its_place_and_its_plan(watched, caplog) -> None:
    """One line: seconds, rows, the caller's file, and by which index the engine went."""
    store(trade(pair=SECRET))
    caplog.clear()
    Trade.get_trades([Trade.id == 1]).all()
    (line,) = _lines(caplog, "SELECT trades.id")
    seconds, rest = line.split(" s, rows: ", 1)
    assert float(seconds) >= 0
    assert f"at {__file__}:" in rest
    assert "in test_line_tells_the_statement_its_place_and_its_plan: SELECT trades.id" in rest
    plan = rest.partition(" | plan: ")[2]
    assert "trades" in plan
    assert "none" not in plan
    assert "\n" not in line


def test_parameters_stay_private(watched, caplog) -> None:
    """Neither the values that are bound nor texts in the statement are logged, nor do plans tell them."""
    store(trade(pair=SECRET))
    assert Trade.get_trades_proxy(pair=SECRET)
    Trade.session.execute(text(f"SELECT id FROM trades WHERE pair = '{SECRET}'")).all()
    assert _lines(caplog, "SELECT id FROM trades WHERE pair = '…'")
    assert SECRET not in caplog.text


def test_writes_are_explained_and_done_once(watched, caplog) -> None:
    """A plan is asked for without doing the change again."""
    store(trade(stake_amount=200.0))
    caplog.clear()
    Trade.session.execute(text("UPDATE trades SET stake_amount = stake_amount + 1 WHERE id = 1"))
    Trade.commit()
    (line,) = _lines(caplog, "UPDATE trades")
    assert "rows: 1," in line
    assert not line.endswith("plan: none")
    assert Trade.session.scalar(text("SELECT stake_amount FROM trades")) == 201.0


def test_plan_that_cannot_be_had_disturbs_nobody(watched, caplog) -> None:
    """What nobody else sees yet cannot be explained on another connection; the transaction goes on."""
    watched_engine = watched.engine
    with watched_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE own_notes (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO own_notes VALUES (1)")
        assert connection.scalar(text("SELECT count(*) FROM own_notes")) == 1
    with watched_engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM own_notes")) == 1
    assert len(_lines(caplog, "SELECT count(*) FROM own_notes")) == 2


@pytest.mark.needs("networked", "first_driver")
def test_no_connection_is_waited_for(store_url, caplog) -> None:
    """Where all connections are in use there is no plan, and nobody waits for one."""
    with opened_store(store_url, slow_statement=0, pool_size=1, max_overflow=0, pool_timeout=60):
        Trade.get_open_trade_count()
        Trade.session.remove()
        (line,) = _lines(caplog, "SELECT count(trades.id)")
        assert line.endswith("plan: none")


def test_slow_statements_are_counted(watched) -> None:
    """The status knows how many there were."""
    before = watched.status().slow_statements
    Trade.get_open_trade_count()
    assert watched.status().slow_statements == before + 1


def test_quick_statements_are_not_told(store_url, caplog) -> None:
    """What takes less than it may is neither logged nor counted."""
    with opened_store(store_url, slow_statement=3600) as database:
        Trade.get_open_trade_count()
        assert database.status().slow_statements == 0
    assert [each for each in caplog.records if each.name == "tradestore.slow"] == []


def test_nothing_listens_when_it_is_off(store_url) -> None:
    """Who did not ask for it pays nothing: there is no listener."""
    with opened_store(store_url) as database:
        assert not database.engine.dispatch.after_cursor_execute
    with opened_store(store_url, slow_statement=1) as database:
        assert database.engine.dispatch.after_cursor_execute


def test_errors_are_counted_by_kind(database) -> None:
    """Each error that a session raises counts under the name of its class."""
    with pytest.raises(Exception, match=r"(?i)no_such_table"):
        Trade.session.execute(text("SELECT 1 FROM no_such_table"))
    counted = database.status().errors
    assert sum(counted.values()) == 1
    assert set(counted) <= {"OperationalError", "ProgrammingError"}


class TestFileLog:
    """The file of the library's log."""

    def test_lines_go_to_a_file_of_the_owner(self, tmp_path: Path) -> None:
        """One line each, in UTC, as long as the store is open; nobody else may read them."""
        file = tmp_path / "bot.log"
        database = init_db("sqlite://", log_file=file)
        logging.getLogger("tradestore.any").warning("first\nline")
        database.close()
        logging.getLogger("tradestore.any").warning("after the end")
        (line,) = file.read_text().splitlines()
        moment, level, name, _process, message = line.split(" ", 4)
        assert (level, name, message) == ("WARNING", "tradestore.any", r"first\nline")
        assert moment.endswith("Z")
        assert file.stat().st_mode & 0o777 == 0o600

    def test_file_is_put_aside_when_it_is_full(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No line is lost, and no file is larger than it may be."""
        monkeypatch.setattr("tradestore._file_log.LARGEST", 300)
        file = tmp_path / "bot.log"
        database = init_db(f"sqlite://?log_file={file}")
        for number in range(10):
            logging.getLogger("tradestore").warning("line %d %s", number, "x" * 30)
        database.close()
        files = sorted(each for each in tmp_path.iterdir() if not each.name.endswith(".lock"))
        assert len(files) > 2
        assert all(each.stat().st_size <= 300 and each.stat().st_mode & 0o777 == 0o600 for each in files)
        told = "".join(each.read_text() for each in files)
        assert [number for number in range(10) if f" line {number} " not in told] == []

    def test_file_that_another_process_put_aside_is_left(self, tmp_path: Path) -> None:
        """The next line goes to the new file under the name."""
        file = tmp_path / "bot.log"
        database = init_db("sqlite://", log_file=str(file))
        logging.getLogger("tradestore").warning("old")
        file.rename(tmp_path / "bot.log.1")
        logging.getLogger("tradestore").warning("new")
        database.close()
        assert "new" in file.read_text()
        assert "new" not in (tmp_path / "bot.log.1").read_text()

    def test_bot_goes_on_while_the_file_cannot_be_opened(self, tmp_path: Path, monkeypatch) -> None:
        """A line may be lost then, but nothing is raised, and the next ones are there."""
        monkeypatch.setattr(logging, "raiseExceptions", False)
        file, logger = tmp_path / "folder" / "store.log", logging.getLogger("tradestore.slow")
        file.parent.mkdir()
        with opened_store("sqlite://", log_file=str(file)):
            logger.warning("first")
            file.rename(tmp_path / "gone.log")
            file.parent.rmdir()
            logger.warning("lost")
            file.parent.mkdir()
            file.touch()
            logger.warning("second")
            logger.warning("third")
        assert [line.rsplit(maxsplit=1)[1] for line in file.read_text().splitlines()] == ["second", "third"]

    def test_stores_share_a_file(self, tmp_path: Path) -> None:
        """Whoever opens a store in place of another one goes on in the same file, without a line twice."""
        file = tmp_path / "bot.log"
        init_db("sqlite://", log_file=file)
        second = init_db("sqlite://", log_file=file)
        logging.getLogger("tradestore").warning("once")
        second.close()
        assert len(file.read_text().splitlines()) == 1
        assert logging.getLogger("tradestore").handlers == []

    @pytest.mark.parametrize("name", ["store.sqlite", "store.sqlite-wal", "missing/bot.log"])
    def test_unusable_file_is_refused(self, tmp_path: Path, name: str) -> None:
        """The database is no log, and there is no log where there is no folder; nothing is made."""
        with pytest.raises(Exception, match="log_file"):
            init_db(f"sqlite:///{tmp_path / 'store.sqlite'}", log_file=tmp_path / name)
        assert list(tmp_path.iterdir()) == []
        assert logging.getLogger("tradestore").handlers == []
