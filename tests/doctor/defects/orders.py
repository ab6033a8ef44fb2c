"""Orders that contradict themselves or their trade."""

from tests.doctor.defects.table import Ids, defect
from tests.doctor.planting import Bed


@defect("O01")
def orphan(bed: Bed) -> Ids:
    """The trade was deleted by hand."""
    row = bed.add_order(bed.add_closed())
    bed.misdirect("orders", row)
    return [row]


@defect("O02")
def other_pair(bed: Bed) -> Ids:
    """The pair was renamed in one table only."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, ft_pair="OTHER/USDT", symbol="OTHER/USDT")
    return [row]


@defect("O03")
def waiting(bed: Bed) -> Ids:
    """Nobody canceled it when the trade was closed."""
    return [bed.add_order(bed.add_closed(), ft_is_open=True, status="open")]


@defect("O04")
def overfilled(bed: Bed) -> Ids:
    """Ten were filled of nine."""
    row = bed.order_of(bed.add_closed())
    bed.change("orders", row, amount=9.0)
    return [row]


@defect("O05")
def doubled_order(bed: Bed) -> Ids:
    """Stored under the pair's name with and without the settling currency."""
    rows = [bed.order_of(bed.add_closed()), bed.order_of(bed.add_futures())]
    for row in rows:
        bed.change("orders", row, order_id="twice", symbol="TWICE/USDT")
    return rows


@defect("O06")
def nameless(bed: Bed) -> Ids:
    """The exchange's id was never noted."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, order_id="placeholder:abc")
    return [row]


@defect("O07")
def done(bed: Bed) -> Ids:
    """Canceled at the exchange."""
    return [bed.add_order(bed.add_open(), ft_is_open=True)]


@defect("O08")
def sideless(bed: Bed) -> Ids:
    """Neither entry nor exit."""
    row = bed.add_order(bed.add_closed())
    bed.change("orders", row, ft_order_side="hold")
    return [row]


@defect("O09")
def oversold(bed: Bed) -> Ids:
    """Twice as much left as was entered."""
    row = bed.add_closed()
    bed.change("orders", bed.order_of(row, -1), filled=20.0, amount=20.0)
    return [row]
