"""Where a trade stops: its stop loss, its liquidation price, and the rates it has seen."""

import logging
from typing import ClassVar

from tradestore._trade_fields import TradeFields
from tradestore.accounting.precision import price_to_precision
from tradestore.accounting.stoploss import stop_price, tighter_stop

logger = logging.getLogger(__name__)


class TradeStops(TradeFields):
    """A trade with a stop loss that follows the rate."""

    use_db: ClassVar[bool]

    @property
    def _price_mode(self) -> int | None:
        return self.precision_mode if self.precision_mode_price is None else self.precision_mode_price

    @property
    def stoploss_or_liquidation(self) -> float:
        """The stop loss or the liquidation price, whichever is reached first."""
        return tighter_stop(self.stop_loss or 0.0, self.liquidation_price, is_short=self.is_short)

    def set_liquidation_price(self, liquidation_price: float | None) -> None:
        """Set the liquidation price, rounded to price precision; None is ignored."""
        if liquidation_price is not None:
            self.liquidation_price = price_to_precision(liquidation_price, self.price_precision, self._price_mode)

    def adjust_min_max_rates(self, current_price: float, current_price_low: float) -> None:
        """Widen the range of rates seen during the trade; an unset side starts at the open rate."""
        highest, lowest = self.max_rate or self.open_rate, self.min_rate or self.open_rate
        self.max_rate = max(highest, current_price)
        self.min_rate = min(lowest, current_price_low)

    def adjust_stop_loss(
        self,
        current_price: float,
        stoploss: float | None,
        initial: bool = False,
        allow_refresh: bool = False,
    ) -> None:
        """Set the stop loss, or move it towards profit.

        Args:
            current_price: The rate to keep the distance from.
            stoploss: Loss ratio of the stake (-0.1 is 10 %); None changes nothing.
            initial: Only set it, if there is none yet.
            allow_refresh: Move it away from profit too, without calling it trailing.
        """
        if stoploss is None or (initial and self.stop_loss):
            return
        precision = self.price_precision
        mode = None if precision is None else self._price_mode
        is_short = self.is_short
        stop = stop_price(current_price, stoploss, self.leverage or 1.0, is_short, precision, mode)
        ratio = -abs(stoploss)
        if self.initial_stop_loss_pct is None:
            self.stop_loss = self.initial_stop_loss = stop
            self.stop_loss_pct = self.initial_stop_loss_pct = ratio
            return
        present = self.stop_loss or 0.0
        if allow_refresh or (stop < present if is_short else stop > present):
            # An operator wants to read it; a backtest would write little else.
            level = logging.INFO if self.use_db else logging.DEBUG
            if logger.isEnabledFor(level):
                logger.log(level, "%s - Adjusting stoploss... from %s to %s.", self.pair, present, stop)
            self.stop_loss, self.stop_loss_pct = stop, ratio
            if not allow_refresh:
                self.is_stop_loss_trailing = True
