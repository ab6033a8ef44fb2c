"""``tradestore status``."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from tradestore.cli._answers import answer
from tradestore.cli._arguments import AsJson, DatabaseUrl
from tradestore.cli._formats import fields_of, size, table_of
from tradestore.limits import OpenTradeLimits
from tradestore.operations.status import StoreStatus, read_status

__all__ = ["status"]


def status(db_url: DatabaseUrl, as_json: AsJson = False) -> None:
    """Say how a store is doing.

    Example: tradestore status --db-url sqlite:///tradesv3.sqlite
    """
    found = read_status(db_url)

    def show(console: Console) -> None:
        console.print(fields_of(_fields(found)))
        console.print()
        console.print(table_of(["table", "rows"], found.rows.items(), numbers=["rows"]))

    answer("status", found, show, as_json=as_json)


def _fields(found: StoreStatus) -> Iterator[tuple[str, Any]]:
    yield "database", found.url
    yield "engine", f"{found.engine} {found.engine_version}, driver {found.driver}"
    yield "tradestore", found.library_version
    is_current = found.revision == found.head
    yield "tables", f"at {found.revision}" + ("" if is_current else f", this version works with {found.head}")
    if found.journal_mode is not None:
        yield "journal mode", found.journal_mode
    yield "size", size(found.size)
    yield "open trades", found.open_trades
    yield "closed trades", found.closed_trades
    yield "newest record", found.newest_record
    if found.file_written is not None:
        yield "file written", found.file_written
    yield "pending intents", found.pending_intents
    yield "limits", _in_words(found.limits)
    yield "locks in force", found.locks


def _in_words(limits: OpenTradeLimits | None) -> str:
    if limits is None:
        return "none"
    words = [] if limits.max_open_trades is None else [f"{limits.max_open_trades} open trades"]
    if limits.one_per_pair_and_side:
        words.append("one for each pair and side")
    return ", ".join(words)
