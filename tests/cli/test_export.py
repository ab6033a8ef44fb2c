"""`tradestore export` and `tradestore import`, as an operator runs them."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders import closed_trade, store, trade_with_entry
from tests.cli.conftest import Command
from tests.operations.exports import contents
from tests.operations.furniture import tell
from tradestore import Trade, init_db

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def two_trades(store_url: str) -> str:
    """Return the URL of a store with an open and a closed trade, each with an order."""
    return _two_trades(store_url)


@pytest.fixture
def two_in_a_file(tmp_path: Path) -> str:
    """Return the URL of a file with the same."""
    return _two_trades(f"sqlite:///{tmp_path / 'tradesv3.sqlite'}")


def _two_trades(url: str) -> str:
    database = init_db(url)
    store(trade_with_entry(enter_tag="=1+1"), closed_trade(profit=1.5, ratio=0.1, pair="BTC/USDT"))
    Trade.session.remove()
    database.close()
    return url


@pytest.mark.needs("persistent", "first_driver")
def test_out_and_in_again(two_trades: str, tmp_path: Path, command: Command) -> None:
    """The document tells the tables, and every row is there again."""
    target = tmp_path / "all.jsonl"
    done = command("export", "--db-url", two_trades, "--to", target, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.result["file_format"] == "jsonl"
    assert done.result["version"] == 1
    assert {"table": "orders", "rows": 2} in done.result["tables"]
    before = contents(two_trades)
    tell(two_trades, "DELETE FROM orders", "DELETE FROM trades")
    done = command("import", target, "--db-url", two_trades, "--yes", "--json")
    assert done.code == 0
    assert {"table": "trades", "added": 2, "skipped": 0} in done.result["tables"]
    assert contents(two_trades) == before


def test_what_a_person_sees(two_in_a_file: str, tmp_path: Path, command: Command) -> None:
    done = command("export", "--db-url", two_in_a_file, "--to", tmp_path / "all", "--what", "trades,orders")
    assert done.code == 0
    assert done.err == ""
    assert [line.split() for line in done.out.splitlines()[:3]] == [["table", "rows"], ["trades", "2"], ["orders", "2"]]
    assert done.out.splitlines()[-1] == f"Written to {tmp_path / 'all'}"
    done = command("import", tmp_path / "all", "--db-url", two_in_a_file, "--skip-existing", "--yes")
    assert done.code == 0
    assert ["orders", "0", "2"] in [line.split() for line in done.out.splitlines()]
    assert "Pass over what is there already." in done.err


def test_standard_output_gets_the_export_alone(two_in_a_file: str, command: Command) -> None:
    done = command("export", "-d", two_in_a_file, "--to", "-", "--what", "trades", "--format", "csv", "--open")
    (row,) = csv.DictReader(io.StringIO(done.out, newline=""))
    assert (row["pair"], row["enter_tag"]) == ("ADA/USDT", "'=1+1")
    assert done.err == "1 rows were exported.\n"
    done = command("export", "-d", two_in_a_file, "--to", "-")
    assert [json.loads(line).get("pair") for line in done.out.splitlines()] == [None, "ADA/USDT", "BTC/USDT"]
    assert command("export", "-d", two_in_a_file, "--to", "-", "--json").code == 2


def test_filters(two_in_a_file: str, tmp_path: Path, command: Command) -> None:
    words = ["export", "-d", two_in_a_file, "--json", "--force", "--to", tmp_path / "x.jsonl"]
    for chosen, rows in (
        (["--pair", "BTC/USDT"], 2),
        (["--closed"], 2),
        (["--since", "2026-03-01", "--until", "2026-03-02"], 4),
        (["--since", "2026-03-01T12:00:01"], 0),
    ):
        assert sum(table["rows"] for table in command(*words, *chosen).result["tables"]) == rows, chosen


def test_new_ids(two_in_a_file: str, tmp_path: Path, command: Command) -> None:
    command("export", "-d", two_in_a_file, "--to", tmp_path / "all.jsonl")
    tell(two_in_a_file, "DELETE FROM orders", "UPDATE trades SET pair = 'X/Y'")
    assert command("import", tmp_path / "all.jsonl", "-d", two_in_a_file, "--yes").code == 3
    assert command("import", tmp_path / "all.jsonl", "-d", two_in_a_file, "--yes", "--new-ids").code == 0
    assert contents(two_in_a_file)["trades"].rows == 4


def test_nobody_to_ask(two_in_a_file: str, tmp_path: Path, command: Command, monkeypatch) -> None:
    """Without --yes nothing is imported where nobody can answer."""
    command("export", "-d", two_in_a_file, "--to", tmp_path / "all.jsonl")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    done = command("import", tmp_path / "all.jsonl", "-d", two_in_a_file, "--skip-existing")
    assert done.code == 2
    assert "Nothing was changed" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "--to", "all.jsonl", "--what", "cats"], "nothing called cats"),
        (["export", "--to", "all.jsonl", "--format", "xlsx"], "no format 'xlsx'"),
        (["export", "--to", "all.csv"], "12 tables do not fit into one csv file"),
        (["export", "--to", "missing/all.jsonl"], "cannot be written"),
        (["export", "--to", "."], "is a folder"),
        (["import", "missing.jsonl", "--yes"], "There is no file missing.jsonl"),
        (["import", ".", "--yes"], "has no file of an export"),
        (["import", "tradesv3.sqlite", "--yes"], "is no export by its name"),
        (["import", "noise.jsonl", "--yes"], "does not say which version"),
        (["import", "noise.parquet", "--yes"], "is no Parquet file"),
        (["import", "noise.csv", "--yes"], "has no noise.csv.json beside it"),
    ],
)
def test_bad_words_are_a_line_and_change_nothing(
    two_in_a_file: str, tmp_path: Path, command: Command, monkeypatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for suffix in ("jsonl", "parquet", "csv"):
        (tmp_path / f"noise.{suffix}").write_bytes(b"\x00\xffnoise")
    before = contents(two_in_a_file), _files(tmp_path)
    done = command(*words, "--db-url", two_in_a_file)
    assert done.code == 3
    assert done.out == ""
    assert message in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    assert (contents(two_in_a_file), _files(tmp_path)) == before


def _files(folder: Path) -> list[str]:
    # What SQLite has beside its file comes and goes.
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(("-wal", "-shm")))


@pytest.mark.parametrize("words", [["export", "--to", "all.jsonl"], ["import", "all.jsonl", "--yes"]])
def test_bad_databases_are_a_line(tmp_path: Path, command: Command, monkeypatch, words: list[str]) -> None:
    """None, a folder, no database, and one of another program."""
    monkeypatch.chdir(tmp_path)
    _two_trades("sqlite:///good.sqlite")
    if words[0] == "import":
        assert command("export", "-d", "sqlite:///good.sqlite", "--to", "all.jsonl").code == 0
    (tmp_path / "folder.sqlite").mkdir()
    (tmp_path / "text.sqlite").write_text("no database, but long enough to be looked at" * 100)
    tell("sqlite:///cats.sqlite", "CREATE TABLE cats (name TEXT)")
    before = _files(tmp_path)
    for name in ("missing", "folder", "text", "cats"):
        done = command(*words, "-d", f"sqlite:///{name}.sqlite")
        assert done.code == 3, name
        assert "Traceback" not in done.err
        assert done.err.splitlines()[-1].startswith("Error: ")
    assert _files(tmp_path) == before


@pytest.mark.parametrize("words", [["export", "--to", "new.jsonl"], ["import", "all.jsonl", "--yes", "--new-ids"]])
def test_ctrl_c_leaves_nothing(two_in_a_file: str, tmp_path: Path, command: Command, words: list[str]) -> None:
    """In a process of its own, in the middle of the work."""
    command("export", "-d", two_in_a_file, "--to", tmp_path / "all.jsonl")
    tell(two_in_a_file, "DELETE FROM orders")
    before = contents(two_in_a_file), _files(tmp_path)
    program = (
        "import os, signal\n"
        "from sqlalchemy import Engine, event\n"
        "from tradestore.cli.app import run\n"
        "def press(connection, cursor, statement, *rest):\n"
        "    if 'INSERT INTO orders' in statement or ('FROM orders' in statement and 'BETWEEN' in statement):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "event.listen(Engine, 'after_cursor_execute', press)\n"
        f"raise SystemExit(run({[*words, '-d', two_in_a_file]!r}))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 130, run.stderr
    assert run.stdout == ""
    assert run.stderr.splitlines()[-1] == "Interrupted: what was not finished was undone."
    assert (contents(two_in_a_file), _files(tmp_path)) == before


def test_a_pipe_that_closes(two_in_a_file: str, tmp_path: Path) -> None:
    """Whoever reads only the beginning gets it, and no traceback."""
    database = init_db(two_in_a_file)
    store(*(trade_with_entry() for _ in range(300)))
    Trade.session.remove()
    database.close()
    words = [sys.executable, "-m", "tradestore", "export", "-d", two_in_a_file, "--to", "-"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        words, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith('{"tradestore_export": 1')
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode in {141, -signal.SIGPIPE}
    assert "Traceback" not in told
