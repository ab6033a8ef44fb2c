"""A simulated exchange that outlives whoever calls it: what it was asked and what it has is in a file."""

import json
import os
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

__all__ = ["Behaviour", "Exchange", "NoAnswer", "Refused"]


class Behaviour(StrEnum):
    """What becomes of an order that is sent."""

    WAITING = "placed, answered open"
    FILLED = "placed, answered filled"
    WAITING_UNANSWERED = "placed open, answer lost"
    FILLED_UNANSWERED = "placed and filled, answer lost"
    REFUSED = "refused"
    NEVER_ARRIVED = "lost on the way"


class NoAnswer(Exception):
    """The call timed out: the exchange may have the order or not."""


class Refused(Exception):
    """The exchange has refused the order."""


class Exchange:
    """Orders in a file, appended line by line and brought to the disk, so that a killed caller takes none along.

    Each call is written down before the order is, both as steps of their own: a caller can be killed between them.
    """

    def __init__(self, path: Path) -> None:
        """Open the exchange.

        Args:
            path: Of its file, which may not be there yet.
        """
        self._path = path

    def create_order(
        self, pair: str, side: str, amount: float, price: float, client_order_id: str, behaviour: Behaviour
    ) -> dict[str, Any]:
        """Take an order, and answer as CCXT does.

        Raises:
            NoAnswer: If the behaviour is to time out.
            Refused: If it is to refuse.
        """
        self._append({"asked": client_order_id})
        if behaviour is Behaviour.NEVER_ARRIVED:
            raise NoAnswer
        if behaviour is Behaviour.REFUSED:
            raise Refused
        is_filled = behaviour in {Behaviour.FILLED, Behaviour.FILLED_UNANSWERED}
        taken = self.orders()
        order = {
            "id": next(f"E{number}" for number in count(1) if all(o["id"] != f"E{number}" for o in taken)),
            "clientOrderId": client_order_id,
            "symbol": pair,
            "type": "limit",
            "side": side,
            "price": price,
            "amount": amount,
            "filled": amount if is_filled else 0.0,
            "remaining": 0.0 if is_filled else amount,
            "average": price if is_filled else None,
            "cost": amount * price if is_filled else 0.0,
            "status": "closed" if is_filled else "open",
            "timestamp": 1772366400000,
            "lastTradeTimestamp": 1772366460000 if is_filled else None,
        }
        self._append(order)
        if behaviour in {Behaviour.WAITING_UNANSWERED, Behaviour.FILLED_UNANSWERED}:
            raise NoAnswer
        return order

    def fetch_by_client_id(self, client_order_id: str) -> dict[str, Any] | None:
        """Return the order that was sent under a name, None if it never came."""
        return next((order for order in self.orders() if order["clientOrderId"] == client_order_id), None)

    def orders(self) -> list[dict[str, Any]]:
        """Return all orders, oldest first."""
        return [line for line in self._lines() if "asked" not in line]

    def calls(self) -> int:
        """Return how often it was asked to take an order."""
        return sum("asked" in line for line in self._lines())

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]

    def _append(self, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
