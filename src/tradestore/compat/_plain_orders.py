"""Plain orders for a bot's backtester, which fills thousands of them and stores none."""

import sys
from types import ModuleType

from tradestore.local_order import LocalOrder

__all__ = ["give_plain_orders"]

_HOME = "tradestore._order_model"


def give_plain_orders(module: ModuleType) -> bool:
    """Give a module that holds the mapped ``Order`` the plain one instead; tell whether it held it."""
    home = sys.modules.get(_HOME)
    names = [] if home is None else [name for name, value in vars(module).items() if value is home.Order]
    for name in names:
        setattr(module, name, LocalOrder)
    return bool(names)
