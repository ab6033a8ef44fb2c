"""However many trades a report is about, few of them are in memory at once."""

import tracemalloc

import pytest

from tests.operations.books import Deal, book_of, store_book
from tradestore import Store, Trade
from tradestore.operations.report import read_figures

SLACK = 300_000
"""Bytes; a thousand trades take about three times as many."""


def _peak(store: Store) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        read_figures(store)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.needs("persistent", "first_driver")
def test_memory_does_not_grow(database: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eleven times as many trades take about the same."""
    monkeypatch.setattr("tradestore.operations.report.reading._BATCH", 25)
    monkeypatch.setattr("tradestore.operations.report._tallies._STRETCHES", 20)
    store_book(book_of([Deal(number, 100, 10) for number in range(100)]))
    read_figures(database)  # What is loaded once only is loaded now.
    few = _peak(database)
    store_book(book_of([Deal(number, -100, -10) for number in range(100, 1100)]))
    Trade.session.remove()
    assert _peak(database) < few + SLACK
