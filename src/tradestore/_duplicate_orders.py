"""What a second order of the same exchange id means to a caller: which one it is, and who has it already."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from tradestore._clock import to_text
from tradestore._explanations import Explanation, explain_failures
from tradestore._order_model import Order
from tradestore.base import ModelBase
from tradestore.exceptions import DuplicateOrder, TradeStoreError
from tradestore.local_order import LocalOrder

__all__ = ["OrderStoredTwice", "duplicate_among"]

_MARKS: Final = ("_order_pair_order_id", "orders.ft_pair, orders.order_id")
"""How engines name the key: by its name, or by its columns."""

_AT_ONCE: Final = 500
"""Ids in one question."""


class OrderStoredTwice(DuplicateOrder, IntegrityError):
    """A :class:`DuplicateOrder` as a flush raises it: an ``IntegrityError`` too, which is what the engine said."""

    def __init__(
        self,
        explanation: str,
        order_id: str | None = None,
        pair: str | None = None,
        trade_id: int | None = None,
        cause: BaseException | None = None,
    ) -> None:
        """Say which order it is, who has it, and what to do."""
        self._explanation = explanation
        self.order_id, self.pair, self.trade_id = order_id, pair, trade_id
        IntegrityError.__init__(self, None, None, cause or ValueError(explanation))

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        """Let the error travel between processes."""
        return type(self), (self._explanation, self.order_id, self.pair, self.trade_id)

    def __str__(self) -> str:
        """Return the message."""
        return self._explanation


class _Candidate(NamedTuple):
    """An order that was to be stored: its own row's id, None for a new one, and the key, None for a pair unknown."""

    id: int | None
    pair: str | None
    order_id: str | None

    @property
    def key(self) -> tuple[str | None, str | None]:
        return self.pair, self.order_id


@explain_failures
def duplicate_among(error: BaseException, records: Iterable[Any]) -> Explanation | None:
    """Return what tells which of some orders was stored already, None if an error is not about that.

    Args:
        error: As a flush raised it.
        records: All that was to be written, still as it was to be.
    """
    if not isinstance(error, IntegrityError) or not any(mark in str(error.orig) for mark in _MARKS):
        return None
    orders = [record for record in records if isinstance(record, LocalOrder)]
    candidates = [_Candidate(*map(order.__dict__.get, ("id", "ft_pair", "order_id"))) for order in orders]
    if None in [candidate.order_id for candidate in candidates]:
        # SQLAlchemy has made changed orders forget what they were to be; the statement still has it.
        candidates = [candidate for candidate in candidates if candidate.order_id is not None]
        candidates += [_Candidate(None, None, value) for value in sorted(set(_texts(error.params)))]
    return partial(_explain, error, candidates)


def _texts(params: Any) -> Iterator[str]:
    """Yield all texts among a statement's values."""
    if isinstance(params, str):
        yield params
    elif isinstance(params, Mapping):
        yield from _texts([*params.values()])
    elif isinstance(params, Sequence):
        for value in params:
            yield from _texts(value)


def _explain(error: IntegrityError, candidates: Sequence[_Candidate], engine: Engine | None) -> OrderStoredTwice:
    counts = Counter(candidate.key for candidate in candidates)
    pair, order_id = next((key for key, count in counts.items() if count > 1), (None, None))
    trade_id, trade = None, ""
    if order_id is not None:
        who = "is among what was to be stored more than once"
    else:
        if len(counts) == 1 and candidates[0].pair is not None:
            pair, order_id = candidates[0].key
        who = "is stored already, perhaps by the same transaction"
        for found in _owners(engine, candidates, str(error.orig)):
            pair, order_id, trade_id = found.ft_pair, found.order_id, found.ft_trade_id
            trade = f"trade {trade_id} ({found.pair}, open since {to_text(found.open_date)})"
            who = f"belongs to {trade}"
            break
    named = "One of the orders" if pair is None else f"Order {order_id!r} ({pair})"
    msg = f"{named} {who}: update that order, or store it by upsert_order(). Nothing was stored."
    return OrderStoredTwice(msg, order_id, pair, trade_id, error.orig)


def _owners(engine: Engine | None, candidates: Sequence[_Candidate], told: str) -> Iterator[Any]:
    """Yield the rows that have the key of a candidate and are not its own; none where they cannot be read."""
    tables = ModelBase.metadata.tables
    orders, trades = tables[Order.__tablename__], tables["trades"]
    question = (
        select(
            orders.c.id, orders.c.ft_pair, orders.c.order_id, orders.c.ft_trade_id, trades.c.pair, trades.c.open_date
        )
        .join_from(orders, trades, orders.c.ft_trade_id == trades.c.id)
        .order_by(orders.c.id)
    )
    own = {candidate.key: candidate.id for candidate in candidates}
    rest = iter({order_id for _, order_id in own if order_id is not None})
    # The engine's own error is better than one about a connection that was to explain it.
    with suppress(SQLAlchemyError, TradeStoreError):
        while engine is not None and (ids := list(islice(rest, _AT_ONCE))):
            with engine.connect() as connection:
                for row in connection.execute(question.where(orders.c.order_id.in_(ids))):
                    key = row.ft_pair, row.order_id
                    is_key = key in own and own[key] != row.id
                    if is_key or ((None, row.order_id) in own and row.ft_pair in told and row.order_id in told):
                        yield row
