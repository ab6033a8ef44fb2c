"""Exports read back: what was written is what arrives, as a whole or not at all."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
from sqlalchemy import func, insert, select, update

from tests.builders import CLOSED, OPENED, closed_trade, store, trade, trade_with_entry
from tests.capabilities import Backend
from tests.operations.exports import add_odd_trades, contents
from tests.operations.furniture import plain_engine, tell
from tests.operations.old_trades import BEFORE, fill, reports
from tradestore import ModelBase, Order, PairLock, Store, Trade, init_db
from tradestore.exceptions import (
    DatabaseUnreachable,
    DependencyException,
    ImportConflict,
    InvalidExport,
    InvalidValue,
    TradeLimitReached,
)
from tradestore.operations.archive import archive
from tradestore.operations.export import ImportProgress, export_trades, import_trades
from tradestore.testing import opened_store

FORMATS = ("jsonl", "csv", "parquet")
CHECKOUT = Path(__file__).parents[2]
NewUrl = Callable[[], str]


def _new_store(url: str) -> str:
    init_db(url).close()
    return url


def _export(url: str, folder: Path, file_format: str, **options) -> Path:
    target = folder / f"export.{file_format}" if file_format == "jsonl" else folder / f"export-{file_format}"
    export_trades(url, target, file_format=file_format, overwrite=True, batch_size=5, **options)  # type: ignore[arg-type]
    return target


@pytest.mark.needs("persistent")
@pytest.mark.parametrize("file_format", FORMATS)
def test_there_and_back(source_url: str, store_url: str, new_file: NewUrl, tmp_path: Path, file_format: str) -> None:
    """From SQLite to the engine under test, and from there to SQLite again: every table is the same everywhere."""
    add_odd_trades(source_url)
    _new_store(store_url)
    there = import_trades(_export(source_url, tmp_path, file_format), store_url, batch_size=7)
    expected = contents(source_url)
    assert contents(store_url) == expected
    assert {table.table: table.added for table in there.tables} == {name: each.rows for name, each in expected.items()}
    back = _new_store(new_file())
    import_trades(_export(store_url, tmp_path, file_format), back, batch_size=4)
    assert contents(back) == expected


@pytest.mark.needs("persistent", "first_driver")
def test_the_next_ids_follow(source_url: str, store_url: str, tmp_path: Path) -> None:
    """A bot that goes on in the database meets no id that came."""
    _new_store(store_url)
    import_trades(_export(source_url, tmp_path, "jsonl"), store_url)
    largest = {name: _largest(store_url, name) for name in ("trades", "orders", "pairlocks", "KeyValueStore")}
    database = init_db(store_url)
    try:
        entered = trade_with_entry()
        store(entered)
        assert entered.id > largest["trades"]
        assert entered.orders[0].id > largest["orders"]
        entered.set_custom_data("key", 1)
    finally:
        Trade.session.remove()
        database.close()


def _largest(url: str, name: str) -> int:
    table = ModelBase.metadata.tables[name]
    with plain_engine(url) as engine, engine.connect() as connection:
        return connection.scalar(select(func.max(table.c.id))) or 0


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.needs("first_driver")
def test_new_ids(database: Store, tmp_path: Path, file_format: str) -> None:
    """Orders and custom data follow their trades, whatever ids these get beside what is there."""
    store(*(trade_with_entry(enter_tag=f"tag {number}") for number in range(3)))
    for number, each in enumerate(Trade.get_trades().all()):
        each.set_custom_data("number", number)
    Trade.session.remove()
    exported = _export(database, tmp_path, file_format)  # type: ignore[arg-type]
    for each in Trade.get_trades().all()[:2]:
        each.delete()
    kept = Trade.get_trades().one()
    kept.orders[0].order_id = "of the one that stays"
    Trade.commit()
    Trade.session.remove()
    report = import_trades(exported, database, new_ids=True, batch_size=2)
    assert report.added == 9
    found = Trade.get_trades().all()
    assert [each.enter_tag for each in found] == ["tag 2", "tag 0", "tag 1", "tag 2"]
    assert len({each.id for each in found}) == 4
    assert [each.get_custom_data("number") for each in found] == [2, 0, 1, 2]
    assert [len(each.orders) for each in found] == [1] * 4
    assert [each.orders[0].ft_trade_id for each in found] == [each.id for each in found]
    Trade.session.remove()


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.needs("first_driver")
def test_what_is_there_is_skipped_on_demand(database: Store, tmp_path: Path, new_ids: bool) -> None:
    """A trade that has gone on since stays as it is, and gets no order a second time."""
    store(trade_with_entry(enter_tag="first"), trade_with_entry(enter_tag="second", pair="BTC/USDT"))
    Trade.session.remove()
    exported = _export(database, tmp_path, "csv")  # type: ignore[arg-type]
    first, second = Trade.get_trades().all()
    first.enter_tag = "changed"
    first.orders[0].order_id = "changed"
    second.delete()
    Trade.session.remove()
    report = import_trades(exported, database, on_conflict="skip", new_ids=new_ids)
    assert (report.added, report.skipped) == (2, 2)
    found = Trade.get_trades().all()
    assert [(each.enter_tag, len(each.orders)) for each in found] == [("changed", 1), ("second", 1)]
    Trade.session.remove()
    assert import_trades(exported, database, on_conflict="skip", new_ids=new_ids).added == 0


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.needs("first_driver")
def test_what_belongs_to_nothing_is_known_too(database: Store, tmp_path: Path, new_ids: bool) -> None:
    """Custom data without trade and pair: the engine's own keys don't tell whether it is there."""
    data = ModelBase.metadata.tables["trade_custom_data"]
    row = {"cd_key": "mood", "cd_type": "str", "cd_value": "calm", "created_at": OPENED}
    with database.engine.begin() as connection:
        connection.execute(insert(data), row)
    exported = _export(database, tmp_path, "csv")  # type: ignore[arg-type]
    with database.engine.begin() as connection:
        connection.execute(update(data).values(cd_value="angry"))
    report = import_trades(exported, database, on_conflict="skip", new_ids=new_ids)
    assert (report.added, report.skipped) == (0, 1)
    with database.engine.begin() as connection:
        assert connection.scalars(select(data.c.cd_value)).all() == ["angry"]
        connection.execute(update(data).values(cd_key="another", id=7))
    assert import_trades(exported, database, on_conflict="skip", new_ids=new_ids).added == 1


@pytest.mark.parametrize("new_ids", [False, True])
@pytest.mark.needs("first_driver")
def test_reports_count_archived_trades_there_too(
    database: Store, new_file: NewUrl, tmp_path: Path, new_ids: bool
) -> None:
    """The sums of what was archived go with an export, once."""
    fill()
    expected = reports()
    archive(database, BEFORE, tmp_path / "archive.sqlite")
    exported = _export(database, tmp_path, "jsonl")  # type: ignore[arg-type]
    assert import_trades(exported, database, new_ids=new_ids, on_conflict="skip").added == 0
    assert reports() == expected
    database.close()
    with opened_store(new_file()) as other:
        told = import_trades(exported, other, new_ids=new_ids)
        assert {each.table: each.added for each in told.tables}["trades"] == 4
        assert reports() == expected
        assert import_trades(exported, other, new_ids=new_ids, on_conflict="skip").added == 0
        assert reports() == expected
        Trade.session.remove()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"trades\.csv, line 2: a row of trades with id 1 is in the database already.*ask for new ids"),
        ({"on_conflict": "skip"}, r"trades\.csv, line 2: another row of trades with id 1 .* ask for new ids\."),
        ({"new_ids": True}, r"orders\.csv, line 2: a row of orders with ft_pair ADA/USDT, order_id taken is in"),
    ],
    ids=str,
)
@pytest.mark.needs("first_driver")
def test_conflicts_are_refused(database: Store, tmp_path: Path, options, message: str) -> None:
    entered = trade_with_entry()
    entered.orders[0].order_id = "taken"
    store(entered)
    exported = _export(database, tmp_path, "csv")  # type: ignore[arg-type]
    Trade.get_trades().one().exchange = "kraken"
    Trade.commit()
    Trade.session.remove()
    with pytest.raises(ImportConflict, match=message):
        import_trades(exported, database, **options)
    assert Trade.get_trades().one().exchange == "kraken"
    assert len(Order.session.scalars(select(Order)).all()) == 1
    Trade.session.remove()


@pytest.mark.needs("persistent", "first_driver")
def test_infinity_where_the_engine_keeps_it(backend: Backend, store_url: str, new_file: NewUrl, tmp_path: Path) -> None:
    source = new_file()
    init_db(source)
    store(trade(max_rate=1.0))
    Trade.session.remove()
    tell(source, "UPDATE trades SET max_rate = -9e999")
    _new_store(store_url)
    for file_format in FORMATS:
        exported = _export(source, tmp_path, file_format, what=["trades", "orders"])
        if backend.keeps_infinity:
            import_trades(exported, store_url, new_ids=True)
        else:
            with pytest.raises(InvalidExport, match=r"line [12]: max_rate is -inf, but a finite number was expected"):
                import_trades(exported, store_url)
    with plain_engine(store_url) as engine, engine.connect() as connection:
        rates = connection.scalars(select(ModelBase.metadata.tables["trades"].c.max_rate)).all()
    assert rates == ([-float("inf")] * 3 if backend.keeps_infinity else [])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with exports of two trades with an order each, and a store without rows, to be copied."""
    folder = tmp_path_factory.mktemp("prepared")
    _new_store(f"sqlite:///{folder / 'empty.sqlite'}")
    url = f"sqlite:///{tmp_path_factory.mktemp('source') / 'source.sqlite'}"
    with opened_store(url):
        store(
            trade_with_entry(exit_reason="two\nlines"),
            closed_trade(profit=1.0, ratio=0.1),
            PairLock(pair="A/B", lock_time=OPENED, lock_end_time=CLOSED),
        )
        Trade.session.remove()
    export_trades(url, folder / "csv")
    export_trades(url, folder / "all.jsonl")
    export_trades(url, folder / "parquet", file_format="parquet")
    return folder


@pytest.fixture
def exported(prepared: Path, tmp_path: Path) -> Path:
    """Return the folder of a CSV export, with the other formats beside it."""
    return Path(shutil.copytree(prepared, tmp_path / "exported")) / "csv"


@pytest.fixture
def target(prepared: Path, tmp_path: Path) -> str:
    """Return the URL of a store without rows."""
    return f"sqlite:///{shutil.copy(prepared / 'empty.sqlite', tmp_path / 'target.sqlite')}"


def _refused(source: object, target: str, message: str) -> None:
    before = contents(target)
    with pytest.raises(InvalidExport, match=message):
        import_trades(source, target)  # type: ignore[arg-type]
    assert contents(target) == before


def _edit_csv(file: Path, change: Callable[[list[list[str]]], object]) -> None:
    rows = list(csv.reader(io.StringIO(file.read_bytes().decode(), newline="")))
    change(rows)
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    file.write_bytes(text.getvalue().encode())


def _put(row: int, column: str, cell: str) -> Callable[[list[list[str]]], object]:
    return lambda rows: rows[row].__setitem__(rows[0].index(column), cell)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        # The first trade's row has two lines.
        ("trades", _put(2, "open_rate", "1,5"), r"trades\.csv, line 4: open_rate is '1,5', but a number"),
        ("trades", _put(1, "is_open", "maybe"), r"trades\.csv, line 2: is_open is 'maybe', but true or false"),
        ("trades", _put(2, "open_date", "yesterday"), r"line 4: open_date is 'yesterday', but a moment with its zone"),
        ("trades", _put(2, "pair", ""), r"line 4: pair is None, but the column needs a value"),
        ("trades", _put(2, "trading_mode", "LOAN"), r"line 4: trading_mode is 'LOAN', but it is one of SPOT, MARGIN"),
        ("trades", _put(2, "id", "1"), r"line 4: another row of trades has the same id 1"),
        ("trades", _put(2, "id", ""), r"line 4: it has no id"),
        (
            "orders",
            _put(1, "ft_trade_id", "99"),
            r"orders\.csv, line 2: ft_trade_id is 99, but no such row is in trades",
        ),
        (
            "trades",
            lambda rows: rows[0].append("mood"),
            r"line 1: the columns are not those of trades \(unknown: mood\)",
        ),
        ("trades", lambda rows: rows[0].pop(), r"line 1: the columns .*missing: record_version"),
        ("trades", lambda rows: rows[2].pop(), r"line 4: 50 cells were found, 51 expected"),
        ("trades", lambda rows: rows.pop(), r"orders\.csv, line 3: ft_trade_id is 2, but no such"),
        ("orders", lambda rows: rows.pop(), r"tells of 2 rows of orders, but 1 were found"),
        ("orders", lambda rows: rows.append([]), None),
        ("trades", lambda rows: [row.reverse() for row in rows], None),
    ],
)
def test_rows_of_csv_are_looked_at(exported: Path, target: str, name: str, change, message: str | None) -> None:
    """The message names file and line; other orders of columns, and blank lines, are no fault."""
    _edit_csv(exported / f"{name}.csv", change)
    if message is not None:
        _refused(exported, target, message)
        return
    import_trades(exported, target)
    assert contents(target)["trades"].rows == 2


def test_csv_of_other_programs(exported: Path, target: str) -> None:
    """A mark at the beginning and other line ends are no fault; no text, or an open quote, is."""
    file = exported / "orders.csv"
    text = file.read_bytes()
    file.write_bytes(text.replace(b"order-", b"\xff\xfe"))
    _refused(exported, target, r"orders\.csv is no text in UTF-8")
    file.write_bytes(text + b'"')
    _refused(exported, target, r"orders\.csv, line 4: ")
    file.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\r\n", b"\n"))
    (exported / "orders.csv.json").unlink()
    assert import_trades(exported, target).added == 5


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"tradestore_export": 1', '"tradestore_export": 2', r"export of version 2, and this is known: 1"),
        ('"tradestore_export": 1', '"something": 1', r"does not say which version"),
        ('"tables": {', '"tables": {"cats": {}, ', r"does not tell the tables"),
        (
            '"tables": {"trades": {"rows": 2',
            '"tables": {"trades": {"rows": 3',
            r"tells of 3 rows of trades, but 2 were",
        ),
        ('"name": "pair"', '"name": "couple"', r"tells other columns of trades than version 1 has \(couple, pair\)"),
        ('"table": "trades"', '"table": "cats"', r"line 2: it has no 'table' that the first line tells of"),
        ('"is_short": false', '"is_short": 0', r"line 2: is_short is 0, but true or false"),
        ('"open_rate": 20.0', '"open_rate": "cheap"', r"line 2: open_rate is 'cheap', but a number"),
        ('"open_rate": 20.0', '"open_rate": true', r"line 2: open_rate is True, but a number"),
        ('"open_rate": 20.0', '"open_rate": NaN', r"line 2: it is no JSON"),
        ('"open_rate": 20.0, ', "", r"line 2: the fields .*unknown or missing: open_rate"),
        ('"open_date": "', '"open_date": "0', r"line 2: open_date is '02026"),
        ('"pair": "ADA/USDT"', '"pair": 7', r"line 2: pair is 7, but a text"),
        ('"ft_trade_id": 2', '"ft_trade_id": 1', r"line 3: one of the orders belongs to another trade"),
        ('"orders": [', '"orders": ["x", ', r"line 2: orders is no list of objects"),
    ],
)
def test_lines_of_json_are_looked_at(exported: Path, target: str, before: str, after: str, message: str) -> None:
    file = exported.with_name("all.jsonl")
    text = file.read_bytes()
    assert before.encode() in text
    file.write_bytes(text.replace(before.encode(), after.encode()))
    _refused(file, target, message)


def test_whole_numbers_are_numbers(exported: Path, target: str) -> None:
    """As other programs write 20.0."""
    file = exported.with_name("all.jsonl")
    file.write_bytes(file.read_bytes().replace(b'"open_rate": 20.0', b'"open_rate": 20'))
    assert import_trades(file, target).added == 5


def test_json_that_was_cut_short(exported: Path, target: str) -> None:
    """Between two lines it is the number of rows that tells."""
    file = exported.with_name("all.jsonl")
    text = file.read_bytes()
    for end in range(1, len(text) - 1, 4999):
        file.write_bytes(text[:end])
        _refused(file, target, r"does not say which version|cut short")
    file.write_bytes(text[: text.index(b"\n") + 1])
    _refused(file, target, r"tells of 2 rows of trades, but 0 were found")


def test_parquet_is_looked_at(exported: Path, target: str) -> None:
    folder = exported.with_name("parquet")
    file = folder / "orders.parquet"
    data = file.read_bytes()
    file.write_bytes(data[:-20])
    _refused(folder, target, r"orders\.parquet: it is no Parquet file, or only a part of one")
    table = pyarrow.parquet.read_table(folder / "trades.parquet")
    pyarrow.parquet.write_table(table.drop_columns("pair"), folder / "trades.parquet")
    _refused(folder / "trades.parquet", target, r"trades\.parquet: its columns or their types are not those of trades")
    pyarrow.parquet.write_table(table.replace_schema_metadata({}), folder / "trades.parquet")
    _refused(folder / "trades.parquet", target, r"trades\.parquet does not say which version")
    pyarrow.parquet.write_table(table, folder / "trades.parquet")
    file.write_bytes(b"")
    _refused(folder, target, r"orders\.parquet: it is no Parquet file")


def test_sources_that_are_none(exported: Path, target: str, tmp_path: Path) -> None:
    _refused(tmp_path / "missing.jsonl", target, r"There is no file .*missing\.jsonl: correct the path")
    (tmp_path / "empty").mkdir()
    _refused(tmp_path / "empty", target, r"has no file of an export")
    (tmp_path / "export.xlsx").write_bytes(b"PK")
    _refused(tmp_path / "export.xlsx", target, r"is no export by its name")
    (tmp_path / "cats.csv").write_text("a,b\n")
    _refused(tmp_path / "cats.csv", target, r"cats\.csv has no cats\.csv\.json beside it")
    shutil.copy(exported.with_name("parquet") / "orders.parquet", exported)
    _refused(exported, target, r"has orders\.csv and orders\.parquet: take one of them away")
    with pytest.raises(InvalidValue, match="on_conflict is refuse or skip"):
        import_trades(exported, target, on_conflict="overwrite")  # type: ignore[arg-type]
    with pytest.raises(DatabaseUnreachable, match=r"There is no database"):
        import_trades(exported.with_name("all.jsonl"), f"sqlite:///{tmp_path / 'no.sqlite'}")


def test_a_stream_is_read(exported: Path, target: str) -> None:
    report = import_trades(io.BytesIO(exported.with_name("all.jsonl").read_bytes()), target)
    assert (report.source, report.added) == (None, 5)


def test_single_files(exported: Path, target: str, new_file: NewUrl) -> None:
    """Trades without their orders; and orders to trades that are there."""
    told: list[ImportProgress] = []
    import_trades(exported / "trades.csv", target, progress=told.append, batch_size=1)
    assert [(step.table, step.rows, step.total) for step in told] == [("trades", 1, 2), ("trades", 2, 2)]
    assert import_trades(exported / "orders.csv", target).added == 2
    _refused(exported / "orders.csv", _new_store(new_file()), r"no such row is in trades")


def test_limits_of_open_trades_hold(exported: Path, target: str) -> None:
    database = init_db(target)
    try:
        store(trade(pair="X/Y"))
        Trade.session.remove()
        database.set_limits(1)
        with pytest.raises(TradeLimitReached, match=r"2 trades would be open"):
            import_trades(exported, database, new_ids=True)
        assert Trade.get_trades().one().pair == "X/Y"
        Trade.session.remove()
        Trade.session.add(trade())
        with pytest.raises(DependencyException, match=r"call Trade\.commit\(\) or Trade\.rollback\(\) first"):
            import_trades(exported, database, new_ids=True)
    finally:
        Trade.session.remove()
        database.close()


@pytest.mark.needs("persistent", "first_driver")
def test_cut_short_it_leaves_nothing(source_url: str, store_url: str, tmp_path: Path) -> None:
    """Ctrl-C in the middle."""
    _new_store(store_url)
    exported = _export(source_url, tmp_path, "jsonl")
    before = contents(store_url)

    def stop(step: ImportProgress) -> None:
        if step.rows > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_trades(exported, store_url, progress=stop, batch_size=4)
    assert contents(store_url) == before


@pytest.mark.needs("persistent", "first_driver")
def test_killed_again_and_again(source_url: str, store_url: str, tmp_path: Path, note_kills) -> None:
    """SIGKILL before every statement that writes, and before the commit: there is nothing, and at last all."""
    _new_store(store_url)
    exported = _export(source_url, tmp_path, "csv")
    command = [sys.executable, "-W", "error", "-m", "tests.operations.killing_imports", str(exported), store_url]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["kills"] >= 10
    assert told["rows"] == [0] * told["kills"]
    note_kills("import into it", told["kills"])
    assert contents(store_url) == contents(source_url)
