"""What would have to be done about the findings of a look: nothing is changed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from tradestore.exceptions import InvalidValue
from tradestore.operations._endpoints import snapshot
from tradestore.operations.doctor.catalogue import CATALOGUE
from tradestore.operations.doctor.checks import STORY_CHECKS
from tradestore.operations.doctor.diagnosing import Progress, diagnose
from tradestore.operations.doctor.findings import Diagnosis, Finding, Severity
from tradestore.operations.opening import Place, file_of_url, open_to_read
from tradestore.operations.repair.looking import EVERY_ID, UNUSABLE, StoryFinding, story_findings
from tradestore.operations.repair.plan import RepairPlan
from tradestore.operations.repair.rows import StoredRows
from tradestore.operations.repair.rules import BY_HAND, RULES
from tradestore.operations.repair.settings import SETTING_REASONS, settings_for
from tradestore.operations.repair.totals import story_of
from tradestore.operations.repair.workbench import Workbench

__all__ = ["plan_repair"]

_OF_STORIES: Final = frozenset(check.code for check in STORY_CHECKS)


def plan_repair(
    place: Place,
    diagnosis: Diagnosis | None = None,
    *,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> RepairPlan:
    """Say what can be done about what is wrong with a store, and what a person has to decide; nothing is changed.

    Args:
        place: A database URL, or the database that is open.
        diagnosis: From ``diagnose`` with the primary keys of all rows; made anew if not given.
        only: Codes, or the letters that they begin with; all if None.
        progress: Is told how many trades have been gone through, and how many there are.

    Raises:
        InvalidValue: If there is no such code.
        OperationalException: If the database cannot be opened.
        DatabaseBusy: If others keep it locked.
    """
    _refuse_unknown(only)
    with open_to_read(place) as store:
        found = diagnosis or diagnose(store, only=only, most_ids=EVERY_ID, progress=progress)
        findings = [each for each in found.findings if only is None or _is_meant(each.code, only)]
        with snapshot(store.engine) as connection:
            bench = Workbench(StoredRows(connection))
            for code in RULES:
                for finding in findings:
                    if finding.code == code and finding.table is not None:
                        _repair_rows(bench, finding)
            _repair_what_was_hidden(bench, {code for code in RULES if only is None or _is_meant(code, only)})
            for finding in findings:
                if finding.code in SETTING_REASONS:
                    settings = settings_for(finding, file_of_url(store.engine.url))
                    bench.finish_step(SETTING_REASONS[finding.code], code=finding.code, settings=settings)
                elif finding.code not in RULES and finding.severity is not Severity.INFO:
                    reason = BY_HAND.get(finding.code, finding.remedy)
                    bench.leave_to_a_person(finding.code, finding.table, finding.ids, reason)
            return bench.plan()


def _repair_rows(bench: Workbench, finding: Finding) -> None:
    for row_id in finding.ids:
        if not _is_gone(bench, finding.code, str(finding.table), row_id):
            _repair_row(bench, finding.code, str(finding.table), row_id, finding.facts.get(row_id, {}))


def _repair_row(bench: Workbench, code: str, table: str, row_id: Any, facts: Mapping[str, Any]) -> None:
    rule = RULES[code]
    refusal = rule.repair(bench, table, row_id, facts)
    if refusal is not None:
        bench.give_up_step()
        bench.leave_to_a_person(code, table, [row_id], refusal)
        return
    bench.finish_step(rule.reason, code=code, table=table, row_id=row_id)


def _is_gone(bench: Workbench, code: str, table: str, row_id: Any) -> bool:
    """Say whether an earlier step has repaired a defect that shows in a trade with its orders."""
    row = bench.row(table, row_id) if code in _OF_STORIES else None
    found = None if row is None else _seen(bench, row["id" if table == "trades" else "ft_trade_id"])
    return found is not None and (code, table, row_id) not in {each[:3] for each in found}


def _seen(bench: Workbench, trade_id: Any) -> Sequence[StoryFinding] | None:
    """Return what is wrong with a trade by now, None if its values cannot be used."""
    trade = bench.row("trades", trade_id)
    try:
        orders = bench.select("orders", "ft_trade_id", trade_id)
        return None if trade is None else story_findings(story_of(trade, orders))
    except UNUSABLE:
        return None


def _repair_what_was_hidden(bench: Workbench, codes: Collection[str]) -> None:
    """Repair what can be seen only once a trade's other defects are gone."""
    for trade_id in bench.changed_trades():
        for code in RULES:
            for this_code, table, row_id, facts in _seen(bench, trade_id) or () if code in codes else ():
                if this_code == code and not bench.is_left_to_a_person(code, table, row_id):
                    _repair_row(bench, code, table, row_id, facts)


def _refuse_unknown(only: Collection[str] | None) -> None:
    for word in only or ():
        if not any(_is_meant(code, [word]) for code in CATALOGUE):
            msg = f"There is no code {word}: `tradestore doctor --list` shows all."
            raise InvalidValue(msg)


def _is_meant(code: str, words: Collection[str]) -> bool:
    return any(code == word.upper() or (len(word) == 1 and code.startswith(word.upper())) for word in words)
