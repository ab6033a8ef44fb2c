"""`tradestore backup`, `backups`, `backup-verify` and `restore`, as an operator types them."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.builders import store, trade_with_entry
from tests.cli.conftest import Command
from tests.operations.furniture import plain_engine, tell
from tests.servers import PASSWORD
from tradestore import Database, Trade
from tradestore.operations.content import content_hash

KEY = "TRADESTORE_BACKUP_KEY"


@pytest.fixture
def filled_url(database: Database, store_url: str) -> str:
    """Return the URL of a store with one trade, which nobody has open."""
    store(trade_with_entry())
    Trade.session.remove()
    database.close()
    return store_url


@pytest.mark.needs("persistent", "first_driver")
def test_there_and_back(filled_url: str, tmp_path: Path, command: Command) -> None:
    """A portable backup of every engine is listed, proved and restored to a file."""
    made = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--format", "portable", "--json")
    assert made.code == 0
    assert made.result["manifest"]["verified"]["restored"]
    assert PASSWORD not in made.out + made.err
    path = made.result["path"]
    listed = command("backups", tmp_path / "b", "--json").result
    assert [(each["path"], each["manifest"]["content"]["tables"]["trades"]["rows"]) for each in listed] == [(path, 1)]
    assert command("backup-verify", path, "--json").result["restored"]
    target = f"sqlite:///{tmp_path / 'back.sqlite'}"
    done = command("restore", path, "-d", target, "--json")
    assert (done.code, done.result["rows"]["trades"], done.result["kept"]) == (0, 1, None)
    assert content_hash(target) == content_hash(filled_url)


@pytest.mark.needs("networked", "first_driver")
def test_dump_of_a_server_is_the_usual_form(filled_url: str, tmp_path: Path, command: Command) -> None:
    made = command("backup", "-d", filled_url, "--to", tmp_path, "--json")
    assert made.code == 0
    assert made.result["manifest"]["kind"] in {"pg_dump", "mariadb-dump"}
    shown = command("backup-verify", made.result["path"], "-d", filled_url)
    assert (shown.code, PASSWORD in shown.out) == (0, False)


@pytest.mark.needs("persistent", "in_process")
class TestWithFile:
    """What is the same on every engine."""

    def test_answers_for_a_person(self, filled_url: str, tmp_path: Path, command: Command) -> None:
        made = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--keep", "3", "--compression", "xz")
        assert "every row compared by content hash" in made.out
        (path,) = (tmp_path / "b").glob("*.xz")
        assert path.name in command("backups", tmp_path / "b").out
        assert "restored into scratch" in command("backup-verify", path).out
        assert f"restored from {path}" in command("restore", path, "-d", f"sqlite:///{tmp_path / 'x.sqlite'}").out
        assert f"{path}: restored" in command("backup-verify", tmp_path / "b").out
        assert "There are no backups" in command("backups", tmp_path).out

    def test_passphrase_from_the_environment_and_from_a_file(
        self, filled_url: str, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        refused = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--encrypt")
        assert (refused.code, (tmp_path / "b").exists()) == (3, False)
        assert "There is no passphrase" in refused.err
        monkeypatch.setenv(KEY, "secret words")
        path = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--encrypt", "--json").result["path"]
        assert command("backup-verify", path).code == 0
        monkeypatch.setenv(KEY, "other words")
        wrong = command("backup-verify", path)
        assert (wrong.code, len(wrong.err.splitlines())) == (3, 1)
        assert "words" not in wrong.err
        key_file = tmp_path / "key"
        key_file.write_text("secret words\nand a remark\n")
        assert command("backup-verify", path, "--key-file", key_file).code == 0
        assert command("restore", path, "-d", f"sqlite:///{tmp_path / 'x'}", "--key-file", key_file).code == 0
        assert "cannot be read" in command("backup-verify", path, "--key-file", tmp_path).err

    def test_replacing_is_asked_for_twice(self, filled_url: str, tmp_path: Path, command: Command) -> None:
        path = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--json").result["path"]
        tell(filled_url, "UPDATE trades SET pair = 'X/Y'")
        before = content_hash(filled_url)
        for words, code in ((), 3), (("--force",), 2):
            found = command("restore", path, "-d", filled_url, *words)
            assert (found.code, found.out) == (code, "")
            assert content_hash(filled_url) == before
        done = command("restore", path, "-d", filled_url, "--force", "--yes", "--json")
        assert done.code == 0
        assert done.result["kept"].endswith(".before-restore")
        assert content_hash(f"sqlite:///{done.result['kept']}") == before

    def test_one_trade_comes_back(self, filled_url: str, tmp_path: Path, command: Command) -> None:
        path = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--json").result["path"]
        tell(filled_url, "DELETE FROM orders", "DELETE FROM trades")
        assert command("restore", path, "-d", filled_url, "--trade", 1).code == 2
        done = command("restore", path, "-d", filled_url, "--trade", 1, "--yes", "--json")
        assert done.result["rows"] == {"trades": 1, "orders": 1, "trade_custom_data": 0}
        with plain_engine(filled_url) as engine, engine.connect() as connection:
            assert connection.execute(text("SELECT id FROM trades")).scalars().all() == [1]
        again = command("restore", path, "-d", filled_url, "--trade", 1, "--yes")
        assert (again.code, len(again.err.splitlines()[-1:])) == (3, 1)

    def test_bad_input_is_one_line(self, filled_url: str, tmp_path: Path, command: Command) -> None:
        path = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--json").result["path"]
        lonely = tmp_path / "lonely.sqlite.gz"
        lonely.write_bytes(Path(path).read_bytes())
        target = f"sqlite:///{tmp_path / 'x.sqlite'}"
        before = sorted(tmp_path.rglob("*"))
        for words in (
            ("backup", "-d", f"sqlite:///{tmp_path / 'missing'}", "--to", tmp_path / "c"),
            ("backup", "-d", f"sqlite:///{tmp_path}", "--to", tmp_path / "c"),
            ("backups", tmp_path / "missing"),
            ("backup-verify", tmp_path / "missing"),
            ("backup-verify", tmp_path),
            ("backup-verify", lonely),
            ("restore", lonely, "-d", target),
            ("restore", tmp_path / "missing", "-d", target),
            ("restore", path, "-d", "sqlite://"),
        ):
            found = command(*words)
            assert (words, found.code, found.out, len(found.err.splitlines())) == (words, 3, "", 1)
            assert "Traceback" not in found.err
        assert sorted(tmp_path.rglob("*")) == before

    def test_documents_keep_their_fields(self, filled_url: str, tmp_path: Path, command: Command) -> None:
        made = command("backup", "-d", filled_url, "--to", tmp_path / "b", "--json")
        document = json.loads(made.out)
        assert (document["command"], document["schema"]) == ("backup", 1)
        assert set(document["result"]) == {"path", "manifest"}
        assert set(document["result"]["manifest"]) == {
            "format",
            "made_by",
            "made_at",
            "source",
            "database",
            "engine",
            "revision",
            "kind",
            "compression",
            "encryption",
            "size",
            "sha256",
            "content",
            "verified",
            "left_out",
        }
        assert set(document["result"]["manifest"]["verified"]) == {"restored", "how", "findings"}
