"""The standard questions to a database, against the same SQL through the raw driver."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks.measuring import PROCESSOR, WALL, Case, Contest
from benchmarks.rows import PAIRS
from benchmarks.stores import Statement, StorePlace, statements_of
from benchmarks.stories import START
from tradestore import Trade

__all__ = ["SIZES", "cases"]

SIZES = (10_000, 200_000)
PAGE = 50
CLOSED_LATELY = 100


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question to the trades in a database.

    Attributes:
        name: For the table.
        ask: Gets the number of trades that there are, and returns the answer.
        allowed_ratio: As in a case.
        allowed_growth: As in a case.
    """

    name: str
    ask: Callable[[int], Any]
    allowed_ratio: float | None = None
    allowed_growth: float | None = None


def _lately(trades: int) -> Any:
    return START + timedelta(minutes=5 * (trades - CLOSED_LATELY), hours=1)


# An aggregate is the engine's work: the library may add next to nothing.
_AGGREGATE = 1.3

QUESTIONS = (
    Question(name="open trades", ask=lambda _: Trade.get_open_trades(), allowed_growth=1.5),
    Question(name="count of open", ask=lambda _: Trade.get_open_trade_count(), allowed_growth=1.5),
    Question(
        name="closed since, 100 trades",
        ask=lambda trades: Trade.get_trades_proxy(is_open=False, close_date=_lately(trades)),
        allowed_growth=1.5,
    ),
    Question(
        name="closed since, of a pair",
        ask=lambda trades: Trade.get_trades_proxy(pair=PAIRS[0], is_open=False, close_date=_lately(trades)),
        allowed_growth=1.5,
    ),
    Question(name="all of a pair", ask=lambda _: Trade.get_trades_proxy(pair=PAIRS[0])),
    Question(name=f"page of {PAGE}, the first", ask=lambda _: Trade.get_trades_page(limit=PAGE), allowed_growth=1.5),
    Question(
        name=f"page of {PAGE}, deep in history",
        ask=lambda trades: Trade.get_trades_page(after=trades // 2, limit=PAGE),
        allowed_growth=1.5,
    ),
    Question(name="overall performance", ask=lambda _: Trade.get_overall_performance(), allowed_ratio=_AGGREGATE),
    Question(name="entry tags", ask=lambda _: Trade.get_enter_tag_performance(None), allowed_ratio=_AGGREGATE),
    Question(name="exit reasons", ask=lambda _: Trade.get_exit_reason_performance(None), allowed_ratio=_AGGREGATE),
    Question(name="mix of both", ask=lambda _: Trade.get_mix_tag_performance(None), allowed_ratio=_AGGREGATE),
    Question(name="best pair", ask=lambda _: Trade.get_best_pair(), allowed_ratio=_AGGREGATE),
    Question(name="trading volume", ask=lambda _: Trade.get_trading_volume(), allowed_ratio=_AGGREGATE),
    Question(name="total profit", ask=lambda _: Trade.get_total_closed_profit(), allowed_ratio=_AGGREGATE),
)


@contextmanager
def _contest(place: StorePlace, question: Question, trades: int) -> Iterator[Contest]:
    with place.filled(trades) as store:
        with statements_of(store.database) as sent:
            question.ask(trades)

        def fresh_sessions() -> None:
            """Put both sides into a transaction that has read nothing yet."""
            Trade.session.remove()
            Trade.session.connection()
            store.tell("ROLLBACK")
            store.tell("BEGIN")

        def ask_driver(statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
            return [store.fetch(*statement) for statement in statements]

        store.tell("BEGIN")
        yield Contest(
            ours=lambda _: question.ask(trades),
            floor=lambda _: ask_driver(sent),
            material=fresh_sessions,
            agree=_same_answer,
        )
        store.tell("ROLLBACK")


def _same_answer(ours: Any, floor: Sequence[Sequence[tuple[Any, ...]]]) -> bool:
    rows = floor[0]
    if isinstance(ours, list):
        return len(ours) == len(rows) > 0
    if isinstance(ours, tuple):
        return tuple(ours)[:1] == rows[0][:1]
    return math.isclose(ours, rows[0][0], rel_tol=1e-6)


def cases(place: StorePlace) -> tuple[Case, ...]:
    """Return the questions as cases on one engine."""
    return tuple(
        Case(
            name=f"{place.name} queries: {question.name}",
            unit="trades",
            sizes=SIZES,
            prepare=partial(_contest, place, question),
            allowed_ratio=question.allowed_ratio,
            allowed_growth=question.allowed_growth,
            clock=PROCESSOR if place.is_embedded else WALL,
            turns=(4, 40),
            seconds=0.7,
        )
        for question in QUESTIONS
    )
