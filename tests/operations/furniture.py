"""A database with something of everything in it, and what it has, read by SQLAlchemy's own means."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Engine,
    Enum,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    Time,
    create_engine,
    select,
    text,
)
from sqlalchemy.dialects import mysql

from tests.builders import local_order, local_trade
from tradestore import ModelBase, Trade, init_db, store_backtest
from tradestore._engine import check_url
from tradestore._sqltypes import Number, UtcDateTime

__all__ = [
    "FILLS",
    "LINES",
    "MOMENT",
    "OWN",
    "TABLES",
    "TEXT",
    "furnish",
    "plain_engine",
    "row_of",
    "rows_of",
    "signals_model",
    "tell",
]

MOMENT: Final = datetime(2026, 3, 1, 12, 30, 15, 123456)  # noqa: DTZ001 - as it lies in the database
TEXT: Final = "naïve ☕ 名 \t\n\\ 'single' \"double\" %s {x} \\N"
FLOATS: Final = (0.1 + 0.2, 1 / 3, 12345678.123456789, 5e-300, 1.7976931348623157e308, -2.5, 100.0)
TABLES: Final = tuple(ModelBase.metadata.tables)

OWN: Final = MetaData()
_MOMENT_TYPE = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_CLOCK_TYPE = Time().with_variant(mysql.TIME(fsp=6), "mysql", "mariadb")
FILLS: Final = Table(
    "fills",
    OWN,
    Column("venue", String(20), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("trade_id", ForeignKey(ModelBase.metadata.tables["trades"].c.id), index=True),
    Column("price", Double, nullable=False, server_default="1.5"),
    Column("note", Text),
    Column("stamp", _MOMENT_TYPE),
    Column("picture", LargeBinary),
    Column("info", JSON(none_as_null=True)),
    Column("is_maker", Boolean),
    Column("day", Date),
    Column("clock", _CLOCK_TYPE),
    Column("code", String(12), unique=True),
)
LINES: Final = Table("log_lines", OWN, Column("line", String(50)), Column("level", Integer))


@contextmanager
def plain_engine(url: str) -> Iterator[Engine]:
    """Return an engine that knows nothing of the library, as another program would use."""
    engine = create_engine(check_url(url))
    try:
        yield engine
    finally:
        engine.dispose()


def tell(url: str, *statements: str) -> None:
    """Run statements past the library, in one transaction."""
    with plain_engine(url) as engine, engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def signals_model() -> Iterator[Table]:
    """Add a table of the user's own to the models, for as long as the block lasts."""
    table = Table(
        "signals",
        ModelBase.metadata,
        Column("id", Integer, primary_key=True),
        Column("pair", String(25), nullable=False),
        Column("strength", Number),
        Column("seen", UtcDateTime),
        Column("mood", Enum("CALM", "WILD", name="mood")),
    )
    try:
        yield table
    finally:
        ModelBase.metadata.remove(table)


def furnish(url: str, *, trades: int = 7, own: bool = True) -> None:
    """Make a database that has rows in every table; ids have gaps, and each column that may be NULL is so once.

    Args:
        url: Of an empty database.
        trades: How many, with two orders each.
        own: Whether it gets tables that are no models.
    """
    database = init_db(url)
    try:
        with database.engine.begin() as connection:
            for name, rows in _contents(trades).items():
                for row in rows:
                    connection.execute(ModelBase.metadata.tables[name].insert(), row)
            if own:
                OWN.create_all(connection, tables=[FILLS, LINES])
                for row in _fills():
                    connection.execute(FILLS.insert(), row)
                connection.execute(LINES.insert(), [{"line": "twice", "level": 1}] * 2 + [{"line": None, "level": 2}])
        store_backtest([local_trade(orders=[local_order()]), local_trade(enter_tag=TEXT)], run="run")
    finally:
        Trade.session.remove()
        database.close()


def rows_of(url: str, tables: Iterable[Table]) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of tables as SQLAlchemy reads them, sorted."""
    with plain_engine(url) as engine, engine.connect() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table)).all()), key=repr) for table in tables}


def row_of(table: Table, number: int, **fields: Any) -> dict[str, Any]:
    """Return a row with a value in every column."""
    return {column.name: _value(column, number) for column in table.columns} | fields


def _contents(trades: int) -> dict[str, list[dict[str, Any]]]:
    tables = ModelBase.metadata.tables
    ids = [3 * number for number in range(1, trades + 1)]
    contents = {
        "trades": [row_of(tables["trades"], number, id=number) for number in ids],
        "orders": [
            row_of(tables["orders"], 10 * number + leg, id=10 * number + leg, ft_trade_id=number)
            for number in ids
            for leg in range(2)
        ],
        "trade_custom_data": [
            row_of(tables["trade_custom_data"], 5, id=5, ft_trade_id=3, pair=None),
            row_of(tables["trade_custom_data"], 6, id=6, ft_trade_id=None),
        ],
        **{
            name: [row_of(tables[name], number, id=number) for number in (2, 9)]
            for name in ("pairlocks", "KeyValueStore", "wallet_history")
        },
    }
    if "signals" in tables:
        contents["signals"] = [row_of(tables["signals"], number, id=number, mood="WILD") for number in (4, 8)]
    for name, rows in contents.items():
        number = rows[-1]["id"] + 1
        required = {column.name for column in tables[name].columns if not column.nullable}
        blank = row_of(tables[name], number, id=number)
        if name == "orders":
            blank["ft_trade_id"] = 3
        rows.append({key: value if key in required else None for key, value in blank.items()})
    return contents


def _value(column: Any, number: int) -> Any:
    match column.type:
        case Enum():
            return "FUTURES"
        case Boolean():
            return number % 2 == 0
        case String():
            longest = column.type.length or 70_000
            return f"{column.name} {number}"[:longest] if longest < 60 else f"{number} {TEXT}" * (1 + longest // 70_000)
        case Integer():
            return number
        case Number() | Float():
            return FLOATS[number % len(FLOATS)]
        case _:
            return (MOMENT + timedelta(days=number)).replace(tzinfo=UTC)


def _fills() -> list[dict[str, Any]]:
    full = {
        "trade_id": 3,
        "price": 0.1 + 0.2,
        "note": TEXT,
        "stamp": MOMENT,
        "picture": b"\x00\xff\t\\",
        "info": {"b": [1, 2.5, None, "\\"], "a": TEXT},
        "is_maker": True,
        "day": date(2026, 2, 28),
        "clock": time(23, 59, 59, 1),
        "code": "first",
    }
    blank = dict.fromkeys(full) | {"price": 1.0}
    return [
        {"venue": "Krak ö", "number": 2, **full},
        {"venue": "Krak ö", "number": 1, **blank},
        {"venue": "kraken", "number": 7, **full, "code": "second", "trade_id": 6, "info": ["x"], "is_maker": False},
    ]
