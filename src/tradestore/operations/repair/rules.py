"""The table of repairs: what is done about each code, in the order in which it is done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradestore.operations.repair.row_repairs import (
    begin_lock_earlier,
    clear_reference,
    convert_values,
    cut_texts,
    delete_custom_data,
    keep_first_lock,
    keep_newest_custom_data,
    keep_newest_setting,
    name_custom_type,
    name_setting_type,
    release_lock,
    widen_numbers,
)
from tradestore.operations.repair.trade_repairs import (
    attach_or_delete_order,
    bound_rates,
    clear_close_date,
    complete_close,
    end_order,
    end_order_of_closed_trade,
    name_currencies,
    replace_infinite,
    settle,
    shift_dates,
)
from tradestore.operations.repair.workbench import Workbench

__all__ = ["BY_HAND", "RULES", "Rule"]

_Repair = Callable[[Workbench, str, Any, Mapping[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done about one code.

    Attributes:
        repair: Gets the workbench, the row's table and primary key, and the finding's facts about it; returns why it
            cannot be repaired, None if it was.
        reason: What it does, in words.
    """

    repair: _Repair
    reason: str


def _by_id(repair: Callable[[Workbench, Any], str | None]) -> _Repair:
    return lambda bench, _table, row_id, _facts: repair(bench, row_id)


def _by_table(repair: Callable[[Workbench, str, Any], str | None]) -> _Repair:
    return lambda bench, table, row_id, _facts: repair(bench, table, row_id)


_TOTALS: Final = Rule(_by_id(settle), "the totals follow from the filled orders")

RULES: Final[Mapping[str, Rule]] = {
    "N13": Rule(_by_table(convert_values), "the value is given its column's type"),
    "N14": Rule(_by_table(cut_texts), "tags and reasons are cut to their column's length"),
    "N11": Rule(widen_numbers, "the digits that 4 bytes have changed are taken back"),
    "N01": Rule(_by_table(replace_infinite), "the number follows from other numbers of the trade or the order"),
    "S09": Rule(_by_table(clear_reference), "it refers to a row that is not there"),
    "O01": Rule(_by_id(attach_or_delete_order), "the order's trade is not there"),
    "O03": Rule(_by_id(end_order_of_closed_trade), "an order of a closed trade waits for nothing"),
    "O07": Rule(_by_id(end_order), "the exchange is done with the order"),
    "T15": Rule(_by_id(clear_close_date), "what is open has no end"),
    "T16": Rule(_by_id(complete_close), "the last exit has ended the trade"),
    "T11": Rule(_by_id(settle), "the exits have sold everything"),
    "N10": Rule(_by_id(shift_dates), "the orders have the exchange's times"),
    **dict.fromkeys((f"T{number:02}" for number in range(1, 11)), _TOTALS),
    "T22": Rule(_by_id(bound_rates), "the lowest and the highest rate enclose all that were seen"),
    "T23": Rule(_by_id(name_currencies), "the pair tells the currencies"),
    "L01": Rule(_by_id(keep_first_lock), "an earlier lock says the same"),
    "L02": Rule(_by_id(begin_lock_earlier), "a lock begins before it ends"),
    "L03": Rule(_by_id(release_lock), "the lock is over"),
    "L05": Rule(_by_id(name_custom_type), "the text can be read as this type"),
    "L06": Rule(_by_id(delete_custom_data), "its trade is not there"),
    "L07": Rule(_by_id(keep_newest_custom_data), "the key is told apart without regard to case, and the newest counts"),
    "L08": Rule(_by_id(keep_newest_setting), "the newest value of a key counts"),
    "L09": Rule(_by_id(name_setting_type), "the value stands in the column of this type"),
}
"""By code; what comes first may repair what comes later."""

_EXCHANGE: Final = "only the exchange knows: compare with it, then use "

BY_HAND: Final[Mapping[str, str]] = {
    "T12": _EXCHANGE + "reopen-trade if it still holds something, or edit-order or delete-order if an order is wrong",
    "T13": _EXCHANGE + "reopen-trade and then close-trade with the rate of the exit",
    "T14": "nothing tells what was traded: use delete-trade if it never was, or edit-trade",
    "T18": "use edit-trade with the leverage of the exchange",
    "T19": "use edit-trade with the trading mode of the exchange",
    "T20": "the bot sets a new stop with its next tick, or use edit-trade",
    "T21": "the bot asks the exchange for it, or use edit-trade",
    "O02": "use rename-pair if the exchange renamed the pair, or edit-order",
    "O04": _EXCHANGE + "edit-order",
    "O05": "use delete-order for the one that does not belong there",
    "O08": "use edit-order with the side buy, sell or stoploss",
    "O09": _EXCHANGE + "edit-order or delete-order",
    "N02": _EXCHANGE + "edit-trade or edit-order",
    "N04": "use edit-trade with the ratio of the exchange's fee",
    "N05": "use edit-trade with a ratio between -1 and 0",
    "N06": _EXCHANGE + "edit-trade",
    "N07": _EXCHANGE + "edit-order",
    "N08": _EXCHANGE + "edit-trade or edit-order",
    "N09": _EXCHANGE + "edit-trade or edit-order",
    "N12": "use edit-trade with the trading mode SPOT, MARGIN or FUTURES",
    "N03": _EXCHANGE + "edit-trade or edit-order; rename-pair gives a pair its name",
    "L04": "only its maker knows which side was meant: release it with unlock, and lock the pair anew",
    "L13": "only the exchange knows what became of it: ask there, then delete the intent (delete_intents)",
    "S04": "stop the bot, then ALTER the columns to 8 bytes (DOUBLE PRECISION, DOUBLE), and look again: N11 comes up",
    "S05": "stop the bot, then ALTER the columns to microseconds (TIMESTAMP(6), DATETIME(6))",
}
"""What a person can do about codes that no rule decides; for others the finding itself says it."""
