"""What a trade's orders say about it: the totals that the doctor expects, and whether the trade is over."""

from collections.abc import Sequence
from typing import Any, Final

from tradestore._plain_twin import plain_trade
from tradestore.constants import AMOUNT_TOLERANCE
from tradestore.enums import TradingMode
from tradestore.operations.doctor.stories import Story
from tradestore.operations.doctor.totals import TOTALS, differing
from tradestore.operations.repair.row_text import Row

__all__ = ["changes_of", "is_over", "settled", "story_of"]

_NOISE: Final = 1e-9
"""What floats may leave of a position, in proportion to it."""

_OF_THE_END: Final = frozenset({"realized_profit", "close_profit", "close_profit_abs"})

_NUMBERS: Final = frozenset(
    {
        *("fee_open", "fee_close", "open_rate", "amount", "stake_amount", "leverage", "interest_rate"),
        *("funding_fee_running", "amount_precision", "price_precision", "contract_size"),
        *("price", "average", "filled", "stop_price", "ft_price", "ft_amount", "funding_fee", "ft_fee_base"),
    }
)
"""The columns that the math reads."""


def story_of(trade: Row, orders: Sequence[Row]) -> Story:
    """Return a trade in memory with the values of stored rows.

    Args:
        trade: Its row.
        orders: The rows of its orders, by id.

    Raises:
        ValueError: If a value is none that the math could use.
    """
    values = dict(trade)
    if (mode := trade["trading_mode"]) is not None:
        if mode not in TradingMode.__members__:
            msg = f"its trading mode {mode!r} is unknown"
            raise ValueError(msg)
        values["trading_mode"] = TradingMode[mode]
    for row in (trade, *orders):
        for name, value in row.items():
            if name in _NUMBERS and value is not None and not isinstance(value, float | int):
                msg = f"its {name} is {value!r}"
                raise ValueError(msg)
    return Story(plain_trade(values, orders))


def is_over(story: Story) -> bool:
    """Tell whether the orders of a trade have sold all that they bought."""
    has_both = bool(story.entries) and bool(story.exits)
    return has_both and abs(story.left) <= AMOUNT_TOLERANCE + _NOISE * story.entered


def settled(story: Story) -> dict[str, Any]:
    """Return the columns of a trade that its orders decide: the totals, and its end if they have sold everything.

    A trade that is closed and still holds something stays so: only a person knows where the rest went.

    Args:
        story: Of the trade.
    """
    trade, fields = story.trade, {}
    if trade.is_open and is_over(story):
        last = story.exits[-1]
        fields = {
            "is_open": False,
            "close_date": last.order_filled_date or last.order_update_date or last.order_date,
            "close_rate": last.safe_price,
            "exit_order_status": "closed",
        }
        ended = plain_trade(trade.__dict__ | fields, ())
        ended.orders = list(trade.orders)
        story = Story(ended)
        fields |= {name: value for name, value in story.expected.items() if name in _OF_THE_END}
    for column in TOTALS.values():
        for _, facts in differing(story, column):
            fields[column] = facts[column]["expected"]
    return fields


def changes_of(story: Story, stored: Row) -> dict[str, Any]:
    """Return the columns in which a trade in memory differs from its row.

    Args:
        story: Of the trade, after something was done to it.
        stored: Its row.
    """
    fields = {}
    for name in stored:
        value = story.trade.__dict__.get(name, stored[name])
        fields[name] = value.name if isinstance(value, TradingMode) else value
    return {name: value for name, value in fields.items() if repr(value) != repr(stored[name])}
