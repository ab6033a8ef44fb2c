"""Explaining a trade by its filled orders: the numbers are those of the fold itself, none is computed a second way."""

from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Final, NamedTuple

from tradestore.accounting._decimal import ZERO, exact, multiply
from tradestore.accounting.explanation import (
    Difference,
    ExitExplanation,
    Holding,
    OrderExplanation,
    Rounded,
    RoundingRule,
    TradeExplanation,
    TradeHead,
    TradeTerms,
    TradeTotals,
)
from tradestore.accounting.fills import Effect, Fill, Position, Terms, effects_of, outcome_of
from tradestore.accounting.precision import DECIMAL_PLACES, amount_to_contract_precision, price_to_precision
from tradestore.accounting.profit import open_value, profit_of, profit_ratio_of, rounded
from tradestore.constants import PROFIT_DECIMALS
from tradestore.enums import TradingMode

__all__ = ["FilledOrder", "Steps", "explain_orders"]

_AS_IT_IS: Final = RoundingRule("none")
_PROFIT: Final = RoundingRule("half even", PROFIT_DECIMALS, DECIMAL_PLACES)


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


class Steps(NamedTuple):
    """What a trade rounds to; the meaning is that of the trade's fields."""

    amount_precision: float | None
    precision_mode: int | None
    contract_size: float | None
    price_precision: float | None
    price_mode: int | None


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
        terms=_told(terms),
        orders=tuple(explained),
        funding_fee_running=funding_fee_running,
        totals=totals,
        stored=stored,
        differences=differences,
    )


def _told(terms: Terms) -> TradeTerms:
    return TradeTerms(
        is_short=terms.is_short,
        leverage=terms.leverage,
        trading_mode=terms.trading_mode,
        fee_open=terms.fee_open,
        fee_close=terms.fee_close,
        interest_rate=None if terms.loan is None else terms.loan.interest_rate,
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
