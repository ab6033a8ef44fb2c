"""What must be true of a wreck after it was opened: every row is back, once, and a bot can go on with it."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import store, trade_with_entry
from tests.migrations.adopted import opened
from tests.migrations.legacy import LegacyCase, Row, Rows, contents, differences, mirrored_rows, single_precision
from tests.migrations.mirrored_layer import KEY_VALUES
from tests.migrations.mirrored_tables import TABLES
from tests.migrations.wrecks import NEWS, Bot, hidden, snapshot, strange_engine
from tradestore import KeyValueStore, ModelBase, PairLocks, Trade, migrations

__all__ = ["open_and_listen", "see_backups_kept", "see_it_goes_on", "see_it_whole", "see_rescue"]

# What a row is known by, whatever its id became.
_IDENTITY = {
    "trades": ("pair", "open_date"),
    "orders": ("ft_pair", "order_id"),
    "trade_custom_data": ("cd_key",),
    "pairlocks": ("reason",),
}


def see_rescue(url: str, case: LegacyCase, caplog: pytest.LogCaptureFixture, bot: Bot | None = None) -> None:
    """Open a wreck, and check all that is promised.

    Args:
        url: Of the wreck.
        case: The old database that it was before.
        caplog: Hears what is logged.
        bot: What has traded on the wreck.
    """
    engine = strange_engine(url)
    unseen, before = hidden(engine), contents(url)
    warnings = open_and_listen(url, caplog)
    assert [name for name in unseen if not any(name in warning for warning in warnings)] == [], warnings
    assert migrations.current(engine) == migrations.HEAD
    assert migrations.check(engine, ModelBase.metadata) == []
    see_it_whole(url, case.expected_rows, bot)
    see_backups_kept(url, before)
    after = snapshot(engine)
    assert open_and_listen(url, caplog) == []
    assert snapshot(engine) == after
    see_it_goes_on(url)


def open_and_listen(url: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Open a database and close it, and return what the library has warned of."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="tradestore"), opened(url):
        pass
    # The servers here do not wait for the disk, and are warned of: that is about them, not about the tables.
    told = [record for record in caplog.records if record.name != "tradestore._durability"]
    return [record.getMessage() for record in told if record.name.partition(".")[0] == "tradestore"]


def see_it_whole(url: str, old: Mapping[str, Rows], bot: Bot | None = None) -> None:
    """Check that the current tables hold the old rows with their ids, those of a bot with new ones, and no more."""
    found, told = mirrored_rows(contents(url)), dict(old)
    if bot is not None:
        _see_key_values(found.pop(KEY_VALUES), told.pop(KEY_VALUES))
        _see_new_rows({name: _taken_out(found[name], name, bot) for name in _IDENTITY}, old["trades"], bot)
    assert differences(told, found, tolerance=single_precision(url)) == []


def _taken_out(rows: Rows, table: str, bot: Bot) -> Rows:
    """Take the rows that a bot has written out of a table, and return them."""
    known = {_identity(row, table) for row in bot.stored.get(table, [])}
    new = [row for row in rows if _identity(row, table) in known]
    rows[:] = [row for row in rows if row not in new]
    return new


def _identity(row: Row, table: str) -> tuple[object, ...]:
    return tuple(row[name] for name in _IDENTITY[table])


def _see_new_rows(new: dict[str, Rows], old_trades: Rows, bot: Bot) -> None:
    """Check that all that a bot has written is there once, and that trades with new ids took what is theirs along."""
    now = {_identity(row, "trades"): row["id"] for row in new["trades"]}
    renumbered = {row["id"]: now.get(_identity(row, "trades")) for row in bot.stored.get("trades", [])}
    assert [number for number in now.values() if number <= max(row["id"] for row in old_trades)] == []
    for table, rows in new.items():
        told = [dict(row) for row in bot.stored.get(table, [])]
        for row in told:
            if "ft_trade_id" in row:
                row["ft_trade_id"] = renumbered[row["ft_trade_id"]]
        assert _without_ids(rows, table) == _without_ids(told, table)


def _without_ids(rows: Rows, table: str) -> Rows:
    return sorted(_values(rows), key=lambda row: repr(_identity(row, table)))


def _see_key_values(found: Rows, old: Rows) -> None:
    """Check that each key stands there once: the current row wins, but what was first started stays first."""
    news = NEWS.isoformat(timespec="microseconds")
    told = {"bot_start_time": news} | {row["key"]: row["datetime_value"] for row in old} | {"startup_time": news}
    assert sorted((row["key"], str(row["datetime_value"])) for row in found) == sorted(
        (key, str(moment)) for key, moment in told.items()
    )
    others = [row for row in old if row["key"] not in {"startup_time", "bot_start_time"}]
    assert [row for row in _values(others) if row not in _values(found)] == []


def _values(rows: Rows) -> Rows:
    return [{name: value for name, value in row.items() if name != "id"} for row in rows]


def see_backups_kept(url: str, before: Mapping[str, Rows]) -> None:
    """Check that each backup table of the mirrored layer, and each table of the user, still holds its rows."""
    after = contents(url)
    assert [name for name, rows in before.items() if name not in TABLES and after.get(name) != rows] == []


def see_it_goes_on(url: str) -> None:
    """Check that a bot can store something new, which gets an id above all others."""
    before = {name: max((row["id"] for row in contents(url)[name]), default=0) for name in TABLES}
    with opened(url):
        record = trade_with_entry(pair="MORE/BTC")
        store(record)
        record.set_custom_data("mood", "calm")
        PairLocks.lock_pair("MORE/BTC", datetime.now(UTC) + timedelta(days=1))
        KeyValueStore.store_value("mood", "calm")
        Trade.commit()
        number = record.id
    after = contents(url)
    new = {name: [row["id"] for row in after[name] if row["id"] > before[name]] for name in TABLES}
    assert {name: len(ids) for name, ids in new.items()} == dict.fromkeys(TABLES, 1) | {"wallet_history": 0}
    assert [row["ft_trade_id"] for row in after["orders"] if row["ft_pair"] == "MORE/BTC"] == [number]
