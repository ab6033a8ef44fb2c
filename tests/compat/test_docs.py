"""The commands on the page about running a bot are the real ones."""

import re
import shlex
from pathlib import Path

from tests.compat.bots import run_python

PAGE = (Path(__file__).parents[2] / "docs" / "tasks" / "drop-in.md").read_text(encoding="utf-8")


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_commands_of_the_page_are_understood(tmp_path: Path) -> None:
    page = "\n".join(_blocks("python"))
    (tmp_path / "page.py").write_text(page[: page.index("import sys")], encoding="utf-8")
    assert run_python("page.py", folder=tmp_path).returncode == 0
    (tmp_path / "mybot" / "__main__.py").write_text("import sys, mybot.persistence; print(sys.argv[1:])")
    lines = [line for block in _blocks("console") for line in block.splitlines() if " -m mybot " in line]
    (words,) = map(shlex.split, lines)

    ended = run_python(*words[1:], folder=tmp_path)

    assert (ended.returncode, ended.stdout) == (0, "['trade', '--config', 'config.json']\n"), ended.stderr
