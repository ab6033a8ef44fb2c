"""What a transfer refuses, what it says then, and that it has written nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Numeric, String, Table, Text, text

from tests.capabilities import Backend
from tests.migrations.legacy import case_named, contents
from tests.operations.furniture import TABLES, furnish, plain_engine, rows_of, tell
from tradestore import ModelBase, init_db, migrations
from tradestore.exceptions import DatabaseUnreachable, InvalidDatabaseUrl, InvalidValue, TargetNotEmpty, TransferError
from tradestore.operations import transfer

MODELS = [ModelBase.metadata.tables[name] for name in TABLES]
NewUrl = Callable[[], str]


def _emptied(url: str) -> None:
    """Make a database that has the tables and no rows."""
    init_db(url).close()


@pytest.mark.needs("persistent")
def test_target_with_rows_of_its_own(source_url: str, store_url: str) -> None:
    """One row is enough, and it stays alone."""
    _emptied(store_url)
    tell(store_url, "INSERT INTO pairlocks VALUES (1, 'A/B', '*', NULL, '2026-01-01', '2026-01-02', '1')")
    before = rows_of(store_url, MODELS)
    with pytest.raises(TargetNotEmpty, match=r"rows that are not the source's \(pairlocks 1\).*merge=True"):
        transfer(source_url, store_url)
    assert rows_of(store_url, MODELS) == before
    init_db(store_url).close()


def test_target_that_was_used_since(source_url: str, new_file: NewUrl) -> None:
    """A copy that lives on is not taken for the source's any more."""
    target = new_file()
    transfer(source_url, target)
    tell(target, "UPDATE trades SET stop_loss = 3.5 WHERE id = 3")
    with pytest.raises(TargetNotEmpty):
        transfer(source_url, target)
    tell(target, "DELETE FROM log_lines")
    with pytest.raises(TargetNotEmpty):
        transfer(source_url, target)


@pytest.mark.needs("persistent")
def test_source_that_is_the_target(store_url: str, backend: Backend, tmp_path: Path) -> None:
    """Also where it goes by another URL."""
    furnish(store_url, own=False)
    if backend.networked:
        other = f"{store_url}?connect_timeout=7"
    else:
        link = tmp_path / "link.sqlite"
        link.symlink_to(store_url.removeprefix("sqlite:///"))
        other = f"sqlite:///{link}"
    for same in (store_url, other):
        with pytest.raises(TransferError, match=r"the same database"):
            transfer(store_url, same)
    with plain_engine(store_url) as engine, pytest.raises(TransferError, match=r"the same database"):
        transfer(engine, engine)


@pytest.mark.needs("persistent")
def test_source_of_another_version(source_url: str, store_url: str) -> None:
    """It says to open the source once, and leaves both as they are."""
    with plain_engine(source_url) as engine:
        migrations.stamp(engine, "0002_query_indexes")
        with pytest.raises(TransferError, match=r"at revision '0002_query_indexes'.*init_db"):
            transfer(source_url, store_url)
        assert migrations.current(engine) == "0002_query_indexes"
    tell(source_url, "DROP TABLE alembic_version")
    with pytest.raises(TransferError, match=r"at revision None.*init_db"):
        transfer(source_url, store_url)
    with plain_engine(store_url) as engine:
        assert migrations.current(engine) is None


def test_ends_that_are_not_there(source_url: str, new_file: NewUrl, tmp_path: Path) -> None:
    """A path with a mistake in it makes no empty database, neither at the source nor in memory."""
    with pytest.raises(DatabaseUnreachable, match=r"There is no database"):
        transfer(new_file(), source_url)
    assert [*tmp_path.glob("file*")] == []
    with pytest.raises(TransferError, match=r"in memory: give the Database"):
        transfer(source_url, "sqlite://")
    with pytest.raises(InvalidDatabaseUrl):
        transfer(source_url, "oracle://here")
    with pytest.raises(DatabaseUnreachable, match=r"folder exists"):
        transfer(source_url, f"sqlite:///{tmp_path}/missing/file.sqlite")


@pytest.mark.needs("persistent")
def test_orphans(source_url: str, store_url: str) -> None:
    """Orders without their trade, and whatever else refers to nothing, are named."""
    tell(source_url, "UPDATE orders SET ft_trade_id = 777 WHERE id IN (30, 31)")
    with pytest.raises(TransferError, match=r"'orders' refer by ft_trade_id.*'trades'.*with id 30, 31\."):
        transfer(source_url, store_url)
    tell(source_url, "UPDATE orders SET ft_trade_id = 3", "UPDATE fills SET trade_id = 778 WHERE number = 7")
    with pytest.raises(TransferError, match=r"'fills' refer by trade_id.*venue, number \('kraken', 7\)"):
        transfer(source_url, store_url)
    with plain_engine(store_url) as engine:
        assert migrations.current(engine) is None


_CHANGES = {
    "strategy = printf('%.101c', 'x')": "at most 100 fit",
    "max_rate = 'high'": "type float",
    "is_short = 'no'": "type bool",
    "close_date = 'soon'": "type datetime",
    "timeframe = 2147483648": "2147483647",
    "timeframe = 1.5": "type int",
    "trading_mode = 'OPTION'": "one of SPOT, MARGIN, FUTURES",
    "enter_tag = x'ff'": "type str",
}
_BROKEN_TEXT = "UPDATE trades SET enter_tag = CAST(x'41ff' AS TEXT) WHERE id = 6"
_NO_JSON = "UPDATE fills SET info = '{' WHERE number = 7"
TOO_MUCH = {
    _BROKEN_TEXT: r"trades\.enter_tag of the row with id 6 .*no proper text",
    _NO_JSON: r"fills\.info of the row with venue 'kraken', number 7 .*no proper JSON",
    **{
        f"UPDATE trades SET {change} WHERE id = 6": rf"trades\.{change.split()[0]} of the row with id 6 .*{reason}"
        for change, reason in _CHANGES.items()
    },
}


@pytest.mark.needs("persistent", "checks_types")
def test_values_that_the_engine_cannot_hold(source_url: str, store_url: str, tmp_path: Path) -> None:
    """The first one is named before anything is written; without it, the transfer goes its way."""
    file = Path(source_url.removeprefix("sqlite:///"))
    untouched = shutil.copy(file, tmp_path / "untouched")
    for change, expected in TOO_MUCH.items():
        shutil.copy(untouched, file)
        tell(source_url, change)
        with pytest.raises(InvalidValue, match=expected):
            transfer(source_url, store_url)
    assert not any(rows_of(store_url, MODELS).values())
    init_db(store_url).close()
    shutil.copy(untouched, file)
    report = transfer(source_url, store_url)
    assert report.copied == report.rows


def test_a_file_holds_what_a_file_held(source_url: str, new_file: NewUrl) -> None:
    """Where both ends are as lax, what is odd stays odd, and the content is the same."""
    for number, change in enumerate(TOO_MUCH):
        if change != _BROKEN_TEXT:
            tell(source_url, change.replace("id = 6", f"id = {3 * (1 + number % 5)}"))
    tell(source_url, "UPDATE orders SET cost = 9e999 WHERE id = 30", "UPDATE orders SET cost = -0.0 WHERE id = 31")
    target = new_file()
    transfer(source_url, target)
    query = (
        "SELECT * FROM trades ORDER BY id",
        "SELECT * FROM orders ORDER BY id",
        "SELECT * FROM fills ORDER BY venue, number",
    )
    found = []
    for url in (source_url, target):
        with plain_engine(url) as engine, engine.connect() as connection:
            found.append([connection.exec_driver_sql(each).all() for each in query])
    assert found[0] == found[1]


@pytest.mark.needs("persistent")
def test_numbers_without_a_number(store_url: str, other_url: str, new_file: NewUrl, backend: Backend) -> None:
    """Infinity and NaN go where they can be kept, and are named where not."""
    source = new_file()
    furnish(source, own=False)
    tell(source, "UPDATE trades SET max_rate = 9e999 WHERE id = 6")
    if not backend.keeps_infinity:
        with pytest.raises(InvalidValue, match=r"trades\.max_rate of the row with id 6 is inf"):
            transfer(source, store_url)
        assert not any(rows_of(store_url, MODELS).values())
        return
    transfer(source, store_url)
    assert rows_of(store_url, MODELS) == rows_of(source, MODELS)
    if backend.checks_types:
        tell(store_url, "UPDATE trades SET max_rate = 'NaN' WHERE id = 6")
        transfer(store_url, other_url)
        with pytest.raises(InvalidValue, match=r"trades\.max_rate of the row with id 6 is nan.*NULL"):
            transfer(store_url, new_file())


@pytest.mark.needs("networked")
def test_decimals_beyond_floats(store_url: str, new_file: NewUrl) -> None:
    """A file would round them, so it doesn't get them; the same number in fewer digits goes there and back."""
    furnish(store_url, own=False)
    prices = Table("prices", MetaData(), Column("id", Integer, primary_key=True), Column("price", Numeric(30, 12)))
    with plain_engine(store_url) as engine:
        prices.create(engine)
    tell(store_url, "INSERT INTO prices (id, price) VALUES (1, 0.1), (2, 123456789012345678.123456789012)")
    with pytest.raises(InvalidValue, match=r"prices\.price of the row with id 2.*more digits than a float"):
        transfer(store_url, new_file())
    tell(store_url, "UPDATE prices SET price = 12345678.123456 WHERE id = 2")
    target = new_file()
    transfer(store_url, target)
    with plain_engine(target) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id, price FROM prices").all() == [(1, 0.1), (2, 12345678.123456)]


@pytest.mark.needs("persistent", "checks_types")
def test_long_numbers_of_a_file(source_url: str, store_url: str) -> None:
    """A file's whole numbers have 8 bytes whatever their column is called, and keep them in the user's tables."""
    tell(source_url, "CREATE TABLE ticks (id INTEGER PRIMARY KEY, stamp INTEGER, untyped, word STRING, rate NUMERIC)")
    tell(source_url, "INSERT INTO ticks VALUES (1, 1772366400000, 123456789012345678, 'x', 1.5)")
    tell(source_url, "INSERT INTO ticks VALUES (5000000000, -9223372036854775808, NULL, NULL, 2)")
    transfer(source_url, store_url)
    with plain_engine(store_url) as engine, engine.connect() as connection:
        found = connection.execute(text("SELECT id, stamp, untyped, word, rate FROM ticks ORDER BY id")).all()
    assert found == [
        (1, 1772366400000, 123456789012345678, "x", 1.5),
        (5000000000, -9223372036854775808, None, None, 2.0),
    ]


@pytest.mark.needs("persistent", "checks_types")
def test_column_of_several_types(source_url: str, store_url: str) -> None:
    """A text beside a number in one column has no counterpart, and is named."""
    tell(source_url, "CREATE TABLE mixed (id INTEGER PRIMARY KEY, value)", "INSERT INTO mixed VALUES (1, 'x'), (2, 5)")
    with pytest.raises(InvalidValue, match=r"mixed\.value of the row with id 2 is 5.*type str"):
        transfer(source_url, store_url)


@pytest.mark.needs("persistent")
def test_table_of_the_same_name_at_the_target(source_url: str, store_url: str) -> None:
    """One with other columns is somebody's own, and stays."""
    _emptied(store_url)
    tell(store_url, "CREATE TABLE log_lines (other INTEGER)")
    with pytest.raises(TransferError, match=r"'log_lines' of its own, without the column level, line"):
        transfer(source_url, store_url)
    assert not any(rows_of(store_url, MODELS).values())


@pytest.mark.needs("sequences")
def test_types_that_only_one_engine_has(store_url: str, other_url: str, new_file: NewUrl) -> None:
    """They go where they are known, and are named where not."""
    furnish(store_url, own=False)
    tell(
        store_url,
        "CREATE TABLE hosts (id INTEGER PRIMARY KEY, address INET, tags TEXT[], span INTERVAL, code UUID, more JSONB)",
        "INSERT INTO hosts VALUES "
        "(1, '10.0.0.1', '{a,b}', '1 day', '01234567-89ab-cdef-0123-456789abcdef', '{\"a\": 1}')",
        "INSERT INTO hosts (id, more) VALUES (2, 'null')",
    )
    transfer(store_url, other_url)
    found = []
    for url in (store_url, other_url):
        with plain_engine(url) as engine, engine.connect() as connection:
            found.append(connection.exec_driver_sql("SELECT hosts::text FROM hosts ORDER BY id").all())
    assert found[0] == found[1]
    with pytest.raises(TransferError, match=r"hosts\.address has the type INET"):
        transfer(store_url, new_file())
    tell(store_url, "ALTER TABLE hosts DROP COLUMN address")
    with pytest.raises(TransferError, match=r"hosts\.tags has the type ARRAY"):
        transfer(store_url, new_file())
    tell(store_url, "ALTER TABLE hosts DROP COLUMN tags")
    target = new_file()
    transfer(store_url, target)
    with plain_engine(target) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT id, code, more FROM hosts ORDER BY id").all() == [
            (1, "0123456789abcdef0123456789abcdef", '{"a": 1}'),
            (2, None, "null"),
        ]


def test_model_whose_column_is_missing_in_the_source(source_url: str, new_file: NewUrl) -> None:
    """What the source doesn't have is the target's own default."""
    table = Table(
        "log_lines",
        ModelBase.metadata,
        Column("line", String(50), primary_key=True),
        Column("level", Integer),
        Column("extra", Text, server_default="none"),
    )
    tell(source_url, "DELETE FROM log_lines", "INSERT INTO log_lines VALUES ('one', 1)")
    try:
        target = new_file()
        transfer(source_url, target)
        assert rows_of(target, [table]) == {"log_lines": [("one", 1, "none")]}
        assert transfer(source_url, target).copied == 0
    finally:
        ModelBase.metadata.remove(table)


@pytest.mark.needs("persistent")
def test_target_of_another_version_with_rows(source_url: str, store_url: str) -> None:
    """It is refused as it is: nobody wants it brought up to date for nothing."""
    _emptied(store_url)
    with plain_engine(store_url) as engine:
        migrations.downgrade(engine, "0002_query_indexes")
        transfer(source_url, store_url)
        assert migrations.current(engine) == migrations.HEAD
        migrations.stamp(engine, "0002_query_indexes")
        with pytest.raises(TargetNotEmpty, match=r"tables of another version.*trades.*Nothing was changed.*merge=True"):
            transfer(source_url, store_url)
        assert migrations.current(engine) == "0002_query_indexes"


@pytest.mark.parametrize("number", ["016", "107"])
def test_target_of_another_program(source_url: str, new_file: NewUrl, number: str) -> None:
    """A database of an old bot stays as it is, also one whose trades an upgrade of its own has hidden."""
    target = new_file()
    case_named(number).load(target)
    before = contents(target)
    with pytest.raises(TargetNotEmpty, match=r"tables of another version.*trades.*Nothing was changed"):
        transfer(source_url, target)
    assert contents(target) == before
