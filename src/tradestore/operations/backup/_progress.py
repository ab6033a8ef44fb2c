"""How far a backup or a restore has come, told while it is under way."""

from collections.abc import Callable

__all__ = ["Progress", "in_silence"]

Progress = Callable[[str, int, int | None], None]
"""Is told what is being done, how much of it is done, and how much there is, None where that is not known."""


def in_silence(_what: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""
