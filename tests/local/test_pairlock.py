"""A pair lock without a database."""

from typing import Any

import pytest

from tests.local.making import OPENED, PLACED, after
from tradestore import LocalPairLock


def lock(**values: Any) -> LocalPairLock:
    defaults = {"pair": "ETH/USDT", "lock_time": OPENED, "lock_end_time": after(2)}
    return LocalPairLock(**defaults | values)


@pytest.mark.parametrize(
    ("hours", "holds"),
    [(-5.0, True), (0.0, True), (1.999, True), (2.0, False), (3.0, False)],
)
def test_a_lock_holds_until_its_end(hours, holds):
    """A lock holds before its end, and no longer at it."""
    assert lock().holds(after(hours)) is holds


def test_a_released_lock_does_not_hold():
    """A lock that isn't active holds nothing."""
    assert lock(active=False).holds(OPENED) is False


@pytest.mark.parametrize(
    ("own", "asked", "holds"),
    [
        ("*", "*", True),
        ("*", "long", True),
        ("*", "short", True),
        ("*", None, True),
        ("long", "long", True),
        ("long", "short", False),
        ("long", "*", False),
        ("long", None, True),
    ],
)
def test_sides(own, asked, holds):
    """A lock for both sides holds for each; asking for both finds only those."""
    assert lock(side=own).holds(OPENED, side=asked) is holds


def test_pairs():
    """A lock holds for its pair, and for any if none is named."""
    assert (lock().holds(OPENED, "ETH/USDT"), lock().holds(OPENED, "BTC/USDT"), lock().holds(OPENED)) == (
        True,
        False,
        True,
    )


def test_defaults():
    """A lock is active, for both sides, and for no reason."""
    made = lock()
    assert (made.id, made.side, made.reason, made.active) == (None, "*", None, True)


def test_naive_dates_are_utc():
    """Dates without a zone are UTC."""
    made = lock(lock_time=OPENED.replace(tzinfo=None), lock_end_time=after(2).replace(tzinfo=None))
    assert (made.lock_time_utc, made.lock_end_time_utc) == (OPENED, after(2))
    assert made.holds(after(1))


def test_a_long_reason_is_cut():
    """A reason keeps its first 255 characters."""
    assert lock(reason="r" * 300).reason == "r" * 255


def test_unknown_keyword_is_refused():
    """A keyword that is no field is a typing error."""
    with pytest.raises(TypeError, match="until"):
        lock(until=OPENED)


def test_json():
    """A lock writes its times as text and in milliseconds."""
    assert lock(reason="loss", side="long").to_json() == {
        "id": None,
        "pair": "ETH/USDT",
        "lock_time": "2026-03-01 12:00:00",
        "lock_timestamp": PLACED,
        "lock_end_time": "2026-03-01 14:00:00",
        "lock_end_timestamp": PLACED + 2 * 3_600_000,
        "reason": "loss",
        "side": "long",
        "active": True,
    }


def test_repr():
    """A lock shows itself in one line."""
    assert repr(lock(reason="loss")) == (
        "PairLock(id=None, pair=ETH/USDT, side=*, lock_time=2026-03-01 12:00:00, lock_end_time=2026-03-01 14:00:00, "
        "reason=loss, active=True)"
    )
