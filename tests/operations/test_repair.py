"""Every defect that can be repaired: planted, planned, repaired, gone, undone, and all is as before."""

import pytest

from tests.operations.repairable import DEFECTS, Defect, furnish, plant
from tradestore import Store
from tradestore.operations.content import content_hash
from tradestore.operations.doctor import diagnose
from tradestore.operations.repair import apply_repair, plan_repair, undo_repair

LOG = ("repair_log", "commit_tokens")


ROWS = ("T", "O", "L", "N", "S09")


def _found(store: Store) -> set[tuple[str, str | None, object]]:
    """Return what is wrong with rows: what the machine is like differs from one to the next."""
    findings = diagnose(store, only=ROWS).findings
    return {(each.code, each.table, row_id) for each in findings for row_id in each.ids}


@pytest.mark.needs("persistent", "first_driver")
def test_furnished_store_has_no_defect(database: Store) -> None:
    furnish()
    assert _found(database) == set()
    assert plan_repair(database, only=ROWS).steps == ()


def _each(*needs: str) -> pytest.MarkDecorator:
    chosen = [each for each in DEFECTS if each.needs == needs]
    return pytest.mark.parametrize("defect", chosen, ids=[f"{each.code}{each.name}" for each in chosen])


@pytest.mark.needs("persistent", "first_driver")
@_each()
def test_repair_leads_to_a_clean_doctor_and_undo_back(database: Store, store_url: str, defect: Defect) -> None:
    _prove(database, store_url, defect)


@pytest.mark.needs("persistent", "one_writer")
@_each("one_writer")
def test_so_it_does_where_the_engine_checks_little(database: Store, store_url: str, defect: Defect) -> None:
    _prove(database, store_url, defect)


@pytest.mark.needs("persistent", "first_driver", "keeps_infinity")
@_each("keeps_infinity")
def test_so_it_does_for_infinite_numbers(database: Store, store_url: str, defect: Defect) -> None:
    _prove(database, store_url, defect)


def _prove(database: Store, store_url: str, defect: Defect) -> None:
    furnish()
    plant(store_url, defect)
    assert defect.code in {code for code, _, _ in _found(database)}
    planted = content_hash(database, without=LOG)

    plan = plan_repair(database, only=ROWS)
    assert content_hash(database, without=LOG) == planted
    assert defect.code in plan.codes
    report = apply_repair(database, plan)
    assert _found(database) == set()
    assert content_hash(database, without=LOG) != planted

    undone = undo_repair(database)
    assert undone.batch == report.batch
    assert content_hash(database, without=LOG) == planted
