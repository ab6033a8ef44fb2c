"""The profit of a trade: the formulas of :mod:`tradestore.accounting.profit`, fed with the trade's own fields."""

from decimal import Decimal

from tradestore._clock import utc_now
from tradestore._trade_fields import TradeFields
from tradestore.accounting._decimal import ZERO, add, exact
from tradestore.accounting.float_profit import sure_profit, sure_profit_ratio
from tradestore.accounting.interest import interest_on
from tradestore.accounting.profit import (
    ProfitStruct,
    borrowed_amount,
    close_value,
    open_value,
    profit_of,
    profit_ratio_of,
    rate_for_profit_ratio,
    rounded,
    total_profit_ratio_of,
)
from tradestore.accounting.unit_fold import open_value_by_units
from tradestore.enums import TradingMode

_MARGIN = TradingMode.MARGIN


class TradeProfit(TradeFields):
    """A trade that knows what it is worth."""

    @property
    def borrowed(self) -> float:
        """The loan: stake currency for a long, base currency for a short."""
        return float(self._loan(self.amount))

    def calculate_interest(self) -> float:
        """Return the interest owed so far, in the currency of the loan; 0 unless on margin.

        Raises:
            OperationalException: If the exchange's interest rule is unknown.
        """
        return float(self._interest(self.amount))

    def recalc_open_trade_value(self) -> None:
        """Set ``open_trade_value`` from amount, open rate and opening fee."""
        value = open_value_by_units(self.amount, self.open_rate, self.fee_open or 0.0, self.is_short)
        self.open_trade_value = float(self._open_value(self.amount, self.open_rate)) if value is None else value

    def calc_close_trade_value(self, rate: float | None, amount: float | None = None) -> float:
        """Return what closing brings in (long) or costs (short), in stake currency.

        Args:
            rate: Closing rate; the trade's own if None, and 0.0 comes back if that is not set either.
            amount: In base currency; the trade's own if None. Margin interest is charged in proportion.

        Raises:
            OperationalException: If the trading mode, or a margin trade's exchange, is unknown.
        """
        rate = self.close_rate if rate is None else rate
        if rate is None:
            return 0.0
        return float(self._close_value(rate, self.amount if amount is None else amount))

    def calculate_profit(
        self, rate: float, amount: float | None = None, open_rate: float | None = None
    ) -> ProfitStruct:
        """Return the profit at a closing rate.

        Args:
            rate: Closing rate, in stake currency.
            amount: In base currency; the trade's own if None.
            open_rate: The trade's own if None.

        Returns:
            Profit and ratio of that amount, and both in total with what earlier exits realised. Of a closed trade
            the total is what was realised: nothing more can come.

        Raises:
            OperationalException: If the trading mode, or a margin trade's exchange, is unknown.
        """
        opened, closed = self._values(rate, amount, open_rate)
        profit = profit_of(opened, closed, is_short=self.is_short)
        realized = exact(self.realized_profit or 0.0)
        total = add(profit, realized) if self.is_open else realized or exact(self.close_profit_abs or 0.0)
        return ProfitStruct(
            profit_abs=rounded(profit),
            profit_ratio=rounded(profit_ratio_of(opened, closed, self.leverage or 1.0, is_short=self.is_short)),
            total_profit=rounded(total),
            total_profit_ratio=rounded(
                total_profit_ratio_of(total, self.max_stake_amount, self.fee_open or 0.0, is_short=self.is_short)
            ),
        )

    def calc_profit(self, rate: float, amount: float | None = None, open_rate: float | None = None) -> float:
        """Return the profit at a closing rate in stake currency; arguments as in :meth:`calculate_profit`."""
        if amount is None and open_rate is None and self.open_trade_value is not None:
            sure = sure_profit(
                self.amount,
                rate,
                self.fee_close or 0.0,
                self.open_trade_value,
                self.trading_mode,
                self.funding_fees or 0.0,
                self.is_short,
            )
            if sure is not None:
                return sure
        opened, closed = self._values(rate, amount, open_rate)
        return rounded(profit_of(opened, closed, is_short=self.is_short))

    def calc_profit_ratio(self, rate: float, amount: float | None = None, open_rate: float | None = None) -> float:
        """Return the profit ratio at a closing rate (0.01 is 1 %); arguments as in :meth:`calculate_profit`."""
        if amount is None and open_rate is None and self.open_trade_value is not None:
            sure = sure_profit_ratio(
                self.amount,
                rate,
                self.fee_close or 0.0,
                self.open_trade_value,
                self.trading_mode,
                self.funding_fees or 0.0,
                self.leverage or 1.0,
                self.is_short,
            )
            if sure is not None:
                return sure
        opened, closed = self._values(rate, amount, open_rate)
        return rounded(profit_ratio_of(opened, closed, self.leverage or 1.0, is_short=self.is_short))

    def calc_close_rate_for_roi(self, target_roi: float) -> float:
        """Return the closing rate at which :meth:`calc_profit_ratio` gives the target.

        Args:
            target_roi: Profit ratio with leverage (0.01 is 1 %).

        Raises:
            InvalidValue: If no rate gives it, as for an empty position or a short that should gain 200 %.
            OperationalException: If the trading mode, or a margin trade's exchange, is unknown.
        """
        return rate_for_profit_ratio(
            target_roi,
            amount=self.amount,
            opened=self._stored_open_value(),
            fee_close=self.fee_close or 0.0,
            leverage=self.leverage or 1.0,
            is_short=self.is_short,
            trading_mode=self.trading_mode,
            interest=self._interest(self.amount),
            funding_fees=self.funding_fees or 0.0,
        )

    def _values(self, rate: float, amount: float | None, open_rate: float | None) -> tuple[Decimal, Decimal]:
        if amount is None and open_rate is None:
            return self._stored_open_value(), self._close_value(rate, self.amount)
        amount = self.amount if amount is None else amount
        open_rate = self.open_rate if open_rate is None else open_rate
        return self._open_value(amount, open_rate), self._close_value(rate, amount)

    def _stored_open_value(self) -> Decimal:
        if self.open_trade_value is None:
            return self._open_value(self.amount, self.open_rate)
        return exact(self.open_trade_value)

    def _open_value(self, amount: float, rate: float) -> Decimal:
        return open_value(amount, rate, self.fee_open or 0.0, is_short=self.is_short)

    def _close_value(self, rate: float, amount: float) -> Decimal:
        return close_value(
            amount,
            rate,
            self.fee_close or 0.0,
            is_short=self.is_short,
            trading_mode=self.trading_mode,
            interest=self._interest(amount),
            funding_fees=self.funding_fees or 0.0,
        )

    def _loan(self, amount: float) -> Decimal:
        return borrowed_amount(amount, self.open_rate, self.leverage or 1.0, is_short=self.is_short)

    def _interest(self, amount: float) -> Decimal:
        if self.trading_mode != _MARGIN:
            return ZERO
        loan = self._loan(amount)
        if not loan:
            return ZERO
        duration = (self.close_date_utc or utc_now()) - self.open_date_utc
        return interest_on(loan, self.interest_rate, duration, self.exchange)
