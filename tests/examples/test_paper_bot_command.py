"""The paper bot as a command: killed and started again, and what it says when it cannot run."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import examples.paper_bot.__main__ as command
from examples.paper_bot.exchange import Exchange
from examples.paper_bot.market import Market
from tests.examples.paper_runs import assert_ledger_agrees, paper_bot
from tradestore import Trade
from tradestore.testing import opened_store

ROOT = Path(__file__).parents[2]
SECONDS = 120
CALLS_BEFORE_DEATH = 150
ITERATIONS = 120


def _arguments(folder: Path, iterations: int = ITERATIONS) -> list[str]:
    files = ["--db-url", f"sqlite:///{folder / 'paper.sqlite'}", "--exchange-file", str(folder / "exchange.jsonl")]
    return [*files, "--iterations", str(iterations)]


def test_goes_on_after_it_was_killed(tmp_path, capsys) -> None:
    """By SIGKILL, wherever that meets it: no order is lost, none is doubled."""
    journal = tmp_path / "exchange.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "examples.paper_bot", *_arguments(tmp_path, 5_000)], cwd=ROOT)
    give_up = time.monotonic() + SECONDS
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= CALLS_BEFORE_DEATH):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(SECONDS) == -signal.SIGKILL

    assert command.main(_arguments(tmp_path)) == 0
    assert f"last iteration {ITERATIONS - 1}," in capsys.readouterr().out
    Trade.session.remove()
    with opened_store(f"sqlite:///{tmp_path / 'paper.sqlite'}") as store:
        exchange = Exchange(Market(), journal)
        bot = paper_bot(store, exchange)
        bot.exit_all("force_exit")
        exchange.close()
        assert not store.unresolved_intents()
        assert_ledger_agrees(exchange)


def test_prints_the_same_table_without_api_and_with_it(tmp_path, capsys) -> None:
    told = []
    for name, more in (("plain", []), ("api", ["--api"])):
        (tmp_path / name).mkdir()
        assert command.main([*_arguments(tmp_path / name, 80), *more]) == 0
        told.append(capsys.readouterr().out)
    plain, with_api = told
    assert with_api.endswith(plain)
    assert plain in (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
    assert with_api.startswith('iteration 0: {"closed_profit":0.0,')
    assert {line.split()[0] for line in plain.splitlines() if "USDT" in line} >= {"pair", "XRP/USDT", "closed"}


def test_refuses_an_exchange_of_another_run(tmp_path, capsys) -> None:
    assert command.main(_arguments(tmp_path, 3)) == 0
    (tmp_path / "exchange.jsonl").unlink()
    assert command.main(_arguments(tmp_path, 3)) == 1
    assert "are not of the same run" in capsys.readouterr().err


def test_says_what_to_install_for_the_api(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(command, "_missing", "fastapi")
    with pytest.raises(SystemExit) as stopped:
        command.main([*_arguments(tmp_path), "--api"])
    assert stopped.value.code == 2
    assert "pip install fastapi httpx. The loop works without it." in capsys.readouterr().err


def test_asks_for_a_database(capsys, monkeypatch) -> None:
    monkeypatch.delenv("TRADESTORE_DB_URL", raising=False)
    with pytest.raises(SystemExit) as stopped:
        command.main([])
    assert stopped.value.code == 2
    assert "TRADESTORE_DB_URL" in capsys.readouterr().err


def test_tells_a_wrong_url_in_one_line(tmp_path, capsys) -> None:
    assert command.main(["--db-url", "oracle://nowhere", "--exchange-file", str(tmp_path / "exchange.jsonl")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
