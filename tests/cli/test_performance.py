"""`tradestore performance` on every engine: figures that were worked out by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import closed_trade, store
from tests.cli.conftest import Command
from tests.operations.old_trades import BEFORE, OLD, fill
from tradestore.operations.archive import archive
from tradestore.operations.performance import Grouping, read_performance
from tradestore.testing import opened_store

pytestmark = pytest.mark.needs("persistent")

# Sundays, Mondays, the ends of months and of a year whose last days belong to the next year's first week.
MOMENTS = {
    datetime(2025, 12, 28, 23, 59, 59, 999_999, tzinfo=UTC): 1.0,
    datetime(2025, 12, 29, tzinfo=UTC): 2.0,
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC): 4.0,
    datetime(2026, 1, 1, tzinfo=UTC): 8.0,
    datetime(2026, 1, 4, 23, 59, 59, tzinfo=UTC): 16.0,
    datetime(2026, 1, 5, tzinfo=UTC): 32.0,
}


@pytest.fixture
def dated_url(store_url: str) -> str:
    """Return the URL of a store with a closed trade for each moment."""
    with opened_store(store_url):
        for moment, profit in MOMENTS.items():
            store(closed_trade(profit=profit, ratio=0.1, close_date=moment, open_date=moment - timedelta(hours=1)))
    return store_url


def _profits(command: Command, url: str, *words: str) -> dict[str, float]:
    groups = command("performance", "--db-url", url, *words, "--json").result["groups"]
    return {each["group"]: each["profit_abs"] for each in groups}


def test_weeks_begin_on_monday(dated_url: str, command: Command) -> None:
    found = _profits(command, dated_url, "--by", "week")
    assert found == {"2026-01-05": 32.0, "2025-12-29": 2.0 + 4.0 + 8.0 + 16.0, "2025-12-22": 1.0}
    assert list(found) == sorted(found, reverse=True)


def test_months_and_days_are_those_of_utc(dated_url: str, command: Command) -> None:
    assert _profits(command, dated_url, "--by", "month") == {"2026-01-01": 56.0, "2025-12-01": 7.0}
    assert _profits(command, dated_url, "--by", "day") == {
        f"{moment:%Y-%m-%d}": each for moment, each in MOMENTS.items()
    }


def test_since_counts_from_a_moment_on(dated_url: str, command: Command) -> None:
    assert _profits(command, dated_url, "--since", "2026-01-01") == {"ADA/USDT": 56.0}
    assert _profits(command, dated_url, "--by", "month", "--since", "2026-01-01") == {"2026-01-01": 56.0}
    assert _profits(command, dated_url, "--since", "2026-01-05T00:00:01") == {}


def test_pairs_and_tags_are_summed_up(known_url: str, command: Command) -> None:
    assert _profits(command, known_url) == {"ADA/USDT": 39.14333333, "ADA/USDT:USDT": 20.06}
    assert _profits(command, known_url, "--by", "enter_tag") == {"dip": 39.64, "Other": 19.56333333}
    assert _profits(command, known_url, "--by", "exit_reason") == {"exit_signal": 59.20333333}
    assert _profits(command, known_url, "--by", "mix_tag") == {
        "dip exit_signal": 39.64,
        "Other exit_signal": 19.56333333,
    }


@pytest.mark.parametrize("by", Grouping)
def test_every_grouping_counts_every_closed_trade(by: Grouping, known_url: str) -> None:
    assert sum(group.count for group in read_performance(known_url, by)) == 3


def test_ratio_is_the_profit_over_what_was_invested(known_url: str) -> None:
    by_pair = {group.group: group.profit_ratio for group in read_performance(known_url)}
    # 200 of the first trade, and 200 with leverage 5 of the fourth; 200 with leverage 4 of the third.
    assert by_pair["ADA/USDT"] == pytest.approx(39.14333333 / 240)
    assert by_pair["ADA/USDT:USDT"] == pytest.approx(20.06 / 50)
    (month,) = read_performance(known_url, "month")
    assert month.profit_ratio == pytest.approx(59.20333333 / 290)


@pytest.mark.parametrize("by", Grouping)
# The archived trades were closed at noon of every other day, the sixth of nine on January 13th; three were later.
@pytest.mark.parametrize(("since", "count"), [(None, 12), (datetime(2025, 1, 13, tzinfo=UTC), 7), (BEFORE, 3)])
def test_archived_trades_count_as_before(
    by: Grouping, since: datetime | None, count: int, store_url: str, tmp_path: Path
) -> None:
    with opened_store(store_url):
        fill()
    before = read_performance(store_url, by, since=since)
    assert archive(store_url, BEFORE, tmp_path / "archive.sqlite").trades == len(OLD)
    after = read_performance(store_url, by, since=since)
    assert sum(each.count for each in after) == count
    assert [(each.group, each.count, each.profit_abs) for each in after] == [
        (each.group, each.count, each.profit_abs) for each in before
    ]
    assert [each.profit_ratio for each in after] == pytest.approx([each.profit_ratio for each in before])
