"""Backups: equal to their source, proved before they get their name, and nothing left of one that is not good."""

import gzip
import json
import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.builders import store, trade_with_entry
from tests.capabilities import Backend
from tests.faults.small_disks import files_limited, mounted
from tests.operations.furniture import furnish, tell
from tests.servers import PASSWORD, USER, Server
from tradestore import Trade, init_db
from tradestore.exceptions import (
    BackupError,
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnreachable,
    InvalidValue,
    MigrationError,
    SchemaTooNew,
)
from tradestore.operations.backup import Backup, back_up, list_backups, restore, verify_backup
from tradestore.operations.backup import _making as making
from tradestore.operations.backup._packing import pack
from tradestore.operations.content import content_hash

LOCK = ".tradestore-backup.lock"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def free_server(backend: Backend, server: Server) -> Iterator[Server]:
    """Return the server, whose ordinary user may make databases: MariaDB's may always make some."""
    server.start()
    if backend.sequences:
        server.execute(f"ALTER ROLE {USER} CREATEDB")
    yield server
    if backend.sequences:
        server.execute(f"ALTER ROLE {USER} NOCREATEDB")


def visible(folder: Path) -> list[str]:
    """Return what a folder has, but for the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)


@pytest.mark.parametrize(("compression", "key"), [("gzip", None), ("none", None), ("xz", "a passphrase: ☕")])
def test_file_is_equal_to_its_source(source_url: str, folder: Path, compression: Any, key: str | None) -> None:
    before = content_hash(source_url)
    made = back_up(source_url, folder, compression=compression, key=key)
    assert made.manifest.content == before
    assert made.manifest.verified.restored
    assert [backup.path for backup in list_backups(folder)] == [made.path]
    target = folder / "restored.sqlite"
    restore(made.path, f"sqlite:///{target}", key=key)
    assert content_hash(f"sqlite:///{target}") == before
    assert verify_backup(made.path, key=key).restored
    assert content_hash(source_url) == before


@pytest.mark.needs("networked", "first_driver")
def test_dump_of_a_server_is_equal_to_its_source(free_server: Server, store_url: str, other_url: str, folder: Path):
    furnish(store_url)
    before = content_hash(store_url)
    made = back_up(store_url, folder, key="passphrase")
    assert made.manifest.content == before
    assert made.manifest.verified.restored
    assert verify_backup(made.path, key="passphrase", server=other_url).restored
    restore(made.path, other_url, key="passphrase")
    assert content_hash(other_url) == before == content_hash(store_url)
    assert not [row for row in free_server.execute(_DATABASES[free_server.home]) if "scratch" in row[0]]
    init_db(other_url).close()


@pytest.mark.needs("networked", "sequences", "first_driver")
def test_dump_without_the_right_to_restore_it_says_so(store_url: str, folder: Path) -> None:
    """It is read to its end, and nobody calls that restored."""
    furnish(store_url)
    made = back_up(store_url, folder)
    assert not made.manifest.verified.restored
    assert "not restored" in made.manifest.verified.how
    assert made.manifest.content == content_hash(store_url)


@pytest.mark.needs("persistent", "first_driver")
def test_portable_backup_goes_to_every_engine(
    store_url: str, other_url: str, folder: Path, new_file: Callable[[], str]
) -> None:
    furnish(store_url)
    before = content_hash(store_url)
    made = back_up(store_url, folder, format="portable")
    file = new_file()
    restore(made.path, file)
    restore(made.path, other_url)
    assert content_hash(file) == before
    assert content_hash(other_url) == before


@pytest.mark.needs("networked", "first_driver")
def test_password_is_in_no_process_no_manifest_and_no_message(
    free_server: Server, store_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other users of the machine can read the words of every process, and root its environment."""
    furnish(store_url, own=False)
    seen: list[bytes] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            seen.append(" ".join(map(str, args[0])).encode())
            words = Path(f"/proc/{self.pid}/cmdline")
            # They are there a moment after the program is.
            while not words.read_bytes() and self.poll() is None:
                pass
            seen.extend([words.read_bytes(), words.with_name("environ").read_bytes()])

    monkeypatch.setattr(subprocess, "Popen", Watched)
    made = back_up(store_url, folder)
    assert len(seen) >= 6  # The dump, and what restored it.
    assert b"dump" in seen[0]
    assert not [text for text in seen if PASSWORD.encode() in text]
    assert PASSWORD not in made.path.with_name(made.path.name + ".json").read_text()
    assert PASSWORD not in repr(made)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BackupError, match=r"not on the PATH.*portable") as caught:
        back_up(store_url, folder)
    assert PASSWORD not in str(caught.value)
    assert len(list_backups(folder)) == 1


@pytest.mark.needs("networked", "first_driver")
def test_wrong_password_is_told_without_it(store_url: str, folder: Path) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        back_up(store_url.replace("%25", "secret%25"), folder)
    assert "secret" not in str(caught.value)


@pytest.mark.needs("networked", "sequences", "first_driver")
def test_older_program_is_told_with_both_versions(
    server: Server, store_url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(store_url, own=False)
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BackupError, match="is of version 9, and the server of version"):
        back_up(store_url, folder)
    assert visible(folder) == []


@pytest.mark.needs("networked", "first_driver")
def test_program_that_fails_leaves_nothing(
    store_url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(store_url, own=False)
    for name in ("pg_dump", "mariadb-dump"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 7\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BackupError, match="no such luck"):
        back_up(store_url, folder)
    assert visible(folder) == []


def test_files_are_for_their_owner_alone(source_url: str, folder: Path) -> None:
    made = back_up(source_url, folder)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert made.path.name.startswith("source-")


def test_copy_needs_no_other_file(source_url: str, folder: Path, tmp_path: Path) -> None:
    """Not even that of a database whose newest rows are in its log still."""
    database = init_db(source_url)
    tell(source_url, "UPDATE trades SET pair = 'NEW/USDT' WHERE id = 6")
    assert (tmp_path / "source.sqlite-wal").stat().st_size > 0
    made = back_up(database, folder, compression="none")
    with closing(sqlite3.connect(f"file:{made.path}?mode=ro", uri=True)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("SELECT pair FROM trades WHERE id = 6").fetchone() == ("NEW/USDT",)
    database.close()


def test_manifest_tells_what_it_holds(source_url: str, folder: Path) -> None:
    made = back_up(source_url, folder, compression="xz", key="secret words")
    text = made.path.with_name(made.path.name + ".json").read_text()
    found = json.loads(text)
    assert (found["format"], found["kind"], found["compression"], found["database"]) == (1, "sqlite", "xz", "source")
    assert found["content"]["tables"]["trades"]["rows"] == 8
    assert found["size"] == made.path.stat().st_size
    assert subprocess.check_output(["sha256sum", made.path], text=True).split()[0] == found["sha256"]
    assert found["encryption"]["derivation"].startswith("scrypt")
    assert "secret words" not in text


def test_older_database_is_backed_up_before_its_upgrade(source_url: str, folder: Path) -> None:
    tell(source_url, "DROP TABLE order_intents", "UPDATE alembic_version SET version_num = '0004_wider_pairs'")
    made = back_up(source_url, folder)
    assert made.manifest.verified.restored
    assert "order_intents" not in made.manifest.content.tables


def test_only_the_newest_are_kept_and_only_of_this_database(source_url: str, folder: Path, new_file) -> None:
    other = new_file()
    furnish(other, own=False)
    others = back_up(other, folder)
    foreign = folder / "holiday.sqlite"
    foreign.write_text("not ours")
    made = [back_up(source_url, folder, keep=2).path for _ in range(4)]
    assert [backup.path for backup in list_backups(folder)] == [made[3], made[2], others.path]
    assert visible(folder) == sorted(
        [name for path in (made[3], made[2], others.path) for name in (path.name, f"{path.name}.json")] + [foreign.name]
    )
    assert len({path.name for path in made}) == 4


def test_backups_of_a_file_of_the_same_name_elsewhere_are_kept(tmp_path: Path, folder: Path, monkeypatch) -> None:
    """Two bots that are started in folders of their own give the same URL."""
    made = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        init_db("sqlite:///tradesv3.sqlite").close()
        made += [back_up("sqlite:///tradesv3.sqlite", folder, keep=1).path for _ in range(2)]
    assert {backup.path for backup in list_backups(folder)} == {made[1], made[3]}


def test_older_ones_stay_when_the_new_one_is_not_equal(
    source_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that lost a row on the way is found, removed, and replaces nothing."""
    first = back_up(source_url, folder, keep=1)

    def pack_another(chunks, path, compression, seal):
        original = path.parent / "original"
        pack(chunks, original, "none", None)
        with closing(sqlite3.connect(original)) as copy:
            copy.execute("UPDATE orders SET cost = 1.75 WHERE id = 60")
            copy.commit()
        changed = original.read_bytes()
        original.unlink()
        return pack(iter([changed]), path, compression, seal)

    monkeypatch.setattr(making, "pack", pack_another)
    with pytest.raises(BackupError, match="the tables orders are not what they were"):
        back_up(source_url, folder, keep=1)
    assert visible(folder) == [first.path.name, f"{first.path.name}.json"]
    assert verify_backup(first.path).restored


def test_doctor_looks_at_what_was_restored(tmp_path: Path, folder: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bot.sqlite'}"
    database = init_db(url)
    store(trade_with_entry())
    Trade.session.remove()
    assert back_up(database, folder).manifest.verified.findings == 0
    assert Trade.session.bind is database.engine
    tell(url, "UPDATE trades SET amount = -5")
    found = back_up(database, folder).manifest.verified
    assert found.restored
    assert found.findings is not None
    assert found.findings >= 1
    database.close()


def test_two_at_once_into_one_folder(source_url: str, folder: Path) -> None:
    def try_another(_what: str, _done: int, _total: int | None) -> None:
        with pytest.raises(DatabaseBusy, match="Another backup"):
            back_up(source_url, folder)

    back_up(source_url, folder, progress=try_another)
    assert len(list_backups(folder)) == 1


def test_ctrl_c_at_any_step_leaves_nothing(source_url: str, folder: Path) -> None:
    first = back_up(source_url, folder)
    before = content_hash(source_url)
    told: list[str] = []
    back_up(source_url, folder / "other", progress=lambda what, *_: told.append(what))
    for step in range(len(told)):
        left = [step]

        def press(*_details: object, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1

        with pytest.raises(KeyboardInterrupt):
            back_up(source_url, folder, progress=press)
        assert visible(folder) == ["other", first.path.name, f"{first.path.name}.json"]
    assert len(set(told)) >= 4
    assert content_hash(source_url) == before


def test_full_disk(source_url: str, folder: Path) -> None:
    first = back_up(source_url, folder)
    with files_limited(64 << 10), pytest.raises(DatabaseFull, match="no room"):
        back_up(source_url, folder)
    assert visible(folder) == [first.path.name, f"{first.path.name}.json"]
    assert verify_backup(first.path).restored


def test_full_disk_where_backups_are_kept(source_url: str, folder: Path) -> None:
    folder.mkdir()
    with mounted(folder, 64 << 10):
        with pytest.raises(DatabaseFull, match="no room"):
            back_up(source_url, folder, compression="none")
        assert visible(folder) == []
        assert back_up(source_url, folder).manifest.verified.restored


def test_folder_that_is_a_file(source_url: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(BackupError, match="cannot be made"):
        back_up(source_url, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, DatabaseUnreachable), (b"", MigrationError), (b"no database at all" * 99, DatabaseUnreachable)],
)
def test_source_that_is_none(tmp_path: Path, folder: Path, content: bytes | None, error: type[Exception]) -> None:
    file = tmp_path / "bot.sqlite"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error):
        back_up(f"sqlite:///{file}", folder)
    assert not folder.exists()
    assert file.exists() == (content is not None)


def test_source_of_others(tmp_path: Path, folder: Path) -> None:
    url = f"sqlite:///{tmp_path / 'photos.sqlite'}"
    tell(url, "CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    with pytest.raises(MigrationError, match="no tables of a bot"):
        back_up(url, folder)


def test_newer_source(source_url: str, folder: Path) -> None:
    tell(source_url, "UPDATE alembic_version SET version_num = '9999_future'")
    with pytest.raises(SchemaTooNew):
        back_up(source_url, folder)


@pytest.mark.parametrize("given", [{"keep": 0}, {"compression": "zip"}, {"format": "tar"}])
def test_choices_that_are_none(source_url: str, folder: Path, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        back_up(source_url, folder, **given)
    assert not folder.exists()


@pytest.mark.parametrize("key", [None, pytest.param("right", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty"])
def test_damaged_backup(source_url: str, folder: Path, key: str | None, damage: str) -> None:
    made = back_up(source_url, folder, key=key)
    whole = made.path.read_bytes()
    middle = len(whole) // 2
    made.path.write_bytes(
        {
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "cut": whole[:-1],
            "longer": whole + b"x",
            "empty": b"",
        }[damage]
    )
    target = folder / "target.sqlite"
    with pytest.raises(BackupError):
        verify_backup(made.path, key=key)
    with pytest.raises(BackupError):
        restore(made.path, f"sqlite:///{target}", key=key)
    assert not target.exists()


def test_other_content_in_a_whole_file_is_found(source_url: str, folder: Path, new_file) -> None:
    """Somebody who changed the backup and the checksum in its manifest still meets the hash of the rows."""
    made = back_up(source_url, folder)
    other = new_file()
    restore(made.path, other)
    tell(other, "DELETE FROM orders WHERE id = 60")
    made.path.write_bytes(gzip.compress(Path(other.removeprefix("sqlite:///")).read_bytes()))
    manifest = made.path.with_name(made.path.name + ".json")
    told = json.loads(manifest.read_text())
    told["size"] = made.path.stat().st_size
    told["sha256"] = subprocess.check_output(["sha256sum", made.path], text=True).split()[0]
    manifest.write_text(json.dumps(told))
    with pytest.raises(BackupError, match="the tables orders are not"):
        verify_backup(made.path)


def test_wrong_and_missing_passphrase(source_url: str, folder: Path) -> None:
    made = back_up(source_url, folder, key="right")
    with pytest.raises(BackupError, match="passphrase is not the one"):
        verify_backup(made.path, key="wrong")
    with pytest.raises(BackupError, match="is encrypted: give its passphrase"):
        verify_backup(made.path)
    with pytest.raises(BackupError, match="is empty"):
        back_up(source_url, folder, key="")


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"format": 2}', '{"format": 1}'])
def test_manifest_that_is_none(made: Backup, folder: Path, text: str | None) -> None:
    manifest = made.path.with_name(made.path.name + ".json")
    manifest.unlink()
    if text is not None:
        manifest.write_text(text)
    with pytest.raises(BackupError, match="manifest"):
        verify_backup(made.path)
    assert list_backups(folder) == []


def test_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnreachable, match="There is no folder"):
        list_backups(tmp_path / "nowhere")


_DATABASES = {
    "postgres": "SELECT datname FROM pg_database",
    "mysql": "SELECT schema_name FROM information_schema.schemata",
}
