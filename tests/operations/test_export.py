"""Trades in files, read there by other programs than the one that wrote them."""

import csv
import io
import json
import math
import shutil
import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import polars as pl
import pyarrow.parquet
import pytest

from tests.builders import CLOSED, OPENED, closed_trade, store, trade_with_entry
from tests.cli.bad_databases import as_nobody
from tests.operations.exports import FORMULAS, TEXTS, add_odd_trades
from tests.operations.furniture import tell
from tradestore import PairLock, Store, Trade
from tradestore._exported_columns import EXPORTED_TABLES
from tradestore.exceptions import DatabaseUnreachable, ExportError, InvalidValue, MigrationError
from tradestore.operations.export import ExportProgress, export_trades
from tradestore.testing import opened_store

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with one closed trade, whose values can be read in the head; to be copied."""
    file = tmp_path_factory.mktemp("prepared") / "one.sqlite"
    with opened_store(f"sqlite:///{file}"):
        store(
            closed_trade(
                profit=-1.5, ratio=0.1 + 0.2, open_date=MOMENT, exit_reason="=1+1", enter_tag="", strategy=None, id=7
            )
        )
        Trade.session.remove()
    return file


@pytest.fixture
def one_trade(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a file with one closed trade."""
    return f"sqlite:///{shutil.copy(prepared, tmp_path_factory.mktemp('one') / 'one.sqlite')}"


def _csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_as_pythons_own_module_reads_it(one_trade: str, tmp_path: Path) -> None:
    report = export_trades(one_trade, tmp_path / "all")
    (row,) = _csv_rows((tmp_path / "all" / "trades.csv").read_bytes().decode())
    assert list(row) == list(EXPORTED_TABLES["trades"].names)
    assert (row["id"], row["pair"], row["is_open"], row["close_profit_abs"]) == ("7", "ADA/USDT", "false", "-1.5")
    assert row["close_profit"] == "0.30000000000000004"
    assert row["open_date"] == "2026-03-01T12:00:00.000001Z"
    assert (row["exit_reason"], row["enter_tag"], row["strategy"]) == ("'=1+1", "'", "")
    (entry,) = _csv_rows((tmp_path / "all" / "orders.csv").read_bytes().decode())
    assert (entry["ft_trade_id"], entry["filled"], entry["ft_is_open"]) == ("7", "10.0", "false")
    assert report.rows == 2
    assert {file.name for file in (tmp_path / "all").iterdir()} == {
        f"{name}.csv{end}" for name in EXPORTED_TABLES for end in ("", ".json")
    }


def test_csv_tells_beside_it_what_it_is(one_trade: str, tmp_path: Path) -> None:
    export_trades(one_trade, tmp_path / "mine.csv", what="orders")
    told = json.loads((tmp_path / "mine.csv.json").read_text(encoding="utf-8"))
    assert told["tradestore_export"] == 1
    assert list(told["tables"]) == ["orders"]
    assert told["tables"]["orders"]["rows"] == 1
    assert told["tables"]["orders"]["columns"][3] == {"name": "ft_pair", "type": "text", "unit": "pair"}


def test_json_lines_have_an_object_for_each_trade(one_trade: str, tmp_path: Path) -> None:
    export_trades(one_trade, tmp_path / "all.jsonl")
    head, row = [json.loads(line) for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert head["tradestore_export"] == 1
    assert head["tables"]["trades"]["rows"] == head["tables"]["orders"]["rows"] == 1
    assert row["table"] == "trades"
    assert (row["id"], row["is_open"], row["close_profit_abs"], row["close_profit"]) == (7, False, -1.5, 0.1 + 0.2)
    assert (row["exit_reason"], row["enter_tag"], row["strategy"]) == ("=1+1", "", None)
    assert row["open_date"] == "2026-03-01T12:00:00.000001Z"
    assert [(each["ft_trade_id"], each["filled"]) for each in row["orders"]] == [(7, 10.0)]
    assert row["custom_data"] == []


def test_parquet_as_others_read_it(one_trade: str, tmp_path: Path) -> None:
    """The types of pyarrow, and what pandas and polars make of them."""
    export_trades(one_trade, tmp_path / "trades.parquet", what="trades")
    schema = pyarrow.parquet.read_schema(tmp_path / "trades.parquet")
    assert json.loads(schema.metadata[b"tradestore_export"])["tradestore_export"] == 1
    assert [str(schema.field(name).type) for name in ("id", "pair", "is_open", "open_rate", "open_date")] == [
        "int64",
        "string",
        "bool",
        "double",
        "timestamp[us, tz=UTC]",
    ]
    (row,) = pl.read_parquet(tmp_path / "trades.parquet").to_dicts()
    assert (row["id"], row["close_profit"], row["open_date"]) == (7, 0.1 + 0.2, MOMENT)
    assert (row["exit_reason"], row["enter_tag"], row["strategy"]) == ("=1+1", "", None)
    frame = pd.read_parquet(tmp_path / "trades.parquet")
    assert frame.open_date[0] == pd.Timestamp(MOMENT)
    assert frame.close_profit_abs[0] == -1.5


def test_no_cell_begins_like_a_formula(new_file, tmp_path: Path) -> None:
    """Numbers may; a text never does, whatever a strategy or an exchange has put there."""
    url = new_file()
    count = add_odd_trades(url)
    export_trades(url, tmp_path / "all")
    rows = _csv_rows((tmp_path / "all" / "trades.csv").read_bytes().decode())
    assert len(rows) == count
    texts = [column.name for column in EXPORTED_TABLES["trades"].columns if column.type == "text"]
    cells = [row[name] for row in rows for name in texts]
    assert not [cell for cell in cells if cell.strip()[:1] in {*"=+-@\uff1d\uff0b\uff0d\uff20"}]
    assert not [cell for cell in cells if cell[:1] in {"\t", "\r", "\n"}]
    assert {f"'{text}" for text in FORMULAS} <= set(cells)
    assert "-1.5" in {row["stop_loss"] for row in rows}
    assert [row["exit_reason"].removeprefix("'") for row in rows] == list(TEXTS)


def test_numbers_that_are_not_finite(one_trade: str, tmp_path: Path) -> None:
    tell(one_trade, "UPDATE trades SET stop_loss = 9e999, max_rate = -9e999")
    for target in ("trades.csv", "trades.jsonl", "trades.parquet"):
        export_trades(one_trade, tmp_path / target, what="trades")
    (row,) = _csv_rows((tmp_path / "trades.csv").read_text(encoding="utf-8"))
    assert (row["stop_loss"], row["max_rate"]) == ("inf", "-inf")
    found = json.loads((tmp_path / "trades.jsonl").read_bytes().splitlines()[1])
    assert (found["stop_loss"], found["max_rate"]) == ("inf", "-inf")
    assert pl.read_parquet(tmp_path / "trades.parquet")["stop_loss"].to_list() == [math.inf]


@pytest.fixture
def filtered(database: Store) -> Store:
    """Return a store with a closed and an open trade, each with an entry, and a lock."""
    day = timedelta(days=1)
    store(
        closed_trade(profit=1.0, ratio=0.1, id=1),
        trade_with_entry(id=2, pair="BTC/USDT", open_date=OPENED + day),
        PairLock(pair="ADA/USDT", lock_time=OPENED, lock_end_time=CLOSED),
    )
    first = Trade.session.get(Trade, 1)
    assert first is not None
    first.set_custom_data("key", 1)
    Trade.session.remove()
    return database


@pytest.mark.needs("first_driver")
@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ({"pair": "BTC/USDT"}, [2]),
        ({"is_open": False}, [1]),
        ({"is_open": True}, [2]),
        ({"since": OPENED + timedelta(days=1)}, [2]),
        ({"until": OPENED + timedelta(days=1)}, [1]),
        ({"since": OPENED, "until": OPENED}, []),
        ({"trade_filter": Trade.close_profit > 0.05}, [1]),
    ],
    ids=["pair", "closed", "open", "since", "until", "empty stretch", "filter"],
)
def test_filters_choose_trades_with_what_belongs_to_them(filtered: Store, tmp_path: Path, chosen, ids) -> None:
    """Orders and custom data go with their trades, and the rest stays behind."""
    report = export_trades(filtered, tmp_path / "some.jsonl", **chosen)
    _, *rows = [json.loads(line) for line in (tmp_path / "some.jsonl").read_bytes().splitlines()]
    assert [row["id"] for row in rows] == ids
    assert [[each["ft_trade_id"] for each in row["orders"]] for row in rows] == [[each] for each in ids]
    assert [len(row["custom_data"]) for row in rows] == [1 if each == 1 else 0 for each in ids]
    assert {each.table: each.rows for each in report.tables} == {
        "trades": len(ids),
        "orders": len(ids),
        "custom_data": ids.count(1),
    }
    export_trades(filtered, tmp_path / "some", **chosen)
    assert [int(row["ft_trade_id"]) for row in _csv_rows((tmp_path / "some" / "orders.csv").read_text())] == ids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"what": "nonsense"}, r"nothing called nonsense.*choose from all, trades, orders"),
        ({"what": []}, r"nothing called nothing"),
        ({"what": "locks", "pair": "ADA/USDT"}, r"locks cannot be chosen by the pair"),
        ({"file_format": "xlsx"}, r"no format 'xlsx': choose csv, jsonl or parquet"),
        ({"file_format": "parquet"}, r"x\.csv would be taken for csv, not for parquet"),
        ({}, r"12 tables do not fit into one csv file.*give the name of a folder"),
        ({"batch_size": 0, "what": "trades"}, r"batch_size"),
    ],
)
def test_refused_questions_leave_nothing(one_trade: str, tmp_path: Path, arguments, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        export_trades(one_trade, tmp_path / "x.csv", **arguments)
    assert not list(tmp_path.glob("x*"))


def test_a_stream_gets_json_lines_or_one_table(one_trade: str) -> None:
    stream = io.BytesIO()
    report = export_trades(one_trade, stream)
    assert stream.getvalue().startswith(b'{"tradestore_export": 1')
    assert report.target is None
    stream = io.BytesIO()
    export_trades(one_trade, stream, what="orders", file_format="csv")
    assert len(_csv_rows(stream.getvalue().decode())) == 1
    with pytest.raises(InvalidValue, match=r"cannot be written to a stream"):
        export_trades(one_trade, stream, what="orders", file_format="parquet")


@pytest.mark.parametrize("target", ["a.jsonl", "a.csv", "folder"])
def test_files_are_their_owners_only(one_trade: str, tmp_path: Path, target: str) -> None:
    export_trades(one_trade, tmp_path / target, what="all" if target != "a.csv" else "trades")
    files = [file for file in tmp_path.rglob("*") if file.name.startswith("a.") or file.parent.name == "folder"]
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    if target == "folder":
        assert stat.S_IMODE((tmp_path / target).stat().st_mode) == 0o700


@pytest.mark.parametrize("target", ["a.jsonl", "folder"])
def test_what_is_there_is_replaced_only_on_demand(one_trade: str, tmp_path: Path, target: str) -> None:
    export_trades(one_trade, tmp_path / target)
    before = sorted((file, file.stat().st_ino) for file in tmp_path.rglob("*"))
    with pytest.raises(ExportError, match=r"Nothing was written|give the name of a new file"):
        export_trades(one_trade, tmp_path / target)
    assert sorted((file, file.stat().st_ino) for file in tmp_path.rglob("*")) == before
    export_trades(one_trade, tmp_path / target, overwrite=True)
    assert [file for file, _ in before] == sorted(tmp_path.rglob("*"))


def test_a_folder_of_somebody_else_is_never_replaced(one_trade: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    for overwrite in (False, True):
        with pytest.raises(ExportError):
            export_trades(one_trade, tmp_path / "mine", overwrite=overwrite)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["diary.txt"]


def test_a_folder_that_is_not_there(one_trade: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"cannot be written \(No such file or directory\)"):
        export_trades(one_trade, tmp_path / "missing" / "a.jsonl")


@pytest.mark.parametrize("target", ["a.jsonl", "a.csv", "folder", "a.parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")], ids=str)
def test_cut_short_it_leaves_nothing(one_trade: str, tmp_path: Path, target: str, error) -> None:
    """Ctrl-C and a full disk in the middle; an earlier export stays as it was."""
    what = "trades" if "." in target and target != "a.jsonl" else "all"

    def stop(_step: ExportProgress) -> None:
        raise error

    nothing = sorted(tmp_path.iterdir())
    with pytest.raises((KeyboardInterrupt, ExportError)):
        export_trades(one_trade, tmp_path / target, what=what, progress=stop)
    assert sorted(tmp_path.iterdir()) == nothing
    export_trades(one_trade, tmp_path / target, what=what)
    before = sorted((file, file.stat().st_ino) for file in tmp_path.rglob("*"))
    with pytest.raises((KeyboardInterrupt, ExportError)):
        export_trades(one_trade, tmp_path / target, what=what, progress=stop, overwrite=True)
    assert sorted((file, file.stat().st_ino) for file in tmp_path.rglob("*")) == before


@pytest.mark.needs("persistent")
def test_it_is_one_moment(database: Store, store_url: str, tmp_path: Path) -> None:
    """What is written while the export runs is in none of its tables."""
    store(*(trade_with_entry() for _ in range(6)))
    Trade.session.remove()
    told: list[ExportProgress] = []

    def write(step: ExportProgress) -> None:
        if not told:
            tell(store_url, "DELETE FROM orders WHERE ft_trade_id > 3", "DELETE FROM trades WHERE id > 3")
        told.append(step)

    export_trades(database, tmp_path / "all", progress=write, batch_size=2)
    assert [len(_csv_rows((tmp_path / "all" / f"{name}.csv").read_text())) for name in ("trades", "orders")] == [6, 6]
    assert (told[0].table, told[0].rows, told[0].total) == ("trades", 2, 12)
    assert told[-1].rows == 12


def test_orders_without_a_trade_are_not_forgotten(one_trade: str, tmp_path: Path) -> None:
    """SQLite keeps them where nobody asked it not to."""
    tell(one_trade, "PRAGMA foreign_keys = OFF", "UPDATE orders SET ft_trade_id = 99")
    export_trades(one_trade, tmp_path / "all.jsonl")
    _, trade_row, order_row = [json.loads(line) for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert trade_row["orders"] == []
    assert (order_row["table"], order_row["ft_trade_id"]) == ("orders", 99)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "UPDATE trades SET stop_loss = 'abc'",
            r"trades\.stop_loss of the row with id 7 is 'abc', which is no float64",
        ),
        ("UPDATE trades SET open_date = 'soon'", r"trades\.open_date .* 'soon', which is no timestamp"),
        ("UPDATE trades SET strategy = X'FF'", r"trades\.strategy .*, which is no text"),
        ("UPDATE trades SET is_open = 7", r"trades\.is_open .* is 7, which is no bool"),
    ],
)
def test_values_that_are_not_their_columns_are_named(one_trade: str, tmp_path: Path, change: str, message: str) -> None:
    tell(one_trade, change)
    with pytest.raises(InvalidValue, match=message):
        export_trades(one_trade, tmp_path / "all.jsonl")
    assert not list(tmp_path.glob("all*"))


def test_a_file_that_may_only_be_read(prepared: Path) -> None:
    """By its mode and its folder's: nothing is left beside it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = Path(shutil.copy(prepared, folder / "one.sqlite"))
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        file.chmod(0o444)
        folder.chmod(0o555)
        stream = io.BytesIO()
        with as_nobody():
            report = export_trades(f"sqlite:///{file}", stream)
        assert [found.name for found in folder.iterdir()] == ["one.sqlite"]
        folder.chmod(0o700)
    assert (report.rows, len(stream.getvalue().splitlines())) == (2, 2)


@pytest.mark.parametrize("is_immutable", [False, True])
def test_a_write_ahead_log_that_cannot_be_made(prepared: Path, is_immutable: bool) -> None:
    """SQLite wants to write beside the file; the message says how to read it all the same."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = Path(shutil.copy(prepared, folder / "one.sqlite"))
        folder.chmod(0o555)
        file.chmod(0o444)
        with as_nobody():
            if is_immutable:
                assert export_trades(f"sqlite:///file:{file}?immutable=1&uri=true", io.BytesIO()).rows == 2
            else:
                with pytest.raises(DatabaseUnreachable, match=r"copy it .*sqlite:///file:.*one\.sqlite\?immutable=1"):
                    export_trades(f"sqlite:///{file}", io.BytesIO())
        assert [found.name for found in folder.iterdir()] == ["one.sqlite"]
        folder.chmod(0o700)


def test_an_old_database_is_not_touched(tmp_path: Path, new_file) -> None:
    url = new_file()
    tell(url, "CREATE TABLE trades (id INTEGER PRIMARY KEY)")
    with pytest.raises(MigrationError, match=r"tradestore upgrade"):
        export_trades(url, tmp_path / "all.jsonl")
    assert not list(tmp_path.glob("all*"))


def test_added_columns_stay_behind(one_trade: str, tmp_path: Path) -> None:
    """The columns of a version are those of the version."""
    tell(one_trade, "ALTER TABLE trades ADD COLUMN mood TEXT DEFAULT 'calm'")
    export_trades(one_trade, tmp_path / "trades.csv", what="trades")
    (row,) = _csv_rows((tmp_path / "trades.csv").read_text(encoding="utf-8"))
    assert list(row) == list(EXPORTED_TABLES["trades"].names)
