"""Restores: into a new place, in place of another, refused where they would do harm, and of some trades only."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.capabilities import Backend
from tests.operations.furniture import furnish, plain_engine, tell
from tradestore import Trade, init_db
from tradestore.exceptions import BackupError, DatabaseBusy, TargetNotEmpty, TransferConflict, TransferError
from tradestore.operations.backup import Backup, back_up, restore, verify_backup
from tradestore.operations.content import content_hash
from tradestore.operations.views import create_views, list_views

NewUrl = Callable[[], str]


@pytest.mark.needs("persistent", "first_driver")
def test_restored_store_is_a_store_like_any_other(made: Backup, store_url: str) -> None:
    """It opens, and new rows get ids of their own."""
    report = restore(made.path, store_url)
    assert content_hash(store_url) == made.manifest.content
    assert report.rows == {name: table.rows for name, table in made.manifest.content.tables.items()}
    database = init_db(store_url)
    assert len(Trade.get_trades().all()) == 8
    Trade.session.remove()
    database.close()


@pytest.mark.needs("persistent", "first_driver")
def test_target_with_rows_is_refused_without_force(made: Backup, store_url: str) -> None:
    furnish(store_url, trades=2)
    before = content_hash(store_url)
    with pytest.raises(TargetNotEmpty, match=r"Nothing was changed.*--force"):
        restore(made.path, store_url)
    assert content_hash(store_url) == before


@pytest.mark.needs("persistent", "first_driver")
def test_target_with_rows_is_replaced_with_force(made: Backup, store_url: str) -> None:
    furnish(store_url, trades=2)
    restore(made.path, store_url, force=True)
    assert content_hash(store_url) == made.manifest.content
    init_db(store_url).close()


@pytest.mark.needs("networked", "first_driver")
def test_prepared_database_without_rows_needs_no_force(made: Backup, store_url: str) -> None:
    init_db(store_url).close()
    restore(made.path, store_url)
    assert content_hash(store_url) == made.manifest.content


@pytest.mark.needs("networked", "first_driver")
def test_tables_that_the_backup_lacks_are_never_lost(made: Backup, store_url: str) -> None:
    furnish(store_url, trades=2)
    tell(store_url, "CREATE TABLE journal (id INTEGER PRIMARY KEY)", "INSERT INTO journal VALUES (1)")
    before = content_hash(store_url)
    with pytest.raises(TargetNotEmpty, match="has the tables journal, which the backup lacks"):
        restore(made.path, store_url, force=True)
    assert content_hash(store_url) == before


@pytest.mark.needs("networked", "views_hold_columns", "first_driver")
def test_view_in_the_way_leaves_all_as_it_was(made: Backup, store_url: str) -> None:
    furnish(store_url, trades=2)
    tell(store_url, "CREATE VIEW winners AS SELECT id FROM trades")
    before = content_hash(store_url)
    with pytest.raises(BackupError, match=r"winners.*Nothing was changed"):
        restore(made.path, store_url, force=True)
    assert content_hash(store_url) == before


@pytest.mark.needs("networked", "first_driver")
def test_dump_goes_back_to_its_kind_of_server_only(store_url: str, tmp_path: Path, new_file: NewUrl) -> None:
    furnish(store_url, own=False)
    dump = back_up(store_url, tmp_path / "backups")
    file = new_file()
    with pytest.raises(BackupError, match="is restored on such a server"):
        restore(dump.path, file)
    assert not Path(file.removeprefix("sqlite:///")).exists()


@pytest.mark.needs("networked", "sequences", "first_driver")
def test_dump_replaces_what_is_there_in_one_transaction(store_url: str, tmp_path: Path) -> None:
    furnish(store_url)
    dump = back_up(store_url, tmp_path / "backups")
    tell(store_url, "UPDATE orders SET ft_pair = 'X'")
    with pytest.raises(TargetNotEmpty):
        restore(dump.path, store_url)
    restore(dump.path, store_url, force=True)
    assert content_hash(store_url) == dump.manifest.content


@pytest.mark.needs("networked", "sets", "first_driver")
def test_dump_replaces_what_is_there_in_one_statement(store_url: str, tmp_path: Path) -> None:
    furnish(store_url)
    dump = back_up(store_url, tmp_path / "backups")
    tell(store_url, "UPDATE orders SET ft_pair = 'X'")
    restore(dump.path, store_url, force=True)
    assert content_hash(store_url) == dump.manifest.content


@pytest.mark.needs("networked", "sets", "first_driver")
def test_dump_without_views_and_triggers_says_so(store_url: str, other_url: str, tmp_path: Path) -> None:
    """The library's own views are made again, and the others are named."""
    furnish(store_url, trades=2, own=False)
    views = [f"view {view.name}" for view in create_views(store_url)]
    tell(
        store_url,
        "CREATE VIEW winners AS SELECT id FROM trades",
        "CREATE TRIGGER stamp BEFORE UPDATE ON trades FOR EACH ROW SET NEW.exit_reason = 'by a trigger'",
    )
    dump = back_up(store_url, tmp_path / "backups")
    assert sorted(dump.manifest.left_out) == sorted([*views, "view winners", "trigger stamp"])
    assert restore(dump.path, other_url).left_out == ("view winners", "trigger stamp")
    assert all(view.is_there for view in list_views(other_url))
    before = content_hash(store_url)
    with pytest.raises(BackupError, match=r"could not be replaced.*Nothing was changed: drop.*triggers"):
        restore(dump.path, store_url, force=True)
    assert content_hash(store_url) == before
    tell(store_url, "DROP TRIGGER stamp")
    assert restore(dump.path, store_url, force=True).left_out == ("trigger stamp",)
    with plain_engine(store_url) as engine, engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM winners")) == before.tables["trades"].rows


@pytest.mark.needs("networked", "first_driver")
def test_read_views_stay_over_tables_that_are_replaced(made: Backup, store_url: str) -> None:
    furnish(store_url, trades=2, own=False)
    create_views(store_url)
    assert restore(made.path, store_url, force=True).left_out == ()
    assert content_hash(store_url) == made.manifest.content
    assert all(view.is_there for view in list_views(store_url))
    with plain_engine(store_url) as engine, engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM v_trades_1")) == 8


@pytest.mark.needs("persistent", "first_driver")
def test_views_and_triggers_that_do_not_go_along_are_named(
    source_url: str, store_url: str, tmp_path: Path, new_file: NewUrl, backend: Backend
) -> None:
    """From a file to a file all goes along."""
    views = create_views(source_url)
    tell(
        source_url,
        "CREATE VIEW winners AS SELECT id FROM trades",
        "CREATE TRIGGER stamp AFTER DELETE ON trades BEGIN SELECT 1; END",
    )
    made = back_up(source_url, tmp_path / "backups")
    assert made.manifest.left_out == ()
    report = restore(made.path, store_url)
    assert report.left_out == (("view winners", "trigger stamp") if backend.networked else ())
    assert [view.is_there for view in list_views(store_url)] == [True] * len(views)


def test_replaced_file_is_kept_beside_with_its_newest_rows(made: Backup, new_file: NewUrl, tmp_path: Path) -> None:
    """Those that were in its log still come along, and no log is left to be taken for the new file's."""
    target = new_file()
    furnish(target, trades=2)
    file = Path(target.removeprefix("sqlite:///"))
    file.chmod(0o640)
    _leave_a_log(file)
    before = content_hash(target)
    kept = restore(made.path, target, force=True).kept
    assert kept == file.with_name(f"{file.name}.before-restore")
    assert content_hash(f"sqlite:///{kept}") == before
    assert content_hash(target) == made.manifest.content
    assert [stat.S_IMODE(path.stat().st_mode) for path in (kept, file)] == [0o600, 0o640]
    assert sorted(tmp_path.glob(f"{file.name}-*")) == []
    assert restore(made.path, target, force=True).kept == file.with_name(f"{file.name}.before-restore1")


def test_log_of_a_file_that_is_gone_is_not_taken_for_the_new_ones(made: Backup, new_file: NewUrl) -> None:
    target = new_file()
    furnish(target, trades=2)
    file = Path(target.removeprefix("sqlite:///"))
    _leave_a_log(file)
    file.unlink()
    restore(made.path, target)
    assert content_hash(target) == made.manifest.content


def test_damaged_file_is_replaced_with_force(made: Backup, new_file: NewUrl) -> None:
    target = new_file()
    file = Path(target.removeprefix("sqlite:///"))
    file.write_bytes(b"no database at all" * 99)
    kept = restore(made.path, target, force=True).kept
    assert kept is not None
    assert kept.read_bytes() == b"no database at all" * 99
    assert content_hash(target) == made.manifest.content


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_file_in_use_is_refused(made: Backup, source_url: str, mode: str) -> None:
    """Whoever has it open would go on with a file that has no name any more."""
    before = content_hash(source_url)
    file = source_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM trades").fetchone()
        with pytest.raises(DatabaseBusy, match="is in use"):
            restore(made.path, source_url, force=True)
    assert content_hash(source_url) == before
    assert not list(Path(file).parent.glob("*before-restore*"))


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist"])
def test_idle_reader_without_a_log_writes_nothing_that_is_lost(made: Backup, source_url: str, journal: str) -> None:
    """Nobody can notice it; but SQLite refuses its next write, as the file that it has open lost its name."""
    before = made.manifest.content
    file = source_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None)) as idle:
        idle.execute(f"PRAGMA journal_mode = {journal}")
        idle.execute("UPDATE trades SET exit_reason = 'before' WHERE id = 3")
        kept = restore(made.path, source_url, force=True).kept
        replaced = content_hash(f"sqlite:///{kept}")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            idle.execute("UPDATE trades SET exit_reason = 'after' WHERE id = 3")
    assert content_hash(source_url) == before
    assert content_hash(f"sqlite:///{kept}") == replaced


def test_open_store_is_in_use(made: Backup, source_url: str) -> None:
    database = init_db(source_url)
    with pytest.raises(DatabaseBusy, match="is in use"):
        restore(made.path, source_url, force=True)
    assert len(Trade.get_trades().all()) == 8
    Trade.session.remove()
    database.close()


@pytest.mark.parametrize("target", ["sqlite://", "sqlite:///{folder}", "sqlite:///{folder}/nowhere/bot.sqlite"])
def test_target_that_is_no_place_for_it(made: Backup, tmp_path: Path, target: str) -> None:
    with pytest.raises((BackupError, TransferError)):
        restore(made.path, target.format(folder=tmp_path), force=True)
    assert verify_backup(made.path).restored


def test_missing_backup(tmp_path: Path, new_file: NewUrl) -> None:
    with pytest.raises(BackupError, match="There is no backup"):
        restore(tmp_path / "nothing.sqlite.gz", new_file())


def test_ctrl_c_leaves_the_target_as_it_was(made: Backup, source_url: str, tmp_path: Path) -> None:
    tell(source_url, "UPDATE orders SET ft_pair = 'X'")
    before = content_hash(source_url)

    def press(*_details: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(made.path, source_url, force=True, progress=press)
    assert content_hash(source_url) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backups", "source.sqlite"]


def test_older_backup_goes_to_a_newer_store(source_url: str, tmp_path: Path, new_file: NewUrl) -> None:
    """Some of its trades do: what was restored into scratch is brought up to date there."""
    target = new_file()
    init_db(target).close()
    tell(source_url, "DROP TABLE order_intents", "UPDATE alembic_version SET version_num = '0004_wider_pairs'")
    older = back_up(source_url, tmp_path / "backups")
    assert restore(older.path, target, trades=[6]).rows["trades"] == 1


def test_link_stays_and_what_it_leads_to_is_replaced(made: Backup, new_file: NewUrl, tmp_path: Path) -> None:
    """A bot that is told the file's own name finds what was restored by a link to it."""
    furnish(url := new_file(), trades=2)
    file, link = Path(url.removeprefix("sqlite:///")), tmp_path / "elsewhere" / "link.sqlite"
    link.parent.mkdir()
    link.symlink_to(file)
    report = restore(made.path, f"sqlite:///{link}", force=True)
    assert (link.is_symlink(), content_hash(url)) == (True, made.manifest.content)
    assert report.kept == file.with_name(f"{file.name}.before-restore")
    assert [path.name for path in link.parent.iterdir()] == ["link.sqlite"]


@pytest.mark.needs("persistent", "first_driver")
def test_selected_trades_come_with_all_that_is_theirs(made: Backup, store_url: str) -> None:
    init_db(store_url).close()
    with plain_engine(store_url) as engine, engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM trades")).scalar() == 0
    report = restore(made.path, store_url, trades=[6, 3])
    assert report.rows == {"trades": 2, "orders": 5, "trade_custom_data": 1}
    with plain_engine(store_url) as engine, engine.connect() as connection:
        trades = connection.execute(text("SELECT id, pair FROM trades ORDER BY id")).all()
        orders = connection.execute(text("SELECT id, ft_trade_id FROM orders ORDER BY id")).all()
    assert [row[0] for row in trades] == [3, 6]
    assert [tuple(row) for row in orders] == [(30, 3), (31, 3), (60, 6), (61, 6), (212, 3)]
    before = content_hash(store_url)
    with pytest.raises(TransferConflict, match="'trades' with the id 6 already"):
        restore(made.path, store_url, trades=[9, 6])
    with pytest.raises(BackupError, match="has no trade 4, 5"):
        restore(made.path, store_url, trades=[5, 4, 9])
    with pytest.raises(BackupError, match="has no trade"):
        restore(made.path, store_url, trades=[])
    assert content_hash(store_url) == before


@pytest.mark.needs("persistent", "first_driver")
def test_order_of_another_trade_with_the_same_id_is_a_conflict(made: Backup, store_url: str) -> None:
    """The trade itself was written before that was found, and is taken back."""
    furnish(store_url, own=False)
    tell(
        store_url,
        "DELETE FROM trade_custom_data",
        "UPDATE orders SET ft_trade_id = 3 WHERE ft_trade_id = 6",
        "DELETE FROM trades WHERE id = 6",
    )
    before = content_hash(store_url)
    with pytest.raises(TransferConflict, match="'orders' with the id 60, 61 already"):
        restore(made.path, store_url, trades=[6])
    assert content_hash(store_url) == before


def _leave_a_log(file: Path) -> None:
    """Write a row that is in the log only, as a bot that was killed leaves it."""
    child = os.fork()
    if child == 0:
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE trades SET exit_reason = 'in the log' WHERE id = 3")
        connection.commit()
        os._exit(0)
    os.waitpid(child, 0)
    assert file.with_name(f"{file.name}-wal").stat().st_size > 0
