"""docs/monitoring.md: its table of figures is that of the code."""

import re

from tests.pages import DOCS
from tradestore.metrics import METRICS


def test_figures_are_all_documented() -> None:
    """With both names, what they are, their unit and their meaning."""
    page = (DOCS / "monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(tradestore_\w+)` \| `([\w.]+)` \| (\w+) \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [
        (each.prometheus_name, each.opentelemetry_name, each.kind.value, each.unit.strip("{}"), each.text)
        for each in METRICS
    ]
