"""What is done about defects of locks, custom data, settings, and of values in any row."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from tradestore._clock import utc_now
from tradestore._record import cut
from tradestore._stored_values import Kind, kind_of
from tradestore.base import ModelBase
from tradestore.local_custom_data import decode_value
from tradestore.operations.repair.trade_repairs import attach_or_delete_order, settle
from tradestore.operations.repair.workbench import Workbench

__all__ = [
    "begin_lock_earlier",
    "clear_reference",
    "convert_values",
    "cut_texts",
    "delete_custom_data",
    "keep_first_lock",
    "keep_newest_custom_data",
    "keep_newest_setting",
    "name_custom_type",
    "name_setting_type",
    "release_lock",
    "widen_numbers",
]

_LOCKS, _CUSTOM, _SETTINGS = "pairlocks", "trade_custom_data", "KeyValueStore"
_WHAT_A_LOCK_SAYS: Final = ("side", "lock_end_time", "active")
_NOTES: Final = frozenset({"enter_tag", "exit_reason", "ft_order_tag", "ft_cancel_reason", "reason", "order_tag"})
"""Texts of which the beginning is enough."""
_SETTING_TYPES: Final = {
    "string_value": "str",
    "datetime_value": "datetime",
    "float_value": "float",
    "int_value": "int",
}
_READABLE: Final = (LookupError, TypeError, ValueError)


def keep_first_lock(bench: Workbench, lock_id: Any) -> str | None:
    """Delete a lock that says what an earlier one says."""
    lock = bench.row(_LOCKS, lock_id)
    if lock is None:
        return None
    same = [
        each["id"]
        for each in bench.select(_LOCKS, "pair", lock["pair"])
        if all(each[name] == lock[name] for name in _WHAT_A_LOCK_SAYS)
    ]
    for later in same[1:]:
        bench.delete(_LOCKS, later)
    return None


def begin_lock_earlier(bench: Workbench, lock_id: Any) -> str | None:
    """Let a lock begin a second before it ends; what it locks, and until when, stays."""
    lock = bench.row(_LOCKS, lock_id)
    if lock is not None:
        bench.change(_LOCKS, lock_id, lock_time=lock["lock_end_time"] - timedelta(seconds=1))
    return None


def release_lock(bench: Workbench, lock_id: Any) -> str | None:
    """Mark a lock that is over as such."""
    lock = bench.row(_LOCKS, lock_id)
    if lock is not None and lock["lock_end_time"] < utc_now().replace(tzinfo=None):
        bench.change(_LOCKS, lock_id, active=False)
    return None


def name_custom_type(bench: Workbench, entry_id: Any) -> str | None:
    """Give a remembered value the type that its text can be read as; any text can be read as one."""
    entry = bench.row(_CUSTOM, entry_id)
    if entry is None or not isinstance(entry["cd_value"], str):
        return "its value is no text: correct it by hand"
    if not _is_readable(entry["cd_type"], entry["cd_value"]):
        bench.change(_CUSTOM, entry_id, cd_type=_type_of(entry["cd_value"]))
    return None


def delete_custom_data(bench: Workbench, entry_id: Any) -> str | None:
    """Delete a remembered value whose trade is gone."""
    entry = bench.row(_CUSTOM, entry_id)
    if entry is not None and bench.row("trades", entry["ft_trade_id"]) is None:
        bench.delete(_CUSTOM, entry_id)
    return None


def keep_newest_custom_data(bench: Workbench, entry_id: Any) -> str | None:
    """Of keys that differ in case alone, keep the one that was set last."""
    entry = bench.row(_CUSTOM, entry_id)
    if entry is None:
        return None
    owner = "pair" if entry["ft_trade_id"] is None else "ft_trade_id"
    same = [
        each
        for each in bench.select(_CUSTOM, owner, entry[owner])
        if each["cd_key"].casefold() == entry["cd_key"].casefold() and each["ft_trade_id"] == entry["ft_trade_id"]
    ]
    newest = max(same, key=lambda each: (each["updated_at"] or each["created_at"], each["id"]))
    for each in same:
        if each is not newest:
            bench.delete(_CUSTOM, each["id"])
    return None


def keep_newest_setting(bench: Workbench, row_id: Any) -> str | None:
    """Of several rows with one key, keep the one that was made last."""
    row = bench.row(_SETTINGS, row_id)
    if row is not None:
        for older in bench.select(_SETTINGS, "key", row["key"])[:-1]:
            bench.delete(_SETTINGS, older["id"])
    return None


def name_setting_type(bench: Workbench, row_id: Any) -> str | None:
    """Give a setting the type of the one column that has a value."""
    row = bench.row(_SETTINGS, row_id)
    if row is None:
        return None
    present = [name for name in _SETTING_TYPES if row[name] is not None]
    if len(present) != 1:
        return "it has a value in none or in several of its columns: store it again, or delete it"
    bench.change(_SETTINGS, row_id, value_type=_SETTING_TYPES[present[0]])
    return None


def clear_reference(bench: Workbench, table: str, row_id: Any) -> str | None:
    """Do about a reference to a missing row what the table is for."""
    if table == "orders":
        return attach_or_delete_order(bench, row_id)
    if table == _CUSTOM:
        return delete_custom_data(bench, row_id)
    if table == "order_intents":
        bench.change(table, row_id, ft_trade_id=None)
        return None
    return "the table has no rule for it: restore the row that is missing, or delete this one"


def widen_numbers(bench: Workbench, table: str, row_id: Any, facts: Mapping[str, Any]) -> str | None:
    """Give numbers that were cut to 4 bytes the digits that they had, and compute the trade anew."""
    row = bench.row(table, row_id)
    if row is None:
        return None
    bench.change(table, row_id, **{name: fact["expected"] for name, fact in facts.items()})
    return settle(bench, row["id"] if table == "trades" else row["ft_trade_id"])


def convert_values(bench: Workbench, table: str, row_id: Any) -> str | None:
    """Give values the type of their column where nothing is lost by it."""
    row, converted = bench.row(table, row_id), {}
    for column in ModelBase.metadata.tables[table].columns:
        value, kind = (row or {}).get(column.name), kind_of(column.type)
        expected, convert = _TYPES.get(kind, (object, None))
        if value is None or convert is None or (isinstance(value, expected) and not _is_flag_as_number(value, kind)):
            continue
        try:
            converted[column.name] = convert(value)
        except _READABLE:
            return f"its {column.name} is {value!r}, which cannot be read: correct it by hand"
    bench.change(table, row_id, **converted)
    return None


def cut_texts(bench: Workbench, table: str, row_id: Any) -> str | None:
    """Cut tags and reasons to the length of their column."""
    row, columns = bench.row(table, row_id), ModelBase.metadata.tables[table].columns
    for name, value in (row or {}).items():
        length = getattr(columns[name].type, "length", None) if name in columns else None
        if not isinstance(value, str) or length is None or len(value) <= length:
            continue
        if name not in _NOTES:
            return f"its {name} means something else when it is cut: correct it by hand"
        bench.change(table, row_id, **{name: cut(value)})
    return None


def _is_flag_as_number(value: Any, kind: Kind) -> bool:
    return isinstance(value, bool) and kind is not Kind.FLAG


def _flag(value: Any) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[str(value).strip().lower()]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_TYPES: Final[Mapping[Kind, tuple[Any, Callable[[Any], Any]]]] = {
    Kind.NUMBER: (float, float),
    Kind.COUNT: (int, lambda value: int(str(value))),
    Kind.FLAG: (bool, _flag),
    Kind.TEXT: (str, _text),
}


def _is_readable(cd_type: str, text: str) -> bool:
    try:
        decode_value(cd_type, text)
    except _READABLE:
        return False
    return cd_type != "bool" or text.lower() in {"true", "false"}


def _type_of(text: str) -> str:
    for kind in ("int", "float", "bool"):
        if _is_readable(kind, text):
            return kind
    try:
        return type(json.loads(text)).__name__
    except ValueError:
        return "str"
