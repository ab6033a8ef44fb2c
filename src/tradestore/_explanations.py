"""What a failed flush means: those who know the tables can say it better than the engine does."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Engine

__all__ = ["Explanation", "explain_failures", "explanation_of"]

Explanation = Callable[[Engine | None], Exception]
"""Makes the error to be raised instead, with a look into the database where there is an engine."""
Explainer = Callable[[BaseException, Sequence[Any]], Explanation | None]

_explainers: Final[list[Explainer]] = []


def explain_failures(explainer: Explainer) -> Explainer:
    """Let a function say what a failed flush means.

    Args:
        explainer: Gets the error and the records that were to be written, before they are rolled back; returns what
            makes a better error after that, None if it knows none.
    """
    _explainers.append(explainer)
    return explainer


def explanation_of(error: BaseException, records: Sequence[Any]) -> Explanation | None:
    """Return what makes a better error, None if nobody knows one; arguments as those of an explainer."""
    return next((found for explainer in _explainers if (found := explainer(error, records))), None)
