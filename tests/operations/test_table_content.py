"""The content of a table as a count and a hash: equal where the rows are equal, on whatever engine, and only there."""

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Engine,
    Enum,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Time,
    Uuid,
    create_engine,
    text,
)
from sqlalchemy.dialects import mysql

from tests.operations.furniture import MOMENT, TABLES, furnish, plain_engine
from tradestore import ModelBase, TradingMode
from tradestore._sqltypes import LongText, Number, UtcDateTime
from tradestore._stored_values import Kind
from tradestore._table_content import TableContent, content_of, row_texts

METADATA = MetaData()
THINGS = Table(
    "things",
    METADATA,
    Column("name", String(30), primary_key=True),
    Column("number", Number),
    Column("single", Double),
    Column("count", Integer),
    Column("flag", Boolean),
    Column("moment", UtcDateTime),
    Column("plain_moment", DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")),
    Column("day", Date),
    Column("clock", Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb")),
    Column("mode", Enum(TradingMode)),
    Column("story", LongText),
    Column("picture", LargeBinary),
    Column("info", JSON(none_as_null=True)),
    Column("code", Uuid()),
)
FULL: dict[str, Any] = {
    "name": "first",
    "number": 0.1 + 0.2,
    "single": -0.0,
    "count": 7,
    "flag": True,
    "moment": MOMENT,
    "plain_moment": MOMENT,
    "day": date(2026, 3, 1),
    "clock": time(1, 2, 3, 4),
    "mode": TradingMode.MARGIN,
    "story": "naïve ☕, 'quoted' - \\ \t",
    "picture": b"\x00\xff",
    "info": {"b": [1, 2.5, None], "a": True},
    "code": UUID("12345678123446789234567812345678"),
}
OTHER: dict[str, Any] = {
    "name": "First",
    "number": 0.3,
    "single": 1.0,
    "count": 8,
    "flag": False,
    "moment": MOMENT + timedelta(microseconds=1),
    "plain_moment": MOMENT + timedelta(microseconds=1),
    "day": date(2026, 3, 2),
    "clock": time(1, 2, 3, 5),
    "mode": TradingMode.SPOT,
    "story": "naïve ☕, 'quoted' - \\ ",
    "picture": b"\x00",
    "info": {"b": [1, 2.5, None], "a": 1},
    "code": UUID("12345678123446789234567812345679"),
}
BLANK = dict.fromkeys(FULL) | {"name": "blank"}


def _content(engine: Engine, *rows: dict[str, Any], columns: set[str] | None = None) -> TableContent:
    METADATA.drop_all(engine)
    METADATA.create_all(engine)
    with engine.begin() as connection:
        for row in rows:
            connection.execute(THINGS.insert(), row)
        return content_of(connection, THINGS, columns=columns)


def _in_memory(*rows: dict[str, Any], columns: set[str] | None = None) -> TableContent:
    engine = create_engine("sqlite://")
    try:
        return _content(engine, *rows, columns=columns)
    finally:
        engine.dispose()


def test_is_the_same_on_every_engine(store_url: str) -> None:
    """And in whatever order the rows were stored."""
    with plain_engine(store_url) as engine:
        found = _content(engine, BLANK, FULL)
    assert found == _in_memory(FULL, BLANK)
    assert found.rows == 2


@pytest.mark.parametrize("name", FULL)
def test_every_value_counts(name: str) -> None:
    """One value changed, or gone, makes another content."""
    before = _in_memory(FULL, BLANK)
    changed = [_in_memory(FULL | {name: OTHER[name]}, BLANK)]
    if name != "name":
        changed.append(_in_memory(FULL | {name: None}, BLANK))
    assert before not in changed


def test_columns_that_are_left_out_do_not_count() -> None:
    names = set(FULL) - {"story"}
    assert _in_memory(FULL, columns=names) == _in_memory(FULL | {"story": None}, columns=names)


def test_equal_rows_are_counted() -> None:
    """A table without a key may have a row twice, which is not the same as not at all."""
    engine, table = create_engine("sqlite://"), Table("lines", MetaData(), Column("line", String(9)))
    found = []
    with engine.begin() as connection:
        table.create(connection)
        for _ in range(3):
            found.append(content_of(connection, table))
            connection.execute(table.insert(), {"line": "same"})
    engine.dispose()
    assert len({content.digest for content in found}) == 3
    assert [content.rows for content in found] == [0, 1, 2]


def test_values_that_look_alike_are_told_apart() -> None:
    """Neither a comma nor a quote lets the text of one column pass for that of two, nor NULL for its name."""
    engine = create_engine("sqlite://")
    table = Table("pairs", MetaData(), Column("a", String(9)), Column("b", String(9)))
    rows = [("x,", "y"), ("x", ",y"), ("x','", "y"), ("x", "','y"), (None, "-"), ("-", None), ("None", None), ("", "")]
    found = set()
    with engine.begin() as connection:
        table.create(connection)
        for a, b in rows:
            connection.execute(table.delete())
            connection.execute(table.insert(), {"a": a, "b": b})
            found.add(content_of(connection, table).digest)
    engine.dispose()
    assert len(found) == len(rows)


def test_decimals(store_url: str) -> None:
    """A number with trailing zeros is the same number, on an engine that has decimals and on one that has none."""
    table = Table("prices", MetaData(), Column("price", Numeric(20, 8)))
    with plain_engine(store_url) as engine, engine.begin() as connection:
        table.create(connection)
        for price in ("12.50000000", "100", "0"):
            connection.execute(text(f"INSERT INTO prices VALUES ({price})"))
        found = content_of(connection, table)
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(text("INSERT INTO prices VALUES (100.0), (0), (12.5)"))
        assert content_of(connection, table) == found
    engine.dispose()


@pytest.mark.needs("persistent")
def test_reflected_table_has_the_content_of_its_model(store_url: str) -> None:
    """Who knows the table from the database alone finds the same as who knows the model."""
    furnish(store_url, own=False)
    with plain_engine(store_url) as engine, engine.connect() as connection:
        for name in TABLES:
            reflected = Table(name, MetaData(), autoload_with=connection)
            found = content_of(connection, reflected)
            assert (name, found) == (name, content_of(connection, ModelBase.metadata.tables[name]))


def test_whatever_lies_in_a_file_is_read() -> None:
    """A text among numbers, a date that is none, bytes that are no text: each counts as what it is."""
    strange: list[Callable[[str], str]] = [
        lambda name: f"UPDATE things SET {name} = 'no such thing'",
        lambda name: f"UPDATE things SET {name} = 12.75",
        lambda name: f"UPDATE things SET {name} = x'ff00'",
        lambda name: f"UPDATE things SET {name} = CAST(x'ff41' AS TEXT)",
        lambda name: f"UPDATE things SET {name} = 9223372036854775807",
        lambda name: f"UPDATE things SET {name} = -9e999",
    ]
    engine = create_engine("sqlite://")
    for name in FULL:
        found = {_content(engine, FULL).digest}
        for change in strange:
            _content(engine, FULL)
            with engine.begin() as connection:
                connection.execute(text(change(name)))
                found.add(content_of(connection, THINGS).digest)
        assert (name, len(found)) == (name, 1 + len(strange))
    engine.dispose()


def test_dates_of_other_writers() -> None:
    """A date without fractions, with a T, or with an offset is the moment that it means."""
    engine = create_engine("sqlite://")
    _content(engine, FULL)
    found = set()
    for written in ("2026-03-01 12:30:15", "2026-03-01T12:30:15.000", "2026-03-01 14:30:15.000000+02:00"):
        with engine.begin() as connection:
            connection.execute(text("UPDATE things SET moment = :written"), {"written": written})
            found.add(content_of(connection, THINGS).digest)
    engine.dispose()
    assert found == {_in_memory(FULL | {"moment": datetime(2026, 3, 1, 12, 30, 15)}).digest}  # noqa: DTZ001


def test_order_is_of_no_account_over_many_batches() -> None:
    """A table of many batches has the same content in any order."""
    chance, numbers = random.Random(5), list(range(5_000))
    table = Table("numbers", MetaData(), Column("number", Integer))
    found = []
    for _ in range(2):
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            table.create(connection)
            connection.execute(table.insert(), [{"number": number} for number in numbers])
            found.append(content_of(connection, table))
        engine.dispose()
        chance.shuffle(numbers)
    assert found[0] == found[1]
    assert found[0].rows == 5_000


def test_long_decimals_keep_all_of_their_digits() -> None:
    """More digits than decimals are computed with count, too."""
    long = Decimal("1234567890123456789012345678901234567890.123456789")
    assert row_texts([Kind.EXACT], [[long, long + Decimal("1e-9"), None]])[0] == str(long)
