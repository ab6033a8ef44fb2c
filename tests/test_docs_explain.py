"""The example of docs/explain.md prints what stands below it."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "explain.md"


def test_the_example_prints_what_stands_below_it(capsys):
    """Whoever copies the code gets the text."""
    page = PAGE.read_text(encoding="utf-8")
    code, text = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "text"))
    assert code
    assert text
    exec(compile(code[1], str(PAGE), "exec"), {})
    assert capsys.readouterr().out == text[1]
