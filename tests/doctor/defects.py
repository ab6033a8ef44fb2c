"""One defect for each code of the doctor: planted into rows of its own, so that all can be in one store."""

import os
import sqlite3
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from tests.doctor.planting import CLOSED, OPENED, Bed, facts_of
from tradestore import PairLock, WalletHistory
from tradestore._intent_model import OrderIntent
from tradestore.custom_data import _CustomData
from tradestore.key_value_store import KeyValueStoreModel as KeyValueStoreRow

__all__ = ["DEFECTS", "Defect"]

Ids = Sequence[Any]
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Defect:
    """A defect that can be planted.

    Attributes:
        code: By which it must be found.
        plant: Plants it, and returns the primary keys that must be named.
        engines: On which it can be.
        also: Codes that are found with it of necessity, and why.
        is_alone: Whether it has to be planted into a store of its own: it changes what all other checks read.
    """

    code: str
    plant: Callable[[Bed], Ids]
    engines: tuple[str, ...] = ("sqlite", "postgresql", "mysql")
    also: tuple[tuple[str, str], ...] = ()
    is_alone: bool = False


DEFECTS: Final[list[Defect]] = []


def defect(
    code: str, *engines: str, also: tuple[tuple[str, str], ...] = (), is_alone: bool = False
) -> Callable[[Callable[[Bed], Ids]], Callable[[Bed], Ids]]:
    """Enter a plant into the table."""

    def enter(plant: Callable[[Bed], Ids]) -> Callable[[Bed], Ids]:
        DEFECTS.append(Defect(code, plant, engines or ("sqlite", "postgresql", "mysql"), also, is_alone))
        return plant

    return enter


def _changed(code: str, make: Callable[[Bed], int], **values: Any) -> None:
    def plant(bed: Bed) -> Ids:
        row = make(bed)
        bed.change("trades", row, **values)
        return [row]

    defect(code)(plant)


_changed("T01", Bed.add_open, amount=16.0)
_changed("T02", Bed.add_open, stake_amount=300.0)
_changed("T03", Bed.add_open, open_rate=20.0)
_changed("T04", Bed.add_open, realized_profit=9.0)
_changed("T05", Bed.add_open, max_stake_amount=381.0)
_changed("T06", Bed.add_futures, funding_fees=0.5)
_changed("T07", Bed.add_open, open_trade_value=300.0)
_changed("T08", Bed.add_open, fee_open_cost=1.0)
_changed("T09", Bed.add_closed, close_profit=0.5)
_changed("T10", Bed.add_closed, close_profit_abs=20.0)
_changed("T11", Bed.add_closed, is_open=True, close_date=None)
_changed("T15", Bed.add_open, close_date=CLOSED.replace(tzinfo=None))
_changed("T16", Bed.add_closed, close_rate=None)
_changed("T20", Bed.add_open, stop_loss=30.0)
_changed("T21", Bed.add_open, liquidation_price=25.0)
_changed("T22", Bed.add_closed, min_rate=30.0, max_rate=10.0)
_changed("T23", Bed.add_closed, base_currency="XYZ")
_changed("N03", Bed.add_closed, exchange="")
_changed("N05", Bed.add_closed, stop_loss_pct=0.5)
_changed("N06", Bed.add_closed, close_date=(OPENED - timedelta(hours=20, minutes=30)).replace(tzinfo=None))
_changed("N10", Bed.add_closed, open_date=(OPENED + timedelta(hours=2)).replace(tzinfo=None))


@defect("T12")
def held(bed: Bed) -> Ids:
    """Half of what the exit order was for was filled."""
    row = bed.add_closed()
    bed.change("orders", bed.order_of(row, -1), filled=5.0)
    return [row]


@defect("T13")
def never_left(bed: Bed) -> Ids:
    """Nothing of the exit order was filled."""
    row = bed.add_closed()
    bed.change("orders", bed.order_of(row, -1), filled=0.0, status="canceled")
    return [row]


@defect("T14")
def bare(bed: Bed) -> Ids:
    """An open trade that nobody ordered."""
    return [bed.add_bare()]


@defect("T17")
def twice(bed: Bed) -> Ids:
    """Two in one pair."""
    first, second = bed.add_computed(), bed.add_computed()
    with bed.raw() as connection:
        pair = connection.scalar(text("SELECT pair FROM trades WHERE id = :id"), {"id": first})
    bed.change("trades", second, pair=pair, base_currency=pair.partition("/")[0])
    bed.run("UPDATE orders SET ft_pair = :pair, symbol = :pair WHERE ft_trade_id = :id", pair=pair, id=second)
    return [second]


@defect("T18")
def half_leverage(bed: Bed) -> Ids:
    """Half of nothing borrowed."""
    return [bed.add_computed(leverage=0.5)]


@defect("T19")
def spot_short(bed: Bed) -> Ids:
    """Sold first, on spot."""
    return [bed.add_computed(is_short=True, trading_mode="spot")]


@defect("T24")
def bare_and_closed(bed: Bed) -> Ids:
    """As it was stored before orders were kept."""
    return [bed.add_bare(is_open=False, close_date=CLOSED, close_rate=22.0)]


@defect("O01")
def orphan(bed: Bed) -> Ids:
    """The trade was deleted by hand."""
    row = bed.add_order(bed.add_closed())
    bed.misdirect("orders", row)
    return [row]


@defect("O02")
def other_pair(bed: Bed) -> Ids:
    """The pair was renamed in one table only."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, ft_pair="OTHER/USDT", symbol="OTHER/USDT")
    return [row]


@defect("O03")
def waiting(bed: Bed) -> Ids:
    """Nobody canceled it when the trade was closed."""
    return [bed.add_order(bed.add_closed(), ft_is_open=True, status="open")]


@defect("O04")
def overfilled(bed: Bed) -> Ids:
    """Ten were filled of nine."""
    row = bed.order_of(bed.add_closed())
    bed.change("orders", row, amount=9.0)
    return [row]


@defect("O05")
def doubled_order(bed: Bed) -> Ids:
    """Stored under the pair's name with and without the settling currency."""
    rows = [bed.order_of(bed.add_closed()), bed.order_of(bed.add_futures())]
    for row in rows:
        bed.change("orders", row, order_id="twice", symbol="TWICE/USDT")
    return rows


@defect("O06")
def nameless(bed: Bed) -> Ids:
    """The exchange's id was never noted."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, order_id="placeholder:abc")
    return [row]


@defect("O07")
def done(bed: Bed) -> Ids:
    """Canceled at the exchange."""
    return [bed.add_order(bed.add_open(), ft_is_open=True)]


@defect("O08")
def sideless(bed: Bed) -> Ids:
    """Neither entry nor exit."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, ft_order_side="hold")
    return [row]


@defect("O09")
def oversold(bed: Bed) -> Ids:
    """Twice as much left as was entered."""
    row = bed.add_closed()
    bed.change("orders", bed.order_of(row, -1), filled=20.0, amount=20.0)
    return [row]


def _lock(bed: Bed, **fields: Any) -> int:
    plain = {"pair": "LOCK/USDT", "lock_time": OPENED, "lock_end_time": NOW + timedelta(days=1), "reason": "test"}
    return bed.add(PairLock(**plain | fields))


@defect("L01")
def doubled_lock(bed: Bed) -> Ids:
    """Twice the same."""
    _lock(bed, pair="L01/USDT")
    return [_lock(bed, pair="L01/USDT")]


@defect("L02")
def backward_lock(bed: Bed) -> Ids:
    """Begins after its end."""
    end = NOW - timedelta(days=2)
    return [_lock(bed, pair="L02/USDT", lock_time=end + timedelta(hours=1), lock_end_time=end)]


@defect("L03")
def old_lock(bed: Bed) -> Ids:
    """Over for months."""
    return [_lock(bed, pair="L03/USDT", lock_end_time=OPENED + timedelta(hours=1))]


@defect("L04")
def odd_lock(bed: Bed) -> Ids:
    """For no side that there is."""
    return [_lock(bed, pair="L04/USDT", side="both")]


def _data(**fields: Any) -> _CustomData:
    return _CustomData(**{"cd_key": "level", "cd_type": "int", "cd_value": "1", "created_at": OPENED} | fields)


@defect("L05")
def unfit_data(bed: Bed) -> Ids:
    """A text where a number is noted."""
    return [bed.add(_data(pair="L05/USDT", cd_value="seven"))]


@defect("L06")
def orphan_data(bed: Bed) -> Ids:
    """Of a trade that was deleted by hand."""
    row = bed.add(_data(ft_trade_id=bed.add_closed()))
    bed.misdirect("trade_custom_data", row)
    return [row]


@defect("L07")
def case_keys(bed: Bed) -> Ids:
    """Written by two programs."""
    owner = bed.add_closed()
    bed.add(_data(ft_trade_id=owner))
    return [bed.add(_data(ft_trade_id=owner, cd_key="LEVEL"))]


@defect("L08", also=(("S02", "the index that keeps keys apart has to go"),), is_alone=True)
def doubled_key(bed: Bed) -> Ids:
    """The unique index was lost."""
    quote = "`" if bed.engine == "mysql" else '"'
    on = f" ON {quote}KeyValueStore{quote}" if bed.engine == "mysql" else ""
    bed.run(f"DROP INDEX {quote}ix_KeyValueStore_key{quote}{on}")
    model = KeyValueStoreRow
    bed.add(model(key="start", value_type="int", int_value=1))
    return [bed.add(model(key="start", value_type="int", int_value=2))]


@defect("L09")
def unfit_value(bed: Bed) -> Ids:
    """The value is in the column of another type."""
    return [bed.add(KeyValueStoreRow(key="odd", value_type="int", float_value=1.0))]


@defect("L10", is_alone=True)
def beyond_limit(bed: Bed) -> Ids:
    """Another program opened a trade past the limit."""
    bed.add_computed()
    moment = OPENED.replace(tzinfo=None)
    bed.run("INSERT INTO trade_limits VALUES (1, 0, :is_one, :moment)", is_one=False, moment=moment)
    return []


def _intent(**fields: Any) -> OrderIntent:
    plain = {"state": "open", "pair": "INT/USDT", "side": "buy", "amount": 1.0, "price": 2.0, "created_at": OPENED}
    return OrderIntent(**plain | fields)


@defect("L11")
def unresolved(bed: Bed) -> Ids:
    """The bot died while it sent the order."""
    return [bed.add(_intent(client_order_id="L11"))]


@defect("L12")
def lost_order(bed: Bed) -> Ids:
    """The order was deleted by hand."""
    owner = bed.add_closed()
    return [bed.add(_intent(client_order_id="L12", state="placed", ft_trade_id=owner, order_id="gone"))]


@defect("L13")
def odd_intent(bed: Bed) -> Ids:
    """In a state that nobody knows."""
    return [bed.add(_intent(client_order_id="L13", state="lost"))]


@defect("L14")
def old_marks(bed: Bed) -> Ids:
    """A hundred and one that nobody removed."""
    with bed.raw() as connection:
        rows = [{"token": f"mark {number}", "moment": OPENED.replace(tzinfo=None)} for number in range(101)]
        connection.execute(text("INSERT INTO commit_tokens VALUES (:token, :moment)"), rows)
    return []


def _balance(bed: Bed, currency: str, **fields: Any) -> int:
    plain = {"timestamp": OPENED, "currency": currency, "quote_currency": "USDT", "balance": 5.0}
    return bed.add(WalletHistory(**plain | fields))


@defect("N01", "sqlite", "postgresql")
def infinite(bed: Bed) -> Ids:
    """Divided by nothing."""
    row = _balance(bed, "N01")
    bed.change("wallet_history", row, rate=float("inf"))
    return [row]


@defect("N02")
def negative(bed: Bed) -> Ids:
    """A stop below nothing."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, stop_price=-1.0)
    return [row]


@defect("N04")
def dear(bed: Bed) -> Ids:
    """A percentage where a ratio was meant."""
    return [bed.add_computed(fee_open=0.2, fee_close=0.1)]


@defect("N07")
def early(bed: Bed) -> Ids:
    """Filled half an hour before it was placed."""
    row = bed.order_of(bed.add_open())
    bed.change("orders", row, order_filled_date=(OPENED - timedelta(minutes=30)).replace(tzinfo=None))
    return [row]


@defect("N08")
def future(bed: Bed) -> Ids:
    """Tomorrow's balance."""
    return [_balance(bed, "N08", timestamp=NOW + timedelta(days=1))]


@defect("N09")
def ancient(bed: Bed) -> Ids:
    """Seconds taken for milliseconds."""
    return [_balance(bed, "N09", timestamp=datetime(1970, 1, 21, tzinfo=UTC))]


def in_four_bytes(number: float) -> float:
    """Return a number as it comes back from 4 bytes."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


@defect("N11")
def cut(bed: Bed) -> Ids:
    """Copied from a table whose columns have 4 bytes."""
    return [bed.add_computed(amount=in_four_bytes(10.1), open_rate=in_four_bytes(20.3))]


@defect("N12", "sqlite", "mysql")
def odd_mode(bed: Bed) -> Ids:
    """A mode of a later program; MariaDB makes an empty text of it."""
    row = bed.add_closed()
    bed.change("trades", row, trading_mode="OPTIONS")
    return [row]


@defect("N13", "sqlite")
def text_for_number(bed: Bed) -> Ids:
    """Typed in by hand."""
    row = _balance(bed, "N13")
    bed.change("wallet_history", row, total_quote="about 7")
    return [row]


@defect("N14", "sqlite")
def long_text(bed: Bed) -> Ids:
    """More than any other engine would take."""
    row = _lock(bed, pair="N14/USDT")
    bed.change("pairlocks", row, reason="x" * 300)
    return [row]


@defect("S01", is_alone=True)
def drifted(bed: Bed) -> Ids:
    """A column that may be empty, and should not be."""
    if bed.engine == "sqlite":
        was, becomes = "quote_currency VARCHAR(25) NOT NULL", "quote_currency VARCHAR(25)"

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE sqlite_master SET sql = replace(sql, ?, ?)", (was, becomes))

        bed.change_schema(change)
    elif bed.engine == "postgresql":
        bed.run("ALTER TABLE wallet_history ALTER quote_currency DROP NOT NULL")
    else:
        bed.run(
            "ALTER TABLE wallet_history MODIFY quote_currency VARCHAR(25) CHARACTER SET utf8mb4 "
            "COLLATE utf8mb4_nopad_bin NULL"
        )
    return []


@defect("S02")
def lost_index(bed: Bed) -> Ids:
    """Dropped by hand."""
    on = " ON wallet_history" if bed.engine == "mysql" else ""
    bed.run(f"DROP INDEX ix_wallet_history_timestamp{on}")
    return []


@defect("S03")
def doubled_index(bed: Bed) -> Ids:
    """Made by hand, for what there was one already."""
    bed.run("CREATE INDEX my_own ON pairlocks (lock_end_time)")
    return []


@defect("S04", "postgresql", "mysql")
def narrow_number(bed: Bed) -> Ids:
    """As an older layer made it."""
    how = "ALTER rate TYPE real" if bed.engine == "postgresql" else "MODIFY rate FLOAT"
    bed.run(f"ALTER TABLE wallet_history {how}")
    return []


@defect("S05", "postgresql", "mysql")
def narrow_moment(bed: Bed) -> Ids:
    """As an older layer made it."""
    how = "ALTER updated_at TYPE timestamp(0)" if bed.engine == "postgresql" else "MODIFY updated_at DATETIME"
    bed.run(f"ALTER TABLE trade_custom_data {how}")
    return []


@defect("S06", "postgresql")
def late_sequence(bed: Bed) -> Ids:
    """A row was copied with its id."""
    row = _lock(bed, pair="S06/USDT")
    bed.change("pairlocks", row, id=row + 5_000)
    return []


@defect("S08")
def leftover(bed: Bed) -> Ids:
    """An upgrade kept the old table."""
    bed.run("CREATE TABLE trades_bak0 (id INTEGER)")
    return []


@defect("S09")
def broken_reference(bed: Bed) -> Ids:
    """An intent of a trade that was deleted by hand."""
    row = bed.add(_intent(client_order_id="S09", state="void"))
    bed.misdirect("order_intents", row)
    return [row]


@defect("S10", is_alone=True)
def lost_table(bed: Bed) -> Ids:
    """Dropped by hand."""
    bed.run("DROP TABLE commit_tokens")
    return []


@defect("S11", "mysql")
def case_blind(bed: Bed) -> Ids:
    """As the server would make it by itself."""
    bed.run("ALTER TABLE pairlocks CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    return []


@defect("E01", "sqlite", is_alone=True)
def damaged(bed: Bed) -> Ids:
    """A page that belongs to nothing."""
    bed.run("CREATE TABLE scratch (id INTEGER)")
    bed.change_schema(lambda connection: connection.execute("DELETE FROM sqlite_master WHERE name = 'scratch'"))
    return []


@defect("E02", "sqlite", is_alone=True)
def without_log(bed: Bed) -> Ids:
    """Set by another program."""
    bed.database.engine.dispose()
    connection = sqlite3.connect(bed.file)
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    connection.close()
    return []


@defect("E03", "sqlite")
def journal(bed: Bed) -> Ids:
    """Of a copy that lay here before."""
    bed.file.with_name(f"{bed.file.name}-journal").touch(0o600)
    return []


@defect("E04", "sqlite", is_alone=True)
def large_log(bed: Bed) -> Ids:
    """Behind a reader that never ends."""
    connection = sqlite3.connect(bed.file)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM trades").fetchall()
    bed.held.append(connection)
    bed.add_closed()
    # What lies behind the last frame is not read.
    os.truncate(bed.file.with_name(f"{bed.file.name}-wal"), 65 << 20)
    return []


@defect("E05", "sqlite")
def empty_pages(bed: Bed) -> Ids:
    """Five megabytes were deleted."""
    bed.run("CREATE TABLE scratch (data BLOB)")
    bed.run("INSERT INTO scratch VALUES (zeroblob(5000000))")
    bed.run("DROP TABLE scratch")
    return []


@defect("E06", also=(("E15", "so old a version of SQLite has both bugs"),), is_alone=True)
def unsafe_version(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    versions = {"sqlite": (3, 35, 2), "postgresql": (14, 3, 0), "mysql": (10, 6, 9)}
    bed.surround(engine_facts=facts_of(version=versions[bed.engine]))
    return []


@defect("E07", "sqlite")
def network(bed: Bed) -> Ids:
    """By the seam for the list of what is mounted."""
    mounts = bed.folder / "network mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/share {bed.file.parent.resolve()} nfs4 rw 0 0\n")
    bed.surround(mounts=mounts)
    return []


@defect("E08", "sqlite")
def synchronised(bed: Bed) -> Ids:
    """The folder has Syncthing's mark."""
    (bed.file.parent / ".stfolder").mkdir()
    return []


@defect("E09", "sqlite", is_alone=True)
def readable(bed: Bed) -> Ids:
    """As most programs make files."""
    bed.file.chmod(0o644)
    return []


@defect("E10")
def old_backup(bed: Bed) -> Ids:
    """The youngest is from March."""
    folder = bed.folder / "backups"
    folder.mkdir()
    backup = folder / "store.sqlite"
    backup.write_bytes(b"backup")
    os.utime(backup, (OPENED.timestamp(), OPENED.timestamp()))
    bed.arguments |= {"backups": folder, "max_backup_age": timedelta(days=3)}
    return []


@defect("E11", "postgresql", "mysql", is_alone=True)
def weak(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    bed.surround(engine_facts=facts_of(fsync="off", innodb_flush_log_at_trx_commit="2"))
    return []


@defect("E12", "mysql", is_alone=True)
def local_time(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    bed.surround(engine_facts=facts_of(system_time_zone="CET"))
    return []


@defect("E13", "sqlite")
def full(bed: Bed) -> Ids:
    """By the seam for the room that is left."""
    bed.surround(free_bytes=lambda _: 5 << 20)
    return []


@defect("E14", "mysql")
def without_transactions(bed: Bed) -> Ids:
    """As some servers make tables by themselves."""
    bed.run("ALTER TABLE wallet_history ENGINE = Aria")
    return []


@defect("E15", "sqlite", is_alone=True)
def rare_bug(bed: Bed) -> Ids:
    """By the seam for what the engine says of itself."""
    bed.surround(engine_facts=facts_of(version=(3, 40, 1)))
    return []
