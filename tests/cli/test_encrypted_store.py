"""Every tool on an encrypted store, as an operator uses it: it does its work, and leaves nothing to be read."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ciphers import quick_keys
from tests.cli.conftest import Command
from tests.cli.stores import write_known_store
from tests.encrypted import SECRET, readable_files
from tests.operations.furniture import tell
from tradestore.operations.backup import list_backups
from tradestore.operations.content import content_hash
from tradestore.operations.encryption import url_with_key

KEY = "s3cret 'key' of this \"store\""
URL = "sqlite+pysqlcipher:///store/secret.sqlite"


@pytest.fixture(scope="module", autouse=True)
def _quick_keys() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL, with its key, of a store in a folder of its own; the key is in the environment."""
    for name in ("store", "store/temporary", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "store" / "temporary"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADESTORE_DB_URL", URL)
    monkeypatch.setenv("TRADESTORE_DB_PASSWORD", KEY)
    url = url_with_key(tmp_path / "store" / "secret.sqlite", KEY)
    write_known_store(url)
    tell(url, f"UPDATE trades SET enter_tag = '{SECRET}' WHERE id = 1")
    return url


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "doctor",
        "optimize",
        "trades",
        "performance",
        "report --to out/report.html",
        "export --to out/trades.jsonl",
        "views create",
    ],
)
def test_tool_works_and_leaves_nothing_to_be_read(whole: str, command: Command, words: str) -> None:
    before = content_hash(whole)
    done = command(*words.split())
    assert (done.code, KEY in done.out + done.err) == (0, False), done.err
    assert readable_files(Path("store")) == []
    assert content_hash(whole) == before


def test_reindexing_and_giving_back_room(whole: str, command: Command) -> None:
    before = content_hash(whole)
    assert command("optimize", "--vacuum", "--reindex").code == 0
    assert readable_files(Path("store")) == []
    assert content_hash(whole) == before


def test_copy_under_another_key(whole: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    target = url_with_key(Path("store/copy.sqlite"), "another")
    monkeypatch.setenv("TARGET", target)
    monkeypatch.setenv("SOURCE", whole)
    assert command("copy", "env:SOURCE", "env:TARGET").code == 0
    assert content_hash(target) == content_hash(whole)
    assert readable_files(Path("store")) == []


def test_repair_has_an_encrypted_backup(whole: str, command: Command) -> None:
    tell(whole, "UPDATE trades SET amount = amount + 1 WHERE id = 1")
    damaged = content_hash(whole)
    done = command("repair", "--apply", "--yes")
    assert done.code == 0, done.err
    assert content_hash(whole) != damaged
    (backup,) = Path("store").glob("*.bak")
    assert content_hash(url_with_key(backup, KEY)) == damaged
    assert readable_files(Path("store")) == []


def test_archive_has_the_key_of_its_store(whole: str, command: Command) -> None:
    done = command("archive", "--before", "2030-01-01", "--to", "store/archive.sqlite", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.result["trades"] >= 1
    assert content_hash(url_with_key(Path("store/archive.sqlite"), KEY)).tables["trades"].rows == done.result["trades"]
    assert readable_files(Path("store")) == []
    back = command("unarchive", "--from", "store/archive.sqlite", "--yes")
    assert back.code == 0, back.err
    assert readable_files(Path("store")) == []


def test_backup_there_and_back(whole: str, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_hash(whole)
    made = command("backup", "--to", "store/backups", "--json")
    assert (made.code, made.result["manifest"]["kind"]) == (0, "sqlcipher"), made.err
    assert made.result["manifest"]["verified"]["restored"]
    assert len(list_backups("store/backups")) == 1
    assert command("backup-verify", "store/backups").code == 0
    restored = "sqlite+pysqlcipher:///store/restored.sqlite"
    assert command("restore", "store/backups", "-d", restored, "--password-file", "key").code == 0
    assert content_hash(url_with_key(Path("store/restored.sqlite"), KEY)) == before
    assert command("restore", "store/backups", "--force", "--yes").code == 0
    assert content_hash(whole) == before
    assert readable_files(Path("store")) == []

    monkeypatch.delenv("TRADESTORE_DB_URL")
    for words in (("backup-verify", "store/backups"), ("restore", "store/backups", "-d", "sqlite:///out/plain.sqlite")):
        refused = command(*words)
        assert (refused.code, len(refused.err.splitlines())) == (3, 1)
        assert "--store-key-file" in refused.err
        assert command(*words, "--store-key-file", "key").code == 0
    assert content_hash("sqlite:///out/plain.sqlite") == before
