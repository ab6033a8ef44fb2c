"""A thousand requests that nobody ends: contexts and tasks that are gone take their sessions and connections along."""

import asyncio
import contextvars
import gc

import pytest
from sqlalchemy.orm import Session

from tests.builders import store, trade
from tradestore import Trade, init_db, models

REQUEST_ID = vars(models)["_request_id_ctx_var"]  # Where web servers find it.
CONTEXTS = 1_000

pytestmark = pytest.mark.needs("persistent", "first_driver")


@pytest.fixture
def small_pool(store_url):
    """Return an open store with a trade and a pool of five connections, which must all be back afterwards."""
    database = init_db(store_url, pool_size=5, max_overflow=0, pool_timeout=20)
    store(trade(max_rate=0.0))
    Trade.session.remove()
    yield database
    gc.collect()
    assert database.pool_status().checked_out == 0
    assert database.pool_status().idle <= 5
    assert [s for s in gc.get_objects() if isinstance(s, Session) and s.bind is database.engine] == []
    database.close()


def _answer(number: int) -> None:
    """Answer a request: read, and let every tenth one write, and every third leave its reading unended."""
    REQUEST_ID.set(f"request {number}")
    found = Trade.get_trades().one()
    if number % 10 == 0:
        found.max_rate = float(number)
        Trade.commit()
    if number % 3 == 0:
        assert Trade.get_open_trade_count() == 1


def test_contexts_leave_nothing_behind(backend, small_pool, note) -> None:
    """Contexts that one thread works through, one after the other."""
    for number in range(CONTEXTS):
        contextvars.copy_context().run(_answer, number)
    assert Trade.get_trades().one().max_rate == CONTEXTS - 10
    Trade.session.remove()
    note("faults", f"{CONTEXTS} request contexts without remove(): 0 connections in use, 0 sessions left")


def test_tasks_leave_nothing_behind(backend, small_pool, note) -> None:
    """Tasks of asyncio, each with a context of its own, four at a time."""

    async def answer(number: int, turn: asyncio.Semaphore) -> None:
        async with turn:
            REQUEST_ID.set(f"task {number}")
            Trade.get_trades().one()
            await asyncio.sleep(0)
            assert Trade.get_open_trade_count() == 1
            Trade.rollback()

    async def answer_all() -> None:
        turn = asyncio.Semaphore(4)
        await asyncio.gather(*(answer(number, turn) for number in range(CONTEXTS)))

    asyncio.run(answer_all())
    note("faults", f"{CONTEXTS} asyncio tasks with request ids without remove(): 0 connections in use, 0 sessions left")
