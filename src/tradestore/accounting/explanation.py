"""What each filled order did to a trade, number by number: before it was rounded, by which rule, and after.

The numbers are those of the fold itself (:mod:`tradestore.accounting.fills`); nothing is computed a second way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from tradestore.accounting._decimal import ZERO, exact, multiply
from tradestore.accounting.explanation_text import lines_of, rule_text
from tradestore.accounting.fills import Effect, Fill, Position, Terms, effects_of, outcome_of
from tradestore.accounting.precision import DECIMAL_PLACES, amount_to_contract_precision, price_to_precision
from tradestore.accounting.profit import open_value, profit_of, profit_ratio_of, rounded
from tradestore.constants import PROFIT_DECIMALS
from tradestore.enums import TradingMode

__all__ = [
    "Difference",
    "ExitExplanation",
    "FilledOrder",
    "Holding",
    "OrderExplanation",
    "Rounded",
    "RoundingRule",
    "Steps",
    "TradeExplanation",
    "TradeHead",
    "TradeTotals",
    "explain_orders",
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


_AS_IT_IS: Final = RoundingRule("none")
_PROFIT: Final = RoundingRule("half even", PROFIT_DECIMALS, DECIMAL_PLACES)


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


class FilledOrder(NamedTuple):
    """An order that counts, and what is told of it.

    Attributes:
        fill: What it did.
        side: ``buy``, ``sell`` or ``stoploss``.
        order_id: The exchange's id.
        tag: The bot's own.
    """

    fill: Fill
    side: str
    order_id: str | None = None
    tag: str | None = None


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


class TradeHead(NamedTuple):
    """Which trade it is."""

    id: int
    pair: str
    exchange: str
    base_currency: str
    stake_currency: str
    is_open: bool


class Steps(NamedTuple):
    """What a trade rounds to; the meaning is that of the trade's fields."""

    amount_precision: float | None
    precision_mode: int | None
    contract_size: float | None
    price_precision: float | None
    price_mode: int | None


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
    terms: Terms
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


def explain_orders(
    trade: TradeHead,
    orders: Sequence[FilledOrder],
    terms: Terms,
    steps: Steps,
    funding_fee_running: float,
    stored: TradeTotals,
) -> TradeExplanation:
    """Explain a trade by its filled orders.

    Args:
        trade: Which one.
        orders: In the order in which the trade has them.
        terms: Of the trade.
        steps: What it rounds to.
        funding_fee_running: Funding fees since the last fill, in stake currency.
        stored: The trade's own fields, to compare with. A trade without a filled order has nothing to compare.

    Raises:
        OperationalException: If the trading mode, a precision mode or a margin trade's exchange is unknown.
    """
    effects = effects_of((order.fill for order in orders), terms)
    before, explained = _holding(Position(), terms, steps), []
    for number, (order, effect) in enumerate(zip(orders, effects, strict=True), start=1):
        explained.append(_explain(number, order, effect, before, terms, steps))
        before = explained[-1].after
    totals = TradeTotals()
    differences: tuple[Difference, ...] = ()
    if effects:
        last = effects[-1].position
        totals = _totals(last, [order.after for order in explained], terms, funding_fee_running, trade.is_open)
        if not trade.is_open:
            stored = replace(stored, fee_open_cost=None)
        differences = tuple(_differences(totals, stored))
    return TradeExplanation(
        trade=trade,
        terms=terms,
        orders=tuple(explained),
        funding_fee_running=funding_fee_running,
        totals=totals,
        stored=stored,
        differences=differences,
    )


def _explain(
    number: int, order: FilledOrder, effect: Effect, before: Holding, terms: Terms, steps: Steps
) -> OrderExplanation:
    fill, position = order.fill, effect.position
    rate = exact(fill.price)
    fee_ratio = terms.fee_open if fill.is_entry else terms.fee_close
    bought_back = effect.interest if terms.is_short else ZERO
    return OrderExplanation(
        number=number,
        order_id=order.order_id,
        side=order.side,
        is_entry=fill.is_entry,
        tag=order.tag,
        filled_at=fill.filled_at,
        filled=fill.amount,
        fee_base=fill.fee_base,
        amount=max(effect.amount, ZERO),
        rate=fill.price,
        cost=multiply(max(effect.amount, ZERO), rate),
        fee_ratio=fee_ratio,
        fee=multiply(multiply(max(effect.amount + bought_back, ZERO), rate), exact(fee_ratio)),
        funding_fee=fill.funding_fee,
        before=before,
        after=_holding(position, terms, steps),
        exit=None if fill.is_entry or effect.amount <= ZERO else _exit(effect, rate, terms),
        realized_profit=float(position.realized_profit or ZERO) + 0.0,
        realized_ratio=position.profit_ratio(terms.leverage),
    )


def _exit(effect: Effect, rate: Decimal, terms: Terms) -> ExitExplanation:
    profit = profit_of(effect.opened, effect.closed, is_short=terms.is_short)
    ratio = profit_ratio_of(effect.opened, effect.closed, terms.leverage, is_short=terms.is_short)
    return ExitExplanation(
        funding_fees=effect.funding_fees if terms.trading_mode == TradingMode.FUTURES else ZERO,
        interest=multiply(effect.interest, rate) if terms.is_short else effect.interest,
        proceeds=effect.closed,
        had_cost=effect.opened,
        profit=Rounded(profit, _PROFIT, rounded(profit)),
        profit_ratio=Rounded(ratio, _PROFIT, rounded(ratio)),
    )


def _holding(position: Position, terms: Terms, steps: Steps) -> Holding:
    outcome = outcome_of(position, terms, 0.0)
    amount, mode = outcome.amount, steps.precision_mode
    amount_rule = price_rule = _AS_IT_IS
    if steps.amount_precision is not None and mode is not None:
        amount_rule = RoundingRule("truncate", steps.amount_precision, mode, steps.contract_size)
        amount = amount_to_contract_precision(amount, steps.amount_precision, mode, steps.contract_size)
    rate = price_to_precision(outcome.average_price, steps.price_precision, steps.price_mode)
    if steps.price_precision is not None and steps.price_mode is not None:
        price_rule = RoundingRule("half up", steps.price_precision, steps.price_mode)
    value = open_value(amount, rate, terms.fee_open, is_short=terms.is_short)
    return Holding(
        amount=Rounded(position.amount, amount_rule, amount),
        open_rate=Rounded(position.average_price, price_rule, rate),
        stake_amount=Rounded(position.own_stake, _AS_IT_IS, outcome.own_stake),
        open_trade_value=Rounded(value, _AS_IT_IS, float(value)),
        fee_open_cost=Rounded(multiply(exact(terms.fee_open), position.entry_cost), _AS_IT_IS, outcome.entry_fee),
    )


def _totals(
    last: Position, holdings: Sequence[Holding], terms: Terms, funding_fee_running: float, is_open: bool
) -> TradeTotals:
    """Return what a trade has to show; one that holds nothing any more keeps what it held last."""
    outcome = outcome_of(last, terms, funding_fee_running)
    held = next((holding for holding in reversed(holdings) if holding.amount.value > 0), None)
    is_whole_trade = not is_open and holdings[-1].amount.value <= 0
    has_exit = outcome.realized_profit is not None
    totals = TradeTotals(
        max_stake_amount=outcome.own_entry_cost,
        funding_fees=outcome.funding_fees,
        realized_profit=outcome.realized_profit or 0.0,
        close_profit=outcome.profit_ratio if has_exit else None,
        close_profit_abs=outcome.realized_profit if is_whole_trade else outcome.last_exit_profit,
    )
    if held is None:
        return totals
    return replace(
        totals,
        amount=held.amount.value,
        open_rate=held.open_rate.value,
        stake_amount=held.stake_amount.value,
        open_trade_value=held.open_trade_value.value,
        fee_open_cost=held.fee_open_cost.value if is_open else None,
    )


def _differences(totals: TradeTotals, stored: TradeTotals) -> list[Difference]:
    pairs = [(field.name, getattr(totals, field.name), getattr(stored, field.name)) for field in fields(totals)]
    return [Difference(name, told, kept) for name, told, kept in pairs if not _is_same(told, kept)]


def _is_same(told: float | None, kept: float | None) -> bool:
    """Compare to the last bit; a field that was never set counts as 0."""
    return told == kept or (not told and not kept)
