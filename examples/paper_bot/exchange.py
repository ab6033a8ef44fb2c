"""A simulated exchange that answers as CCXT does, with what goes wrong at real ones.

Orders wait, fill in parts, and are cancelled; stop losses rest here; positions are liquidated. Some calls time out
after the order was placed, some before; some answers lack the id; some messages come twice or late. What comes when
follows from the count of orders alone.

With a file it survives its process, as real exchanges do: it notes each call there, and replays them at the start.
"""

import json
from collections import defaultdict
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from examples.paper_bot.book import Fill, PaperOrder, Position
from examples.paper_bot.market import FUNDING_CANDLES, Market, Pair

__all__ = ["STAKE", "Answer", "Exchange", "ExchangeError", "ExchangeTimeout", "OrderRejected"]

STAKE: Final = "USDT"
START_BALANCE: Final = 10_000
TOKEN_PRICE: Final = 500
"""What a unit of the third currency costs in stake currency, always: its fees have an exact value."""

_FUNDING_RATE: Final = Decimal("0.0001")
_STOP_SLIP: Final = Decimal("0.99")
"""How far below its trigger a stop loss still sells; what opens farther away is left to the liquidation."""

Answer = dict[str, Any]


class ExchangeError(Exception):
    """A call that has failed."""


class ExchangeTimeout(ExchangeError):
    """Nobody answered: the order may be there, or not."""


class OrderRejected(ExchangeError):
    """The exchange has refused the order for good."""


class Exchange:
    """Orders, balances and positions of one account.

    Attributes:
        number: Of the candle that has just ended.
        balances: By currency; what futures are worth is in the stake currency's.
        fills: All that was ever traded.
        funding: All that was ever received or paid, by pair, with the number of the candle.
    """

    def __init__(self, market: Market, file: Path | None = None) -> None:
        self.market = market
        self.number = -1
        self.balances: defaultdict[str, Decimal] = defaultdict(Decimal, {STAKE: Decimal(START_BALANCE)})
        self.fills: list[Fill] = []
        self.funding: defaultdict[str, list[tuple[int, Decimal]]] = defaultdict(list)
        self._orders: dict[str, PaperOrder] = {}
        self._waiting: dict[str, PaperOrder] = {}
        self._positions: dict[str, Position] = {}
        self._messages: list[Answer] = []
        self._placed = 0
        self._journal = None
        if file is not None:
            self._replay(file)
            self._journal = file.open("a", encoding="utf-8")

    @property
    def is_new(self) -> bool:
        """Whether nothing has happened here yet."""
        return self.number < 0

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def create_order(
        self,
        pair: str,
        order_type: str,
        side: str,
        amount: float,
        price: float | None,
        *,
        client_order_id: str,
        stop_price: float | None = None,
        leverage: float = 1.0,
    ) -> Answer:
        """Place an order.

        Args:
            pair: Which one.
            order_type: ``limit``, ``market`` or ``stop``.
            side: ``buy`` or ``sell``.
            amount: Base currency.
            price: Of a limit order, stake currency.
            client_order_id: The caller's name for it.
            stop_price: Of a stop order, stake currency.
            leverage: Of the position, on futures.

        Raises:
            OrderRejected: If it is refused.
            ExchangeTimeout: If nobody answers.
        """
        self._note("create_order", **{name: value for name, value in locals().items() if name != "self"})
        self._placed += 1
        if self._placed % 31 == 11:
            raise ExchangeTimeout("no answer for 10 seconds")  # It has never arrived.
        if self._placed % 41 == 13:
            raise OrderRejected("too many requests")
        self._refuse_impossible(pair, side, amount)
        order = PaperOrder(
            order_id=f"{self._placed:06d}",
            client_order_id=client_order_id,
            pair=pair,
            order_type=order_type,
            side=side,
            amount=_exact(amount),
            price=None if price is None else _exact(price),
            stop_price=None if stop_price is None else _exact(stop_price),
            placed_at=self._now(),
            leverage=leverage,
        )
        self._orders[order.order_id] = self._waiting[order.order_id] = order
        if order_type == "market":
            self._fill(order, order.amount, _exact(self.market.candle(pair, self.number).close))
        if self._placed % 23 == 7:
            raise ExchangeTimeout("no answer for 10 seconds")
        if self._placed % 37 == 17:
            return order.answer() | {"id": None, "status": None}
        return order.answer()

    def cancel_order(self, order_id: str) -> Answer:
        """Cancel an order, and return what has become of it: it may have been filled meanwhile."""
        self._note("cancel_order", order_id=order_id)
        order = self._orders[order_id]
        self._end(order, "canceled")
        return order.answer()

    def fetch_order(self, order_id: str) -> Answer:
        return self._orders[order_id].answer()

    def fetch_order_by_name(self, client_order_id: str) -> Answer | None:
        """Return the order with the caller's name, finished or not; None if there is none."""
        found = (order for order in self._orders.values() if order.client_order_id == client_order_id)
        return next((order.answer() for order in found), None)

    def fetch_liquidations(self) -> list[Answer]:
        """Return the orders by which the exchange has ended positions."""
        return [order.answer() for order in self._orders.values() if order.client_order_id is None]

    def fetch_liquidation_price(self, pair: str) -> float | None:
        position = self._positions.get(pair)
        return None if position is None else float(self._liquidation_price(self.market.pairs[pair], position))

    def fetch_funding(self, pair: str, since: int) -> float:
        """Return the funding after a time (in milliseconds), in stake currency, positive where it was received."""
        paid = (fee for number, fee in self.funding[pair] if self._milliseconds(number) > since)
        return float(sum(paid, Decimal(0)))

    def messages(self) -> list[Answer]:
        """Return what has happened to orders since the last call; some of it twice, some of it late."""
        told, self._messages = self._messages, []
        return told

    def worth(self) -> Decimal:
        """Return the balances in stake currency, without coins: what is there when all positions are closed."""
        return self.balances[STAKE] + self.balances["BNB"] * TOKEN_PRICE

    def advance(self, number: int) -> None:
        """Live through a candle: funding, stop losses, liquidations, limit orders. An earlier one changes nothing."""
        if number <= self.number:
            return
        self._note("advance", number=number)
        self.number = number
        if number % FUNDING_CANDLES == 0:
            self._pay_funding()
        for order in [order for order in self._waiting.values() if order.order_type == "stop"]:
            self._try_stop(order)
        for pair in list(self._positions):
            self._try_liquidation(pair)
        for order in [order for order in self._waiting.values() if order.order_type == "limit"]:
            self._try_limit(order)

    def _pay_funding(self) -> None:
        for pair, position in self._positions.items():
            value = position.amount * _exact(self.market.candle(pair, self.number).open)
            fee = round(-value * _FUNDING_RATE, 8)  # Who is long pays.
            self.funding[pair].append((self.number, fee))
            self.balances[STAKE] += fee

    def _try_stop(self, order: PaperOrder) -> None:
        candle, stop = self.market.candle(order.pair, self.number), order.stop_price
        assert stop is not None
        begin, sells = _exact(candle.open), order.side == "sell"
        if sells and _exact(candle.low) <= stop and begin >= stop * _STOP_SLIP:
            self._fill(order, order.amount, min(stop, begin))
        elif not sells and _exact(candle.high) >= stop and begin * _STOP_SLIP <= stop:
            self._fill(order, order.amount, max(stop, begin))

    def _try_liquidation(self, pair: str) -> None:
        position, candle = self._positions[pair], self.market.candle(pair, self.number)
        price = self._liquidation_price(self.market.pairs[pair], position)
        is_long = position.amount > 0
        if _exact(candle.low) > price if is_long else _exact(candle.high) < price:
            return
        for order in [order for order in self._waiting.values() if order.pair == pair]:
            self._end(order, "canceled")
        order = PaperOrder(
            order_id=f"L{len(self._orders):06d}",
            client_order_id=None,
            pair=pair,
            order_type="market",
            side="sell" if is_long else "buy",
            amount=abs(position.amount),
            placed_at=self._now(),
        )
        self._orders[order.order_id] = self._waiting[order.order_id] = order
        self._fill(order, order.amount, price)

    def _try_limit(self, order: PaperOrder) -> None:
        candle, price = self.market.candle(order.pair, self.number), order.price
        assert price is not None
        if _exact(candle.low) > price if order.side == "buy" else _exact(candle.high) < price:
            return
        left = order.amount - order.filled
        half = round(left / 2, self.market.pairs[order.pair].lot_digits)
        comes_in_parts = int(order.order_id) % 3 == 0 and not order.filled and half
        self._fill(order, half if comes_in_parts else left, price)

    def _fill(self, order: PaperOrder, amount: Decimal, price: Decimal) -> None:
        pair = self.market.pairs[order.pair]
        fill = Fill.of(order, pair, amount, price, TOKEN_PRICE)
        order.take(fill, self._now())
        self.fills.append(fill)
        self.balances[STAKE] += fill.stake_change
        if pair.is_futures:
            position = self._positions.pop(pair.name, Position(order.leverage)).after(fill)
            if position.amount:
                self._positions[pair.name] = position
        else:
            self.balances[pair.base] += fill.base_change
        self.balances["BNB"] -= fill.token_fee
        if order.filled == order.amount:
            self._end(order, "closed")
        else:
            self._tell(order)

    def _end(self, order: PaperOrder, status: str) -> None:
        if self._waiting.pop(order.order_id, None) is not None:
            order.status = status
            self._tell(order)

    def _tell(self, order: PaperOrder) -> None:
        answer = order.answer()
        self._messages.append(answer)
        if len(self._orders) % 5 == 0:
            self._messages.append(dict(answer))  # Twice.
        if len(self._orders) % 7 == 0 and answer["status"] == "closed":
            late = {"status": "open", "filled": 0.0, "remaining": answer["amount"], "average": None, "cost": 0.0}
            self._messages.append(answer | late)

    def _refuse_impossible(self, pair: str, side: str, amount: float) -> None:
        known = self.market.pairs[pair]
        if side == "sell" and not known.is_futures and self.balances[known.base] < _exact(amount):
            raise OrderRejected(f"only {self.balances[known.base]} {known.base} are there, {amount} were to be sold")

    def _liquidation_price(self, pair: Pair, position: Position) -> Decimal:
        distance = Decimal("0.95") / _exact(position.leverage)
        return round(position.price * (1 - distance if position.amount > 0 else 1 + distance), pair.price_digits)

    def _now(self) -> int:
        return self._milliseconds(self.number)

    def _milliseconds(self, number: int) -> int:
        return int(self.market.time(number).timestamp() * 1000)

    def _note(self, call: str, **arguments: Any) -> None:
        if self._journal is not None:
            self._journal.write(json.dumps([call, arguments]) + "\n")
            self._journal.flush()

    def _replay(self, file: Path) -> None:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        for line in lines:
            call, arguments = json.loads(line)
            with suppress(ExchangeError):
                getattr(self, call)(**arguments)
        self._messages.clear()  # They were sent to the process that is gone.


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))
