"""What a look is: chosen checks, one picture, honest failures, and how much it names."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.builders import store, trade_with_entry
from tests.doctor.planting import Bed
from tests.doctor.random_trades import random_trades
from tradestore import Database, Trade, migrations
from tradestore.exceptions import InvalidValue, MigrationError
from tradestore.operations.doctor import CATALOGUE, KNOWN_BUGS, Severity, diagnose
from tradestore.operations.doctor.values import _before_cut

pytestmark = pytest.mark.needs("persistent", "one_writer")


def test_checks_are_chosen_by_code_and_by_letter(bed: Bed) -> None:
    bed.change("trades", 1, close_profit=0.5, close_rate=None)
    assert [each.code for each in bed.look(only=["T09"]).findings] == ["T09"]
    assert set(bed.look(only=["L", "T16"]).ran) <= {code for code in CATALOGUE if code[0] == "L" or code == "T16"}
    assert [each.code for each in bed.look(skip=["T09"]).findings] == ["T16"]
    assert not bed.look(skip=["t"]).findings


def test_an_unknown_code_is_refused(bed: Bed) -> None:
    with pytest.raises(InvalidValue, match=r"no check T99.*--list"):
        bed.look(only=["T99"])


def test_findings_come_worst_first_and_say_what_was_expected(bed: Bed) -> None:
    bed.change("trades", 1, close_profit_abs=20.0, min_rate=3.0, max_rate=2.0)
    found = bed.look()
    assert [(each.code, each.severity) for each in found.findings] == [("T10", "error"), ("T22", "warning")]
    assert found.worst is Severity.ERROR
    assert not found.is_clean
    # 219.78 for what was sold, less 200.2 for what was bought.
    assert found.findings[0].facts == {1: {"close_profit_abs": {"found": 20.0, "expected": 19.58}}}


def test_a_finding_counts_all_rows_and_names_the_first(bed: Bed) -> None:
    store(*[bed.rename(trade_with_entry(stop_loss=30.0)) for _ in range(5)])
    (found,) = bed.look(only=["T20"], most_ids=3).findings
    assert (found.rows, len(found.ids)) == (5, 3)
    assert list(found.ids) == sorted(found.ids)


def test_a_check_that_fails_itself_is_no_clean_bill(bed: Bed) -> None:
    """A view in the place of a table has no column of those that are asked for."""
    bed.run("DROP TABLE trade_limits")
    bed.run("CREATE TABLE trade_limits (id INTEGER PRIMARY KEY)")
    found = bed.look(only=["L10", "L11"])
    assert [each.code for each in found.failed] == ["L10"]
    assert found.ran == {"L11": CATALOGUE["L11"].title}
    assert found.worst is Severity.ERROR
    assert not found.is_clean


def test_rows_with_unreadable_values_do_not_hide_the_others(bed: Bed) -> None:
    """A date that is none keeps its trade from being looked at, and no other one."""
    broken, wrong = bed.add_closed(), bed.add_closed()
    bed.change("trades", broken, close_date="last Monday", close_profit=0.5)
    bed.change("trades", wrong, close_profit=0.5)
    found = bed.look()
    assert not found.failed
    assert {each.code: list(each.ids) for each in found.findings} == {"N13": [broken], "T09": [wrong]}


def test_an_older_schema_is_to_be_upgraded_first(bed: Bed, database: Database) -> None:
    Trade.session.remove()
    migrations.downgrade(database.engine, "0004_wider_pairs")
    with pytest.raises(MigrationError, match="tradestore upgrade"):
        bed.look()


def test_questions_that_scan_are_found_once_there_are_rows(bed: Bed) -> None:
    Trade.bulk_add(random_trades(1_000))
    bed.run("DROP INDEX ix_orders_order_id")
    found = {each.code: each for each in bed.look().findings}
    # The question scans because the index is missing.
    assert found.keys() == {"S02", "S07"}
    assert found["S07"].facts == {"order by id": {"found": "orders"}}


def test_backups_are_looked_for_only_if_a_folder_is_given(bed: Bed) -> None:
    assert "E10" in {each.code for each in bed.look().not_applicable}
    folder = bed.folder / "backups"
    assert [each.code for each in bed.look(backups=folder).findings] == ["E10"]
    folder.mkdir()
    assert [each.code for each in bed.look(backups=folder).findings] == ["E10"]
    (folder / "today.sqlite").write_bytes(b"backup")
    assert not bed.look(backups=folder, max_backup_age=timedelta(days=1)).findings


def test_the_picture_is_one(bed: Bed) -> None:
    """What is written while the trades are gone through is not seen by the checks after it."""
    store(*[bed.rename(trade_with_entry(stop_loss=30.0)) for _ in range(3)])
    Trade.session.remove()

    def spoil(_done: int, _total: int | None) -> None:
        bed.run("UPDATE trades SET stop_loss = 0")

    found = bed.look(only=["T20"], progress=spoil)
    assert [each.rows for each in found.findings] == [3]
    with bed.raw() as connection:
        assert connection.scalar(text("SELECT max(stop_loss) FROM trades")) == 0


@pytest.mark.parametrize("number", [0.5, 20.0, 0.1, 1e-8, 0.0009765625, 16_777_216.0, 1e300, 123.456])
def test_clean_numbers_were_never_cut(number: float) -> None:
    assert _before_cut(number) is None


@pytest.mark.parametrize(("number", "before"), [(0.10000000149011612, 0.1), (20.299999237060547, 20.3)])
def test_numbers_cut_to_four_bytes_are_told_with_what_they_were(number: float, before: float) -> None:
    assert _before_cut(number) == before


def test_known_bugs_end_with_a_version_and_are_told_by_their_makers() -> None:
    for bug in KNOWN_BUGS:
        assert bug.first < bug.fixed
        assert bug.source.startswith("https://")


@pytest.mark.needs("persistent", "first_driver")
def test_tables_that_good_upgrades_keep_are_told_from_what_was_cut_short(bed: Bed) -> None:
    """Both are for information; only the latter asks for something to be done again."""
    bed.run("CREATE TABLE trades_bak0 (id INTEGER)")
    bed.run("INSERT INTO trades_bak0 VALUES (1)")
    bed.run("CREATE TABLE tradestore_change_unfinished (id INTEGER)")
    kept, cut_short = diagnose(bed.url, **(bed.arguments | {"only": ["S08"]})).findings
    assert kept.severity is cut_short.severity is Severity.INFO
    assert kept.detail == "1 old table is kept by upgrades that have ended well: trades_bak0 (1 rows)."
    assert "`DROP TABLE`" in kept.remedy
    assert (
        cut_short.detail
        == "1 table is left over from changes that were cut short: tradestore_change_unfinished (0 rows)."
    )
    assert "again" in cut_short.remedy
