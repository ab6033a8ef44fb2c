"""Defects of locks, custom data, the key value store, limits, intents and commit marks."""

from datetime import timedelta

from sqlalchemy import text

from tests.doctor.defects.rows import NOW, data, intent, lock
from tests.doctor.defects.table import Ids, defect
from tests.doctor.planting import OPENED, Bed
from tradestore._archive_model import Archive, ArchivedProfit
from tradestore.key_value_store import KeyValueStoreModel as KeyValueStoreRow


@defect("L01")
def doubled_lock(bed: Bed) -> Ids:
    """Twice the same."""
    lock(bed, pair="L01/USDT")
    return [lock(bed, pair="L01/USDT")]


@defect("L02")
def backward_lock(bed: Bed) -> Ids:
    """Begins after its end."""
    end = NOW - timedelta(days=2)
    return [lock(bed, pair="L02/USDT", lock_time=end + timedelta(hours=1), lock_end_time=end)]


@defect("L03")
def old_lock(bed: Bed) -> Ids:
    """Over for months."""
    return [lock(bed, pair="L03/USDT", lock_end_time=OPENED + timedelta(hours=1))]


@defect("L04")
def odd_lock(bed: Bed) -> Ids:
    """For no side that there is."""
    return [lock(bed, pair="L04/USDT", side="both")]


@defect("L05")
def unfit_data(bed: Bed) -> Ids:
    """A text where a number is noted."""
    return [bed.add(data(pair="L05/USDT", cd_value="seven"))]


@defect("L06")
def orphan_data(bed: Bed) -> Ids:
    """Of a trade that was deleted by hand."""
    row = bed.add(data(ft_trade_id=bed.add_closed()))
    bed.misdirect("trade_custom_data", row)
    return [row]


@defect("L07")
def case_keys(bed: Bed) -> Ids:
    """Written by two programs."""
    owner = bed.add_closed()
    bed.add(data(ft_trade_id=owner))
    return [bed.add(data(ft_trade_id=owner, cd_key="LEVEL"))]


@defect("L08", also=(("S02", "the index that keeps keys apart has to go"),), is_alone=True)
def doubled_key(bed: Bed) -> Ids:
    """The unique index was lost."""
    quote = "`" if bed.engine == "mysql" else '"'
    on = f" ON {quote}KeyValueStore{quote}" if bed.engine == "mysql" else ""
    bed.run(f"DROP INDEX {quote}ix_KeyValueStore_key{quote}{on}")
    model = KeyValueStoreRow
    bed.add(model(key="start", value_type="int", int_value=1))
    return [bed.add(model(key="start", value_type="int", int_value=2))]


@defect("L09")
def unfit_value(bed: Bed) -> Ids:
    """The value is in the column of another type."""
    return [bed.add(KeyValueStoreRow(key="odd", value_type="int", float_value=1.0))]


@defect("L10", is_alone=True)
def beyond_limit(bed: Bed) -> Ids:
    """Another program opened a trade past the limit."""
    bed.add_computed()
    moment = OPENED.replace(tzinfo=None)
    bed.run("INSERT INTO trade_limits VALUES (1, 0, :is_one, :moment)", is_one=False, moment=moment)
    return []


@defect("L11")
def unresolved(bed: Bed) -> Ids:
    """The bot died while it sent the order."""
    return [bed.add(intent(client_order_id="L11"))]


@defect("L12")
def lost_order(bed: Bed) -> Ids:
    """The order was deleted by hand."""
    owner = bed.add_closed()
    return [bed.add(intent(client_order_id="L12", state="placed", ft_trade_id=owner, order_id="gone"))]


@defect("L13")
def odd_intent(bed: Bed) -> Ids:
    """In a state that nobody knows."""
    return [bed.add(intent(client_order_id="L13", state="lost"))]


@defect("L14")
def old_marks(bed: Bed) -> Ids:
    """A hundred and one that nobody removed."""
    with bed.raw() as connection:
        rows = [{"token": f"mark {number}", "moment": OPENED.replace(tzinfo=None)} for number in range(101)]
        connection.execute(text("INSERT INTO commit_tokens VALUES (:token, :moment)"), rows)
    return []


@defect("L15")
def impossible_sum(bed: Bed) -> Ids:
    """More wins than trades."""
    archive = bed.add(Archive(uuid="L15", file="old.sqlite", created_at=OPENED))
    figures = dict.fromkeys(("close_profit", "close_profit_abs", "invested", "volume", "stake_amount"), 1.0)
    of = {"archive_id": archive, "exchange": "binance", "pair": "L15/USDT", "is_short": False, "closed_on": OPENED}
    return [bed.add(ArchivedProfit(trades=1, wins=2, **of, **figures))]
