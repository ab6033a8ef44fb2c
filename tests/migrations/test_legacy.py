"""Old databases of every age, opened: each becomes what its expected file says, and nothing of it is lost."""

import json
import math
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, make_url
from sqlalchemy.exc import IntegrityError

from tests.builders import store, trade_with_entry
from tests.migrations.adopted import Adopted, listening, opened, shape_of
from tests.migrations.legacy import (
    CASES,
    FOLDER,
    RUNS,
    LegacyCase,
    Rows,
    case_named,
    contents,
    differences,
    is_kept,
    mirrored_rows,
    plain_connection,
    run_id,
    runs_of,
    same_rows,
)
from tests.migrations.mirrored_tables import FOREIGN_KEYS, INDEXES, TABLES, UNIQUE
from tradestore import KeyValueStore, ModelBase, PairLocks, Trade, WalletHistory, migrations

every_case = pytest.mark.parametrize(("backend", "case"), RUNS, ids=run_id, indirect=["backend"])
in_a_file = pytest.mark.parametrize(
    ("backend", "case"), [run for run in RUNS if run[0].in_process], ids=run_id, indirect=["backend"]
)

# Fields that were null in JSON where their column holds 0.
NULL_FOR_ZERO = {
    "amount_requested": "amount_requested",
    "max_stake_amount": "max_stake_amount",
    "realized_profit_ratio": "close_profit",
    "close_profit_pct": "close_profit",
    "profit_pct": "close_profit",
    "stop_loss_ratio": "stop_loss_pct",
    "stop_loss_pct": "stop_loss_pct",
    "initial_stop_loss_ratio": "initial_stop_loss_pct",
    "initial_stop_loss_pct": "initial_stop_loss_pct",
}

NEW_MOMENT = datetime(2026, 10, 1, 12, tzinfo=UTC)
BACKUP_LINE = re.compile(r"Running database migration for trades - backup: (\S+), (\S+)")
FINISHED_LINE = "Database migration finished."


def test_cases_are_those_of_the_manifest() -> None:
    """No dump is overlooked, and each expected file has as many rows as the list of them says."""
    listed = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert [case.dump.name for case in CASES] == [entry["sql"] for entry in listed]
    for case, entry in zip(CASES, listed, strict=True):
        counts = {name: len(rows) for name, rows in case.expected["tables"].items()}
        assert (case.number, counts) == (case.number, entry["rows"])


@every_case
def test_dump_is_loaded_completely(adopted: Adopted) -> None:
    """What was opened is what its file says was there."""
    named = adopted.case.expected["source"].get("rows", {})
    assert {name: len(adopted.before[name]) for name in named} == named


def test_differences_are_noticed() -> None:
    """A wrong number, kind, row or column is told; a number counts as equal only within the tolerance."""
    wanted = {"trades": [{"id": 1, "amount": 1.0, "is_open": True}]}

    def against(*rows: dict[str, Any], tolerance: float = 0.0) -> list[tuple[Any, ...]]:
        return differences(wanted, {"trades": list(rows)}, tolerance=tolerance)

    assert against({"id": 1, "amount": 1, "is_open": True}) == []
    assert against({"id": 1, "amount": 1 + 1e-15, "is_open": True}) == [("trades", 1, "amount", 1.0, 1 + 1e-15)]
    assert against({"id": 1, "amount": 1 + 1e-7, "is_open": True}, tolerance=1e-6) == []
    assert against({"id": 1, "amount": 1.1, "is_open": 1}, tolerance=1e-6) == [
        ("trades", 1, "amount", 1.0, 1.1),
        ("trades", 1, "is_open", True, 1),
    ]
    assert against({"id": 1, "amount": None}) == [("trades", 1, "is_open"), ("trades", 1, "amount", 1.0, None)]
    assert against({"id": 2, "amount": 1.0, "is_open": True}) == [("trades", 1), ("trades", 2)]


def test_loss_is_noticed() -> None:
    """Content counts as kept where one table has all of its rows and columns, and not where it is spread or cut."""
    rows: Rows = [{"id": 1, "note": "a"}, {"id": 2, "note": None}]
    assert is_kept("trades", rows, {"trades": [], "trades_bak0": [{**row, "more": 1} for row in rows]}, 0.0)
    assert not is_kept("trades", rows, {"trades": rows[:1], "trades_bak0": rows[1:]}, 0.0)
    assert not is_kept("trades", rows, {"trades": [{"id": 1}, {"id": 2}]}, 0.0)
    assert not is_kept("trades", rows, {"trades": [{"id": 1, "note": "b"}, rows[1]], "other": rows}, 0.0)


@every_case
def test_rows(adopted: Adopted) -> None:
    """Every row of the six tables is as expected, to the last digit where the old engine kept that."""
    found = mirrored_rows(adopted.after)
    assert differences(adopted.case.expected_rows, found, tolerance=adopted.tolerance) == []


@every_case
def test_schema(adopted: Adopted, adoptions, server_or_none) -> None:
    """The tables are those of a new database, by the names of keys and indexes, and by nullability."""
    assert shape_of(adopted.url) == shape_of(adoptions.fresh(adopted.backend, server_or_none))


@every_case
def test_stamp(adopted: Adopted) -> None:
    """It carries the newest revision, and alembic finds nothing to change in the tables of the models."""
    with opened(adopted.url) as database:
        assert migrations.current(database.engine) == migrations.HEAD
        assert migrations.check(database.engine, ModelBase.metadata) == []


@every_case
def test_names_of_the_mirrored_layer(adopted: Adopted) -> None:
    """Keys and indexes carry the names that the mirrored layer gives them, and lead to trades."""
    with plain_connection(adopted.url) as connection:
        inspector = inspect(connection)
        for table in TABLES:
            indexes = {index["name"]: index["column_names"] for index in inspector.get_indexes(table)}
            assert INDEXES[table].items() <= indexes.items()
            uniques = {key["name"]: key["column_names"] for key in inspector.get_unique_constraints(table)}
            assert UNIQUE.get(table, {}).items() <= uniques.items()
            keys = [
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in inspector.get_foreign_keys(table)
            ]
            assert keys == list(FOREIGN_KEYS.get(table, {}).values())


@every_case
def test_every_row_is_still_there(adopted: Adopted) -> None:
    """Trades by id, orders by pair and id; an order that belongs to no trade is in a backup table."""
    before, after = adopted.before, adopted.after
    assert {row["id"] for row in before["trades"]} <= {row["id"] for row in after["trades"]}
    names = {(row["ft_pair"], row["order_id"]) for row in after["orders"]}
    backups = [row for name, rows in after.items() if name.startswith("orders_bak") for row in rows]
    saved = {(row["ft_pair"], row["order_id"]) for row in backups}
    for row in before.get("orders", []):
        assert (row["ft_pair"], row["order_id"]) in (saved if row["ft_trade_id"] is None else names)


@every_case
def test_no_content_is_lost(adopted: Adopted) -> None:
    """Whatever a table held, columns that are gone included, it still holds, or a backup of it does."""
    lost = [name for name, rows in adopted.before.items() if not is_kept(name, rows, adopted.after, adopted.tolerance)]
    assert lost == []


@every_case
def test_old_backups_are_untouched(adopted: Adopted) -> None:
    """Tables that earlier upgrades left behind are as they were."""
    old = adopted.before.keys() - TABLES.keys()
    assert {name: adopted.after.get(name) for name in old} == {name: adopted.before[name] for name in old}


@every_case
def test_log(adopted: Adopted) -> None:
    """It tells where the backup of trades and orders is, in the words that bots look for, and when it is done."""
    found = [match.groups() for line in adopted.log if (match := BACKUP_LINE.fullmatch(line))]
    if "record_version" in _columns(adopted.before["trades"]) or not adopted.before["trades"]:
        assert len(found) <= 1
        return
    ((trades, orders),) = found
    assert trades not in adopted.before
    assert is_kept("trades", adopted.before["trades"], {trades: adopted.after[trades]}, adopted.tolerance)
    assert orders not in adopted.before
    if adopted.before.get("orders"):
        assert is_kept("orders", adopted.before["orders"], {orders: adopted.after[orders]}, adopted.tolerance)
    assert FINISHED_LINE in adopted.log
    assert adopted.log.index(FINISHED_LINE) > adopted.log.index(next(filter(BACKUP_LINE.fullmatch, adopted.log)))


def _columns(rows: Rows) -> set[str]:
    return set(rows[0]) if rows else set()


@in_a_file
def test_file(adopted: Adopted) -> None:
    """The file is sound, readers and a writer may share it, and no reference in it leads nowhere."""
    connection = sqlite3.connect(_path(adopted))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@in_a_file
def test_backup_file(adopted: Adopted) -> None:
    """Beside it lies a copy of what it was, tables and rows."""
    path = _path(adopted)
    own = {path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))}
    copies = [file for file in path.parent.iterdir() if file not in own and _is_database(file)]
    assert adopted.before in [contents(f"sqlite:///{copy}") for copy in copies]
    for copy in copies:
        connection = sqlite3.connect(copy)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def _path(adopted: Adopted) -> Path:
    return Path(str(make_url(adopted.url).database))


def _is_database(file: Path) -> bool:
    return file.read_bytes().startswith(b"SQLite format 3\0")


@every_case
def test_json(adopted: Adopted) -> None:
    """Each trade tells of itself what it told in the mirrored layer, but where that layer is wrong."""
    expected = adopted.case.expected
    with opened(adopted.url):
        found = {trade.id: trade.to_json() for trade in Trade.get_trades()}
    assert sorted(found) == sorted(entry["trade_id"] for entry in expected["trades_to_json"])
    for entry in expected["trades_to_json"]:
        mine = found[entry["trade_id"]]
        if "error" in entry:
            # It raised for a trade without an open value; that is no reason to show no trade at all.
            assert (mine["trade_id"], mine["open_trade_value"]) == (entry["trade_id"], None)
            continue
        wanted = _as_documented(entry, adopted.case)
        assert mine.keys() == wanted.keys()
        differ = [key for key in wanted if not _alike(wanted[key], mine[key], adopted.tolerance)]
        assert {key: mine[key] for key in differ} == {key: wanted[key] for key in differ}


def _as_documented(entry: dict[str, Any], case: LegacyCase) -> dict[str, Any]:
    """Return what the mirrored layer told of a trade with all that is documented to be different here.

    * Zero is 0, where that layer wrote null for it.
    * A percentage is rounded to two decimals; there, the stop loss's had the noise of a multiplication.
    * The better value of the expected file holds, here for ``max_stake_amount``.
    """
    (row,) = (row for row in case.expected_rows["trades"] if row["id"] == entry["trade_id"])
    wanted = {key: round(value, 2) if key.endswith("_pct") and value else value for key, value in entry.items()}
    wanted |= {key: 0.0 for key, name in NULL_FOR_ZERO.items() if entry[key] is None and row[name] == 0}
    if entry["max_stake_amount"] is not None:
        wanted["max_stake_amount"] = round(row["max_stake_amount"], 8)
    return wanted


def _alike(wanted: Any, found: Any, tolerance: float) -> bool:
    if isinstance(wanted, list):
        same_length = len(wanted) == len(found)
        return same_length and all(_alike(one, other, tolerance) for one, other in zip(wanted, found, strict=True))
    if isinstance(wanted, dict):
        return wanted.keys() == found.keys() and all(_alike(wanted[key], found[key], tolerance) for key in wanted)
    if isinstance(wanted, float) and tolerance and found is not None:
        # The JSON rounds to 8 decimals, so small numbers differ by as much.
        return math.isclose(wanted, found, rel_tol=tolerance, abs_tol=1e-8)
    return bool(wanted == found)


@every_case
def test_second_start_changes_nothing(adopted: Adopted) -> None:
    """Opening it again finds nothing to do, and says nothing of a migration."""
    before = contents(adopted.url)
    with listening() as log, opened(adopted.url):
        pass
    assert contents(adopted.url) == before
    assert [line for line in log if "migration" in line] == []


@every_case
def test_reading_and_saving_changes_nothing(adopted: Adopted) -> None:
    """Loading all trades with their orders, computing profits and committing leaves every row as it is."""
    before = contents(adopted.url)
    with opened(adopted.url):
        trades = Trade.get_trades().all()
        figures = [
            figure
            for trade in trades
            for rate in {trade.close_rate or trade.open_rate, trade.open_rate * 1.07}
            for figure in (trade.calc_profit(rate), trade.calc_profit_ratio(rate), len(trade.orders))
        ]
        Trade.commit()
    assert len(trades) == len(adopted.case.expected_rows["trades"])
    assert all(math.isfinite(figure) for figure in figures)
    assert contents(adopted.url) == before


@every_case
def test_profits_of_closed_trades(adopted: Adopted) -> None:
    """The stored profit of each closed trade is as expected, and so is their sum."""
    closed = [row for row in adopted.case.expected_rows["trades"] if not row["is_open"]]
    profits = [row["close_profit_abs"] for row in closed if row["close_profit_abs"] is not None]
    with opened(adopted.url):
        total = Trade.get_total_closed_profit()
        assert len(Trade.get_closed_trades()) == len(closed)
    # The sum is rounded to 8 decimals.
    assert math.isclose(total, math.fsum(profits), rel_tol=adopted.tolerance, abs_tol=1e-8)


# The tests below write; they stand last because all tests of a case share its database.


@every_case
def test_new_rows_get_new_ids(adopted: Adopted) -> None:
    """After it a trade with an order, its custom data, a lock, a value and a balance are stored under ids of their own.

    They go on where the old ones ended: a trade that was deleted long ago never shares its id with a new one, where
    the engine remembers it.
    """
    before = contents(adopted.url)
    with opened(adopted.url):
        trade = trade_with_entry(pair="NEWCOIN/USDT", open_date=NEW_MOMENT)
        store(trade)
        trade.set_custom_data("mood", ["calm"])
        PairLocks.lock_pair("NEWCOIN/USDT", NEW_MOMENT + timedelta(days=1), "rest", now=NEW_MOMENT)
        KeyValueStore.store_value("newest_key", 1.5)
        store(WalletHistory(timestamp=NEW_MOMENT, currency="NEWCOIN", quote_currency="USDT", balance=2.0))
    after = contents(adopted.url)
    next_ids = adopted.case.expected.get("next_ids", {})
    for table in TABLES:
        (fresh,) = {row["id"] for row in after[table]} - {row["id"] for row in before[table]}
        known = [row["id"] for row in before[table]]
        assert fresh > max([0, *known])
        if "sequence" in next_ids.get(table, {}):
            assert (table, fresh) == (table, next_ids[table]["next_id"])
        elif table in next_ids:
            assert fresh >= next_ids[table]["next_id"]
    (new_trade,) = (row for row in after["trades"] if row["pair"] == "NEWCOIN/USDT")
    (new_order,) = (row for row in after["orders"] if row["ft_pair"] == "NEWCOIN/USDT")
    (entry,) = (row for row in after["trade_custom_data"] if row["cd_key"] == "mood")
    assert new_order["ft_trade_id"] == entry["ft_trade_id"] == new_trade["id"]
    for name, rows in before.items():
        assert same_rows(rows, [row for row in after[name] if row in rows], list(rows[0]) if rows else [], 0.0)


@every_case
def test_references_are_enforced(adopted: Adopted) -> None:
    """Neither an order nor custom data of a trade that is not there is taken."""
    tables = ModelBase.metadata.tables
    order = {"ft_order_side": "buy", "ft_pair": "A/B", "order_id": "nobodys", "ft_is_open": False, "ft_amount": 1.0}
    entry = {"cd_key": "a", "cd_type": "str", "cd_value": "b", "created_at": NEW_MOMENT}
    with opened(adopted.url) as database:
        for table, values in ((tables["orders"], {**order, "ft_price": 1.0}), (tables["trade_custom_data"], entry)):
            with pytest.raises(IntegrityError, match=r"(?i)foreign key"), database.engine.begin() as connection:
                connection.execute(table.insert().values(ft_trade_id=987_654, **values))


@pytest.mark.parametrize(("backend", "case"), runs_of("106", "107"), ids=run_id, indirect=["backend"])
def test_null_is_repaired_where_it_no_longer_may_be(adopted: Adopted) -> None:
    """A missing rate or amount becomes the one that was asked for; the order without a trade stays in a backup."""
    old = {row["id"]: row for row in adopted.before["trades"] or adopted.before["trades_bak0"]}
    new = {row["id"]: row for row in adopted.after["trades"]}
    repaired = [(number, name) for number, row in old.items() for name in ("open_rate", "amount") if row[name] is None]
    assert repaired
    for number, name in repaired:
        assert new[number][name] == (old[number][f"{name}_requested"] or 0.0)


@pytest.mark.parametrize(("backend", "case"), runs_of("208"), ids=run_id, indirect=["backend"])
def test_hidden_trades_come_back_as_their_own_upgrade_would_have_left_them(adopted: Adopted) -> None:
    """A database whose upgrade failed half-way becomes what the one before that failure becomes."""
    untouched = case_named("205").expected_rows
    assert differences({"trades": untouched["trades"]}, mirrored_rows(adopted.after)) == []
