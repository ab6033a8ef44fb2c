"""However much there is to be exported or imported, only a batch of it is in memory."""

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, delete, insert

from tests.operations.furniture import plain_engine, row_of
from tradestore import ModelBase, init_db
from tradestore.operations.export import export_trades, import_trades
from tradestore.operations.export.exporting import FileFormat

FORMATS: tuple[FileFormat, ...] = ("jsonl", "csv", "parquet")
CHECKOUT = Path(__file__).parents[2]
TRADES: Table = ModelBase.metadata.tables["trades"]
ORDERS: Table = ModelBase.metadata.tables["orders"]

BATCH = 25
SLACK = 400_000
"""Bytes; the rows by which the two differ take many times as many."""
RSS_SLACK = 24 * 2**20
"""Bytes; the further 90,000 trades with their orders take about 500 MB as Python's objects."""


def _fill(url: str, first: int, last: int) -> None:
    with plain_engine(url) as engine, engine.begin() as connection:
        for start in range(first, last + 1, 1000):
            numbers = range(start, min(start + 1000, last + 1))
            # Short texts: it is the number of rows that counts.
            trades = [row_of(TRADES, number, id=number, **_SHORT_TRADE) for number in numbers]
            orders = [
                row_of(ORDERS, number, id=number, ft_trade_id=number, order_id=str(number), **_SHORT_ORDER)
                for number in numbers
            ]
            connection.execute(insert(TRADES), trades)
            connection.execute(insert(ORDERS), orders)


_SHORT_TRADE = dict.fromkeys(("exit_reason", "enter_tag"), "roi")
_SHORT_ORDER = dict.fromkeys(("ft_cancel_reason", "ft_order_tag", "status"), "closed")


def _emptied(url: str) -> str:
    with plain_engine(url) as engine, engine.begin() as connection:
        connection.execute(delete(ORDERS))
        connection.execute(delete(TRADES))
    return url


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.needs("persistent", "first_driver")
def test_memory_does_not_grow(store_url: str, tmp_path: Path) -> None:
    """Six times as many rows take about the same, in every format, on the way out and on the way in."""
    init_db(store_url).close()
    few, many = (_peaks(store_url, tmp_path / str(count), count, is_first=count == 50) for count in (50, 300))
    growth = {name: many[name] - few[name] for name in few}
    assert max(growth.values()) < SLACK, growth


def _peaks(url: str, folder: Path, count: int, *, is_first: bool) -> dict[str, int]:
    """Return what each way takes with so many trades in the database."""
    folder.mkdir()
    _fill(_emptied(url), 1, count)
    targets = {name: folder / (f"all.{name}" if name == "jsonl" else name) for name in FORMATS}
    found = {}
    for name, target in targets.items():
        export = partial(export_trades, url, target, file_format=name, batch_size=BATCH, overwrite=True)
        if is_first:
            export()  # What is loaded once only is loaded now.
        found[f"export {name}"] = _peak(export)
    for name, target in targets.items():
        found[f"import {name}"] = _peak(partial(import_trades, target, _emptied(url), batch_size=BATCH))
    return found


@pytest.mark.thorough
@pytest.mark.needs("persistent", "first_driver")
def test_a_hundred_thousand_trades_in_constant_memory(store_url: str, tmp_path: Path, note) -> None:
    """Processes of their own, so that what Python doesn't count is counted too; and the rows are the same again."""
    init_db(store_url).close()
    _fill(store_url, 1, 10_000)
    small = _measured(store_url, tmp_path / "small")
    _fill(store_url, 10_001, 100_000)
    large = _measured(store_url, tmp_path / "large")
    assert large["rows"] == 200_000
    assert large["same"]
    growth = {name: large["peaks"][name] - small["peaks"][name] for name in large["peaks"]}
    for name, more in growth.items():
        rise = f"{large['peaks'][name] / 2**20:.0f} MB, {more / 2**20:+.1f} MB against 10,000"
        note("100,000 trades with an order each", f"{name}: {rise}, {large['seconds'][name]:.0f} s")
    assert max(growth.values()) < RSS_SLACK, growth


def _measured(url: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.operations.measured_exports", url, str(folder)]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)  # type: ignore[no-any-return]
