"""Repairing a store: first a plan, then all of it in one transaction, with a log by which it can be undone."""

from tradestore.operations.repair.applying import apply_repair
from tradestore.operations.repair.plan import (
    Change,
    RepairPlan,
    RepairReport,
    RepairStep,
    Setting,
    Sight,
    Unrepairable,
)
from tradestore.operations.repair.planning import plan_repair
from tradestore.operations.repair.undoing import (
    LoggedRepair,
    UndoReport,
    forget_repairs,
    repair_history,
    undo_repair,
)

__all__ = [
    "Change",
    "LoggedRepair",
    "RepairPlan",
    "RepairReport",
    "RepairStep",
    "Setting",
    "Sight",
    "UndoReport",
    "Unrepairable",
    "apply_repair",
    "forget_repairs",
    "plan_repair",
    "repair_history",
    "undo_repair",
]
