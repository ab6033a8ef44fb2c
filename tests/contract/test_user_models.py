"""Models of a user's own beside ours are written as SQLAlchemy would, also where plain rows are written past it.

Each case runs in a process of its own, once on either way: what it adds to our classes cannot be taken back.
"""

import subprocess
import sys
from textwrap import dedent

import pytest

HEAD = """
from datetime import datetime
from sqlalchemy import Boolean, ForeignKey, String, select, text
from sqlalchemy.orm import Mapped, WriteOnlyMapped, backref, mapped_column, relationship
from tests.builders import order, trade
from tradestore import Order, PairLock, Trade, _plain_rows
from tradestore._sqltypes import Number
from tradestore.base import ModelBase
from tradestore.models import init_db

def rows(*tables):
    connection = Trade.session.connection()
    return [connection.execute(text(f"SELECT * FROM {table}")).all() for table in tables]
"""
FOOT = """
found = []
for way in (_plain_rows._register, None):
    _plain_rows._register = way
    database = init_db("sqlite://")
    found.append(work())
    Trade.session.remove()
    database.close()
assert found[0] == found[1], found
print(found[0])
"""

CASES = {
    "a number in another form": (
        """
        class Cents(Number):
            cache_ok = True
            def process_bind_param(self, value, dialect):
                return None if value is None else float(value) * 100

        class YesNo(Boolean):
            cache_ok = True
            def bind_processor(self, dialect):
                return lambda value: None if value is None else "Y" if value else "N"

        class Note(ModelBase):
            __tablename__ = "note"
            id: Mapped[int] = mapped_column(primary_key=True)
            price: Mapped[float] = mapped_column(Cents())
            is_paid: Mapped[bool] = mapped_column(YesNo(create_constraint=False))

        def work():
            Trade.session.add(Note(price=2.5, is_paid=False))
            Trade.commit()
            return rows("note")
        """,
        "[[(1, 250.0, 'N')]]",
    ),
    "a list that is never loaded": (
        """
        class Note(ModelBase):
            __tablename__ = "note"
            id: Mapped[int] = mapped_column(primary_key=True)
            trade_id: Mapped[int | None] = mapped_column(ForeignKey("trades.id"))
            trade = relationship(Trade, backref=backref("notes", lazy="dynamic"))

        def work():
            Trade.session.add(Note(trade=trade()))
            Trade.commit()
            return rows("note")
        """,
        "[[(1, 1)]]",
    ),
    "a key that is not the primary one": (
        """
        class Parent(ModelBase):
            __tablename__ = "parent"
            id: Mapped[int] = mapped_column(primary_key=True)
            code: Mapped[str] = mapped_column(String(9), unique=True)

        class Kid(ModelBase):
            __tablename__ = "kid"
            id: Mapped[int] = mapped_column(primary_key=True)
            code: Mapped[str] = mapped_column(ForeignKey("parent.code"))

        Parent.kids = relationship(Kid)

        def work():
            Trade.session.add(Parent(code="old"))
            Trade.commit()
            kid = Kid(code="old")
            Trade.session.add(kid)
            Trade.commit()
            kid.code = "new"
            Trade.session.add(Parent(code="new"))
            Trade.commit()
            return rows("parent", "kid")
        """,
        "[[(1, 'old'), (2, 'new')], [(1, 'new')]]",
    ),
    "tables that come later": (
        """
        number = 0

        def work():
            global number
            Trade.bulk_add([trade(orders=[order(order_id="first")])])
            Trade.session.scalars(select(Order)).one().filled = 1.0
            Trade.commit()
            for letter in "abcdef":
                number += 1
                name = f"a{letter}{number}"
                columns = {"id": mapped_column(primary_key=True), "__annotations__": {"id": Mapped[int]}}
                type(name, (ModelBase,), {"__tablename__": name, "__module__": __name__, **columns})
            Trade.session.add(trade(orders=[order(order_id="second")]))
            Trade.commit()
            return [(o.id, o.ft_trade_id) for o in Trade.session.scalars(select(Order).order_by(Order.id))]
        """,
        "[(1, 1), (2, 2)]",
    ),
    "a schema of another name": (
        """
        def work():
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ATTACH ':memory:' AS other"))
                connection.execute(text("CREATE TABLE other.pairlocks AS SELECT * FROM main.pairlocks"))
            session = Trade.session()
            session.connection(execution_options={"schema_translate_map": {None: "other"}})
            session.add(PairLock(pair="A/B", lock_time=datetime(2026, 1, 1), lock_end_time=datetime(2026, 1, 2)))
            session.flush()
            found = [session.connection().exec_driver_sql(f"SELECT count(*) FROM {name}.pairlocks").scalar()
                     for name in ("main", "other")]
            session.rollback()
            return found
        """,
        "[0, 1]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_both_ways_write_the_same(case: str) -> None:
    """What is stored past the unit of work is what the unit of work stores."""
    script, expected = CASES[case]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HEAD + dedent(script) + FOOT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == expected
