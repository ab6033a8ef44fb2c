"""Bots that are killed while they place an order, at every step: store and exchange agree after the next start."""

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.builders import trade
from tests.faults.exchange import Behaviour, Exchange, NoAnswer, Refused
from tests.migrations import kills
from tradestore import IntentState, ModelBase, OrderIntent, Store, Trade, init_db
from tradestore.intents import RunningIntent

Row = dict[str, Any]
Tables = dict[str, list[Row]]

TABLES = ("trades", "orders", "order_intents")
HELD, NEW = "ADA/USDT", "ETH/USDT"


def _by_pair(store: Store) -> AbstractContextManager[RunningIntent]:
    return store.intent(NEW, "buy", 10.0, 20.0, exchange="binance", order_tag="dip", rejected_by=Refused)


def _by_trade(store: Store) -> AbstractContextManager[RunningIntent]:
    return store.intent(trade(pair=NEW), "buy", 10.0, 20.0, rejected_by=Refused)


def _further_entry(store: Store) -> AbstractContextManager[RunningIntent]:
    return store.intent(_held(), "buy", 10.0, 22.0, rejected_by=Refused)


def _exit(store: Store) -> AbstractContextManager[RunningIntent]:
    held = _held()
    held.exit_reason = "roi"
    return store.intent(held, "sell", 10.0, 25.0, rejected_by=Refused)


FLOWS: dict[str, tuple[str, str, float, float, Callable[[Store], AbstractContextManager[RunningIntent]]]] = {
    "new trade by its pair": (NEW, "buy", 10.0, 20.0, _by_pair),
    "new trade": (NEW, "buy", 10.0, 20.0, _by_trade),
    "further entry": (HELD, "buy", 10.0, 22.0, _further_entry),
    "exit": (HELD, "sell", 10.0, 25.0, _exit),
}


def _held() -> Trade:
    return Trade.get_trades(Trade.pair == HELD).one()


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """Open a store, and leave nothing behind."""
    store = init_db(url)
    try:
        yield store
    finally:
        Trade.session.remove()
        store.close()


def place(path: Path, flow: str, behaviour: Behaviour, url: str) -> None:
    """Place an order as a bot does that starts, decides, and stops."""
    pair, side, amount, price, intend = FLOWS[flow]
    with opened(url) as store, suppress(NoAnswer, Refused), intend(store) as intent:
        intent.placed(Exchange(path).create_order(pair, side, amount, price, intent.client_order_id, behaviour))


def resolve_all(path: Path, url: str) -> None:
    """Ask the exchange for whatever is unresolved, as a bot does that starts."""
    with opened(url) as store:
        for intent in store.unresolved_intents():
            store.resolve(intent, Exchange(path).fetch_by_client_id)


class Place:
    """A store and an exchange that know of one trade, and can be put back to that."""

    def __init__(self, url: str, folder: Path) -> None:
        """Begin.

        Args:
            url: Of an empty database.
            folder: For the exchange's file, and for the database if it is one.
        """
        self.url = url
        self.folder = folder
        self.path = folder / "exchange.jsonl"
        self._kept = folder.with_name(f"{folder.name}-kept")
        self._begin()
        shutil.copytree(folder, self._kept, dirs_exist_ok=True)

    def _begin(self) -> None:
        self.path.unlink(missing_ok=True)
        with opened(self.url) as store:
            for name in reversed(TABLES):
                Trade.session.execute(delete(ModelBase.metadata.tables[name]))
            Trade.commit()
            with store.intent(HELD, "buy", 10.0, 20.0, exchange="binance") as intent:
                exchange = Exchange(self.path)
                intent.placed(exchange.create_order(HELD, "buy", 10.0, 20.0, intent.client_order_id, Behaviour.FILLED))

    def restore(self) -> None:
        """Go back to the beginning."""
        shutil.rmtree(self.folder)
        if self.url.startswith("sqlite"):
            shutil.copytree(self._kept, self.folder)
        else:
            self.folder.mkdir()
            self._begin()

    def start_again(self) -> tuple[int, Tables]:
        """Resolve what is unresolved, as a bot does that starts; return how many orders that found, and all rows."""
        exchange = Exchange(self.path)
        with opened(self.url) as store:
            left = store.unresolved_intents()
            adopted = [store.resolve(intent, exchange.fetch_by_client_id) for intent in left]
            found = _tables()
            assert store.unresolved_intents() == []
            for intent in Trade.session.scalars(select(OrderIntent)).all():
                store.resolve(intent, exchange.fetch_by_client_id)
            assert _tables() == found, "resolving again changed something"
        return adopted.count(IntentState.PLACED), found

    def kill_everywhere(self, flow: str, behaviour: Behaviour) -> tuple[int, int]:
        """Kill a bot at every step, start it again, compare; return the points, and how many orders were adopted."""
        return self._kill_everywhere(partial(place, self.path, flow, behaviour), behaviour)

    def kill_the_next_start(self, flow: str, behaviour: Behaviour) -> tuple[int, int]:
        """Do the same to the start that resolves what a timeout left."""
        place(self.path, flow, behaviour, self.url)
        shutil.copytree(self.folder, self._kept, dirs_exist_ok=True)
        return self._kill_everywhere(partial(resolve_all, self.path), behaviour)

    def _kill_everywhere(self, work: kills.Work, behaviour: Behaviour) -> tuple[int, int]:
        points, adopted = kills.points_of(work, self.url), 0
        self._check_what_is_left(behaviour)
        for point in points:
            self.restore()
            assert not kills.finishes(work, self.url, point), point
            adopted += self._check_what_is_left(behaviour)
        self.restore()
        return len(points), adopted

    def _check_what_is_left(self, behaviour: Behaviour) -> int:
        adopted, tables = self.start_again()
        exchange = Exchange(self.path)
        _compare(tables, exchange.orders())
        intents = tables["order_intents"]
        assert len(intents) >= exchange.calls(), "the exchange was called before anything was written down"
        placed = {row["order_id"] for row in intents if row["state"] == IntentState.PLACED}
        assert placed == {order["id"] for order in exchange.orders()}, behaviour
        return adopted


def _tables() -> Tables:
    Trade.session.rollback()
    tables = (ModelBase.metadata.tables[name] for name in TABLES)
    return {
        table.name: [dict(row) for row in Trade.session.execute(select(table).order_by(table.c.id)).mappings()]
        for table in tables
    }


def _compare(tables: Tables, sent: list[Row]) -> None:
    """Assert that every order of the exchange has its row, every row its order, and every trade its numbers."""
    rows = {(row["ft_pair"], row["order_id"]): row for row in tables["orders"]}
    assert len(rows) == len(tables["orders"])
    assert set(rows) == {(order["symbol"], order["id"]) for order in sent}
    told_to: dict[int, list[Row]] = defaultdict(list)
    for order in sent:
        row = rows[order["symbol"], order["id"]]
        names = ("side", "price", "amount", "filled", "remaining", "cost", "status", "average")
        assert {name: row[name] for name in names} == {name: order[name] for name in names}
        assert row["ft_is_open"] == (order["status"] == "open")
        told_to[row["ft_trade_id"]].append(order)
    assert {row["id"] for row in tables["trades"]} == set(told_to), "a trade without orders"
    for row in tables["trades"]:
        _compare_trade(row, told_to[row["id"]])


def _compare_trade(row: Mapping[str, Any], orders: list[Row]) -> None:
    """Work a trade out from its fills; there are no fees, and no exit but a whole one."""
    assert {order["symbol"] for order in orders} == {row["pair"]}
    bought, sold = (
        (sum(o["filled"] for o in orders if o["side"] == side), sum(o["cost"] for o in orders if o["side"] == side))
        for side in ("buy", "sell")
    )
    if sold[0]:
        assert (row["is_open"], row["close_profit_abs"]) == (False, sold[1] - bought[1])
    elif bought[0]:
        assert (row["is_open"], row["amount"], row["open_rate"]) == (True, bought[0], bought[1] / bought[0])
        assert row["stake_amount"] == bought[1]
    else:
        (waiting,) = orders
        assert (row["is_open"], row["amount"], row["open_rate"]) == (True, waiting["amount"], waiting["price"])


ADOPTED = frozenset(Behaviour) - {Behaviour.REFUSED, Behaviour.NEVER_ARRIVED}
"""Only an order that the exchange has can be found after a kill."""


def _kill_at_every_step(url: str, folder: Path, flow: str, behaviours: Iterable[Behaviour]) -> int:
    ground = Place(url, folder)
    total = 0
    for behaviour in behaviours:
        points, adopted = ground.kill_everywhere(flow, behaviour)
        assert (adopted > 0) == (behaviour in ADOPTED), behaviour
        total += points
    return total


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of the store, if it is a file, and of the exchange's file."""
    found = tmp_path / "place"
    found.mkdir()
    return found


@pytest.mark.needs("persistent", "in_process")
@pytest.mark.parametrize("flow", FLOWS)
def test_killed_anywhere_on_a_file(backend, folder, flow, note_kills) -> None:
    """Whatever the exchange did, and wherever the bot was killed, no order is lost and none is invented."""
    points = _kill_at_every_step(f"sqlite:///{folder / 'store.sqlite'}", folder, flow, Behaviour)
    note_kills(f"an intent, {flow}, {len(Behaviour)} behaviours of the exchange", points)


@pytest.mark.needs("persistent", "in_process")
def test_killed_while_resolving(backend, folder, note_kills) -> None:
    """The start that asks the exchange may die as well: the next one goes on."""
    total = 0
    for number, flow in enumerate(FLOWS):
        place_of_flow = folder / str(number)
        place_of_flow.mkdir()
        ground = Place(f"sqlite:///{place_of_flow / 'store.sqlite'}", place_of_flow)
        points, adopted = ground.kill_the_next_start(flow, Behaviour.FILLED_UNANSWERED)
        assert adopted > 0, flow
        total += points
    note_kills(f"resolving an intent, {len(FLOWS)} flows", total)


@pytest.mark.needs("networked", "first_driver")
def test_killed_anywhere_on_a_server(store_url, folder, note_kills) -> None:
    """The same on a server, for an exit whose answer was lost."""
    points = _kill_at_every_step(store_url, folder, "exit", [Behaviour.FILLED_UNANSWERED])
    note_kills("an intent, exit, answer lost", points)


@pytest.mark.thorough
@pytest.mark.needs("networked")
@pytest.mark.parametrize("flow", FLOWS)
def test_killed_anywhere_on_a_server_thoroughly(store_url, folder, flow, note_kills) -> None:
    """Every flow with every behaviour of the exchange, by every driver."""
    points = _kill_at_every_step(store_url, folder, flow, Behaviour)
    note_kills(f"an intent, {flow}, {len(Behaviour)} behaviours of the exchange", points)
