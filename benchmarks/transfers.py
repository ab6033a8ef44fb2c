"""A database copied from a file and back again, against the raw drivers doing the same; its memory; and going on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from typing import Any

from benchmarks.measuring import Case, Contest
from benchmarks.rows import ORDER_COLUMNS, TRADE_COLUMNS
from benchmarks.stores import SqlitePlace, StorePlace
from tradestore import init_db
from tradestore.operations import TransferProgress, transfer

__all__ = ["cases"]

SIZES = (10_000, 100_000)
TRACED_SIZES = (10_000, 30_000)
BATCH = 2_000
_FLAGS = {"is_open", "is_stop_loss_trailing", "is_short", "ft_is_open"}
_TABLES = {"trades": TRADE_COLUMNS, "orders": ORDER_COLUMNS}


@contextmanager
def _there_and_back(place: StorePlace, trades: int, *, with_floor: bool) -> Iterator[Contest]:
    """Copy a file's trades, with two orders each, to the engine and back into another file."""
    with SqlitePlace() as files, files.filled(trades) as store:
        names = count()

        def fresh() -> tuple[str, str]:
            name = f"transfer_{next(names)}_{trades}"
            return place.url(name), files.url(f"{name}_back")

        yield Contest(
            ours=lambda urls: _ours(store.place.url(f"filled_{trades}"), *urls),
            floor=(lambda urls: _raw(files, place, store.raw, *urls)) if with_floor else None,
            material=lambda: (fresh(), fresh()),
            operations=trades,
        )


def _ours(source: str, urls: Any, _others: Any) -> int:
    there, back = urls
    return transfer(source, there).rows + transfer(there, back).rows


def _raw(files: StorePlace, place: StorePlace, source: Any, _urls: Any, others: Any) -> int:
    there, back = others
    for url in others:
        init_db(url).close()
    with closing(place.connect(there)) as raw, closing(files.connect(back)) as last:
        return _copy(source, raw, place) + _copy(raw, last, files)


def _copy(source: Any, target: Any, place: StorePlace) -> int:
    copied = 0
    with closing(source.cursor()) as reading, closing(target.cursor()) as writing:
        writing.execute(place.begin_write)
        for table, columns in _TABLES.items():
            reading.execute(f"SELECT {', '.join(columns)} FROM {table}")
            while rows := reading.fetchmany(BATCH):
                place.write_many(writing, table, columns, rows if place.is_embedded else _with_flags(columns, rows))
                copied += len(rows)
        writing.execute("COMMIT")
    return copied


def _with_flags(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Make flags of the numbers that a file has in their place."""
    flags = [place for place, name in enumerate(columns) if name in _FLAGS]
    for row in rows:
        values = list(row)
        for place in flags:
            values[place] = bool(values[place])
        yield tuple(values)


@contextmanager
def _peak_of(place: StorePlace, trades: int) -> Iterator[Contest]:
    """Measure the memory of the library's side, as a whole and not for one trade."""
    with _there_and_back(place, trades, with_floor=False) as contest:
        yield Contest(ours=contest.ours, floor=None, material=contest.material)


@contextmanager
def _going_on(place: StorePlace, trades: int) -> Iterator[Contest]:
    """Go on with a transfer that was killed in the middle, which is not counted; the floor is one without a kill."""
    with SqlitePlace() as files, files.filled(trades):
        source, names = files.url(f"filled_{trades}"), count()

        def half_done() -> tuple[str, str]:
            target = place.url(f"half_{next(names)}_{trades}")
            program = (
                f"from benchmarks.transfers import die_halfway; die_halfway({source!r}, {target!r}, {trades // 10})"
            )
            run = subprocess.run([sys.executable, "-c", program], check=False)
            assert run.returncode == -signal.SIGKILL
            return target, place.url(f"whole_{next(names)}_{trades}")

        yield Contest(
            ours=lambda urls: _rest(source, urls[0]),
            floor=lambda urls: transfer(source, urls[1]).rows,
            material=half_done,
            operations=trades,
        )


def die_halfway(source: str, target: str, batch_size: int) -> None:
    """Transfer, and be killed with half of the rows at the target."""

    def die(step: TransferProgress) -> None:
        if step.rows >= step.total // 2:
            os.kill(os.getpid(), signal.SIGKILL)

    transfer(source, target, progress=die, batch_size=batch_size)


def _rest(source: str, target: str) -> int:
    report = transfer(source, target)
    assert 0 < report.copied <= report.rows // 2 + 1
    return report.rows


def cases(place: StorePlace) -> tuple[Case, ...]:
    """Return the cases on one engine."""
    return (
        Case(
            name=f"{place.name} transfer: from a file and back, each trade with 2 orders",
            unit="trades",
            sizes=SIZES,
            prepare=partial(_there_and_back, place, with_floor=True),
            allowed_growth=1.2,
            turns=(1, 1),
        ),
        Case(
            name=f"{place.name} transfer: going on after a kill halfway",
            unit="trades",
            sizes=SIZES,
            prepare=partial(_going_on, place),
            turns=(1, 1),
        ),
        Case(
            name=f"{place.name} transfer: from a file and back, peak of memory",
            unit="trades",
            # The other way round than elsewhere: it is the server that files move to.
            sizes=TRACED_SIZES if place.is_embedded else SIZES,
            prepare=partial(_peak_of, place),
            allowed_growth=1.2,
            quantity="memory",
            turns=(1, 1),
        ),
    )
