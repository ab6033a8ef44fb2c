"""The benchmarks still run, and both sides of each still agree. How long they take is no test's business."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.catalogue import MEMORY_CASES, store_cases
from benchmarks.measuring import Case, Contest, Measurement, measure
from benchmarks.report import Result, markdown_table, write_page
from benchmarks.stores import PLACES, StorePlace

EMBEDDED = next(place for place in PLACES if place.is_embedded)
PAGE = "before <!-- the last run --> old <!-- end of the last run --> after"


def _once(case: Case, size: int) -> Measurement:
    return measure(replace(case, turns=(1, 1), seconds=0.0), size)


@pytest.fixture(scope="module")
def place() -> Iterator[StorePlace]:
    with EMBEDDED() as embedded:
        yield embedded


@pytest.mark.parametrize("case", MEMORY_CASES, ids=lambda case: case.name)
def test_memory_benchmark(case: Case) -> None:
    measured = _once(case, 3)
    assert measured.ours > 0
    assert measured.floor > 0


@pytest.mark.parametrize("number", [pytest.param(n, id=case.name) for n, case in enumerate(store_cases(EMBEDDED()))])
def test_store_benchmark(place: StorePlace, number: int) -> None:
    case = store_cases(place)[number]
    measured = _once(case, 300)
    assert measured.ours > 0
    assert case.quantity == "memory" or measured.floor > 0


@contextmanager
def _disagreement(_size: int) -> Iterator[Contest]:
    yield Contest(ours=lambda _: 1, floor=lambda _: 2)


def test_sides_that_disagree_are_not_compared() -> None:
    case = Case(name="numbers: one", prepare=_disagreement)
    with pytest.raises(AssertionError, match="different work"):
        measure(case, 1)


@pytest.mark.parametrize(
    ("allowed", "growth", "over"),
    [(None, None, False), (4.0, 10.0, False), (2.0, None, True), (None, 9.0, True)],
)
def test_table_marks_what_is_over(tmp_path: Path, allowed: float | None, growth: float | None, over: bool) -> None:
    case = Case(name="numbers: one", unit="digits", prepare=_disagreement, allowed_ratio=allowed, allowed_growth=growth)
    small = Measurement(size=10, turns=[(3e-6, 1e-6), (3e-6, 1e-6)])
    large = Measurement(size=100, turns=[(30e-6, 10e-6)])
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")

    results = [Result(case=case, measured=[small, large])]
    write_page(results, page)

    assert results[0].is_over is over
    (row,) = markdown_table(results).splitlines()[2:]
    assert row.startswith("| numbers: one | 10 digits | 3 µs | 1 µs | 3 x |")
    assert ("OVER" in row) is over
    written = page.read_text(encoding="utf-8")
    assert row in written
    assert "old" not in written
    assert written.startswith("before")
    assert written.endswith("after")
