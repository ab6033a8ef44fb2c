"""The ends of candles, computed by hand."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradestore.accounting import next_candle
from tradestore.exceptions import InvalidValue

TICK = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("timeframe", "moment", "end"),
    [
        ("1s", "2026-03-01 12:00:00", "2026-03-01 12:00:01"),
        ("1s", "2026-03-01 12:00:00.999999", "2026-03-01 12:00:01"),
        ("30s", "2026-03-01 12:00:29", "2026-03-01 12:00:30"),
        ("1m", "2026-03-01 12:00:59", "2026-03-01 12:01:00"),
        ("5m", "2026-03-01 12:03:00", "2026-03-01 12:05:00"),
        ("5m", "2026-03-01 12:05:00", "2026-03-01 12:10:00"),
        ("5m", "2026-03-01 12:04:59.999999", "2026-03-01 12:05:00"),
        ("15m", "2026-12-31 23:50:00", "2027-01-01 00:00:00"),
        ("1h", "2026-03-01 12:30:00", "2026-03-01 13:00:00"),
        ("4h", "2026-03-01 12:00:00", "2026-03-01 16:00:00"),
        ("4h", "2026-03-01 11:59:59", "2026-03-01 12:00:00"),
        ("1d", "2026-02-28 10:00:00", "2026-03-01 00:00:00"),
        ("1d", "2026-03-01 00:00:00", "2026-03-02 00:00:00"),
        # 2026-03-01 is day 20513 = 3 · 6837 + 2 since 1970, so the third of its candle.
        ("3d", "2026-03-01 00:00:00", "2026-03-02 00:00:00"),
        # 2026-03-02 is a Monday.
        ("1w", "2026-03-01 23:59:59", "2026-03-02 00:00:00"),
        ("1w", "2026-03-02 00:00:00", "2026-03-09 00:00:00"),
        ("1w", "2026-03-05 12:00:00", "2026-03-09 00:00:00"),
        ("1w", "1970-01-01 00:00:00", "1970-01-05 00:00:00"),
        ("1M", "2026-02-01 00:00:00", "2026-03-01 00:00:00"),
        ("1M", "2024-02-29 12:00:00", "2024-03-01 00:00:00"),
        ("1M", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("3M", "2026-02-10 00:00:00", "2026-04-01 00:00:00"),
        ("3M", "2026-12-10 00:00:00", "2027-01-01 00:00:00"),
        ("1y", "2026-01-01 00:00:00", "2027-01-01 00:00:00"),
        ("1y", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("2y", "2026-05-01 00:00:00", "2028-01-01 00:00:00"),
    ],
)
def test_next_candle(timeframe, moment, end):
    """The end is the start of the next candle, also for a moment at the very start of one."""
    assert next_candle(timeframe, utc(moment)) == utc(end)


@pytest.mark.parametrize(
    ("timeframe", "moment", "end"),
    [
        # 12:03 at +05:45 is 06:18 UTC.
        ("5m", "2026-03-01T12:03:00+05:45", "2026-03-01 06:20:00"),
        ("1d", "2026-03-02T01:00:00+02:00", "2026-03-02 00:00:00"),
        # Already March in the east, still February in UTC.
        ("1M", "2026-03-01T00:30:00+02:00", "2026-03-01 00:00:00"),
        # Still December in the west, already January in UTC.
        ("1M", "2025-12-31T22:30:00-05:00", "2026-02-01 00:00:00"),
        ("1y", "2025-12-31T22:30:00-05:00", "2027-01-01 00:00:00"),
    ],
)
def test_candles_are_those_of_utc(timeframe, moment, end):
    """A moment in another zone lies in the candle in which it lies in UTC."""
    assert next_candle(timeframe, datetime.fromisoformat(moment)) == utc(end)


@given(
    st.sampled_from(["1s", "7s", "1m", "5m", "1h", "4h", "1d", "3d", "1w", "2w", "1M", "3M", "1y"]),
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - zones are added
)
def test_candles_have_no_gap(timeframe, moment):
    """The end is later than the moment, and the whole candle before it has that same end."""
    end = next_candle(timeframe, moment)
    assert end > moment
    assert next_candle(timeframe, end - TICK) == end
    assert next_candle(timeframe, end) > end


@given(
    st.sampled_from(["1s", "5m", "1h", "1d", "1w", "1M", "1y"]),
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - zones are added
    st.integers(-14, 14),
)
def test_the_zone_of_a_moment_changes_nothing(timeframe, moment, hours):
    """The same moment written in another zone has the same end."""
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert next_candle(timeframe, elsewhere) == next_candle(timeframe, moment)


@pytest.mark.parametrize("timeframe", ["", "5", "m", "0m", "-1h", "5 m", " 5m", "5m ", "1.5h", "5x", "1H", "5m5m"])
def test_unreadable_timeframe_is_refused(timeframe):
    """What is no count and unit is refused, and shown."""
    with pytest.raises(InvalidValue, match=f"timeframe '{timeframe}'"):
        next_candle(timeframe, utc("2026-03-01 12:00:00"))
