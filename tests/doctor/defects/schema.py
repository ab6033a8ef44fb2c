"""Tables, columns, indexes and sequences that are not as the library makes them."""

import sqlite3

from tests.doctor.defects.rows import intent, lock
from tests.doctor.defects.table import Ids, defect
from tests.doctor.planting import Bed


@defect("S01", is_alone=True)
def drifted(bed: Bed) -> Ids:
    """A column that may be empty, and should not be."""
    if bed.engine == "sqlite":
        was, becomes = "quote_currency VARCHAR(25) NOT NULL", "quote_currency VARCHAR(25)"

        def change(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE sqlite_master SET sql = replace(sql, ?, ?)", (was, becomes))

        bed.change_schema(change)
    elif bed.engine == "postgresql":
        bed.run("ALTER TABLE wallet_history ALTER quote_currency DROP NOT NULL")
    else:
        bed.run(
            "ALTER TABLE wallet_history MODIFY quote_currency VARCHAR(25) CHARACTER SET utf8mb4 "
            "COLLATE utf8mb4_nopad_bin NULL"
        )
    return []


@defect("S02")
def lost_index(bed: Bed) -> Ids:
    """Dropped by hand."""
    on = " ON wallet_history" if bed.engine == "mysql" else ""
    bed.run(f"DROP INDEX ix_wallet_history_timestamp{on}")
    return []


@defect("S03")
def doubled_index(bed: Bed) -> Ids:
    """Made by hand, for what there was one already."""
    bed.run("CREATE INDEX my_own ON pairlocks (lock_end_time)")
    return []


@defect("S04", "postgresql", "mysql")
def narrow_number(bed: Bed) -> Ids:
    """As an older layer made it."""
    how = "ALTER rate TYPE real" if bed.engine == "postgresql" else "MODIFY rate FLOAT"
    bed.run(f"ALTER TABLE wallet_history {how}")
    return []


@defect("S05", "postgresql", "mysql")
def narrow_moment(bed: Bed) -> Ids:
    """As an older layer made it."""
    how = "ALTER updated_at TYPE timestamp(0)" if bed.engine == "postgresql" else "MODIFY updated_at DATETIME"
    bed.run(f"ALTER TABLE trade_custom_data {how}")
    return []


@defect("S06", "postgresql")
def late_sequence(bed: Bed) -> Ids:
    """A row was copied with its id."""
    row = lock(bed, pair="S06/USDT")
    bed.change("pairlocks", row, id=row + 5_000)
    return []


@defect("S08")
def leftover(bed: Bed) -> Ids:
    """An upgrade kept the old table."""
    bed.run("CREATE TABLE trades_bak0 (id INTEGER)")
    return []


@defect("S09")
def broken_reference(bed: Bed) -> Ids:
    """An intent of a trade that was deleted by hand."""
    row = bed.add(intent(client_order_id="S09", state="void"))
    bed.misdirect("order_intents", row)
    return [row]


@defect("S10", is_alone=True)
def lost_table(bed: Bed) -> Ids:
    """Dropped by hand."""
    bed.run("DROP TABLE commit_tokens")
    return []


@defect("S11", "mysql")
def case_blind(bed: Bed) -> Ids:
    """As the server would make it by itself."""
    bed.run("ALTER TABLE pairlocks CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    return []
