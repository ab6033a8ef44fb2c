"""Opening an old or wrecked database fails at some statement: what was there is there still, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from sqlalchemy import Engine, event

from tests.capabilities import Backend
from tests.migrations.adopted import opened
from tests.migrations.rescued import see_it_goes_on, see_it_whole
from tests.migrations.wrecks import Wreck, differing_tables, on_one_engine, snapshot, strange_engine
from tradestore.exceptions import TradeStoreError

WRITES = {"CREATE", "DROP", "ALTER", "RENAME", "INSERT", "REPLACE", "UPDATE", "DELETE", "COPY", "TRUNCATE"}
CHOSEN = (Wreck("107", ()), Wreck("208", ()), Wreck("301", ()))


class _CutShortError(Exception):
    pass


@contextmanager
def _cut_short(number: int) -> Iterator[list[str]]:
    """Fail after so many statements that change something, on any engine; yield where that was, once it was."""
    changing: list[str] = []
    cut: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.split(maxsplit=1)[0].upper() in WRITES:
            changing.append(statement)
            if len(changing) == number:
                cut.append(statement)
                raise _CutShortError

    event.listen(Engine, "after_cursor_execute", note)
    try:
        yield cut
    finally:
        event.remove(Engine, "after_cursor_execute", note)


def _place_of_failure(url: str, number: int) -> str | None:
    """Open a database, fail after so many statements, and return the last one; None if there are fewer."""
    with _cut_short(number) as cut:
        try:
            with opened(url):
                pass
        except (_CutShortError, TradeStoreError):
            assert cut
            return cut[0]
    assert cut == [], f"the failure after statement {number} was not told"
    return None


@on_one_engine(*CHOSEN)
def test_failure_at_any_statement(backend: Backend, wreck: Wreck, store_url: str) -> None:
    """The database is as it was, to the last table, and the next start does it all."""
    wreck.make(store_url)
    engine = strange_engine(store_url)
    before = snapshot(engine)
    # A server is asked at some places only, for the sake of time.
    for number in count(1, 1 if backend.in_process else 7):
        place = _place_of_failure(store_url, number)
        if place is None:
            break
        assert differing_tables(snapshot(engine), before) == [], f"statement {number}: {place}"
    assert number > 10
    see_it_whole(store_url, wreck.case.expected_rows)
    see_it_goes_on(store_url)
