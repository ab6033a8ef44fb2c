"""The Python code of the documentation's pages runs, and prints what stands below it."""

import re
from pathlib import Path

import pytest

from tests.cli.stores import write_known_store

DOCS = Path(__file__).parents[1] / "docs"


def _run(page: str) -> str:
    """Run a page's Python code, and return the page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, page, "exec"), {})
    return text


def test_the_explained_trade_is_that_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever copies the code gets the text."""
    told = re.search(r"```text\n(.*?)```", _run("explain.md"), re.DOTALL)
    assert told
    assert capsys.readouterr().out == told[1]


def test_a_report_is_written_from_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_known_store("sqlite:///tradesv3.sqlite")
    _run("report.md")
    assert capsys.readouterr().out == "None [('2026-03', 59.20333333)]\n"
    assert (tmp_path / "year.html").stat().st_size > 1_000_000
