"""Bots and their tests call the names of `migrations` themselves, on databases and on stand-ins for engines."""

from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock, patch

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.orm import Session

from tests.builders import CLOSED, OPENED, closed_trade, store, trade
from tradestore import ModelBase, PairLock, Store, Trade, init_db, migrations, models
from tradestore.db_migration import migrate_db

ALL_IDS = {
    "order_id": 11,
    "trade_id": 12,
    "pairlock_id": 13,
    "kv_id": 14,
    "custom_data_id": 15,
    "wallet_history_id": 16,
}
TABLES = ("orders", "trades", "pairlocks", "KeyValueStore", "trade_custom_data", "wallet_history")


def _stand_in(name: str) -> MagicMock:
    """Return an engine as tests of bots make one."""
    engine = MagicMock()
    engine.name = name
    engine.begin = MagicMock()
    return engine


def _sent(engine: MagicMock) -> list[tuple[str, dict[str, Any]]]:
    """Return the statements that a stand-in was given, with their values."""
    connection = engine.begin.return_value.__enter__.return_value
    calls = [*connection.scalar.call_args_list, *connection.execute.call_args_list]
    return [(str(call.args[0]), call.args[1] if len(call.args) > 1 else {}) for call in calls]


# --- ids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [(22, 55, 5), (22, 55, 5, 7), (22, 55, 5, 7, 8, 9)], ids=len)
def test_ids_are_set_in_one_transaction(ids: tuple[int, ...]) -> None:
    """A caller of two years ago knows three of the tables, one of today all six."""
    engine = _stand_in("postgresql")
    migrations.set_sequence_ids(engine, *ids)
    assert engine.begin.call_count == 1
    sent = _sent(engine)
    assert [values["name"] for _, values in sent if "id" in values] == [f'"{name}"' for name in TABLES[: len(ids)]]
    assert [values["number"] for statement, values in sent if "setval" in statement] == list(ids)


def test_ids_may_be_named_and_left_out() -> None:
    """What is not given stays as it is."""
    engine = _stand_in("postgresql")
    migrations.set_sequence_ids(engine=engine, trade_id=7, wallet_history_id=8, order_id=None)
    assert [values["number"] for _, values in _sent(engine) if "number" in values] == [7, 8]


@pytest.mark.parametrize("name", ["sqlite", "mysql", "mariadb", "somethingelse"])
def test_engines_without_sequences_are_left_alone(name: str) -> None:
    """No transaction is begun there, and nothing is asked."""
    engine = _stand_in(name)
    migrations.set_sequence_ids(engine, 22, 55, 5)
    assert migrations.get_last_sequence_ids(engine, "trades_id_seq", "trades_bak0") is None
    assert engine.begin.call_count == engine.connect.call_count == 0


def test_last_id_is_asked_for_in_one_transaction() -> None:
    """Under the names that the caller gives, whatever the answer is."""
    engine = _stand_in("postgresql")
    answer = migrations.get_last_sequence_ids(engine, "trades_id_seq", "trades_bak0")
    assert engine.begin.call_count == 1
    assert isinstance(answer, int)
    asked = {value for _, values in _sent(engine) for value in values.values()}
    assert {"trades_id_seq", '"trades_bak0"'} <= asked


@pytest.mark.needs("sequences")
def test_ids_are_set_and_told(database: Store) -> None:
    """All six by name; each table then tells the id that it was given."""
    migrations.set_sequence_ids(engine=database.engine, **ALL_IDS)
    ask = migrations.get_last_sequence_ids
    told = [ask(engine=database.engine, sequence_name=f"{table}_id_seq", table_back_name=table) for table in TABLES]
    assert told == list(ALL_IDS.values())
    store(lock := PairLock(pair="A/B", lock_time=OPENED, lock_end_time=CLOSED))
    assert lock.id == 13


@pytest.mark.needs("sequences")
def test_name_of_something_else_than_a_table_has_no_ids(database: Store) -> None:
    """An index is no table, and is not asked for its largest id."""
    assert migrations.get_last_sequence_ids(database.engine, "no_such_seq", "ix_trades_pair") is None


# --- columns and names ---------------------------------------------------------------------------------------------


def test_columns_by_position_and_by_name() -> None:
    """A column is one of those of a table, else its default stands for it."""
    columns = [{"name": "pair"}, {"name": "fee"}]
    assert migrations.has_column(columns, "pair")
    assert not migrations.has_column(columns=columns, name="fee_open")
    assert migrations.get_column_def(columns, "fee_open", "fee") == "fee"
    assert migrations.get_column_def(columns=columns, column="pair", default="null") == "pair"


def test_backup_name_by_position_and_by_name() -> None:
    """It has the next number."""
    assert migrations.get_backup_name(["trades"], "trades_bak") == "trades_bak0"
    assert migrations.get_backup_name(tabs=["trades", "trades_bak0"], prefix="trades_bak") == "trades_bak1"


# --- what every start does -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fix", "table"),
    [(migrations.fix_old_dry_orders, "UPDATE orders"), (migrations.fix_wrong_max_stake_amount, "UPDATE trades")],
)
@pytest.mark.parametrize("name", ["sqlite", "postgresql", "mysql"])
def test_fixes_send_one_statement(fix: Callable[..., None], table: str, name: str) -> None:
    """In a transaction of its own."""
    engine = _stand_in(name)
    fix(engine=engine)
    assert engine.begin.call_count == 1
    ((statement, _),) = _sent(engine)
    assert statement.startswith(table)


@pytest.mark.parametrize(("name", "statements"), [("sqlite", ["PRAGMA journal_mode = WAL"]), ("postgresql", [])])
def test_wal_is_for_sqlite_alone(name: str, statements: list[str]) -> None:
    """Another engine is not even asked."""
    engine = _stand_in(name)
    migrations.set_sqlite_to_wal(engine=engine)
    connection = engine.connect.return_value.__enter__.return_value
    assert [call.args[0] for call in connection.exec_driver_sql.call_args_list] == statements


def test_wal_of_a_file_is_switched_on(tmp_path) -> None:
    """And stays on for whoever opens it later."""
    engine = create_engine(f"sqlite:///{tmp_path / 'plain.sqlite'}")
    migrations.set_sqlite_to_wal(engine)
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    engine.dispose()


def test_tables_are_made_by_whoever_asks(database: Store) -> None:
    """By position and by name; a second time nothing changes."""
    engine = database.engine
    with engine.begin() as connection:
        ModelBase.metadata.tables["wallet_history"].drop(connection)
    previous = inspect(engine).get_table_names()
    migrations.check_migrate(engine, ModelBase, previous)
    migrations.check_migrate(engine=engine, decl_base=ModelBase, previous_tables=previous)
    assert set(inspect(engine).get_table_names()) == {*previous, "wallet_history"}


@pytest.mark.parametrize("by_name", [False, True])
def test_bot_takes_its_data_along(database: Store, tmp_path, by_name: bool) -> None:
    """The open database is copied into that of a session."""
    store(trade(), closed_trade(profit=1.0, ratio=0.1))
    target = create_engine(f"sqlite:///{tmp_path / 'target.sqlite'}")
    with Session(target) as session:
        if by_name:
            migrate_db(session_target=session)
        else:
            migrate_db(session)
        assert session.scalar(text("SELECT count(*) FROM trades")) == 2
    target.dispose()


# --- opening -------------------------------------------------------------------------------------------------------


def test_engine_is_made_by_what_models_calls(store_url: str) -> None:
    """A test that watches `models.create_engine` sees the one call, with the URL first."""
    with patch("tradestore.models.create_engine", wraps=models.create_engine) as watched:
        opened = init_db(store_url)
    assert watched.call_count == 1
    scheme, _, rest = store_url.partition("://")
    called = watched.call_args.args[0]
    assert called.startswith(scheme)
    assert called.endswith(rest.partition("@")[2] or rest)
    opened.close()


def test_engine_may_be_a_stand_in(database: Store) -> None:
    """Nothing can be prepared there, and the database that is open stays so."""
    with patch("tradestore.models.create_engine", MagicMock()) as watched:
        init_db("sqlite:///tradesv3.sqlite")
    assert watched.call_count == 1
    assert watched.mock_calls[0].args[0] == "sqlite:///tradesv3.sqlite"
    assert database.is_open
    assert Trade.get_open_trade_count() == 0
