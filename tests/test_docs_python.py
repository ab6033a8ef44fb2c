"""The Python code of the README and of each page runs as it stands there, and prints what stands below it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.stores import write_known_store
from tests.pages import CHECKOUT, fences_of, is_printed, name_of, pages_with

SECONDS = 120
END_OF_FENCE = "\x1e"


def script_of(page: Path) -> str:
    """Return a page's Python code, each line where it stands on the page, so that a traceback names the page's line.

    What ended a fence prints a mark, so that it is known which of them printed what.
    """
    lines = [""] * (page.read_text(encoding="utf-8").count("\n") + 1)
    for fence in fences_of(page, "python"):
        code = [*fence.text.splitlines(), f"__import__('sys').stdout.write({END_OF_FENCE!r})"]
        lines[fence.line - 1 : fence.line - 1 + len(code)] = code
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", [CHECKOUT / "README.md", *pages_with("python")], ids=name_of)
def test_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    # In a process of their own: pages open databases and add tables to the models.
    write_known_store(f"sqlite:///{tmp_path / 'tradesv3.sqlite'}")
    script = tmp_path / f"{page.stem}.md.py"
    script.write_text(script_of(page), encoding="utf-8")

    result = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert (result.returncode, result.stderr) == (0, ""), f"{name_of(page)}: {result.stderr}"
    fences = fences_of(page, "python")
    *printed, rest = result.stdout.split(END_OF_FENCE)
    assert (len(printed), rest) == (len(fences), "")
    for fence, output in zip(fences, printed, strict=True):
        if fence.output is not None:
            assert is_printed(fence.output, output), f"{name_of(page)}:{fence.line} printed:\n{output}"
