"""All cases, in the order of the table."""

from benchmarks import accounting, bulk, commits, copies, imports, lifecycle, memory, queries, transfers
from benchmarks.measuring import Case
from benchmarks.stores import StorePlace

__all__ = ["MEMORY_CASES", "store_cases"]

MEMORY_CASES = (*lifecycle.CASES, *accounting.CASES, *copies.CASES, *memory.CASES, *imports.CASES)


def store_cases(place: StorePlace) -> tuple[Case, ...]:
    """Return all cases that need a database."""
    return (*queries.cases(place), *commits.cases(place), *bulk.cases(place), *transfers.cases(place))
