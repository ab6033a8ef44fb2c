"""The documented names for reading tables of older bots."""

import pytest
from sqlalchemy import inspect

from tradestore import migrations


def test_columns_of_a_table(database) -> None:
    """A column is found by its name, or what stands for it is returned."""
    columns = inspect(database.engine).get_columns("trades")
    assert migrations.has_column(columns, "pair")
    assert not migrations.has_column(columns, "sell_reason")
    assert migrations.get_column_def(columns, "exit_reason", "null") == "exit_reason"
    assert migrations.get_column_def(columns, "sell_reason", "null") == "null"


@pytest.mark.parametrize(
    ("tabs", "expected"),
    [
        (["trades"], "trades_bak0"),
        ([], "trades_bak0"),
        (["trades", "trades_bak0"], "trades_bak1"),
        (["trades", "trades_bak1"], "trades_bak2"),  # The number of tables alone would give this one's name.
        (["trades", "TRADES_BAK7"], "trades_bak8"),
        (["trades", "trades_of_mine"], "trades_bak1"),
        (["trades", "trades_bak", "trades_bak1x"], "trades_bak2"),
    ],
)
def test_backup_name_is_free(tabs: list[str], expected: str) -> None:
    """It is the number of the other tables, unless that is in use."""
    assert migrations.get_backup_name(tabs, "trades_bak") == expected
    assert expected.lower() not in {name.lower() for name in tabs}
