"""Looking for what is wrong with a store, changing nothing."""

from tradestore.operations.doctor.catalogue import CATALOGUE, Defect
from tradestore.operations.doctor.diagnosing import diagnose
from tradestore.operations.doctor.engine import KNOWN_BUGS, EngineBug
from tradestore.operations.doctor.findings import MOST_IDS, Diagnosis, Finding, LeftOut, Severity
from tradestore.operations.doctor.surroundings import EngineFacts, Surroundings, read_engine_facts

__all__ = [
    "CATALOGUE",
    "KNOWN_BUGS",
    "MOST_IDS",
    "Defect",
    "Diagnosis",
    "EngineBug",
    "EngineFacts",
    "Finding",
    "LeftOut",
    "Severity",
    "Surroundings",
    "diagnose",
    "read_engine_facts",
]
