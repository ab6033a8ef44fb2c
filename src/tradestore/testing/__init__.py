"""For the tests of bots and strategies: stores of every engine, records with known numbers, and faults on request.

The fixtures are in :mod:`tradestore.testing.plugin`, which pytest finds by itself. Names are loaded when they are first
used, so that a test run that needs no store never loads SQLAlchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradestore.testing.builders import (
        make_ccxt_order,
        make_closed_trade,
        make_local_order,
        make_local_trade,
        make_order,
        make_trade,
        make_trade_with_entry,
    )
    from tradestore.testing.faults import Failure, Fault, Faults, Steps
    from tradestore.testing.known import (
        KNOWN_TRADES,
        Figures,
        KnownTrade,
        make_known_dca,
        make_known_futures_short,
        make_known_margin_long,
        make_known_spot_long,
    )
    from tradestore.testing.servers import MariaDBServer, PostgresServer, Server, ServerError
    from tradestore.testing.stores import empty_memory, memory_mode, opened_store

__all__ = [
    "KNOWN_TRADES",
    "Failure",
    "Fault",
    "Faults",
    "Figures",
    "KnownTrade",
    "MariaDBServer",
    "PostgresServer",
    "Server",
    "ServerError",
    "Steps",
    "empty_memory",
    "make_ccxt_order",
    "make_closed_trade",
    "make_known_dca",
    "make_known_futures_short",
    "make_known_margin_long",
    "make_known_spot_long",
    "make_local_order",
    "make_local_trade",
    "make_order",
    "make_trade",
    "make_trade_with_entry",
    "memory_mode",
    "opened_store",
]

_HOMES = {
    "builders": (
        "make_ccxt_order",
        "make_closed_trade",
        "make_local_order",
        "make_local_trade",
        "make_order",
        "make_trade",
        "make_trade_with_entry",
    ),
    "faults": ("Failure", "Fault", "Faults", "Steps"),
    "known": (
        "KNOWN_TRADES",
        "Figures",
        "KnownTrade",
        "make_known_dca",
        "make_known_futures_short",
        "make_known_margin_long",
        "make_known_spot_long",
    ),
    "servers": ("MariaDBServer", "PostgresServer", "Server", "ServerError"),
    "stores": ("empty_memory", "memory_mode", "opened_store"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that it lives in."""
    if name not in _HOME_OF:
        msg = f"module 'tradestore.testing' has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"tradestore.testing.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
