"""Where stop losses lie, computed by hand."""

import pytest

from tradestore.accounting import DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE, stop_price, tighter_stop

LONG, SHORT = False, True


@pytest.mark.parametrize(
    ("price", "stoploss", "leverage", "long", "short"),
    [
        (100.0, -0.1, 1.0, 90.0, 110.0),
        (100.0, 0.1, 1.0, 90.0, 110.0),  # the sign doesn't matter
        (100.0, -0.1, 5.0, 98.0, 102.0),  # a tenth of the stake is 2 % of the price
        (100.0, 0.0, 1.0, 100.0, 100.0),
        (0.3, -0.1, 1.0, 0.27, 0.33),
        (100.0, -1.0, 1.0, 0.0, 200.0),
    ],
)
def test_distance(price, stoploss, leverage, long, short):
    """A long's stop lies below the price by the loss over leverage, a short's above."""
    stops = [stop_price(price, stoploss, leverage, is_short=side, precision=None, mode=None) for side in (LONG, SHORT)]
    assert stops == [long, short]


@pytest.mark.parametrize(
    ("price", "stoploss", "leverage", "is_short", "precision", "mode", "stop"),
    [
        (1.1111, -0.1, 1.0, LONG, 2, DECIMAL_PLACES, 1.0),  # 0.99999 up
        (1.1111, -0.1, 1.0, SHORT, 2, DECIMAL_PLACES, 1.22),  # 1.22221 down
        (11.0, -0.9, 1.0, LONG, 2, DECIMAL_PLACES, 1.1),  # 1.1 stays
        (802.1, -0.2, 1.0, LONG, 2, DECIMAL_PLACES, 641.68),  # 641.68 stays
        (320.84, -1.0, 1.0, SHORT, 2, DECIMAL_PLACES, 641.68),
        (123400.0, -0.1, 1.0, LONG, 3, SIGNIFICANT_DIGITS, 112000.0),  # 111060 up
        (1230000.0, -0.9, 1.0, LONG, 3, SIGNIFICANT_DIGITS, 123000.0),  # 123000 stays
        (61500.0, -1.0, 1.0, SHORT, 3, SIGNIFICANT_DIGITS, 123000.0),
        (101.0, -0.1, 1.0, LONG, 0.5, TICK_SIZE, 91.0),  # 90.9 up
        (101.0, -0.1, 1.0, SHORT, 0.5, TICK_SIZE, 111.0),  # 111.1 down
        # A third of a tenth has no end, but 90 · (1 - 0.1/3) = 87 and 90 · (1 + 0.1/3) = 93 have.
        (90.0, -0.1, 3.0, LONG, 1.0, TICK_SIZE, 87.0),
        (90.0, -0.1, 3.0, SHORT, 1.0, TICK_SIZE, 93.0),
    ],
)
def test_rounding_goes_towards_the_market(price, stoploss, leverage, is_short, precision, mode, stop):
    """A long's stop is rounded up and a short's down, unless it is exact already."""
    assert stop_price(price, stoploss, leverage, is_short=is_short, precision=precision, mode=mode) == stop


@pytest.mark.parametrize(
    ("stop_loss", "liquidation", "is_short", "tighter"),
    [
        (90.0, 80.0, LONG, 90.0),
        (80.0, 90.0, LONG, 90.0),
        (110.0, 120.0, SHORT, 110.0),
        (120.0, 110.0, SHORT, 110.0),
        (90.0, None, LONG, 90.0),
        (90.0, 0.0, SHORT, 90.0),
        (0.0, 80.0, LONG, 80.0),
        (0.0, 120.0, SHORT, 120.0),
        (0.0, None, LONG, 0.0),
    ],
)
def test_tighter_stop(stop_loss, liquidation, is_short, tighter):
    """Whichever the market reaches first counts; 0 and None are no stop at all."""
    assert tighter_stop(stop_loss, liquidation, is_short=is_short) == tighter
