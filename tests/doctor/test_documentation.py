"""The table in docs/doctor.md is the catalogue."""

import re
from pathlib import Path

from tradestore.operations.doctor import CATALOGUE, KNOWN_BUGS

PAGE = Path(__file__).parents[2].joinpath("docs", "doctor.md").read_text(encoding="utf-8")


def test_table_has_every_code_with_the_same_words() -> None:
    rows = re.findall(r"^\| ([A-Z]\d\d) \| (.+) \| (\w+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [(code, title, severity, remedy) for code, title, severity, _, remedy in rows] == [
        (each.code, each.title, each.severity.value, each.remedy) for each in CATALOGUE.values()
    ]
    assert f"It has {len(CATALOGUE)} checks" in PAGE


def test_every_known_bug_is_cited() -> None:
    assert all(f"<{bug.source}>" in PAGE for bug in KNOWN_BUGS)
