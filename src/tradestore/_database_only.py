"""The part of a trade's interface that needs a database, as the in-memory class answers it."""

from typing import Any, ClassVar, NoReturn


class DatabaseOnly:
    """Every question here is answered by the mapped ``Trade`` while a database is in use; in memory it is refused."""

    session: ClassVar[Any]

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
    def get_best_pair(trade_filter: Any = None) -> Any:
        """Refuse: the report is grouped in SQL."""
        refuse("get_best_pair")

    @staticmethod
    def get_trading_volume(trade_filter: Any = None) -> Any:
        """Refuse: the report is summed in SQL."""
        refuse("get_trading_volume")

    @classmethod
    def bulk_add(cls, trades: Any, *, batch_size: int = 0, on_progress: Any = None) -> int:
        """Refuse: in memory a trade is taken in by ``add_bt_trade``."""
        refuse("bulk_add", "add_bt_trade() takes in one trade after the other")

    def delete(self) -> None:
        """Refuse: a trade in memory is dropped by ``remove_bt_trade``."""
        refuse("delete", "remove_bt_trade() forgets an open trade")


def refuse(name: str, in_memory: str = "get_trades_proxy() and the bt_ lists answer") -> NoReturn:
    """Say which question of a trade needs a database.

    Raises:
        NotImplementedError: Always.
    """
    msg = f"Trade.{name}() needs a database: call init_db() and enable_database_use() first. In memory, {in_memory}."
    raise NotImplementedError(msg)
