"""The part of a trade's interface that needs a database, as the in-memory class answers it."""

from typing import Any, ClassVar, NoReturn


class _NoSession:
    """Stands where the mapped classes have their session."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            # Python and its mocks ask many an object for what it may have.
            raise AttributeError(name)
        refuse(f"session.{name}")


class DatabaseOnly:
    """Every question here is answered by the mapped ``Trade`` while a database is in use; in memory it is refused."""

    session: ClassVar[Any] = _NoSession()

    @staticmethod
    def get_trades(trade_filter: Any = None, include_orders: bool = True) -> Any:
        """Refuse: filters are SQL expressions. Use ``get_trades_proxy``, which works in both modes."""
        refuse("get_trades")

    @staticmethod
    def get_trades_query(trade_filter: Any = None, include_orders: bool = True) -> Any:
        """Refuse: a query needs a database."""
        refuse("get_trades_query")

    @staticmethod
    def get_trades_page(
        *,
        after: Any = None,
        limit: int = 100,
        trade_filter: Any = None,
        include_orders: bool = True,
        newest_first: bool = False,
        by: Any = "id",
    ) -> Any:
        """Refuse: pages are cut by the database."""
        refuse("get_trades_page")

    @staticmethod
    def get_trades_json(trade_filter: Any = None, *, minified: bool = False, include_orders: bool = True) -> Any:
        """Refuse: filters are SQL expressions. Use ``to_json`` of each trade."""
        refuse("get_trades_json")

    @staticmethod
    def get_open_trades_without_assigned_fees() -> Any:
        """Refuse: backtests know all fees."""
        refuse("get_open_trades_without_assigned_fees")

    @staticmethod
    def get_closed_trades_without_assigned_fees() -> Any:
        """Refuse: backtests know all fees."""
        refuse("get_closed_trades_without_assigned_fees")

    @staticmethod
    def get_overall_performance(start_date: Any = None) -> Any:
        """Refuse: the report is grouped in SQL."""
        refuse("get_overall_performance")

    @staticmethod
    def get_enter_tag_performance(pair: str | None) -> Any:
        """Refuse: the report is grouped in SQL."""
        refuse("get_enter_tag_performance")

    @staticmethod
    def get_exit_reason_performance(pair: str | None) -> Any:
        """Refuse: the report is grouped in SQL."""
        refuse("get_exit_reason_performance")

    @staticmethod
    def get_mix_tag_performance(pair: str | None) -> Any:
        """Refuse: the report is grouped in SQL."""
        refuse("get_mix_tag_performance")

    @staticmethod
    def get_best_pair(trade_filter: Any = None, *, filters: Any = None) -> Any:
        """Refuse: the report is grouped in SQL."""
        refuse("get_best_pair")

    @staticmethod
    def get_trading_volume(trade_filter: Any = None, *, filters: Any = None) -> Any:
        """Refuse: the report is summed in SQL."""
        refuse("get_trading_volume")

    @classmethod
    def bulk_add(cls, trades: Any, *, batch_size: int = 0, on_progress: Any = None) -> int:
        """Refuse: in memory a trade is taken in by ``add_bt_trade``."""
        refuse("bulk_add", "add_bt_trade() takes in one trade after the other")

    @classmethod
    def to_dataframe(cls, trades: Any = None, *, trade_filter: Any = None, library: Any = "pandas") -> Any:
        """Refuse: ``Trade.to_dataframe`` takes trades in memory as well."""
        refuse("to_dataframe", "Trade.to_dataframe(trades) takes any trades")

    def column_values(self) -> Any:
        """Refuse: only a row has columns."""
        refuse("column_values", "vars(trade) has what was set")

    def complete_for_storing(self) -> None:
        """Do nothing: what is in memory is not stored."""

    def delete(self) -> None:
        """Refuse: a trade in memory is dropped by ``remove_bt_trade``."""
        refuse("delete", "remove_bt_trade() forgets an open trade")


class OrderDatabaseOnly:
    """The same for orders, as :class:`LocalOrder` answers."""

    @staticmethod
    def get_open_orders() -> Any:
        """Refuse: in memory, orders are in ``trade.orders``."""
        refuse("get_open_orders", "trade.open_orders has them", of="Order")

    @staticmethod
    def order_by_id(order_id: str, pair: str | None = None) -> Any:
        """Refuse: in memory, ``trade.select_order_by_order_id`` finds an order."""
        refuse("order_by_id", "trade.select_order_by_order_id() finds it", of="Order")


def refuse(name: str, in_memory: str = "get_trades_proxy() and the bt_ lists answer", *, of: str = "Trade") -> NoReturn:
    """Say which question of a trade, or of an order, needs a database.

    Raises:
        NotImplementedError: Always.
    """
    msg = f"{of}.{name}() needs a database: call init_db() and enable_database_use() first. In memory, {in_memory}."
    raise NotImplementedError(msg)
