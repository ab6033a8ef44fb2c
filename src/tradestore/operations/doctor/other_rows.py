"""Locks, custom data, the key value store, limits, intents and commit marks."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import and_, func, literal_column, or_, select, true

from tradestore._clock import as_naive_utc
from tradestore._intent_fields import stored_trade
from tradestore._intent_model import UNRESOLVED, IntentState
from tradestore._stored_values import StoredTable
from tradestore.key_value_store import ValueTypesEnum
from tradestore.local_custom_data import decode_value
from tradestore.operations.doctor._look import Look, finding, rows_that
from tradestore.operations.doctor.findings import Finding

__all__ = [
    "beyond_limits",
    "custom_data_of_no_trade",
    "doubled_keys",
    "doubled_locks",
    "impossible_archived_sums",
    "keys_alike_but_for_case",
    "locks_long_over",
    "locks_that_end_first",
    "locks_with_unknown_side",
    "lost_placed_orders",
    "many_commit_marks",
    "unfit_custom_data",
    "unfit_values",
    "unknown_intents",
    "unresolved_intents",
]

_LONG_OVER: Final = timedelta(days=30)
_LONGEST_SENDING: Final = timedelta(minutes=10)
_MARKS_KEPT: Final = timedelta(days=2)
_MANY_MARKS: Final = 100
_LOCK_SIDES: Final = ("*", "long", "short")
_INTENT_SIDES: Final = ("buy", "sell", "stoploss")


def doubled_locks(look: Look) -> Iterator[Finding]:
    """L01: one of them is enough; the first is kept."""
    locks = look.table("pairlocks")
    alike = (locks.c.pair, locks.c.side, locks.c.lock_end_time)
    first = select(func.min(locks.c.id)).where(locks.c.active == true()).group_by(*alike)
    is_second = and_(locks.c.active == true(), locks.c.id.not_in(first))
    shown = ("pair", "side", "lock_end_time")
    yield from rows_that(look, "L01", locks, is_second, shown, "active locks repeat an earlier one")


def locks_that_end_first(look: Look) -> Iterator[Finding]:
    """L02: they never lock anything."""
    locks = look.table("pairlocks")
    ends_first = look.well_formed(
        locks.c.lock_end_time, look.well_formed(locks.c.lock_time, locks.c.lock_end_time < locks.c.lock_time)
    )
    shown = ("lock_time", "lock_end_time")
    yield from rows_that(look, "L02", locks, ends_first, shown, "locks end before they begin")


def locks_long_over(look: Look) -> Iterator[Finding]:
    """L03: nobody releases a lock that has ended, so they pile up."""
    locks = look.table("pairlocks")
    since = as_naive_utc(look.now - _LONG_OVER)
    is_over = and_(locks.c.active == true(), look.well_formed(locks.c.lock_end_time, locks.c.lock_end_time < since))
    what = f"locks are marked active and ended more than {_LONG_OVER.days} days ago"
    yield from rows_that(look, "L03", locks, is_over, ("lock_end_time",), what)


def locks_with_unknown_side(look: Look) -> Iterator[Finding]:
    """L04: they match neither side."""
    locks = look.table("pairlocks")
    yield from rows_that(
        look, "L04", locks, locks.c.side.not_in(_LOCK_SIDES), ("side",), "locks are for neither long, short nor both"
    )


def unfit_custom_data(look: Look) -> Iterator[Finding]:
    """L05: reading them raises an error in the strategy."""
    stored = StoredTable(look.table("trade_custom_data"), ["id", "cd_type", "cd_value"])
    facts: dict[int, Any] = {}
    count = 0
    for ids, types, values in _by_name(stored, look, "id", "cd_type", "cd_value"):
        for row, kind, value in zip(ids, types, values, strict=True):
            if not _is_readable(kind, value):
                count += 1
                if len(facts) < look.most_ids:
                    facts[row] = {"cd_type": {"found": kind}, "cd_value": {"found": value}}
    if count:
        detail = f"{count} values of custom data cannot be read as the type that is noted beside them."
        yield finding("L05", detail, table="trade_custom_data", rows=count, ids=sorted(facts), facts=facts)


def _by_name(stored: StoredTable, look: Look, *names: str) -> Iterator[list[Any]]:
    places = [[column.name for column in stored.columns].index(name) for name in names]
    for batch in stored.batches(look.connection):
        yield [batch[place] for place in places]


def _is_readable(kind: Any, value: Any) -> bool:
    try:
        decode_value(kind, value)
    except (AttributeError, TypeError, ValueError):
        return False
    return kind != "bool" or value.lower() in {"true", "false"}


def custom_data_of_no_trade(look: Look) -> Iterator[Finding]:
    """L06: nobody will ask for it."""
    data, trades = look.table("trade_custom_data"), look.table("trades")
    is_orphan = and_(data.c.ft_trade_id.is_not(None), data.c.ft_trade_id.not_in(select(trades.c.id)))
    what = "entries of custom data belong to no trade"
    yield from rows_that(look, "L06", data, is_orphan, ("ft_trade_id", "cd_key"), what)


def keys_alike_but_for_case(look: Look) -> Iterator[Finding]:
    """L07: keys are told apart without regard to case, so one of them hides the other."""
    data = look.table("trade_custom_data")
    owner = (func.coalesce(data.c.ft_trade_id, -1), func.coalesce(data.c.pair, ""), func.lower(data.c.cd_key))
    first = select(func.min(data.c.id)).group_by(*owner)
    shown = ("ft_trade_id", "pair", "cd_key", "cd_value")
    what = "entries of custom data have a key that an earlier one has in another case"
    yield from rows_that(look, "L07", data, data.c.id.not_in(first), shown, what)


def doubled_keys(look: Look) -> Iterator[Finding]:
    """L08: which of them is read is chance."""
    store = look.table("KeyValueStore")
    first = select(func.min(store.c.id)).group_by(store.c.key)
    yield from rows_that(look, "L08", store, store.c.id.not_in(first), ("key",), "rows repeat an earlier key")


def unfit_values(look: Look) -> Iterator[Finding]:
    """L09: the column of the type is empty, or there is no such type."""
    store = look.table("KeyValueStore")
    columns = {"str": "string_value", "datetime": "datetime_value", "float": "float_value", "int": "int_value"}
    is_empty = [and_(store.c.value_type == kind, store.c[name].is_(None)) for kind, name in columns.items()]
    is_no_flag = and_(store.c.value_type == "bool", func.coalesce(store.c.int_value, -1).not_in((0, 1)))
    is_unknown = store.c.value_type.not_in([each.value for each in ValueTypesEnum])
    shown = ("key", "value_type", *columns.values())
    what = "values are not of the type that is noted beside them"
    yield from rows_that(look, "L09", store, or_(*is_empty, is_no_flag, is_unknown), shown, what)


def beyond_limits(look: Look) -> Iterator[Finding]:
    """L10: whatever another program has opened past them."""
    limits = look.connection.execute(select(look.table("trade_limits"))).one_or_none()
    if limits is None:
        return
    positions = list(_positions(look))
    most, alike = limits.max_open_trades, len(positions) - len(set(positions))
    if most is not None and len(positions) > most:
        detail = f"{len(positions)} trades are open or being opened, and the limit is {most}."
        yield finding("L10", detail, facts={"open": {"found": len(positions), "expected": most}})
    elif limits.one_per_pair_and_side and alike:
        detail = f"{alike} open trades are on a pair and side that another one is on, and the limit is one."
        yield finding("L10", detail, facts={"alike": {"found": alike, "expected": 0}})


def _positions(look: Look) -> Iterator[tuple[str, bool]]:
    """Yield pair and side of what is open, and of what orders will open of which only the exchange knows."""
    trades, intents = look.table("trades"), look.table("order_intents")
    held = select(trades.c.pair, trades.c.is_short).where(trades.c.is_open == true())
    yield from (tuple(row) for row in look.connection.execute(held))
    sent = select(intents.c.pair, intents.c.side, intents.c.trade_fields).where(
        intents.c.state.in_(UNRESOLVED), intents.c.ft_trade_id.is_(None)
    )
    for pair, side, fields in look.connection.execute(sent):
        if stored_trade(fields or "{}") is None:
            yield pair, side == "sell"


def unresolved_intents(look: Look) -> Iterator[Finding]:
    """L11: only the exchange can tell whether there is an order."""
    intents = look.table("order_intents")
    since = as_naive_utc(look.now - _LONGEST_SENDING)
    is_old = and_(intents.c.state.in_(UNRESOLVED), look.well_formed(intents.c.created_at, intents.c.created_at < since))
    shown = ("client_order_id", "state", "pair", "side", "amount", "created_at")
    minutes = int(_LONGEST_SENDING.total_seconds() // 60)
    what = f"orders were about to be sent more than {minutes} minutes ago, and nobody knows what became of them"
    yield from rows_that(look, "L11", intents, is_old, shown, what)


def lost_placed_orders(look: Look) -> Iterator[Finding]:
    """L12: the exchange has the order, and the store has not."""
    intents, orders = look.table("order_intents"), look.table("orders")
    same = and_(orders.c.ft_trade_id == intents.c.ft_trade_id, orders.c.order_id == intents.c.order_id)
    is_lost = and_(
        intents.c.state == IntentState.PLACED,
        intents.c.ft_trade_id.is_not(None),
        intents.c.order_id.is_not(None),
        ~select(literal_column("1")).select_from(orders).where(same).exists(),
    )
    shown = ("client_order_id", "order_id", "ft_trade_id", "pair")
    yield from rows_that(look, "L12", intents, is_lost, shown, "orders were placed and are not among the orders")


def unknown_intents(look: Look) -> Iterator[Finding]:
    """L13: no question asks for them."""
    intents = look.table("order_intents")
    states = [each.value for each in IntentState]
    is_unknown = or_(intents.c.state.not_in(states), intents.c.side.not_in(_INTENT_SIDES))
    yield from rows_that(look, "L13", intents, is_unknown, ("state", "side"), "intents have an unknown state or side")


def many_commit_marks(look: Look) -> Iterator[Finding]:
    """L14: nobody has removed those that are of no use any more."""
    marks = look.table("commit_tokens")
    since = as_naive_utc(look.now - _MARKS_KEPT)
    is_old = look.well_formed(marks.c.committed_at, marks.c.committed_at < since)
    count = look.connection.execute(select(func.count()).select_from(marks).where(is_old)).scalar_one()
    if count > _MANY_MARKS:
        detail = f"{count} marks of commits are older than {_MARKS_KEPT.days} days."
        yield finding("L14", detail, table="commit_tokens", rows=count)


def impossible_archived_sums(look: Look) -> Iterator[Finding]:
    """L15: no trades, or more wins than trades; reports count them."""
    sums = look.table("archived_profits")
    is_impossible = or_(sums.c.trades < 1, sums.c.wins < 0, sums.c.wins > sums.c.trades)
    shown = ("archive_id", "pair", "closed_on", "trades", "wins")
    yield from rows_that(look, "L15", sums, is_impossible, shown, "sums of archived trades contradict themselves")
