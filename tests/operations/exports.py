"""What the tests of exports share: values that are hard to keep, and what a database holds."""

from typing import Final

from tests.builders import closed_trade, order, store, trade
from tradestore import Trade, init_db
from tradestore._exported_columns import EXPORTED_TABLES
from tradestore._table_content import TableContent, content_of
from tradestore.base import ModelBase
from tradestore.models import open_engine

__all__ = ["FORMULAS", "NUMBERS", "TEXTS", "add_odd_trades", "contents"]

FORMULAS: Final = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1.5",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\u00a0=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
)
"""Texts that a spreadsheet would run, or is known to have run."""

TEXTS: Final = (
    *FORMULAS,
    "",
    " ",
    "'",
    "''",
    "'=1",
    '"',
    '"quoted", and more',
    "a\r\nb",
    "a\rb",
    "a\nb\n",
    "a;b\tc",
    "NULL",
    "None",
    "\\N",
    "nan",
    "true",
    "0012",
    "naïve ☕ 名 \U0001f600",
    "\u2028",
    "\ufeffmark",
)

NUMBERS: Final = (
    0.0,
    -0.0,
    -1.5,
    0.1 + 0.2,
    1 / 3,
    1e22,
    1e-300,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    9007199254740993.0,
)


def add_odd_trades(url: str) -> int:
    """Store a trade for each of the texts, with numbers and moments of all kinds; return how many."""
    database = init_db(url)
    try:
        for place, text in enumerate(TEXTS):
            number = NUMBERS[place % len(NUMBERS)]
            fields = {"exit_reason": text, "strategy": text, "stop_loss": number, "max_rate": -number}
            store(
                closed_trade(profit=number, ratio=-0.5, enter_tag=None, **fields)
                if place % 2
                else trade(enter_tag=text, orders=[order(ft_order_tag=text, stop_price=number, status=None)], **fields)
            )
        Trade.session.scalars(Trade.get_trades_query()).first().set_custom_data("=key", {"=": TEXTS})  # type: ignore[union-attr]
    finally:
        Trade.session.remove()
        database.close()
    return len(TEXTS)


def contents(url: str) -> dict[str, TableContent]:
    """Return what each table holds that an export has."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return {
                name: content_of(connection, ModelBase.metadata.tables[table.stored_as])
                for name, table in EXPORTED_TABLES.items()
            }
    finally:
        engine.dispose()
