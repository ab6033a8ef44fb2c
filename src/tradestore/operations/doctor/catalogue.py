"""The table of codes: what is looked for, how bad it is, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tradestore.operations.doctor.findings import Severity

__all__ = ["CATALOGUE", "Defect"]

_INFO, _WARNING, _ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

_REPAIR: Final = "See what would be done with `tradestore repair`, and do it with `tradestore repair --apply`."
_BY_HAND: Final = "Compare with the exchange, then correct it by hand: `tradestore repair --help` lists the ways."


@dataclass(frozen=True, slots=True)
class Defect:
    """One line of the table.

    Attributes:
        code: A letter for the subject and two digits. A code is never used for anything else later.
        title: What it is, in a few words.
        severity: How bad it is.
        remedy: What to do.
    """

    code: str
    title: str
    severity: Severity
    remedy: str


_TRADES: Final = (
    Defect("T01", "amount disagrees with the orders", _ERROR, _REPAIR),
    Defect("T02", "stake amount disagrees with the orders", _ERROR, _REPAIR),
    Defect("T03", "open rate disagrees with the orders", _ERROR, _REPAIR),
    Defect("T04", "realised profit disagrees with the orders", _ERROR, _REPAIR),
    Defect("T05", "largest stake disagrees with the orders", _WARNING, _REPAIR),
    Defect("T06", "funding fees disagree with the orders", _ERROR, _REPAIR),
    Defect("T07", "open value disagrees with amount, rate and fee", _ERROR, _REPAIR),
    Defect("T08", "entry fee disagrees with the orders", _WARNING, _REPAIR),
    Defect("T09", "profit ratio disagrees with the orders", _ERROR, _REPAIR),
    Defect("T10", "profit in stake currency disagrees with the orders", _ERROR, _REPAIR),
    Defect("T11", "open trade holds nothing any more", _ERROR, _REPAIR),
    Defect("T12", "closed trade still holds something", _ERROR, _BY_HAND),
    Defect("T13", "closed trade has no filled exit order", _WARNING, _BY_HAND),
    Defect("T14", "open trade has no orders", _WARNING, _BY_HAND),
    Defect("T15", "open trade has a close date", _ERROR, _REPAIR),
    Defect("T16", "closed trade lacks its close date or close rate", _ERROR, _REPAIR),
    Defect("T17", "two open trades on the same pair and side", _INFO, "Nothing, if the bot is meant to do so."),
    Defect("T18", "leverage below 1", _ERROR, _BY_HAND),
    Defect("T19", "short trade in spot mode", _ERROR, _BY_HAND),
    Defect("T20", "stop loss is on the wrong side of the rate", _WARNING, _BY_HAND),
    Defect("T21", "liquidation price is on the wrong side of the rate", _WARNING, _BY_HAND),
    Defect("T22", "lowest rate is above the highest rate", _WARNING, _REPAIR),
    Defect("T23", "currencies are not those of the pair", _WARNING, _REPAIR),
    Defect("T24", "closed or old trade has no orders", _INFO, "Nothing, if it is from before orders were kept."),
)

_ORDERS: Final = (
    Defect("O01", "order has no trade", _ERROR, _REPAIR),
    Defect("O02", "order is of another pair than its trade", _ERROR, _BY_HAND),
    Defect("O03", "open order on a closed trade", _ERROR, _REPAIR),
    Defect("O04", "order is filled beyond its amount", _WARNING, _BY_HAND),
    Defect("O05", "the exchange's order id is stored twice", _ERROR, _BY_HAND),
    Defect(
        "O06", "order still waits for its id of the exchange", _WARNING, "Resolve its intent: tradestore.resolve()."
    ),
    Defect("O07", "order is open here and done at the exchange", _WARNING, _REPAIR),
    Defect("O08", "order has an unknown side", _ERROR, _BY_HAND),
    Defect("O09", "exits sold more than the entries bought", _WARNING, _BY_HAND),
)

_OTHER_ROWS: Final = (
    Defect("L01", "the same pair lock twice", _WARNING, _REPAIR),
    Defect("L02", "lock ends before it begins", _WARNING, _REPAIR),
    Defect("L03", "lock is marked active long after its end", _INFO, _REPAIR),
    Defect("L04", "lock has an unknown side", _WARNING, _BY_HAND),
    Defect("L05", "custom data does not fit its type", _ERROR, _REPAIR),
    Defect("L06", "custom data of a trade that is not there", _WARNING, _REPAIR),
    Defect("L07", "custom data keys that differ in case alone", _WARNING, _REPAIR),
    Defect("L08", "the same key twice in the key value store", _ERROR, _REPAIR),
    Defect("L09", "value does not fit its type in the key value store", _ERROR, _REPAIR),
    Defect("L10", "more open trades than the limits admit", _WARNING, "Close trades, or call tradestore.set_limits()."),
    Defect("L11", "intent is unresolved", _ERROR, "Ask the exchange for the order: tradestore.resolve()."),
    Defect(
        "L12", "intent was placed and its order is missing", _ERROR, "Ask the exchange for the order: Order.update()."
    ),
    Defect("L13", "intent has an unknown state or side", _ERROR, _BY_HAND),
    Defect("L14", "commit marks pile up", _INFO, "Nothing: a bot that runs removes them hourly."),
    Defect("L15", "sum of archived trades contradicts itself", _ERROR, "Restore a backup: `tradestore restore`."),
)

_VALUES: Final = (
    Defect("N01", "number is not finite", _ERROR, _BY_HAND),
    Defect("N02", "negative amount, rate or stake", _ERROR, _BY_HAND),
    Defect("N03", "required text is missing", _ERROR, _BY_HAND),
    Defect("N04", "fee beyond any exchange's", _WARNING, _BY_HAND),
    Defect("N05", "stop loss ratio out of range", _WARNING, _BY_HAND),
    Defect("N06", "closed before it was opened", _ERROR, _BY_HAND),
    Defect("N07", "order filled before it was placed", _WARNING, _BY_HAND),
    Defect("N08", "moment in the future", _WARNING, _BY_HAND),
    Defect("N09", "moment before the first trade ever", _WARNING, _BY_HAND),
    Defect("N10", "trade and orders are whole hours apart", _WARNING, _BY_HAND),
    Defect("N11", "numbers were cut to 4 bytes", _WARNING, _REPAIR),
    Defect("N12", "unknown trading mode", _ERROR, _BY_HAND),
    Defect("N13", "value is not of its column's type", _ERROR, _BY_HAND),
    Defect("N14", "text is longer than its column", _WARNING, _REPAIR),
)

_UPGRADE: Final = "Open the database once with tradestore.init_db(), which makes what is missing."

_SCHEMA: Final = (
    Defect("S01", "tables differ from the models", _WARNING, "Restore a backup, or compare with docs: schema."),
    Defect("S02", "index is missing", _WARNING, _REPAIR),
    Defect("S03", "index does what another one does", _INFO, "Drop it, if it is your own and nobody needs it."),
    Defect("S04", "number column of 4 bytes", _ERROR, _REPAIR),
    Defect("S05", "moment column without microseconds", _WARNING, _REPAIR),
    Defect("S06", "next id is in use already", _ERROR, _REPAIR),
    Defect("S07", "standard question reads a whole table", _WARNING, "Run `tradestore optimize`."),
    Defect(
        "S08",
        "old table that an upgrade has kept, or note of a change that was cut short",
        _INFO,
        "Nothing, or, after a backup, `DROP TABLE` by hand once nobody needs the old rows: nothing reads them.",
    ),
    Defect("S09", "reference to a row that is not there", _ERROR, _REPAIR),
    Defect("S10", "table is missing", _ERROR, _UPGRADE),
    Defect("S11", "texts are compared without regard to case", _ERROR, "Convert the table to utf8mb4_nopad_bin."),
)

_ENGINE: Final = (
    Defect("E01", "the file is damaged", _ERROR, "Stop the bot and restore the last backup: `tradestore restore`."),
    Defect("E02", "the file is not in WAL mode", _WARNING, _UPGRADE),
    Defect("E03", "rollback journal beside a file in WAL mode", _WARNING, "Find out who left it before you remove it."),
    Defect(
        "E04", "write-ahead log has grown large", _WARNING, "Find the reader that never ends; `tradestore optimize`."
    ),
    Defect("E05", "much of the file is empty", _INFO, "Run `tradestore optimize`."),
    Defect("E06", "engine version with a bug that damages data", _ERROR, "Install the fixed version that is named."),
    Defect("E07", "file lies in a network folder", _ERROR, "Move it to a disk of this machine, or use a server."),
    Defect("E08", "file lies in a synchronised folder", _ERROR, "Move it out; put backups there instead."),
    Defect("E09", "file can be read by other users", _WARNING, "Run `chmod 600` on it, and on what lies beside it."),
    Defect("E10", "no recent backup", _WARNING, "Run `tradestore backup`, daily by cron."),
    Defect("E11", "commits may be lost in a power failure", _WARNING, "Set what is named in the server's settings."),
    Defect("E12", "the server's time zone is not UTC", _INFO, "Other programs' queries may show local times."),
    Defect("E13", "disk is nearly full", _ERROR, "Make room: delete old backups, or `tradestore archive`."),
    Defect("E14", "table without transactions", _ERROR, "ALTER TABLE … ENGINE = InnoDB."),
    Defect("E15", "SQLite with a rare bug of its log", _INFO, "Install SQLite 3.51.3 or later when you can."),
)

CATALOGUE: Final[Mapping[str, Defect]] = MappingProxyType(
    {each.code: each for each in (*_TRADES, *_ORDERS, *_OTHER_ROWS, *_VALUES, *_SCHEMA, *_ENGINE)}
)
"""All defects by code."""
