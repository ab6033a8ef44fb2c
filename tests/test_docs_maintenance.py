"""The pages on monitoring and maintenance: their Python runs as it stands there, their table is that of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tradestore.metrics import METRICS

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["monitoring.md", "maintenance.md"])
def test_python_of_a_page_runs(name: str, tmp_path: Path) -> None:
    """All blocks of a page are one program."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    command = [sys.executable, "-W", "error", str(script)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_figures_are_all_documented() -> None:
    """With both names, what they are, their unit and their meaning."""
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(tradestore_\w+)` \| `([\w.]+)` \| (\w+) \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (each.prometheus_name, each.opentelemetry_name, each.kind.value, each.unit.strip("{}"), each.text)
        for each in METRICS
    ]
