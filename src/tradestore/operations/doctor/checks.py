"""All checks: those that ask the engine, and those that go through trades with their orders."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from tradestore.operations.doctor import engine, host, orders, other_rows, plans, schema, totals, trades, values
from tradestore.operations.doctor._look import Look
from tradestore.operations.doctor.findings import Finding
from tradestore.operations.doctor.stories import Story

__all__ = ["CHECKS", "STORY_CHECKS", "Check", "StoryCheck"]


@dataclass(frozen=True, slots=True)
class Check:
    """A check that asks the engine or the machine.

    Attributes:
        code: Of what it looks for.
        run: Looks, and yields what it found.
    """

    code: str
    run: Callable[[Look], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class StoryCheck:
    """A check of one trade with its orders.

    Attributes:
        code: Of what it looks for.
        table: Whose rows it names.
        what: Is wrong with them.
        run: Looks, and yields primary keys with facts.
        of: To which trades it can say anything: all if None.
    """

    code: str
    table: str
    what: str
    run: Callable[[Story], Iterable[tuple[int, dict[str, Any]]]]
    of: Literal["open", "closed", "doubtful"] | None = None

    def concerns(self, *, is_open: bool, are_sums_right: bool) -> bool:
        """Say whether it has to look at a trade."""
        match self.of:
            case "open":
                return is_open
            case "closed":
                return not is_open
            case "doubtful":
                return not are_sums_right
        return True


CHECKS: Final[Sequence[Check]] = (
    # Whoever reads a damaged file is told that first.
    Check("E01", engine.damaged_file),
    Check("T17", trades.open_twice),
    Check("O01", orders.orphans),
    Check("O05", orders.doubled_ids),
    Check("O06", orders.waiting_for_ids),
    Check("L01", other_rows.doubled_locks),
    Check("L02", other_rows.locks_that_end_first),
    Check("L03", other_rows.locks_long_over),
    Check("L04", other_rows.locks_with_unknown_side),
    Check("L05", other_rows.unfit_custom_data),
    Check("L06", other_rows.custom_data_of_no_trade),
    Check("L07", other_rows.keys_alike_but_for_case),
    Check("L08", other_rows.doubled_keys),
    Check("L09", other_rows.unfit_values),
    Check("L10", other_rows.beyond_limits),
    Check("L11", other_rows.unresolved_intents),
    Check("L12", other_rows.lost_placed_orders),
    Check("L13", other_rows.unknown_intents),
    Check("L14", other_rows.many_commit_marks),
    Check("L15", other_rows.impossible_archived_sums),
    Check("N01", values.not_finite),
    Check("N02", values.negative_numbers),
    Check("N03", values.missing_texts),
    Check("N04", values.excessive_fees),
    Check("N05", values.stop_ratios_out_of_range),
    Check("N06", values.ends_before_it_begins),
    Check("N08", values.in_the_future),
    Check("N09", values.before_the_first_trade),
    Check("N12", values.unknown_modes),
    Check("N13", values.of_another_type),
    Check("N14", values.too_long_texts),
    Check("S01", schema.drifted_tables),
    Check("S02", schema.missing_indexes),
    Check("S03", schema.doubled_indexes),
    Check("S04", schema.narrow_numbers),
    Check("S05", schema.narrow_moments),
    Check("S06", schema.sequences_behind),
    Check("S07", plans.questions_that_scan),
    Check("S08", schema.leftover_tables),
    Check("S09", schema.broken_references),
    Check("S10", schema.missing_tables),
    Check("S11", schema.case_blind_texts),
    Check("E02", engine.without_log),
    Check("E03", engine.leftover_journal),
    Check("E04", engine.large_log),
    Check("E05", engine.mostly_empty),
    Check("E06", engine.unsafe_version),
    Check("E07", host.in_network_folder),
    Check("E08", host.in_synchronised_folder),
    Check("E09", host.readable_by_others),
    Check("E10", host.old_backups),
    Check("E11", engine.weak_durability),
    Check("E12", engine.local_time),
    Check("E13", host.full_disk),
    Check("E14", engine.without_transactions),
    Check("E15", engine.rare_log_bug),
)

STORY_CHECKS: Final[Sequence[StoryCheck]] = (
    *(
        StoryCheck(
            code,
            "trades",
            f"trades have another {column} than their orders tell",
            partial(totals.differing, column=column),
            "doubtful",
        )
        for code, column in totals.TOTALS.items()
    ),
    StoryCheck("T11", "trades", "open trades hold nothing any more", trades.open_and_empty, "open"),
    StoryCheck("T12", "trades", "closed trades still hold something", trades.closed_while_held, "closed"),
    StoryCheck("T13", "trades", "closed trades have no filled exit order", trades.closed_without_exit, "closed"),
    StoryCheck("T14", "trades", "open trades have no orders", trades.without_orders, "open"),
    StoryCheck("T15", "trades", "open trades have a close date", trades.open_with_close_date, "open"),
    StoryCheck("T16", "trades", "closed trades lack close date or rate", trades.closed_without_date_or_rate, "closed"),
    StoryCheck("T18", "trades", "trades have a leverage below 1", trades.too_little_leverage),
    StoryCheck("T19", "trades", "trades are short in spot mode", trades.short_on_spot),
    StoryCheck("T20", "trades", "open trades have a stop loss beyond the best rate", trades.wrong_stop, "open"),
    StoryCheck("T21", "trades", "open trades would be liquidated where they gain", trades.wrong_liquidation, "open"),
    StoryCheck("T22", "trades", "trades have a lowest rate above the highest", trades.rates_out_of_order),
    StoryCheck("T23", "trades", "trades have other currencies than their pair", trades.other_currencies),
    StoryCheck("T24", "trades", "closed or old trades have no orders", trades.old_without_orders),
    StoryCheck("O02", "orders", "orders are of another pair than their trade", orders.of_another_pair),
    StoryCheck("O03", "orders", "orders are open on closed trades", orders.open_on_closed_trade, "closed"),
    StoryCheck("O04", "orders", "orders are filled beyond their amount", orders.filled_beyond_amount),
    StoryCheck("O07", "orders", "orders are open here and done at the exchange", orders.done_at_the_exchange, "open"),
    StoryCheck("O08", "orders", "orders have an unknown side", orders.unknown_sides),
    StoryCheck("O09", "trades", "trades have sold more than they held", orders.sold_more_than_held),
    StoryCheck("N07", "orders", "orders were filled before they were placed", values.filled_before_placed),
    StoryCheck("N10", "trades", "trades are whole hours apart from their orders", orders.hours_apart),
    StoryCheck("N11", "trades", "trades have numbers that were cut to 4 bytes", values.cut_trade_numbers),
    StoryCheck("N11", "orders", "orders have numbers that were cut to 4 bytes", values.cut_order_numbers),
)
