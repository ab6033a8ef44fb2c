"""Values that no exchange and no bot can have meant."""

import struct
from datetime import UTC, datetime, timedelta

from tests.doctor.defects.rows import NOW, balance, lock
from tests.doctor.defects.table import Ids, changed, defect
from tests.doctor.planting import OPENED, Bed

changed("N03", Bed.add_closed, exchange="")
changed("N05", Bed.add_closed, stop_loss_pct=0.5)
changed("N06", Bed.add_closed, close_date=(OPENED - timedelta(hours=20, minutes=30)).replace(tzinfo=None))
changed("N10", Bed.add_closed, open_date=(OPENED + timedelta(hours=2)).replace(tzinfo=None))


@defect("N01", "sqlite", "postgresql")
def infinite(bed: Bed) -> Ids:
    """Divided by nothing."""
    row = balance(bed, "N01")
    bed.change("wallet_history", row, rate=float("inf"))
    return [row]


@defect("N02")
def negative(bed: Bed) -> Ids:
    """A stop below nothing."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, stop_price=-1.0)
    return [row]


@defect("N04")
def dear(bed: Bed) -> Ids:
    """A percentage where a ratio was meant."""
    return [bed.add_computed(fee_open=0.2, fee_close=0.1)]


@defect("N07")
def early(bed: Bed) -> Ids:
    """Filled half an hour before it was placed."""
    row = bed.order_of(bed.add_open())
    bed.change("orders", row, order_filled_date=(OPENED - timedelta(minutes=30)).replace(tzinfo=None))
    return [row]


@defect("N08")
def future(bed: Bed) -> Ids:
    """Tomorrow's balance."""
    return [balance(bed, "N08", timestamp=NOW + timedelta(days=1))]


@defect("N09")
def ancient(bed: Bed) -> Ids:
    """Seconds taken for milliseconds."""
    return [balance(bed, "N09", timestamp=datetime(1970, 1, 21, tzinfo=UTC))]


def in_four_bytes(number: float) -> float:
    """Return a number as it comes back from 4 bytes."""
    return float(struct.unpack("f", struct.pack("f", number))[0])


@defect("N11")
def cut(bed: Bed) -> Ids:
    """Copied from a table whose columns have 4 bytes."""
    return [bed.add_computed(amount=in_four_bytes(10.1), open_rate=in_four_bytes(20.3))]


@defect("N12", "sqlite", "mysql")
def odd_mode(bed: Bed) -> Ids:
    """A mode of a later program; MariaDB makes an empty text of it."""
    row = bed.add_closed()
    bed.change("trades", row, trading_mode="OPTIONS")
    return [row]


@defect("N13", "sqlite")
def text_for_number(bed: Bed) -> Ids:
    """Typed in by hand."""
    row = balance(bed, "N13")
    bed.change("wallet_history", row, total_quote="about 7")
    return [row]


@defect("N14", "sqlite")
def long_text(bed: Bed) -> Ids:
    """More than any other engine would take."""
    row = lock(bed, pair="N14/USDT")
    bed.change("pairlocks", row, reason="x" * 300)
    return [row]
