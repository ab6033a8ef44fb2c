"""The commands of docs/security.md that need keys run as they stand there, one after the other."""

import re
import shlex
from pathlib import Path

from tests.builders import store, trade_with_entry
from tests.ciphers import quick_keys
from tradestore import Trade
from tradestore.cli.app import run
from tradestore.testing import opened_store

PAGE = Path(__file__).parents[1] / "docs" / "security.md"


def test_way_of_a_file_runs(tmp_path: Path, monkeypatch, capsys) -> None:
    """From a plain file to an encrypted one, another key, and back, with the trade that was in it."""
    monkeypatch.chdir(tmp_path)
    with opened_store("sqlite:///tradesv3.sqlite"):
        store(trade_with_entry())
    for name in ("key.txt", "new-key.txt"):
        Path(name).touch(0o600)
        Path(name).write_text(f"s3cret of {name}\n")
    fences = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ tradestore ") for line in "".join(fences).splitlines()]
    assert [command.split()[0] for command in commands] == ["encrypt", "status", "rekey", "decrypt"]
    with quick_keys():
        assert [run(shlex.split(command)) for command in commands] == [0, 0, 0, 0]
    assert "Warning" not in capsys.readouterr().err
    with opened_store("sqlite:///plain.sqlite"):
        assert Trade.get_open_trade_count() == 1
