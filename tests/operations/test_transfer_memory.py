"""However much there is to be transferred, only a batch of it is in memory."""

import tracemalloc

import pytest
from sqlalchemy import Table, insert

from tests.operations.furniture import plain_engine, row_of
from tradestore import ModelBase, init_db
from tradestore.operations import transfer

BATCH = 25
SLACK = 400_000
"""Bytes; the rows by which the two differ take about six times as many."""


def _filled(url: str, count: int) -> str:
    init_db(url).close()
    trades: Table = ModelBase.metadata.tables["trades"]
    with plain_engine(url) as engine, engine.begin() as connection:
        connection.execute(insert(trades), [row_of(trades, number, id=number) for number in range(1, count + 1)])
    return url


def _peak(source: str, target: str, *, merge: bool = False) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        transfer(source, target, batch_size=BATCH, merge=merge)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.needs("persistent")
def test_memory_does_not_grow(store_url: str, other_url: str, new_file) -> None:
    """Five times as many rows take about the same, on the way there and on the way back."""
    small, large = _filled(new_file(), 100), _filled(new_file(), 500)
    # What is loaded once only is loaded now, drivers included.
    transfer(small, new_file())
    init_db(other_url).close()
    assert _peak(large, store_url) < _peak(small, other_url) + SLACK
    assert _peak(store_url, new_file()) < _peak(other_url, new_file()) + SLACK


def test_memory_of_a_merge_does_not_grow(new_file) -> None:
    """Five times as many rows take about the same, whether they are added or found."""
    small, large, target = _filled(new_file(), 100), _filled(new_file(), 500), new_file()
    few = _peak(small, target, merge=True)
    assert _peak(large, target, merge=True) < few + SLACK
    assert _peak(large, target, merge=True) < few + SLACK
