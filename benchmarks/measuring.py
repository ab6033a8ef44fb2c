"""Two ways to the same answer, timed in turns.

Both sides take turns in one process, and each turn gets fresh material that neither has seen. What waits for nobody is
timed by the processor's clock, which stands still while other programs run; what waits for a disk or a server, by the
wall's. A cost is that of the turn at the lower quarter: above it other programs have had their part,
and below it is luck. Garbage is collected before each side's turn and the collector stays on during it, so that each
pays for its own garbage and for no other's.
"""

import gc
import math
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, Literal, TypeVar

__all__ = ["PROCESSOR", "WALL", "Case", "Contest", "Measurement", "Pauses", "Side", "measure"]

_T = TypeVar("_T")
_END: Final = object()

PROCESSOR: Final = time.thread_time
"""The clock for what waits for nobody."""

WALL: Final = time.perf_counter
"""The clock for what waits for a disk or a server."""

Side = Callable[[Any], Any]
"""Takes a turn's material, and returns what both sides must agree on."""


class Pauses:
    """Time that passes within a turn and isn't counted: the making of what is handed over.

    Attributes:
        seconds: Of the present turn.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def during(self, items: Iterable[_T]) -> Iterator[_T]:
        """Hand on the items, and stop the watch while each of them is made."""
        walk = iter(items)
        while True:
            begin = time.perf_counter()
            item: Any = next(walk, _END)
            self.seconds += time.perf_counter() - begin
            if item is _END:
                return
            yield item


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The library and its floor, ready to run.

    Attributes:
        ours: The library's side.
        floor: The least that the same answer costs, None where nothing is to be learned from it.
        material: Makes what both sides get in one turn, and puts back what the turn before has changed; not timed.
        operations: How many operations a turn has: costs are told for one of them.
        agree: Whether both sides came to the same answer.
        pauses: What is not counted.
    """

    ours: Side
    floor: Side | None
    material: Callable[[], Any] = lambda: None
    operations: int = 1
    agree: Callable[[Any, Any], bool] = lambda ours, floor: bool(ours == floor)
    pauses: Pauses = field(default_factory=Pauses)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A question to be measured at several sizes.

    Attributes:
        name: Subject and question, as in `lifecycle: spot`.
        unit: What the sizes count; empty where there is only one.
        sizes: The first and the last one stand in the table, all of them in the picture.
        prepare: Gives the contest at a size, and tidies up after it.
        allowed_ratio: How many times the floor is acceptable, None if nothing was promised.
        allowed_growth: How many times the cost at the first size is acceptable at the last one.
        quantity: What is measured: seconds, or bytes at the peak.
        clock: Which seconds.
        turns: The fewest, and how many are enough.
        seconds: How long turns are added, for each size.
    """

    name: str
    unit: str = ""
    sizes: Sequence[int] = (1,)
    prepare: Callable[[int], AbstractContextManager[Contest]]
    allowed_ratio: float | None = None
    allowed_growth: float | None = None
    quantity: Literal["time", "memory"] = "time"
    clock: Callable[[], float] = WALL
    turns: tuple[int, int] = (5, 60)
    seconds: float = 0.8

    @property
    def subject(self) -> str:
        """What stands before the colon."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What both sides cost at one size.

    Attributes:
        size: Of the case.
        turns: Ours and the floor's, for one operation, in seconds or bytes; no number for a floor that there isn't.
    """

    size: int
    turns: Sequence[tuple[float, float]]

    @cached_property
    def ours(self) -> float:
        """What we cost."""
        return _lower_quarter(ours for ours, _ in self.turns)

    @cached_property
    def floor(self) -> float:
        """What the floor costs."""
        return _lower_quarter(floor for _, floor in self.turns)

    @property
    def ratio(self) -> float:
        """How many times the floor we cost."""
        return self.ours / self.floor


def _lower_quarter(costs: Iterable[float]) -> float:
    ordered = sorted(costs)
    return ordered[len(ordered) // 4]


def measure(case: Case, size: int) -> Measurement:
    """Run a case at one size.

    Raises:
        AssertionError: If the two sides disagree.
    """
    with case.prepare(size) as contest, _frozen_past():
        meter = partial(_seconds, case.clock, contest.pauses) if case.quantity == "time" else _peak_bytes
        turns: list[tuple[float, float]] = []
        fewest, enough = case.turns
        end = time.perf_counter() + case.seconds
        while len(turns) < fewest or (len(turns) < enough and time.perf_counter() < end):
            turns.append(_take_turn(case, contest, meter, ours_first=len(turns) % 2 == 0))
    return Measurement(size=size, turns=turns)


@contextmanager
def _frozen_past() -> Iterator[None]:
    """Let the collector pass over all that is there by now: walking over it would empty the processor's caches."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


_Meter = Callable[[Side, Any], tuple[float, Any]]


def _take_turn(case: Case, contest: Contest, meter: _Meter, *, ours_first: bool) -> tuple[float, float]:
    material = contest.material()
    if contest.floor is None:
        ours, _ = meter(contest.ours, material)
        return ours / contest.operations, math.nan
    if ours_first:
        ours, our_answer = meter(contest.ours, material)
        floor, its_answer = meter(contest.floor, material)
    else:
        floor, its_answer = meter(contest.floor, material)
        ours, our_answer = meter(contest.ours, material)
    assert contest.agree(our_answer, its_answer), f"{case.name}: the two sides do different work"
    return ours / contest.operations, floor / contest.operations


def _seconds(clock: Callable[[], float], pauses: Pauses, side: Side, material: Any) -> tuple[float, Any]:
    pauses.seconds = 0.0
    gc.collect()
    begin = clock()
    answer = side(material)
    return clock() - begin - pauses.seconds, answer


def _peak_bytes(side: Side, material: Any) -> tuple[float, Any]:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        answer = side(material)
        return tracemalloc.get_traced_memory()[1] - before, answer
    finally:
        tracemalloc.stop()
