"""``tradestore export`` and ``tradestore import``."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from rich.console import Console
from rich.table import Table
from typer import Argument, BadParameter, Option

from tradestore._engine import check_url, masked
from tradestore.cli._answers import answer, bar_of, confirmed, tell
from tradestore.cli._arguments import AsJson, DatabaseUrl, Since, Until, Yes
from tradestore.cli._formats import table_of
from tradestore.operations.export import export_trades, import_trades

__all__ = ["export", "import_export"]

_STREAM = "-"


def export(
    db_url: DatabaseUrl,
    to: Annotated[str, Option("--to", metavar="PATH", help="A new file or folder, or - for standard output.")],
    file_format: Annotated[
        str | None, Option("--format", help="csv, jsonl or parquet; as the name of PATH ends by default.")
    ] = None,
    what: Annotated[
        str, Option(help="all, or tables such as trades,orders,custom_data,locks,key_values,wallet_history.")
    ] = "all",
    pair: Annotated[str | None, Option(help="Only trades in it, with what belongs to them.")] = None,
    is_open: Annotated[bool | None, Option("--open/--closed", help="Only trades that are open, or closed.")] = None,
    since: Since = None,
    until: Until = None,
    force: Annotated[bool, Option("--force", help="Replace a file, or the folder of an earlier export.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write trades, and all that is beside them, to files that other programs read.

    A folder gets a CSV or Parquet file for each table; a file that ends in .jsonl has all in one. --since and --until
    go by the date of opening.

    Example: tradestore export --db-url sqlite:///tradesv3.sqlite --to trades.jsonl
    """
    if as_json and to == _STREAM:
        msg = "Standard output cannot have the export and the document: give a file."
        raise BadParameter(msg, param_hint="--json")
    target: str | BinaryIO = sys.stdout.buffer if to == _STREAM else to
    with bar_of("Exporting") as show_progress:
        done = export_trades(
            db_url,
            target,
            file_format=file_format,  # type: ignore[arg-type]  # it is looked at there
            what=what.split(","),
            pair=pair,
            is_open=is_open,
            since=_in_utc(since),
            until=_in_utc(until),
            overwrite=force,
            progress=lambda step: show_progress(step.rows, step.total),
        )
    if to == _STREAM:
        sys.stdout.buffer.flush()
        tell(f"{done.rows} rows were exported.")
        return

    def show(console: Console) -> None:
        console.print(_table([(each.table, each.rows) for each in done.tables], "rows"))
        console.print(f"Written to {done.target}", markup=False)

    answer("export", done, show, as_json=as_json)


def import_export(
    source: Annotated[str, Argument(metavar="PATH", help="A file or folder of an export, or - for standard input.")],
    db_url: DatabaseUrl,
    new_ids: Annotated[bool, Option("--new-ids", help="Let the database count the rows anew.")] = False,
    skip_existing: Annotated[
        bool, Option("--skip-existing", help="Pass over what is in the database already.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Read an export into a database: all of it, or nothing.

    Example: tradestore import trades.jsonl --db-url sqlite:///new.sqlite --yes
    """
    ids = "new ids" if new_ids else "their ids"
    plan = [
        f"Store the rows of {source} in {masked(check_url(db_url))} with {ids}.",
        "Pass over what is there already." if skip_existing else "Stop, and store nothing, if one is there already.",
    ]
    confirmed(plan, yes=yes)
    given: Path | BinaryIO = sys.stdin.buffer if source == _STREAM else Path(source)
    with bar_of("Importing") as show_progress:
        done = import_trades(
            given,
            db_url,
            new_ids=new_ids,
            on_conflict="skip" if skip_existing else "refuse",
            progress=lambda step: show_progress(step.rows, step.total),
        )

    def show(console: Console) -> None:
        console.print(_table([(each.table, each.added, each.skipped) for each in done.tables], "stored", "skipped"))

    answer("import", done, show, as_json=as_json)


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _table(rows: list[Any], *headings: str) -> Table:
    return table_of(["table", *headings], rows, numbers=headings)
