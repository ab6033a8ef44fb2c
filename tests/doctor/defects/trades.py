"""Trades that contradict themselves or their orders."""

from sqlalchemy import text

from tests.doctor.defects.table import Ids, changed, defect
from tests.doctor.planting import CLOSED, Bed

changed("T01", Bed.add_open, amount=16.0)
changed("T02", Bed.add_open, stake_amount=300.0)
changed("T03", Bed.add_open, open_rate=20.0)
changed("T04", Bed.add_open, realized_profit=9.0)
changed("T05", Bed.add_open, max_stake_amount=381.0)
changed("T06", Bed.add_futures, funding_fees=0.5)
changed("T07", Bed.add_open, open_trade_value=300.0)
changed("T08", Bed.add_open, fee_open_cost=1.0)
changed("T09", Bed.add_closed, close_profit=0.5)
changed("T10", Bed.add_closed, close_profit_abs=20.0)
changed("T11", Bed.add_closed, is_open=True, close_date=None)
changed("T15", Bed.add_open, close_date=CLOSED.replace(tzinfo=None))
changed("T16", Bed.add_closed, close_rate=None)
changed("T20", Bed.add_open, stop_loss=30.0)
changed("T21", Bed.add_open, liquidation_price=25.0)
changed("T22", Bed.add_closed, min_rate=30.0, max_rate=10.0)
changed("T23", Bed.add_closed, base_currency="XYZ")


@defect("T12")
def held(bed: Bed) -> Ids:
    """Half of what the exit order was for was filled."""
    row = bed.add_closed()
    bed.change("orders", bed.order_of(row, -1), filled=5.0)
    return [row]


@defect("T13")
def never_left(bed: Bed) -> Ids:
    """Nothing of the exit order was filled."""
    row = bed.add_closed()
    bed.change("orders", bed.order_of(row, -1), filled=0.0, status="canceled")
    return [row]


@defect("T14")
def bare(bed: Bed) -> Ids:
    """An open trade that nobody ordered."""
    return [bed.add_bare()]


@defect("T17")
def twice(bed: Bed) -> Ids:
    """Two in one pair."""
    first, second = bed.add_computed(), bed.add_computed()
    with bed.raw() as connection:
        pair = connection.scalar(text("SELECT pair FROM trades WHERE id = :id"), {"id": first})
    bed.change("trades", second, pair=pair, base_currency=pair.partition("/")[0])
    bed.run("UPDATE orders SET ft_pair = :pair, symbol = :pair WHERE ft_trade_id = :id", pair=pair, id=second)
    return [second]


@defect("T18")
def half_leverage(bed: Bed) -> Ids:
    """Half of nothing borrowed."""
    return [bed.add_computed(leverage=0.5)]


@defect("T19")
def spot_short(bed: Bed) -> Ids:
    """Sold first, on spot."""
    return [bed.add_computed(is_short=True, trading_mode="spot")]


@defect("T24")
def bare_and_closed(bed: Bed) -> Ids:
    """As it was stored before orders were kept."""
    return [bed.add_bare(is_open=False, close_date=CLOSED, close_rate=22.0)]
