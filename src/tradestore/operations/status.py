"""How a store is doing, in one object: what an operator wants to know first."""

from dataclasses import dataclass

from sqlalchemy import inspect

from tradestore._engine import masked
from tradestore.operations.opening import Place, open_to_read
from tradestore.trade_model import Trade

__all__ = ["StoreStatus", "read_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """The state of a store.

    Attributes:
        url: Of the database, without its password.
        engine: ``sqlite``, ``postgresql``, ``mysql`` or ``mariadb``.
        tables: How many there are.
        open_trades: How many trades are open.
    """

    url: str
    engine: str
    tables: int
    open_trades: int


def read_status(place: Place) -> StoreStatus:
    """Return how a store is doing; nothing is changed.

    Args:
        place: A database URL, or the database that is open.

    Raises:
        OperationalException: As :func:`tradestore.operations.opening.open_to_read` raises it.
        DatabaseBusy: Likewise.
    """
    with open_to_read(place) as store:
        return StoreStatus(
            url=masked(store.engine.url),
            engine=store.engine.dialect.name,
            tables=len(inspect(store.engine).get_table_names()),
            open_trades=Trade.get_open_trade_count(),
        )
