"""``tradestore locks`` and ``tradestore unlock``."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from rich.table import Table
from typer import Argument, BadParameter, Option

from tradestore.cli._answers import answer, confirmed, printable
from tradestore.cli._arguments import AsJson, DatabaseUrl, Yes
from tradestore.cli._formats import moment, table_of
from tradestore.operations.locks import Lock, find_locks, list_locks, release_locks

__all__ = ["locks", "unlock"]


class _Side(StrEnum):
    LONG = "long"
    SHORT = "short"


def locks(
    db_url: DatabaseUrl,
    include_over: Annotated[bool, Option("--all", help="Also those that are over or were released.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the pairs that must not be entered for now.

    Example: tradestore locks --all --db-url sqlite:///tradesv3.sqlite
    """
    found = list_locks(db_url, include_over=include_over)
    answer("locks", found, lambda console: console.print(_table(found)), as_json=as_json)


def unlock(
    db_url: DatabaseUrl,
    ids: Annotated[list[int] | None, Argument(metavar="[ID]...", help="The locks' numbers, see locks.")] = None,
    pair: Annotated[str | None, Option(help="All locks of this pair; * for those that lock every pair.")] = None,
    side: Annotated[_Side | None, Option(help="With --pair: only those that hold for this side.")] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Release locks, so that their pairs may be entered again.

    Example: tradestore unlock --pair ADA/USDT --db-url sqlite:///tradesv3.sqlite
    """
    if not ids and pair is None:
        msg = "Give the numbers of locks, or --pair."
        raise BadParameter(msg)
    if side is not None and pair is None:
        msg = "--side goes with --pair."
        raise BadParameter(msg)
    found = find_locks(db_url, ids=ids or (), pair=pair, side=side)
    if found:
        confirmed([f"release lock {each.id} of {_in_words(each)}" for each in found], yes=yes)
        found = release_locks(db_url, [each.id for each in found])
    answer("unlock", found, lambda console: console.print(f"Locks released: {len(found)}."), as_json=as_json)


def _in_words(lock: Lock) -> str:
    reason = "" if lock.reason is None else f": {printable(lock.reason)}"
    return f"{lock.pair}, side {lock.side}, until {moment(lock.end)} UTC{reason}"


def _table(found: Iterable[Lock]) -> Table:
    rows = [(each.id, each.pair, each.side, each.end, each.holds, each.reason) for each in found]
    return table_of(["id", "pair", "side", "until", "holds", "reason"], rows, numbers=["id"])
