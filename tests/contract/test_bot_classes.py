"""A bot's own classes beside ours: trades and orders with more than we know of, and tables that refer to ours.

Each case runs in a process of its own: what it adds to our classes cannot be taken back.
"""

import subprocess
import sys
from textwrap import dedent

import pytest

HEAD = """
import copy, json, pickle, sys
from sqlalchemy import ForeignKey, String, inspect, select
from sqlalchemy.orm import Mapped, mapped_column, relationship
from tests.builders import OPENED, ccxt_order, order, store, trade
from tradestore import FtNoDBContext, LocalTrade, ModelBase, Order, PairLock, PairLocks, Trade, init_db

FIELDS = {"pair": "ADA/USDT", "exchange": "binance", "amount": 10.0, "open_rate": 20.0, "stake_amount": 200.0,
          "open_date": OPENED}
session = Trade.session
"""
FOOT = """
session.remove()
database.close()
"""

CASES = {
    "a trade": """
        class MyTrade(Trade):
            mood = "calm"
            notes: list[str]
            score: float = 0.5

            def __init__(self, *, extra=None, **fields):
                super().__init__(**fields)
                self.extra = extra

            @property
            def double(self):
                return self.amount * 2

        class Loud(MyTrade):
            __mapper_args__ = {"eager_defaults": False}

        database = init_db(sys.argv[1])
        for kind in (MyTrade, Loud):
            record = kind(**FIELDS, extra=[1], notes=["new"])
            record.orders.append(order())
            record.free = {"a": 1}
            session.add(record)
            Trade.commit()
            number = record.id
            assert (record.double, record.mood, record.score, record.notes) == (20.0, "calm", 0.5, ["new"])
            for twin in (copy.deepcopy(record), copy.copy(record)):
                assert (type(twin), twin.extra, twin.free, twin.orders[0].trade) == (kind, [1], {"a": 1}, twin)
            record.set_custom_data("key", 1)
            assert record.get_custom_data("key") == 1

            session.remove()
            read = session.scalars(select(kind).where(kind.orders.any(), kind.id == number)).one()
            assert (type(read), read.orders[0].trade is read, read.get_custom_data("key")) == (kind, True, 1)
            assert Trade.get_trades(Trade.id == number).one() is read
            assert session.query(kind).filter(kind.id == number).one() is read
            read.orders.append(filled := order())
            read.update_trade(filled)
            session.remove()
            read = session.get(kind, number)
            assert (read.amount, len(read.orders)) == (20.0, 2)
            read.close(21.0)
            Trade.commit()

            session.remove()
            plain = Trade.get_trades(Trade.id == number).one()
            assert (type(plain), plain.is_open, len(plain.orders)) == (Trade, False, 2)
            made = kind.from_json(json.dumps(plain.to_json()))
            assert (type(made), made.amount, len(made.orders)) == (kind, 20.0, 2)
            session.remove()
            session.get(kind, number).delete()
            assert Trade.get_trades().all() == []
            assert kind.bulk_add([kind(**FIELDS, orders=[order()])]) == 1
            Trade.get_trades().one().delete()
        try:
            MyTrade(**FIELDS, amuont=1.0)
        except TypeError as e:
            assert "amuont" in str(e)
        else:
            raise AssertionError
        with FtNoDBContext():
            record = MyTrade(**FIELDS, orders=[order()])
            LocalTrade.add_bt_trade(record)
            assert MyTrade.get_open_trades() == [record]
        LocalTrade.reset_trades()
    """,
    "an order": """
        class MyOrder(Order):
            hint: dict[str, int]

            def shout(self):
                return self.order_id.upper()

        database = init_db(sys.argv[1])
        first = MyOrder.parse_from_ccxt_object(ccxt_order(id="abc"), "ADA/USDT", "buy")
        record = trade(orders=[first])
        store(record)
        assert (type(first), first.shout(), first.trade is record) == (MyOrder, "ABC", True)
        session.remove()
        read = session.scalars(select(MyOrder)).one()
        assert (read.shout(), read.trade.orders == [read]) == ("ABC", True)
        session.remove()
        assert [type(o) for o in Trade.get_trades().one().orders] == [Order]
        Order.session.delete(read := session.scalars(select(MyOrder)).one())
        Trade.commit()
        assert Trade.get_trades().one().orders == []
    """,
    "a lock": """
        class MyLock(PairLock):
            pass

        database = init_db(sys.argv[1])
        lock = MyLock(pair="A/B", lock_time=OPENED, lock_end_time=OPENED)
        store(lock)
        assert (PairLocks.get_all_locks(), session.scalars(select(MyLock)).all()) == ([lock], [lock])
    """,
    "a trade with another column": """
        class MyTrade(Trade):
            mood: Mapped[str | None] = mapped_column(String(9))

        database = init_db(sys.argv[1])
        store(MyTrade(**FIELDS, mood="calm", orders=[order()]))
        session.remove()
        read = session.scalars(select(MyTrade).where(MyTrade.mood == "calm")).one()
        assert (read.mood, len(read.orders), read.orders[0].trade is read) == ("calm", 1, True)
        assert copy.deepcopy(read).mood == "calm"
    """,
    "classes that tell rows apart": """
        class Note(ModelBase):
            __tablename__ = "notes"
            id: Mapped[int] = mapped_column(primary_key=True)
            kind: Mapped[str] = mapped_column(String(9))
            __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "plain"}

        class Warning_(Note):
            __mapper_args__ = {"polymorphic_identity": "warning"}

        class Base(ModelBase):
            __tablename__ = "bases"
            id: Mapped[int] = mapped_column(primary_key=True)

        class Joined(Base):
            __tablename__ = "joined"
            id: Mapped[int] = mapped_column(ForeignKey("bases.id"), primary_key=True)
            words: Mapped[str]

        database = init_db(sys.argv[1])
        store(Note(), Warning_(), Joined(words="kept"))
        session.remove()
        assert [type(n) for n in session.scalars(select(Note).order_by(Note.id))] == [Note, Warning_]
        base = session.scalars(select(Base)).one()
        assert (type(base), session.scalars(select(Joined)).one().words) == (Base, "kept")
    """,
    "a table that refers to trades": """
        class Note(ModelBase):
            __tablename__ = "notes"
            id: Mapped[int] = mapped_column(primary_key=True)
            trade_id: Mapped[int] = mapped_column(ForeignKey("trades.id"))
            words: Mapped[str | None]
            trade: Mapped[Trade] = relationship()

        database = init_db(sys.argv[1])
        record = trade(orders=[order()])
        store(record, Note(trade=record, words="seen"))
        session.remove()
        note = session.scalars(select(Note).join(Note.trade).where(Trade.pair == "ADA/USDT")).one()
        assert (note.words, note.trade.orders[0].trade is note.trade) == ("seen", True)
        twin = pickle.loads(pickle.dumps(note))
        assert (twin.words, twin.trade_id, copy.copy(note).words) == ("seen", 1, "seen")
        session.delete(note)
        note.trade.delete()
        assert Trade.get_trades().all() == []
        for name in ("session", "metadata", "wrods"):
            try:
                Note(**{name: None})
            except TypeError as e:
                assert name in str(e)
            else:
                raise AssertionError(name)
    """,
}


def run(case: str, url: str) -> None:
    """Run a case, with every warning as an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + dedent(CASES[case]) + FOOT, url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_own_trades_are_kept_on_each_engine(store_url: str) -> None:
    """A bot's own class of trades is stored with orders, found, changed, closed and deleted on each engine."""
    run("a trade", store_url)


@pytest.mark.parametrize("case", [case for case in CASES if case != "a trade"])
def test_own_classes_are_kept_as_ours_are(case: str) -> None:
    """What a bot has built on our classes is stored, found and copied as ours is."""
    run(case, "sqlite://")
