"""Backups while four programs write: each is one moment of the database, and nobody waits for long."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults.backup_writers import BUSY_TIMEOUT, write_trades
from tests.faults.children import Child, child
from tests.operations.furniture import plain_engine
from tradestore import init_db
from tradestore.operations.backup import back_up, restore

WRITERS = 4
ROUNDS = 3


class _Heard:
    """What a writer has told so far."""

    def __init__(self, writer: Child) -> None:
        self.writer = writer
        self.stored: int
        self.longest: float
        self.stored, self.longest = writer.hear_one()

    def listen(self) -> int:
        """Return how many trades it has stored for sure."""
        for number, seconds in self.writer.hear(0):
            self.stored, self.longest = number, max(self.longest, seconds)
        return self.stored


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("form", ["native", "portable"])
def test_copy_is_one_moment_and_nobody_waits_for_long(
    store_url: str, tmp_path: Path, form: str, note: Callable[[str, str], None]
) -> None:
    """What was acknowledged before is in it, nothing is half in it, and what came later is not."""
    init_db(store_url).close()
    with ExitStack() as until_the_end:
        heard = [
            _Heard(until_the_end.enter_context(child(write_trades, store_url, f"w{number}")))
            for number in range(WRITERS)
        ]
        copies = []
        for _ in range(ROUNDS):
            before = [each.listen() for each in heard]
            made = back_up(store_url, tmp_path / "backups", format=form)  # type: ignore[arg-type]
            # One more may be stored and not told yet.
            copies.append((made, before, [each.listen() + 1 for each in heard]))
    for made, before, after in copies:
        target = f"sqlite:///{tmp_path / made.path.name}.restored"
        if made.manifest.kind.value == "sqlite":
            restore(made.path, target)
            _check(target, before, after)
        else:
            trades, orders = (made.manifest.content.tables[name].rows for name in ("trades", "orders"))
            assert sum(before) <= trades <= sum(after)
            assert orders == 2 * trades
    longest = max(each.longest for each in heard)
    assert longest < BUSY_TIMEOUT
    rows = copies[-1][0].manifest.content.rows
    note("backups under four writers", f"{form}, {rows} rows in the last one, longest wait of a writer {longest:.3f} s")


def _check(url: str, before: list[int], after: list[int]) -> None:
    with plain_engine(url) as engine, engine.connect() as connection:
        counting = text("SELECT ft_trade_id, count(*) FROM orders GROUP BY ft_trade_id")
        orders = {row[0]: row[1] for row in connection.execute(counting)}
        trades = {row[0]: row[1] for row in connection.execute(text("SELECT id, enter_tag FROM trades"))}
    assert orders == dict.fromkeys(trades, 2)
    for writer in range(WRITERS):
        numbers = sorted(int(tag.split()[1]) for tag in trades.values() if tag.split()[0] == f"w{writer}")
        assert numbers == list(range(1, len(numbers) + 1))
        assert before[writer] <= len(numbers) <= after[writer]
