"""A whole database copied into another one, from any engine to any engine, with all ids."""

from collections.abc import Callable

from tradestore._answer_timeout import however_long
from tradestore._bulk import check_batch_size
from tradestore._engine import masked
from tradestore._stored_values import BATCH_ROWS
from tradestore.models import prepare_tables, present_tables
from tradestore.operations._copying import copy_all, refuse_older
from tradestore.operations._endpoints import End, opened, refuse_same, refuse_unready, snapshot, sole_transfer
from tradestore.operations._merging import merge_all
from tradestore.operations._transfer_plan import plan_transfer, refuse_orphans
from tradestore.operations._transfer_report import TransferProgress, TransferredTable, TransferReport
from tradestore.operations._way import Way, told_interruptions

__all__ = ["TransferProgress", "TransferReport", "TransferredTable", "transfer"]


def transfer(
    source: End,
    target: End,
    *,
    merge: bool = False,
    progress: Callable[[TransferProgress], None] | None = None,
    batch_size: int = BATCH_ROWS,
) -> TransferReport:
    """Copy a database into another one, and prove it: at the end both have the same rows.

    All tables go along, with their ids: the library's, those of models on ``ModelBase``, and any other that is in the
    source, but for the backups of upgrades. The source is read as it is at the beginning, a batch of rows at a time,
    and never changed. All that could be in the way is looked for before the first row is written. A transfer that was
    cut short, by whatever, is gone on with by the next call; one that had ended is compared again, and changes nothing.
    Until it has ended, ``init_db`` refuses the target.

    Args:
        source: A database URL, or a database that is open; the latter must not hold work that is not committed.
        target: Likewise. It may be new: its tables are made.
        merge: Add what the target lacks to what it has, instead of refusing one that has rows.
        progress: Called after each batch.
        batch_size: How many rows are in memory at once.

    Returns:
        What was copied, table by table.

    Raises:
        TransferError: If the source has to be opened by ``init_db`` first, is the target itself, or has rows that refer
            to missing ones; or if the target's content is not the source's at the end.
        TargetNotEmpty: If the target has rows of its own in a table of the library, of a model, or of the source; what
            else is there does not matter, and stays.
        TransferConflict: If rows to be merged contradict the target's: nothing was written.
        InvalidValue: If the target's engine cannot hold a value, which is named: nothing of that table was written.
        InvalidDatabaseUrl: If a URL cannot be used.
        MissingDriver: If the driver that it asks for is not installed.
        DatabaseUnreachable: If nobody answers there.
        MigrationError: If the target's tables cannot be brought up to date.
        DatabaseBusy: If others hold a lock, or transfer into the same target.
    """
    check_batch_size(batch_size)
    with however_long(), told_interruptions(), opened(source) as source_engine, opened(target) as target_engine:
        refuse_unready(source_engine)
        present = present_tables(target_engine)
        with snapshot(source_engine) as reading:
            refuse_same(reading, target_engine)
            plan = plan_transfer(reading, target_engine)
            refuse_orphans(reading, plan)
            with sole_transfer(target_engine):
                if not merge:
                    refuse_older(target_engine, present)
                prepare_tables(target_engine, present)
                way = Way(reading, target_engine, plan, progress, batch_size)
                tables = merge_all(way) if merge else copy_all(way)
        return TransferReport(masked(source_engine.url), masked(target_engine.url), tuple(tables))
