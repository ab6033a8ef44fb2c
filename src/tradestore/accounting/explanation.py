"""What each filled order did to a trade, number by number: before it was rounded, by which rule, and after."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tradestore.accounting.explanation_text import lines_of, rule_text

__all__ = [
    "Difference",
    "ExitExplanation",
    "Holding",
    "OrderExplanation",
    "Rounded",
    "RoundingRule",
    "TradeExplanation",
    "TradeHead",
    "TradeTerms",
    "TradeTotals",
]


@dataclass(frozen=True, slots=True)
class RoundingRule:
    """How a number is rounded.

    Attributes:
        method: ``truncate``, ``half up``, ``half even``, or ``none``: then it only became the nearest float.
        precision: Decimal places, significant digits or tick size; None where nothing is rounded.
        mode: How the precision counts: 2 decimal places, 3 significant digits, 4 a tick size.
        contract_size: Base currency per contract, where contracts are counted.
    """

    method: str
    precision: float | None = None
    mode: int | None = None
    contract_size: float | None = None

    def __str__(self) -> str:
        """Return the rule in words."""
        return rule_text(self)


@dataclass(frozen=True, slots=True)
class Rounded:
    """A number before and after it was rounded.

    Attributes:
        exact: Before.
        rule: What was done.
        value: After; what a trade keeps.
    """

    exact: Decimal
    rule: RoundingRule
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a trade holds after an order. Money is in stake currency.

    Attributes:
        amount: In base currency.
        open_rate: Average of the entries; of the last holding once nothing is held.
        stake_amount: Own money in it, at the average rate and without fees.
        open_trade_value: With the opening fee (added for a long, taken off for a short).
        fee_open_cost: Opening fees of all entries so far.
    """

    amount: Rounded
    open_rate: Rounded
    stake_amount: Rounded
    open_trade_value: Rounded
    fee_open_cost: Rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitExplanation:
    """What an exit realised. Money is in stake currency.

    Attributes:
        funding_fees: All since the exit before; positive where received. Counted on futures only.
        interest: Of a loan, with a short's valued at the rate of the exit.
        proceeds: What closing brought in (long) or cost (short), after fee, interest and funding.
        had_cost: What opening the same amount cost (long) or brought in (short), with the opening fee.
        profit: The difference.
        profit_ratio: Of what it had cost, with leverage (0.01 is 1 %).
    """

    funding_fees: Decimal
    interest: Decimal
    proceeds: Decimal
    had_cost: Decimal
    profit: Rounded
    profit_ratio: Rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExplanation:
    """What one filled order did to its trade. Money is in stake currency, amounts are in base currency.

    Attributes:
        number: Among the filled orders, from 1.
        order_id: The exchange's id.
        side: ``buy``, ``sell`` or ``stoploss``.
        is_entry: Whether it added to the position.
        tag: The bot's own.
        filled_at: UTC, None where unknown.
        filled: What was bought or sold.
        fee_base: Part of it that went as fee.
        amount: What is left of it: added or taken.
        rate: Average price.
        cost: Amount times rate.
        fee_ratio: Of the side (0.001 is 0.1 %).
        fee: On the cost, and on a short's interest, which is bought back as well.
        funding_fee: That the order itself carries; positive where received.
        before: What was held.
        after: What is held.
        exit: What it realised; None for an entry, and where the fee took everything.
        realized_profit: Of all exits so far.
        realized_ratio: The same as a ratio of the value of the entries before the latest exit, with leverage.
    """

    number: int
    order_id: str | None
    side: str
    is_entry: bool
    tag: str | None
    filled_at: datetime | None
    filled: float
    fee_base: float
    amount: Decimal
    rate: float
    cost: Decimal
    fee_ratio: float
    fee: Decimal
    funding_fee: float
    before: Holding
    after: Holding
    exit: ExitExplanation | None
    realized_profit: float
    realized_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTotals:
    """The fields of a trade that follow from its orders, as they are called there; None where nothing tells.

    A trade that is closed at once never computes its ``fee_open_cost``: of a closed trade it is not told.
    """

    amount: float | None = None
    open_rate: float | None = None
    stake_amount: float | None = None
    max_stake_amount: float | None = None
    open_trade_value: float | None = None
    fee_open_cost: float | None = None
    funding_fees: float | None = None
    realized_profit: float | None = None
    close_profit: float | None = None
    close_profit_abs: float | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A field of a trade that is not what its orders amount to.

    Attributes:
        field: Its name.
        explained: What follows from the orders.
        stored: What the trade has.
    """

    field: str
    explained: float | None
    stored: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeHead:
    """Which trade it is."""

    id: int
    pair: str
    exchange: str
    base_currency: str
    stake_currency: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTerms:
    """What a trade was opened under; the meaning is that of the trade's fields."""

    is_short: bool
    leverage: float
    trading_mode: str | None
    fee_open: float
    fee_close: float
    interest_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeExplanation:
    """How a trade's numbers come about.

    Attributes:
        trade: Which one.
        terms: What it was opened under.
        orders: What each filled order did, in the order in which the trade has them.
        funding_fee_running: Funding fees since the last fill, in stake currency.
        totals: What the orders amount to.
        stored: The trade's own fields, as far as the orders tell of them.
        differences: Where the two are not equal to the last bit, as after an edit by hand.
    """

    trade: TradeHead
    terms: TradeTerms
    orders: tuple[OrderExplanation, ...]
    funding_fee_running: float
    totals: TradeTotals
    stored: TradeTotals
    differences: tuple[Difference, ...]

    def lines(self) -> list[str]:
        """Return the explanation for people, in lines of at most 80 characters."""
        return lines_of(self)

    def __str__(self) -> str:
        """Return the explanation for people."""
        return "\n".join(self.lines())
