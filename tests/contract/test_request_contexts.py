"""Sessions of web requests end with them, however a request is answered, and whether anybody says good-bye or not."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from sys import getswitchinterval, setswitchinterval
from threading import Barrier, Event, Thread

import pytest

from tests.builders import amend, store, trade
from tradestore import Trade
from tradestore._scopes import request_id_context as request_id
from tradestore.models import get_request_or_thread_id, init_db

REQUESTS = 1_000
OVER_A_NETWORK = 200
AT_ONCE = 10


@pytest.fixture
def requests(backend) -> range:
    """Return the numbers of the requests, fewer where each takes longer."""
    return range(REQUESTS if backend.in_process else OVER_A_NETWORK)


@pytest.fixture
def busy_site(store_url):
    """Return a store with a trade and few connections, which must all be free in the end."""
    database = init_db(store_url, pool_size=AT_ONCE, max_overflow=0, pool_timeout=10)
    store(trade())
    Trade.session.remove()
    yield database
    assert (database.pool_status().checked_out, database.status().sessions) == (0, 0)
    database.close()


def _answer(number: object) -> int:
    """Answer a request that nobody ends: it reads, writes without a commit, and leaves."""
    request_id.set(f"request-{number}")
    return _read_and_leave()


def _read_and_leave() -> int:
    count = Trade.get_open_trade_count()
    Trade.session.add(trade(pair="LOST/USDT"))
    return count


def test_requests_in_contexts_of_their_own(busy_site, requests) -> None:
    """As a server does that answers one request after another, each in a copied context."""
    assert {copy_context().run(_answer, number) for number in requests} == {1}


def test_requests_in_tasks(busy_site, requests) -> None:
    """As an asynchronous server does: a task for each request, some at once."""

    async def answer(number: int) -> int:
        request_id.set(f"request-{number}")
        await asyncio.sleep(0)
        return Trade.get_open_trade_count()

    async def serve() -> set[int]:
        counts: set[int] = set()
        for first in requests[::AT_ONCE]:
            counts |= set(await asyncio.gather(*map(answer, range(first, first + AT_ONCE))))
        return counts

    assert asyncio.run(serve()) == {1}


def test_requests_whose_endpoints_run_in_other_threads(busy_site, requests) -> None:
    """As FastAPI does: the id is set in the task, and each function runs in a thread with a copy of its context."""

    async def answer(number: int) -> bool:
        request_id.set(f"request-{number}")
        first = await asyncio.to_thread(Trade.session)
        await asyncio.to_thread(Trade.get_open_trade_count)
        return (await asyncio.to_thread(Trade.session)) is first

    async def serve() -> set[bool]:
        shared: set[bool] = set()
        for first in requests[:: 4 * AT_ONCE]:
            shared |= set(await asyncio.gather(*map(answer, range(first, first + AT_ONCE))))
        return shared

    assert asyncio.run(serve()) == {True}


def test_requests_that_are_set_and_reset_in_one_thread(busy_site, requests) -> None:
    """As a middleware does in a thread that lives on."""
    for number in requests:
        token = request_id.set(f"request-{number}")
        assert _read_and_leave() == 1
        request_id.reset(token)
    assert not Trade.session.registry.has()


def test_requests_in_the_threads_of_a_pool(busy_site, requests) -> None:
    """As a threaded server does: its threads live on and answer a request each, again and again."""
    with ThreadPoolExecutor(AT_ONCE // 2) as pool:
        assert set(pool.map(lambda number: copy_context().run(_answer, number), requests)) == {1}


def test_ids_that_nobody_resets_keep_a_few_sessions(busy_site, requests) -> None:
    """A thread that is given one id after another, without a reset, does not use up the connections."""

    def serve() -> None:
        counts.extend(_answer(number) for number in requests)

    counts: list[int] = []
    thread = Thread(target=serve)
    thread.start()
    thread.join()
    assert counts == [1] * len(requests)


def test_what_a_request_left_behind_is_not_stored(busy_site) -> None:
    """A request that ends without a commit has stored nothing, and another one of the same id begins afresh."""

    def change() -> None:
        request_id.set("request")
        amend(Trade.get_trades().one(), enter_tag="lost")
        Trade.session.flush()

    def look() -> object:
        request_id.set("request")
        return Trade.get_trades().one().enter_tag

    copy_context().run(change)
    assert copy_context().run(look) is None


def test_request_lives_as_long_as_its_slowest_thread(busy_site) -> None:
    """A client that hangs up ends the task, not the session of the thread that still works for it."""
    begun, hung_up = Event(), Event()
    tags: list[object] = []

    def work() -> None:
        record = Trade.get_trades().one()
        record.enter_tag = "done"
        begun.set()
        hung_up.wait(20)
        Trade.commit()
        tags.append(record.enter_tag)

    def answer() -> Thread:
        request_id.set("request")
        thread = Thread(target=copy_context().run, args=[work])
        thread.start()
        return thread

    thread = copy_context().run(answer)
    assert begun.wait(20)
    hung_up.set()
    thread.join()
    del thread
    assert tags == ["done"]
    assert Trade.get_trades().one().enter_tag == "done"
    Trade.session.remove()


def test_threads_that_set_the_same_id_share_the_session(busy_site) -> None:
    """Who knows only the id of a request that is being answered has its session."""

    def session() -> object:
        request_id.set("request")
        return Trade.session()

    def answer(ask: Callable[[], object]) -> bool:
        request_id.set("request")
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(ask).result() is Trade.session()

    assert copy_context().run(answer, session)


def test_threads_of_a_request_never_get_two_sessions(busy_site) -> None:
    """Threads that ask for the first time at the same moment get the same session: one stores what another added."""

    def answer(number: int) -> int:
        request_id.set(f"request-{number}")
        start = Barrier(4)

        def session() -> object:
            start.wait(20)
            return Trade.session()

        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(copy_context().run, session) for _ in range(4)]
            return len({id(each.result()) for each in asked})

    interval = getswitchinterval()
    setswitchinterval(1e-6)
    try:
        assert {copy_context().run(answer, number) for number in range(200)} == {1}
    finally:
        setswitchinterval(interval)


def test_id_can_be_asked_for() -> None:
    """The id, and what stands for it outside of requests."""
    assert (request_id.get(), request_id.get("none")) == (None, "none")
    thread_id = get_request_or_thread_id()
    token = request_id.set("request")
    assert (request_id.get(), get_request_or_thread_id()) == ("request", "request")
    inner = request_id.set(None)
    assert (request_id.get(), get_request_or_thread_id()) == (None, thread_id)
    request_id.reset(inner)
    assert request_id.get() == "request"
    request_id.reset(token)
    assert request_id.get() is None
