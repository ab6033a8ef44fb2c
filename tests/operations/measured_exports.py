"""Exports and imports of a database, each in a process of its own whose memory is measured: run as a program.

The imports go into a database that is emptied before each; at the end it is as it was.
"""

import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from tests.operations.exports import contents
from tests.operations.furniture import plain_engine
from tradestore import ModelBase
from tradestore.operations.export import export_trades, import_trades

FORMATS = ("jsonl", "csv", "parquet")


def _export(url: str, target: str, file_format: str) -> int:
    return export_trades(url, target, file_format=file_format).rows  # type: ignore[arg-type]


def _import(url: str, source: str) -> int:
    return import_trades(source, url).added


def _run(work: Any, arguments: tuple[str, ...], answers: Any) -> None:
    begun = time.monotonic()
    rows = work(*arguments)
    # Linux counts in KiB.
    answers.put((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, time.monotonic() - begun, rows))


def _measured(work: Any, *arguments: str) -> tuple[int, float, int]:
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_run, args=(work, arguments, answers))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)
    found: tuple[int, float, int] = answers.get()
    return found


def main(url: str, folder: str) -> None:
    """Export in all formats, and import each again."""
    peaks, seconds, rows = {}, {}, 0
    before = contents(url)
    for file_format in FORMATS:
        target = str(Path(folder) / f"all.{file_format}") if file_format == "jsonl" else str(Path(folder) / file_format)
        name = f"export {file_format}"
        peaks[name], seconds[name], rows = _measured(_export, url, target, file_format)
        with plain_engine(url) as engine, engine.begin() as connection:
            for table in ("orders", "trades"):
                connection.execute(delete(ModelBase.metadata.tables[table]))
        name = f"import {file_format}"
        peaks[name], seconds[name], rows = _measured(_import, url, target)
    # Each format was written from what the one before has brought.
    print(json.dumps({"peaks": peaks, "seconds": seconds, "rows": rows, "same": contents(url) == before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
