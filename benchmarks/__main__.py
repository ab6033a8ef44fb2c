"""Measure, print the table, and keep it if asked to.

A cost above its allowance is marked, and is no failure: exit status 1 means that a benchmark broke.
"""

import argparse
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.catalogue import MEMORY_CASES, store_cases
from benchmarks.measuring import Case, measure
from benchmarks.report import Result, print_results, write_json, write_page
from benchmarks.stores import PLACES

DOCS = Path(__file__).parents[1] / "docs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit status."""
    options = _read(arguments)
    results: list[Result] = []
    broken: list[str] = []
    for case in _chosen(options.words):
        print(f"{case.name} …", file=sys.stderr, flush=True)
        try:
            results.append(Result(case=case, measured=[measure(case, size) for size in case.sizes]))
        except Exception as error:  # noqa: BLE001 - the others are worth their while
            traceback.print_exc()
            broken.append(f"{case.name}: {type(error).__name__}: {error}")
    if not results and not broken:
        print(f"No benchmark has {' or '.join(options.words)} in its name.", file=sys.stderr)
        return 2
    print_results(results)
    if options.json:
        write_json(results, options.json)
    if options.docs and not broken:
        _write_docs(results)
    for line in broken:
        print(f"BROKEN {line}", file=sys.stderr)
    return 1 if broken else 0


def _read(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("-k", dest="words", metavar="WORD", action="append", help="only what has WORD in its name")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all turns, in seconds and bytes")
    parser.add_argument("--docs", action="store_true", help="renew the table and the picture in docs/")
    options = parser.parse_args(arguments)
    if options.docs and options.words:
        parser.error("--docs shows a whole run: leave out -k")
    return options


def _chosen(words: Sequence[str] | None) -> Iterator[Case]:
    """Walk over the cases; an engine is up while its cases are walked over."""

    def is_wanted(case: Case) -> bool:
        return not words or any(word.casefold() in case.name.casefold() for word in words)

    yield from filter(is_wanted, MEMORY_CASES)
    for place in (kind() for kind in PLACES):
        wanted = list(filter(is_wanted, store_cases(place)))
        missing = place.missing()
        if wanted and missing:
            print(f"{place.name} left out: {missing}", file=sys.stderr)
        elif wanted:
            with place:
                yield from wanted


def _write_docs(results: Sequence[Result]) -> None:
    from benchmarks.picture import draw  # noqa: PLC0415 - needed here alone, and slow to load

    write_page(results, DOCS / "benchmarks.md")
    draw(results, DOCS / "benchmarks.png")


if __name__ == "__main__":
    sys.exit(main())
