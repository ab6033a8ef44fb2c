"""Whatever writes is all or nothing, wherever it fails: at each of its statements, at its COMMIT, and after it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

from tests.capabilities import Backend
from tests.faults.operations import OPERATIONS, Ground, content_of
from tests.faults.order_operations import ORDER_OPERATIONS, Operation, at_the_exchange
from tradestore import Store, Trade, _units_of_work
from tradestore.exceptions import CommitOutcomeUnknown
from tradestore.testing import Failure, Fault, Faults, Steps

Point = Callable[[Faults], AbstractContextManager[Fault]]


class Unforeseen(Exception):
    """No error of a database."""


def _kinds(backend: Backend) -> list[Failure | Exception]:
    if (
        backend.networked
    ):  # Fewer there: each costs a journey. What a driver makes of an error, it shows when it is cut.
        return [Failure.LOST, Failure.DEADLOCK] if backend.first_driver else [Failure.LOST]
    kinds: list[Failure | Exception] = [Failure.BUSY, Failure.FULL, Unforeseen()]
    return [Failure.LOST, *kinds] if backend.persistent else kinds


def _points(backend: Backend, steps: Steps) -> Iterator[tuple[str, Point]]:
    commits = range(1, steps.commits + 1)
    for kind in _kinds(backend):
        for number, statement in enumerate(steps.statements, 1):
            yield f"{kind!r} at {number}: {statement}", partial(Faults.fail_statement, number=number, error=kind)
        for number in commits:
            yield f"{kind!r} at COMMIT {number}", partial(Faults.fail_commit, number=number, error=kind)
    if backend.persistent:
        for number in commits:
            yield f"answer to COMMIT {number} lost", partial(Faults.lose_commit_answer, number=number)


def _failure_of(operation: Callable[[Store], None], database: Store) -> Exception | None:
    try:
        operation(database)
    except Exception as error:  # noqa: BLE001 - what it is, is looked at below
        return error
    return None


def _left_by(work: Callable[[Store], None], ground: Ground, database: Store) -> Mapping[str, object]:
    ground.restore()
    work(database)
    return content_of(database)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do again at once what is done again: nobody else is there who would need time."""
    for name in ("_DELAYS", "_DELAYS_WITHOUT_SERVER"):
        monkeypatch.setattr(_units_of_work, name, (0.0,))


@pytest.mark.parametrize("name", OPERATIONS)
def test_all_or_nothing(database, backend, note, name) -> None:
    """A failure leaves everything or nothing, what it says is true, and the same work can be done again at once."""
    _fail_everywhere(database, backend, note, name, OPERATIONS[name])


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("name", ORDER_OPERATIONS)
def test_orders_and_limits(database, backend, note, name) -> None:
    """The same holds for orders at an exchange; what a failure leaves of an intent can be resolved."""
    _fail_everywhere(database, backend, note, name, ORDER_OPERATIONS[name])


def _fail_everywhere(database: Store, backend: Backend, note: Any, name: str, operation: Operation) -> None:
    faults = Faults(database)
    work, finish = operation.work, operation.finish or operation.work
    ground = Ground(database, operation)
    before = content_of(database)
    work(database)  # Once for whatever is made ready at the first time only.
    after = content_of(database)
    assert after != before
    halves = {f"half {number}": _left_by(half, ground, database) for number, half in enumerate(operation.halves)}
    ground.restore()
    sent_before = dict(at_the_exchange)
    with faults.count_statements() as steps:
        work(database)
    assert content_of(database) == after

    points = 0
    wrong = []
    for what, point in _points(backend, steps):
        ground.restore()
        with point(faults) as fault:
            failure = _failure_of(work, database)
        points += 1
        found = content_of(database)
        expected = {"all": after} if failure is None else halves | {"nothing": before}
        if isinstance(failure, CommitOutcomeUnknown):
            expected["all"] = after
        if at_the_exchange != sent_before:
            # An order that was sent is never without its intent.
            expected.pop("nothing", None)
        if not fault.happened:
            wrong.append(f"{what}: passed by")
        if found not in expected.values():
            wrong.append(f"{what}: {failure!r}, but not {' or '.join(expected)} is there")
        elif found != after and (again := _failure_of(work if found == before else finish, database)) is not None:
            wrong.append(f"{what}: {failure!r}; again: {again!r}")
        elif content_of(database) != after:
            wrong.append(f"{what}: {failure!r}; done again, not all is there")
        Trade.session.remove()
    assert not wrong, "\n".join(wrong)
    assert points >= len(steps.statements) + steps.commits > 1
    note("failed and done again", f"{name}, at {points} points")
