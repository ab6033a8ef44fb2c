"""Candle boundaries."""

import re
from datetime import UTC, datetime, timedelta

from tradestore._clock import as_utc
from tradestore.exceptions import InvalidValue

__all__ = ["next_candle"]

_TIMEFRAME = re.compile(r"(?P<count>[1-9]\d*)(?P<unit>[smhdwMy])")
_FIXED = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_MONTHS = {"M": 1, "y": 12}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)


def next_candle(timeframe: str, moment: datetime) -> datetime:
    """Return the start of the candle after the one that holds the moment.

    A moment at the very start of a candle belongs to it, so the answer is always later than the moment. Weeks start
    on Monday, months and years on the first; the others count from 1970.

    Args:
        timeframe: A count and a unit: s, m, h, d, w, M or y, such as ``5m``.
        moment: A naive one is UTC.

    Raises:
        InvalidValue: If the timeframe cannot be read.
    """
    match = _TIMEFRAME.fullmatch(timeframe)
    if match is None:
        msg = f"Unknown timeframe {timeframe!r}: write a count and one of s, m, h, d, w, M, y, such as '5m'."
        raise InvalidValue(msg)
    count, unit, moment = int(match["count"]), match["unit"], as_utc(moment)
    if unit in _MONTHS:
        months = count * _MONTHS[unit]
        elapsed = (moment.year - _EPOCH.year) * 12 + moment.month - 1
        years, month = divmod((elapsed // months + 1) * months, 12)
        return datetime(_EPOCH.year + years, month + 1, 1, tzinfo=UTC)
    length = count * _FIXED[unit]
    start = _FIRST_MONDAY if unit == "w" else _EPOCH
    return start + ((moment - start) // length + 1) * length
