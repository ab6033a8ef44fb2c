"""`tradestore optimize`: a line for each step, or a document."""

import re
from pathlib import Path

from tests.cli.conftest import Command
from tests.operations.old_trades import fill
from tradestore.testing import opened_store


def test_each_step_is_told(tmp_path: Path, command: Command) -> None:
    """What was done, what was left and why, and what came of it."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    with opened_store(url):
        fill()
    found = command("optimize", "--db-url", url)
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert "done  ANALYZE trades" in lines
    assert any(line.startswith("left  VACUUM: only ") for line in lines)
    assert re.search(r": [0-9.]+ KiB before, [0-9.]+ KiB now$", lines[-1])
    document = command("optimize", "-d", url, "--vacuum", "--reindex", "--json").result
    assert {"what": "VACUUM", "done": True, "reason": ""} in document["steps"]
    assert {"what": "REINDEX orders", "done": True, "reason": ""} in document["steps"]
    assert document["bytes_after"] > 0


def test_missing_file_is_a_line_and_nothing_is_made(tmp_path: Path, command: Command) -> None:
    found = command("optimize", "--db-url", f"sqlite:///{tmp_path / 'missing.sqlite'}")
    assert (found.code, found.out) == (3, "")
    assert len(found.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())
