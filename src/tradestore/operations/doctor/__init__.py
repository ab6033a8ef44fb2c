"""Looking for what is wrong with a store, changing nothing."""

from tradestore.operations.doctor.catalogue import CATALOGUE, Defect
from tradestore.operations.doctor.findings import MOST_IDS, Diagnosis, Finding, LeftOut, Severity

__all__ = ["CATALOGUE", "MOST_IDS", "Defect", "Diagnosis", "Finding", "LeftOut", "Severity"]
