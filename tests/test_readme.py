"""The README's Python code runs as it stands there, from top to bottom."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import tradestore

README = Path(__file__).parents[1] / "README.md"
SECONDS = 60


def test_python_blocks_run(tmp_path: Path) -> None:
    # In a process of their own: they open databases and add a table to the models.
    script = tmp_path / "readme.py"
    script.write_text(_python_only(README.read_text(encoding="utf-8")), encoding="utf-8")

    result = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert not result.stderr
    assert (tmp_path / "trades.sqlite").exists()


def test_map_names_what_exists() -> None:
    rows = re.findall(
        r"^\| [^|]+ \| (`[^|]+) \| (`tradestore\.[^|]+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) > 20

    missing = [name for names, modules in rows for name in _names(names) if not _is_in(name, _names(modules))]
    assert missing == []


def _names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def _is_in(name: str, modules: list[str]) -> bool:
    """Tell whether one of the modules has the name; `trade.close` is looked up in `Trade`."""
    owner, _, attribute = name.rpartition(".")
    homes: list[object] = [import_module(module) for module in modules]
    if owner:
        homes = [getattr(tradestore, owner.capitalize())]
    return any(hasattr(home, attribute) for home in homes)


def _python_only(text: str) -> str:
    """Blank out everything but the Python blocks, so that a traceback names the README's own lines."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = line == "```python"
            lines.append("")
        else:
            lines.append(line if inside else "")
    assert any(lines), "the README has no Python code"
    return "\n".join(lines) + "\n"
