import pytest
from gridbot.persistence import Trade, init_db
from gridbot.worker import Worker, answer


@pytest.fixture
def worker():
    yield Worker("sqlite://")
    Trade.rollback()
    init_db("sqlite://")


@pytest.fixture
def bought(worker):
    return worker.buy(answer("1", "buy", 100.0, 2.0))
