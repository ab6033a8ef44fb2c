"""A transfer into a database that has rows: what it lacks is added, and nothing of it is changed."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from tradestore.exceptions import TransferConflict, TransferError
from tradestore.operations._comparing import MOST_KEYS, Comparison, compare, missing_rows
from tradestore.operations._journal import NOTHING, journal_source, read_journal
from tradestore.operations._target_rows import write_rows
from tradestore.operations._transfer_plan import Cargo, make_tables
from tradestore.operations._transfer_report import TransferredTable
from tradestore.operations._way import Way

__all__ = ["merge_all"]


def merge_all(way: Way) -> list[TransferredTable]:
    """Add the rows that the target lacks. Cut short, it has added some of them, and is gone on with by the next call.

    Args:
        way: Whose target has its tables.

    Raises:
        TransferConflict: If rows contradict the target's: nothing was written.
        TransferError: If a transfer into the target was cut short before, or rows are missing at the end.
        InvalidValue: If the target cannot hold a value.
    """
    with way.target.connect() as connection:
        if read_journal(connection) is not None:
            msg = (
                f"A transfer from {journal_source(connection)} into {way.target_name} was cut short. Nothing was "
                "changed: run that one again to its end, then merge."
            )
            raise TransferError(msg)
    way.survey({})
    make_tables(way.plan, way.target)
    _refuse_conflicts(way)
    copied = {cargo.name: _add_missing(way, cargo) for cargo in way.plan.cargos}
    if found := [name for name, found in _comparisons(way) if found.missing or found.contradictions]:
        msg = (
            f"Rows of {', '.join(found)} are not at {way.target_name} as the source has them: somebody else has "
            "written there meanwhile. Run the merge again."
        )
        raise TransferError(msg)
    way.finish()
    return way.result(copied)


def _refuse_conflicts(way: Way) -> None:
    columns = {cargo.name: ", ".join(column.name for column in cargo.key) for cargo in way.plan.cargos}
    found = [
        f"{name}: {columns[name]} {', '.join(each.keys)}{_more(each)}"
        for name, each in _comparisons(way)
        if each.contradictions
    ]
    if found:
        msg = (
            f"Source and {way.target_name} have rows of the same id or unique key with different content. Nothing was "
            f"written: correct one side, or transfer into an empty database. {'; '.join(found)}."
        )
        raise TransferConflict(msg)


def _size(way: Way) -> int:
    return min(way.batch_size, MOST_KEYS)


def _more(found: Comparison) -> str:
    rest = found.contradictions - len(found.keys)
    return f" and {rest} more" if rest else ""


def _comparisons(way: Way) -> Iterator[tuple[str, Comparison]]:
    with way.target.connect() as connection:
        for cargo in way.plan.cargos:
            if cargo.key:
                yield cargo.name, compare(way.source, connection, cargo, _size(way))
                continue
            source, target = way.contents[cargo.name], way.target_content(connection, cargo)
            if source == target:
                yield cargo.name, Comparison(identical=source.rows)
            elif target == NOTHING:
                yield cargo.name, Comparison(missing=source.rows)
            else:
                keys = ["no primary key, and other rows at the target"]
                yield cargo.name, Comparison(contradictions=1, keys=keys)


def _add_missing(way: Way, cargo: Cargo) -> int:
    copied = 0
    with way.target.connect() as looking:
        if not cargo.key:
            is_there = way.target_content(looking, cargo) == way.contents[cargo.name]
            return 0 if is_there else _add_all(way, cargo)
        with closing(missing_rows(way.source, looking, cargo, _size(way))) as missing:
            for values in missing:
                _write(way, cargo, [values])
                copied += len(values[0])
    way.arrive(cargo.name, way.contents[cargo.name].rows - copied)
    return copied


def _add_all(way: Way, cargo: Cargo) -> int:
    """Add a table that has no key, in one transaction: afterwards nobody could tell which rows are there."""
    with closing(way.rows_of(cargo)) as batches:
        _write(way, cargo, batches)
    return way.contents[cargo.name].rows


def _write(way: Way, cargo: Cargo, batches: Iterable[Any]) -> None:
    rows = 0
    with way.writing() as connection:
        for values in batches:
            write_rows(connection, cargo, values)
            rows += len(values[0])
    way.arrive(cargo.name, rows)
