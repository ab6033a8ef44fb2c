"""What a run amounts to, from the store alone; the same on every engine."""

import hashlib
import json
from typing import Any, Final

from sqlalchemy import select

from tradestore import (
    CustomDataWrapper,
    IntentState,
    KeyValueStore,
    OrderIntent,
    PairLocks,
    Trade,
    WalletHistory,
)

__all__ = ["digest", "read_summary", "table"]

Summary = dict[str, Any]

_RATIO_DECIMALS: Final = 12
_IDS: Final = {"trade_id"}
"""SQLite gives the id of a deleted trade to the next one, servers don't."""


def read_summary(pairs: list[str]) -> Summary:
    """Return everything that the store tells, but for ids and for what follows the wall clock."""
    trades = list(Trade.get_trades_json())
    numbers = {trade["trade_id"]: number for number, trade in enumerate(trades)}
    return {
        "trades": [{name: value for name, value in trade.items() if name not in _IDS} for trade in trades],
        "by pair": _told(Trade.get_overall_performance()),
        "by entry tag": _told(Trade.get_enter_tag_performance(None)),
        "by exit reason": _told(Trade.get_exit_reason_performance(None)),
        "by both": _told(Trade.get_mix_tag_performance(None)),
        "closed profit": Trade.get_total_closed_profit(),
        "open stakes": Trade.total_open_trades_stakes(),
        "volume": Trade.get_trading_volume(),
        "locks": [_without(lock.to_json(), "id") for lock in PairLocks.get_all_locks()],
        "notes of trades": [
            [numbers[trade.id], entry.cd_key, entry.value]
            for trade in Trade.get_trades()
            for entry in trade.get_all_custom_data()
        ],
        "notes of pairs": {pair: CustomDataWrapper.get_custom_data(pair=pair) for pair in pairs},
        "intents": [
            [
                intent.pair,
                intent.side,
                intent.amount,
                intent.price,
                str(intent.state),
                intent.order_id,
                intent.order_tag,
            ]
            for intent in OrderIntent.session.scalars(select(OrderIntent).order_by(OrderIntent.id))
        ],
        "wallet": [
            [str(row.timestamp), row.currency, row.balance, row.total_quote]
            for row in WalletHistory.session.scalars(select(WalletHistory).order_by(WalletHistory.timestamp))
        ],
        "last iteration": KeyValueStore.get_value("last iteration"),
    }


def digest(summary: Summary) -> str:
    """Return a hash of a summary: equal ones are equal in every digit."""
    return hashlib.blake2b(json.dumps(summary, sort_keys=True).encode(), digest_size=16).hexdigest()


def table(summary: Summary, counts: dict[str, int]) -> str:
    """Return the closing table of a run as plain text."""
    lines = [f"{'pair':<16}{'trades':>8}{'profit %':>12}{'profit USDT':>16}"]
    lines += [
        f"{row['pair']:<16}{row['count']:>8}{row['profit_pct']:>12.2f}{row['profit_abs']:>16.8f}"
        for row in summary["by pair"]
    ]
    unresolved = sum(intent[4] not in {IntentState.PLACED, IntentState.VOID} for intent in summary["intents"])
    lines += ["", f"{'exit reason':<24}{'trades':>8}{'profit USDT':>16}"]
    lines += [
        f"{row['exit_reason']:<24}{row['count']:>8}{row['profit_abs']:>16.8f}" for row in summary["by exit reason"]
    ]
    lines += ["", *(f"{count:>8} {what}" for what, count in sorted(counts.items()))]
    trades, locks = summary["trades"], summary["locks"]
    open_count = sum(trade["is_open"] for trade in trades)
    lines += [
        "",
        f"{len(trades)} trades, {open_count} open, {len(locks)} locks, {unresolved} orders in doubt",
        f"closed profit {summary['closed profit']:.8f} USDT, volume {summary['volume']:.8f} USDT",
        f"last iteration {summary['last iteration']}, content {digest(summary)}",
    ]
    return "\n".join(lines)


def _told(report: list[Summary]) -> list[Summary]:
    """Return a report without the last digits of its ratios: each engine adds the stakes up in an order of its own."""
    return [row | {"profit_ratio": round(row["profit_ratio"], _RATIO_DECIMALS)} for row in report]


def _without(row: Summary, *names: str) -> Summary:
    return {name: value for name, value in row.items() if name not in names}
