"""Archived trades are out of the store, whole in the file, and still in every report; and they come back."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from tests.builders import OPENED, store, trade, trade_with_entry
from tests.faults.small_disks import files_limited
from tests.operations.furniture import rows_of
from tests.operations.old_trades import BEFORE, OLD, fill, reports, rows_of_trades
from tradestore import ModelBase, Order, OrderIntent, Store, Trade, migrations
from tradestore._archive_model import ArchivedProfit
from tradestore.exceptions import ArchiveError, DatabaseBusy, DatabaseUnreachable, MigrationError, OperationalException
from tradestore.operations import archive as archiving
from tradestore.operations.archive import archive, plan_archive, unarchive
from tradestore.operations.backup import back_up, restore
from tradestore.operations.performance import Grouping, read_performance
from tradestore.operations.report import read_figures
from tradestore.operations.report.page import scope_text
from tradestore.testing import opened_store

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.needs("first_driver")

MOVED = [ModelBase.metadata.tables[name] for name in ("trades", "orders", "trade_custom_data")]


@pytest.fixture
def filled(database: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with nine old trades, three later ones and an open one; they are moved two at a time."""
    monkeypatch.setattr(archiving, "_PORTION", 2)
    fill()
    return database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive.sqlite"


@contextmanager
def _looking_at(file: Path) -> Iterator[None]:
    """Open an archive as the store that it is."""
    with opened_store(f"sqlite:///{file}"):
        yield


def _all_rows(database: Store) -> dict[str, list[Any]]:
    Trade.session.remove()
    with database.engine.connect() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in MOVED}


def test_reports_stay_what_they_were(filled, file) -> None:
    """Nine trades go with all that is theirs; no report notices, and the file has them as they were."""
    before = reports()
    old = {number: Trade.session.get_one(Trade, number).to_json() for number in OLD}
    Trade.session.remove()
    steps: list[tuple[int, int | None]] = []
    report = archive(filled, BEFORE, file, progress=lambda *step: steps.append(step))
    assert (report.trades, report.archived_trades, report.before) == (9, 9, BEFORE)
    assert steps == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]
    assert rows_of_trades() == [10, 11, 12, 13]
    assert reports() == before
    with filled.engine.connect() as connection:
        # Two orders of each of three closed trades, the entry of the open one, and an entry of custom data of three.
        assert [connection.scalar(select(func.count()).select_from(table)) for table in MOVED] == [4, 7, 3]
    with _looking_at(file):
        assert {number: Trade.session.get_one(Trade, number).to_json() for number in OLD} == old
        assert Trade.session.get_one(Trade, 9).get_custom_data("level") == {"number": 9}
        # 20.12345678 - 3.1 + 0.00000001 + 7.7 - 12.34567891 + 100 + 0.1 + 0.2 + 0.3
        assert Trade.get_total_closed_profit() == 112.97777788


@pytest.mark.parametrize("by", Grouping)
def test_performance_stays_what_it_was(filled, file, by) -> None:
    """What an operator is shown by any grouping counts archived trades as well, since any midnight too."""
    midnight = datetime(2025, 1, 11, tzinfo=UTC)

    def shown() -> list[Any]:
        Trade.session.remove()
        groups = [*read_performance(filled, by), *read_performance(filled, by, since=midnight)]
        return [(each.group, each.count, each.profit_abs, round(each.profit_ratio, 12)) for each in groups]

    before = shown()
    # Twelve closed trades; those of which the number is 5 or more were closed on 2025-01-11 or later.
    assert sum(count for _, count, _, _ in before) == 12 + 8
    archive(filled, BEFORE, file)
    assert shown() == before
    Trade.session.remove()


def test_report_tells_what_it_leaves_out(filled, file) -> None:
    """No curve can be drawn of sums; nobody is to take the rest for all."""
    assert read_figures(filled).scope.archived == 0
    archive(filled, BEFORE, file)
    figures = read_figures(filled)
    assert (figures.closed, figures.scope.archived) == (3, 9)
    assert "9 archived trades are not in it" in scope_text(figures.scope)
    # Trade 5 was closed on 2025-01-11; every third trade is of one pair.
    some = read_figures(filled, since=datetime(2025, 1, 11, 18, tzinfo=UTC), until=datetime(2025, 1, 15, tzinfo=UTC))
    assert some.scope.archived == 2
    assert read_figures(filled, pair="XRP/USDT").scope.archived == 3


def test_file_is_the_owners_alone_and_whole(filled, file) -> None:
    """Nobody else may read it, and nothing of it is in a second file."""
    archive(filled, BEFORE, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in file.parent.glob("archive*")) == ["archive.sqlite"]
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_sums_are_kept(filled, file) -> None:
    """By pair, tag, reason and day, with what each report adds up."""
    archive(filled, BEFORE, file)
    with filled.engine.connect() as connection:
        table = ArchivedProfit.__table__
        (row,) = connection.execute(select(table).where(table.c.closed_on == datetime(2025, 1, 11, tzinfo=UTC))).all()
    # Trade 5: ten units bought at 20 and sold at 21, of which a third was its own money.
    assert (row.pair, row.enter_tag, row.exit_reason, row.is_short) == ("XRP/USDT", "news é", "stop_loss", False)
    assert (row.trades, row.wins, row.close_profit_abs, row.volume) == (1, 0, -12.34567891, 200.0 + 210.0)
    assert row.invested == pytest.approx(200.0 / 3)


def test_archive_grows(filled, file) -> None:
    """A later date moves what has become old since; what is there stays."""
    before = reports()
    first = archive(filled, BEFORE - timedelta(days=20), file)
    assert 0 < first.trades < 9
    second = archive(filled, BEFORE, file)
    assert (first.trades + second.trades, second.archived_trades) == (9, 9)
    assert archive(filled, BEFORE, file).trades == 0
    assert reports() == before


def test_all_come_back(filled, file) -> None:
    """Every value is what it was, and no sum stays behind."""
    before, rows = reports(), _all_rows(filled)
    archive(filled, BEFORE, file)
    report = unarchive(filled, file)
    assert (report.trades, report.archived_trades) == (9, 0)
    assert _all_rows(filled) == rows
    assert reports() == before
    with filled.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(ArchivedProfit)) == 0
    assert archive(filled, BEFORE, file).trades == 9


def test_some_come_back(filled, file) -> None:
    """The sums are those of the others."""
    before = reports()
    archive(filled, BEFORE, file)
    report = unarchive(filled, file, [3, 5])
    assert (report.trades, report.archived_trades) == (2, 7)
    assert rows_of_trades() == [3, 5, 10, 11, 12, 13]
    assert reports() == before
    with filled.engine.connect() as connection:
        assert connection.scalar(select(func.sum(ArchivedProfit.trades))) == 7


def test_nothing_is_put_back_by_half(filled, file) -> None:
    """A trade that the archive does not have is named, and all stay where they are."""
    archive(filled, BEFORE, file)
    with pytest.raises(ArchiveError, match="has no trade 10, 99"):
        unarchive(filled, file, [3, 10, 99])
    assert rows_of_trades() == [10, 11, 12, 13]


def test_what_is_not_settled_stays(filled, file) -> None:
    """An order that waits, an order that nobody knows of, and whatever has the highest id."""
    Trade.session.execute(update(Order).where(Order.ft_trade_id == 2).values(ft_is_open=True))
    store(
        OrderIntent(
            client_order_id="a", state="open", pair="A/B", side="buy", amount=1.0, created_at=OPENED, ft_trade_id=4
        )
    )
    store(
        OrderIntent(
            client_order_id="b", state="placed", pair="A/B", side="buy", amount=1.0, created_at=OPENED, ft_trade_id=6
        )
    )
    Trade.session.execute(delete(Order).where(Order.ft_trade_id == 13))
    Trade.session.execute(delete(Trade).where(Trade.id == 13))
    Trade.commit()
    Trade.session.remove()
    everything = datetime(2027, 1, 1, tzinfo=UTC)
    plan = plan_archive(filled, everything)
    assert (plan.trades, plan.orders, plan.staying) == (9, 18, 3)
    assert archive(filled, everything, file).trades == 9
    assert rows_of_trades() == [2, 4, 12]
    added = trade()
    store(added)
    assert added.id > 12


def test_ids_are_not_given_again_after_an_open_trade_was_deleted(filled, file) -> None:
    """As a bot does with one whose entry was canceled; SQLite counts on from the highest id that is left."""
    Trade.session.get_one(Trade, 13).set_custom_data("level", {"number": 13})
    archive(filled, datetime(2100, 1, 1, tzinfo=UTC), file)
    Trade.session.get_one(Trade, 13).delete()
    new = trade_with_entry(pair="NEW/USDT")
    store(new)
    new.set_custom_data("level", {"number": 14})
    Trade.session.remove()
    report = unarchive(filled, file)
    assert report.archived_trades == 0
    assert len(rows_of_trades()) == 13


def test_plan_changes_nothing(filled, file) -> None:
    """It says what would go, and from when to when."""
    plan = plan_archive(filled, BEFORE)
    assert (plan.trades, plan.orders, plan.staying) == (9, 18, 0)
    assert plan.first_closed == datetime(2025, 1, 3, 12, tzinfo=UTC)
    assert plan.last_closed == datetime(2025, 1, 19, 12, tzinfo=UTC)
    assert len(rows_of_trades()) == 13
    assert not file.exists()


def test_archive_of_another_store_is_refused(filled, file, tmp_path) -> None:
    """Neither is anything added to it, nor taken from it."""
    archive(filled, BEFORE - timedelta(days=20), file)
    with opened_store(f"sqlite:///{tmp_path / 'other.sqlite'}") as other:
        fill()
        for call in (lambda: archive(other, BEFORE, file), lambda: unarchive(other, file)):
            with pytest.raises(ArchiveError, match="not an archive of this store"):
                call()
        assert len(rows_of_trades()) == 13


def test_older_copy_of_the_archive_is_refused(filled, file, tmp_path) -> None:
    """By it, reports would forget the trades that it does not have yet."""
    archive(filled, BEFORE - timedelta(days=20), file)
    older = tmp_path / "older.sqlite"
    shutil.copy(file, older)
    before = reports()
    archive(filled, BEFORE, file)
    for call in (lambda: unarchive(filled, older), lambda: archive(filled, BEFORE, older)):
        with pytest.raises(ArchiveError, match=r"older copy of the archive.*Nothing was changed"):
            call()
    assert reports() == before
    assert unarchive(filled, file).trades == 9


@pytest.mark.needs("persistent")
def test_trade_that_came_back_from_a_backup_counts_once_again(filled, file, tmp_path) -> None:
    """The next call sees that the store has it, takes it out of the archive, and sums up anew."""
    before = reports()
    made = back_up(filled, tmp_path / "backups", format="portable")
    archive(filled, BEFORE, file)
    restore(made.path, filled, trades=[3, 5])
    report = archive(filled, BEFORE, file)
    assert (report.trades, report.archived_trades) == (2, 9)
    assert reports() == before
    restore(made.path, filled, trades=[3])
    assert unarchive(filled, file).trades == 8
    assert reports() == before


@pytest.mark.needs("one_writer")
def test_infinite_profits_are_not_summed_up(filled, file) -> None:
    """A sum of them could never be taken apart again."""
    Trade.session.execute(update(Trade).where(Trade.id == 3).values(close_profit=text("9e307 * 100")))
    Trade.session.execute(update(Trade).where(Trade.id == 6).values(close_profit=text("-9e307 * 100")))
    Trade.commit()
    Trade.session.remove()
    with pytest.raises(ArchiveError, match=r"Trade 3 cannot be archived: its close_profit is Infinity.*correct it"):
        archive(filled, BEFORE, file)
    assert 3 in rows_of_trades()


def test_other_files_are_refused(filled, tmp_path) -> None:
    """A bot's own store, another program's database, a text and a folder: nothing is changed in them."""
    with opened_store(f"sqlite:///{tmp_path / 'bot.sqlite'}"):
        fill()
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as other:
        other.execute("CREATE TABLE notes (id INTEGER)")
    (tmp_path / "text.sqlite").write_text("no database\n" * 200)
    (tmp_path / "folder").mkdir()
    before = {
        each.name: each.is_file() and each.read_bytes() for each in tmp_path.iterdir() if "store" not in each.name
    }
    for name in ("bot.sqlite", "other.sqlite"):
        with pytest.raises(ArchiveError, match="no archive"):
            archive(filled, BEFORE, tmp_path / name)
    for name in ("text.sqlite", "folder"):
        with pytest.raises(DatabaseUnreachable):
            archive(filled, BEFORE, tmp_path / name)
    with pytest.raises(ArchiveError, match="cannot be made"):
        archive(filled, BEFORE, tmp_path / "missing" / "archive.sqlite")
    with pytest.raises(DatabaseUnreachable, match="There is no database"):
        unarchive(filled, tmp_path / "nowhere.sqlite")
    after = {each.name: each.is_file() and each.read_bytes() for each in tmp_path.iterdir() if "store" not in each.name}
    assert after == before
    assert len(rows_of_trades()) == 13


def test_store_is_no_archive_of_itself(tmp_path) -> None:
    """Whatever its name looks like."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with opened_store(url) as database:
        fill()
        with pytest.raises(ArchiveError, match="is the store itself"):
            archive(database, BEFORE, tmp_path / "." / "store.sqlite")


@pytest.mark.needs("persistent")
def test_trade_that_is_changed_meanwhile_stays(filled, file, monkeypatch) -> None:
    """What was copied before that is not what there is: nothing is deleted, and the next call does it."""
    copy = archiving._copy

    def copy_and_change(*args: Any) -> None:
        copy(*args)
        with filled.engine.begin() as connection:
            connection.execute(text("UPDATE orders SET filled = 9.5 WHERE ft_trade_id = 1"))

    monkeypatch.setattr(archiving, "_copy", copy_and_change)
    with pytest.raises(DatabaseBusy, match="changed trades while they were archived"):
        archive(filled, BEFORE, file)
    assert len(rows_of_trades()) == 13
    monkeypatch.undo()
    before = reports()
    assert archive(filled, BEFORE, file).archived_trades == 9
    assert reports() == before


def _add_own_table(database: Store, referred: str, action: str) -> None:
    """Make a table of a user's own, with a row that refers to an old trade or order, and one to a later one."""
    old, late = (9, 12) if referred == "trades" else (18, 24)
    with database.engine.begin() as connection:
        key = f"FOREIGN KEY (about) REFERENCES {referred} (id) {action}"
        connection.execute(text(f"CREATE TABLE notes (id INTEGER PRIMARY KEY, about INTEGER, {key})"))
        connection.execute(text(f"INSERT INTO notes VALUES (1, {old}), (2, {late}), (3, NULL)"))


def _notes(database: Store) -> list[Any]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT id, about FROM notes ORDER BY id"))]


@pytest.mark.parametrize("referred", ["trades", "orders"])
@pytest.mark.parametrize("action", ["", "ON DELETE SET NULL", "ON DELETE CASCADE"])
def test_rows_of_others_keep_all_trades(filled, file, referred, action) -> None:
    """The engine would delete them or take their reference away, in silence; somebody has to decide first."""
    _add_own_table(filled, referred, action)
    before, notes = _all_rows(filled), _notes(filled)
    message = rf"1 row refers to {referred} by notes\.about\. None of .* was moved: keep such rows"
    for call in (lambda: plan_archive(filled, BEFORE), lambda: archive(filled, BEFORE, file)):
        with pytest.raises(ArchiveError, match=message):
            call()
    assert (_all_rows(filled), _notes(filled)) == (before, notes)
    assert not file.exists()
    with filled.engine.begin() as connection:
        connection.execute(text("UPDATE notes SET about = NULL WHERE id = 1"))
    assert plan_archive(filled, BEFORE).trades == 9
    assert archive(filled, BEFORE, file).trades == 9
    assert _notes(filled) == [(1, None), *notes[1:]]


def test_row_of_others_that_comes_meanwhile_keeps_its_portion(filled, file, monkeypatch) -> None:
    """The portion's own transaction looks again."""
    _add_own_table(filled, "trades", "ON DELETE CASCADE")
    with filled.engine.begin() as connection:
        connection.execute(text("UPDATE notes SET about = NULL WHERE id = 1"))
    copy = archiving._copy

    def copy_and_add(store: Any, archived: Any, cargos: Any, ids: Any) -> None:
        copy(store, archived, cargos, ids)
        if 5 in ids:
            with filled.engine.begin() as connection:
                connection.execute(text("UPDATE notes SET about = 5 WHERE id = 1"))

    monkeypatch.setattr(archiving, "_copy", copy_and_add)
    with pytest.raises(ArchiveError, match=r"1 row refers to trades by notes\.about"):
        archive(filled, BEFORE, file)
    assert _notes(filled) == [(1, 5), (2, 12), (3, None)]
    # Two at a time: 1 and 2, then 3 and 4 were moved.
    assert rows_of_trades() == [*range(5, 14)]


def test_trade_that_stays_keeps_the_one_it_refers_to(filled, file) -> None:
    """A column that somebody has added to trades may refer to others; those that go along are no reason."""
    with filled.engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE orders ADD COLUMN hedge INTEGER REFERENCES trades (id) ON DELETE SET NULL")
        )
        if connection.dialect.name in {"mysql", "mariadb"}:
            connection.execute(
                text("ALTER TABLE orders ADD FOREIGN KEY (hedge) REFERENCES trades (id) ON DELETE SET NULL")
            )
        connection.execute(text("UPDATE orders SET hedge = 3 WHERE id IN (2, 24)"))
    with pytest.raises(ArchiveError, match=r"1 row refers to trades by orders\.hedge"):
        plan_archive(filled, BEFORE)
    with filled.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET hedge = NULL WHERE id = 24"))
    assert plan_archive(filled, BEFORE).trades == 9


@pytest.mark.needs("schemas")
def test_table_in_another_schema_keeps_trades(filled, file) -> None:
    """Where a bot's other tables stand is the user's own business."""
    with filled.engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA diary"))
        connection.execute(
            text("CREATE TABLE diary.notes (id INTEGER, trade INTEGER REFERENCES trades (id) ON DELETE CASCADE)")
        )
        connection.execute(text("INSERT INTO diary.notes VALUES (1, 5)"))
    with pytest.raises(ArchiveError, match=r"1 row refers to trades by diary\.notes\.trade"):
        archive(filled, BEFORE, file)


@pytest.mark.needs("persistent")
def test_columns_of_the_users_go_along(filled, file) -> None:
    """What somebody has added to a table is in the file, and comes back."""
    with filled.engine.begin() as connection:
        connection.execute(text("ALTER TABLE trades ADD COLUMN mood VARCHAR(20)"))
        connection.execute(text("UPDATE trades SET mood = 'calm' WHERE id = 3"))
    archive(filled, BEFORE, file)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT mood FROM trades WHERE id IN (3, 4)").fetchall() == [("calm",), (None,)]
    unarchive(filled, file, [3])
    with filled.engine.connect() as connection:
        assert connection.scalar(text("SELECT mood FROM trades WHERE id = 3")) == "calm"


def test_downgrade_is_refused_while_trades_are_archived(filled, file) -> None:
    """No older version knows what they brought."""
    archive(filled, BEFORE, file)
    with pytest.raises(MigrationError, match=r"what archived trades brought, but there are 9.*tradestore unarchive"):
        migrations.downgrade(filled.engine, "0006_repair_log")
    assert migrations.current(filled.engine) == migrations.HEAD
    unarchive(filled, file)
    migrations.downgrade(filled.engine, "0006_repair_log")
    migrations.upgrade(filled.engine)
    assert migrations.check(filled.engine, ModelBase.metadata) == []


def test_rows_are_those_of_the_store_in_the_file(tmp_path, file) -> None:
    """From one file to another, each stored value is the same to the last bit."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with opened_store(url) as database:
        fill()
        before = rows_of(url, MOVED)
        archive(database, BEFORE, file)
        kept, moved = rows_of(url, MOVED), rows_of(f"sqlite:///{file}", MOVED)
    assert {name: sorted([*kept[name], *moved[name]], key=repr) for name in before} == {
        name: sorted(rows, key=repr) for name, rows in before.items()
    }


@pytest.mark.parametrize("limit", [20_000, 300_000])
def test_disk_that_is_full(tmp_path: Path, file: Path, limit: int, monkeypatch) -> None:
    """Whether the archive cannot be made or cannot grow: it is told, nothing is lost, and with room it works."""
    monkeypatch.setattr(archiving, "_PORTION", 2)
    with opened_store(f"sqlite:///{tmp_path / 'store.sqlite'}") as database:
        fill()
        # What is remembered of each trade is more than the room that is left.
        Trade.session.execute(text("UPDATE trade_custom_data SET cd_value = hex(zeroblob(50000))"))
        Trade.commit()
        before = reports()
        with files_limited(limit), pytest.raises(OperationalException, match=r"(?i)full|room|disk"):
            archive(database, BEFORE, file)
        assert reports() == before
        assert archive(database, BEFORE, file).archived_trades == 9
        assert reports() == before
        assert rows_of_trades() == [10, 11, 12, 13]


@pytest.mark.needs("persistent")
def test_two_at_once(store_url: str, file: Path) -> None:
    """At least one comes to its end or can be done again, and neither takes away what the other has moved."""
    with opened_store(store_url):
        fill()
        before = reports()
    with get_context("spawn").Pool(2) as pool:
        found = pool.map(_try, [(store_url, file)] * 2, chunksize=1)
    assert set(found) <= {"done", "again"}
    with opened_store(store_url) as database:
        archive(database, BEFORE, file)
        assert rows_of_trades() == [10, 11, 12, 13]
        assert reports() == before
    with _looking_at(file):
        assert rows_of_trades() == OLD


def _try(arguments: tuple[str, Path]) -> str:
    archiving._PORTION = 2  # type: ignore[misc]
    try:
        archive(arguments[0], BEFORE, arguments[1])
    except (ArchiveError, DatabaseBusy):
        return "again"
    return "done"


@pytest.mark.needs("persistent")
@pytest.mark.parametrize(
    ("way", "least"), [("on", 12), pytest.param("anew", 40, marks=pytest.mark.thorough)], ids=["on", "anew"]
)
def test_killed_again_and_again(store_url: str, file: Path, way: str, least: int, note_kills) -> None:
    """SIGKILL before each statement that writes, and each commit, on both sides: nothing is lost, reports are right."""
    command = [sys.executable, "-W", "error", "-m", "tests.operations.archive_killing", store_url, str(file), way]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= least
    note_kills(f"archive and unarchive, which went {way}", int(run.stdout))
