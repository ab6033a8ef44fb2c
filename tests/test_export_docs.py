"""docs/export.md: its columns are those of the code, and its queries work."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import closed_trade, store, trade_with_entry
from tests.pages import DOCS, fences_of
from tradestore import Store, Trade
from tradestore._exported_columns import EXPORTED_TABLES
from tradestore.operations._view_columns import views_on
from tradestore.operations.views import create_views

PAGE = (DOCS / "export.md").read_text(encoding="utf-8")
DESCRIBED: dict[str, Any] = {**EXPORTED_TABLES, **{view.name: view for view in views_on("sqlite")}}


def _lines(columns: Iterable[Any]) -> list[str]:
    return [f"| `{each.name}` | {each.type} | {each.unit} | {each.meaning} |" for each in columns]


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_column_is_described(name: str) -> None:
    (section,) = re.findall(rf"^### `{name}`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `.*\|$", section, re.MULTILINE) == _lines(DESCRIBED[name].columns)


def test_nothing_else_is_described() -> None:
    assert re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE) == [*DESCRIBED]


@pytest.mark.needs("first_driver")
def test_queries_work_on_every_engine(database: Store) -> None:
    store(closed_trade(profit=2.0, ratio=0.1, exit_reason="roi"), trade_with_entry(pair="BTC/USDT"))
    Trade.session.remove()
    create_views(database)
    queries = [
        query for fence in fences_of(DOCS / "export.md", "sql") for query in fence.text.split(";") if query.strip()
    ]
    with database.engine.connect() as connection:
        profits, opened, reasons = [connection.execute(text(query)).mappings().one() for query in queries]
    assert (str(profits["time"]), profits["profit"]) == ("2026-03-01", 2.0)
    assert (opened["pair"], opened["side"], opened["stake_amount"]) == ("BTC/USDT", "long", 200.0)
    assert (reasons["exit_reason"], reasons["trades"], float(reasons["hours"])) == ("roi", 1, 5.0)
