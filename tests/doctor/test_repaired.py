"""The doctor's own defects, all in one store: what can be repaired is, at once, and undo gives back the content."""

from collections.abc import Callable

import pytest

from tests.doctor.defects import DEFECTS
from tests.doctor.planting import Bed
from tradestore import Trade
from tradestore.operations.content import content_hash
from tradestore.operations.doctor import CATALOGUE, Severity
from tradestore.operations.repair import apply_repair, plan_repair, undo_repair
from tradestore.operations.repair.rules import BY_HAND, RULES
from tradestore.operations.repair.settings import SETTING_REASONS

LOG = ("repair_log", "commit_tokens")
UNDECIDABLE = {"N01", "N13"}
"""They are planted into balances of the wallet, which nothing else tells."""
ROWS = {each for each in CATALOGUE if each[0] in "TOLN" or each == "S09"}
REFERENCES = {"O01", "L06", "S09"}
"""What refers to nothing can be repaired anywhere, and come back only where references may be left unchecked."""


def test_every_code_that_sends_to_repair_is_repaired_there() -> None:
    """Or repair says what a person has to do instead."""
    sent = {each.code for each in CATALOGUE.values() if "`tradestore repair" in each.remedy}
    assert sent <= RULES.keys() | SETTING_REASONS.keys() | BY_HAND.keys()


@pytest.mark.needs("persistent", "first_driver")
def test_all_defects_are_repaired_at_once_and_undone(bed: Bed, note: Callable[[str, str], None]) -> None:
    planted = {each.code for each in DEFECTS if bed.engine in each.engines and not each.is_alone}
    for each in DEFECTS:
        if each.code in planted:
            each.plant(bed)
    Trade.session.remove()
    before = content_hash(bed.database, without=LOG)
    chosen = ROWS - REFERENCES if bed.engine == "postgresql" else ROWS
    planted &= chosen
    plan = plan_repair(bed.database, only=chosen)
    by_hand = {each.code for each in plan.unrepairable}
    apply_repair(bed.database, plan)
    left = {each.code for each in bed.look(only=chosen).findings if each.severity is not Severity.INFO}
    assert left <= by_hand
    repaired = planted & RULES.keys() - left
    assert repaired == planted & RULES.keys() - UNDECIDABLE
    undo_repair(bed.database)
    assert content_hash(bed.database, without=LOG) == before
    note("repairs", f"{len(repaired)} of {len(repaired)} codes repaired in one transaction and undone")
