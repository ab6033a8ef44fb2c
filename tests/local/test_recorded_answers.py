"""Answers that exchanges really sent, read as the notes beside them say is right."""

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tradestore import LocalOrder
from tradestore.exceptions import InvalidOrder

RECORDED = Path(__file__).parents[1] / "data" / "ccxt_orders"
KINDS = {"amount_in_quote", "cost_without_fill", "filled_date_is_now", "side_odd", "trigger_price_lost"}
NOTES = [
    note
    for note in json.loads((RECORDED / "failures.json").read_text(encoding="utf-8"))
    # An order's own date says when it was placed, not when it was filled: there the time of reading stands.
    if note["kind"] in KINDS and note["correct"].get("taken_from") != "timestamp"
]
EXCHANGES = sorted(path.stem for path in RECORDED.glob("*.json") if path.stem != "failures")


@cache
def recorded(exchange: str) -> list[dict[str, Any]]:
    return [entry["order"] for entry in json.loads((RECORDED / f"{exchange}.json").read_text(encoding="utf-8"))]


def read(order: dict[str, Any]) -> LocalOrder:
    return LocalOrder.parse_from_ccxt_object(order, order.get("symbol") or "A/B", order.get("side") or "buy", 1.0, 1.0)


@pytest.mark.parametrize("note", NOTES, ids=lambda note: f"{note['exchange']}-{note['index']}-{note['kind']}")
def test_oddities_are_put_right(note):
    """Each oddity that was noted comes out as the note says."""
    order = read(recorded(note["exchange"])[note["index"]])
    correct = {field: value for field, value in note["correct"].items() if field != "taken_from"}
    dates = {field: datetime.fromisoformat(value) for field, value in correct.items() if field.endswith("_date")}
    assert {field: getattr(order, field) for field in correct} == correct | dates


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_answer_with_an_id_is_read(exchange):
    """Every recorded answer is read; only one without an id is refused."""
    orders = recorded(exchange)
    for order in [order for order in orders if order["id"] is None]:
        with pytest.raises(InvalidOrder):
            read(order)
    identified = [order for order in orders if order["id"] is not None]
    assert [read(order).order_id for order in identified] == [order["id"] for order in identified]


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_reading_twice_changes_nothing(exchange):
    """The same answer once more leaves the order as it is, but for the time of the update."""
    for told in [order for order in recorded(exchange) if order["id"] is not None]:
        order = read(told)
        before = vars(order) | {"order_update_date": None}
        order.update_from_ccxt_object(told)
        assert vars(order) | {"order_update_date": None} == before


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_acknowledgement_overwrites_nothing(exchange):
    """An answer that tells nothing but the id leaves a known order as it is."""
    for told in [order for order in recorded(exchange) if order["id"] is not None]:
        order = read(told)
        before = vars(order) | {"order_update_date": None}
        order.update_from_ccxt_object(dict.fromkeys(told) | {"id": told["id"]})
        assert vars(order) | {"order_update_date": None} == before
