"""Which transactions may open trades: they ask for the limits of the database before they are committed."""

from typing import Any, Final

from sqlalchemy.orm import Session

__all__ = ["OPENINGS", "POSITIONS", "note_opening", "note_position"]

OPENINGS: Final = "tradestore openings"
"""Under which a session's ``info`` holds the trades that its transaction may have opened."""

POSITIONS: Final = "tradestore positions"
"""Under which it holds those of them that are open at the exchange already, whatever limits say."""


def note_opening(session: Session | None, trade: Any = None) -> None:
    """Remember that the session's transaction may open a trade, or open one again, or change what is open.

    Args:
        session: None for a trade that is in none.
        trade: Which one; None for an unknown number of them.
    """
    if session is None or any(trade is position for position in session.info.get(POSITIONS, ())):
        return
    noted = session.info.setdefault(OPENINGS, [])
    if trade is not None:
        noted.append(trade)


def note_position(session: Session, trade: Any) -> None:
    """Remember a new trade that the session's transaction must store: the exchange has its order."""
    session.info.setdefault(POSITIONS, []).append(trade)
