"""Every defect that can be repaired: planted, planned, repaired, gone, undone, and all is as before."""

import pytest

from tests.capabilities import Backend
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


@pytest.mark.needs("persistent", "first_driver")
@pytest.mark.parametrize("defect", DEFECTS, ids=[f"{each.code}{each.name}" for each in DEFECTS])
def test_repair_leads_to_a_clean_doctor_and_undo_back(
    backend: Backend, database: Store, store_url: str, defect: Defect
) -> None:
    if not all(getattr(backend, each) for each in defect.needs):
        assert backend.row_locks or not backend.keeps_infinity
        return
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
