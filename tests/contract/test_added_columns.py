"""Columns that a bot adds to the library's classes are stored by the many as one by one, or refused clearly."""

from multiprocessing import get_context

import pytest

from tests.contract.added_columns import GIVEN, outcomes


@pytest.mark.needs("persistent")
def test_added_columns(store_url: str) -> None:
    """Types of their own, other names in the table, and defaults hold; what cannot be done so is named."""
    with get_context("spawn").Pool(1) as pool:
        found = pool.apply(outcomes, (store_url,))
    full = (*(GIVEN | {"mood": "mark:calm\t\\N"}).values(), None, ["mark:north"])
    bare = ("mark:None", None, None, None, None, None, None, "new", 7, None)
    assert found["single"] == [full, (*bare, ["mark:north"])]
    assert found["bulk"] == found["single"]
    assert found["plain"] == [(*bare, ["mark:None"])]
    assert found["intents"] == [([1], GIVEN["seen"], "new", 7), (None, None, "new", 7)]
    for case, reason in {
        "mixed": "Trade.state has a default that the database works out",
        "bad value": "Trade.notes of type JSON cannot be stored for many records",
        "long": "Trade.level cannot be",
        "default": "Trade.dice has a default that the database works out",
        "type": "Order.lowered of type Lowered cannot be stored for many records",
    }.items():
        assert reason in found[case], case
    assert found["backtest"] == ([2], 2)
