"""Old databases after their upgrade: nothing is found but what was wrong in them before, each with its reason."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.capabilities import Backend
from tests.doctor.planting import calm_surroundings
from tests.migrations.legacy import RUNS, LegacyCase, run_id
from tradestore import init_db
from tradestore.operations.doctor import Severity, diagnose

_ENDED: Final = "T15"
"""A close date on an open trade, as the oldest layer left it when a sale was not filled."""
_NO_RATE: Final = "T16"
"""Closed without orders, and nobody noted at what rate."""
_WAITING: Final = "O03"
"""A closed trade that still named an open order."""
_REQUESTED: Final = "T02 T03 T04 T05 T07 T09 T10"
"""Several entries, with totals from what was asked for in place of what was filled; after a partial exit, the profit is
that of selling everything at the last rate."""
_FUNDING: Final = "T04 T06 T09 T10"
"""Orders and trade tell different sums of funding fees, and the profit has none at all."""
_INTEREST: Final = "T04 T09 T10"
"""A profit on margin without the interest."""
_LARGEST: Final = "T05"
"""A largest stake of 0, or with the leverage in it, or with the leverage taken out of it twice."""
_EMPTY: Final = "T01 T03 T21"
"""Amounts and rates that were missing: they are 0 since they must not be, or the rate that was asked for."""

KNOWN: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "001": {_ENDED: (14,)},
    "003": {_ENDED: (14,)},
    "010": {_WAITING: (4,)},
    "011": {_NO_RATE: (21,)},
    "015": {_NO_RATE: (21,)},
    "020": {_NO_RATE: (21,)},
    "021": {_REQUESTED: (21,)},
    "023": {_NO_RATE: (21,), _REQUESTED: (22,), _INTEREST: (27,)},
    "025": {_REQUESTED: (17,)},
    "026": {_REQUESTED: (17,), _INTEREST: (21,)},
    "028": {_REQUESTED: (17,), _FUNDING: (18, 19, 21)},
    "030": {_REQUESTED: (17,), _FUNDING: (19,)},
    "031": {_REQUESTED: (17,), _FUNDING: (18, 19, 21)},
    "033": {_REQUESTED: (17,), _FUNDING: (19, 21)},
    "035": {_REQUESTED: (17,), _FUNDING: (18, 21, 22), _INTEREST: (19,)},
    "036": {_NO_RATE: (21,), _REQUESTED: (22,), _FUNDING: (23, 24, 26, 28, 29, 31), _INTEREST: (27,)},
    "038": {
        _NO_RATE: (21,),
        _REQUESTED: (22,),
        _FUNDING: (23, 24, 26, 28, 29, 31),
        _INTEREST: (27,),
        _LARGEST: (32,),
    },
    "040": {_REQUESTED: (17,), _FUNDING: (18, 19, 22), _INTEREST: (21,)},
    "041": {
        _NO_RATE: (21,),
        _REQUESTED: (22,),
        _FUNDING: (23, 24, 26, 28, 29, 31),
        _INTEREST: (27,),
        _LARGEST: (32,),
    },
    "103": {_REQUESTED: (12, 29), _FUNDING: (13, 16, 30, 34), _INTEREST: (17,)},
    "105": {_REQUESTED: (4,), _LARGEST: (6, 8, 9), _INTEREST: (9,), _FUNDING: (18,)},
    "106": {_REQUESTED: (11,), _FUNDING: (12, 14), _INTEREST: (16,), _EMPTY: (1, 17)},
    "107": {_REQUESTED: (11,), _FUNDING: (12, 14), _INTEREST: (16,), _EMPTY: (1, 17)},
    "203": {_REQUESTED: (17,)},
    "205": {_REQUESTED: (17,), _FUNDING: (18, 21, 22), _INTEREST: (19,)},
    "206": {
        _NO_RATE: (21,),
        _REQUESTED: (22,),
        _FUNDING: (23, 24, 26, 28, 29, 31),
        _INTEREST: (27,),
        _LARGEST: (28,),
    },
    "208": {_REQUESTED: (17,), _FUNDING: (18, 21, 22), _INTEREST: (19,)},
    "301": {_REQUESTED: (21,)},
    "303": {_REQUESTED: (17,), _FUNDING: (18, 19, 21), _LARGEST: (18, 19, 22)},
}
"""By case: what is wrong, and in which rows."""

USUAL: Final = {"001", "011", "018", "023", "028", "038", "107", "201", "206", "303"}
"""Of each age one, of upgrades that were cut short, and of each engine."""

_ALL: Final = [
    pytest.param(backend, case, marks=() if case.number in USUAL else pytest.mark.thorough) for backend, case in RUNS
]


@pytest.mark.parametrize(("backend", "case"), _ALL, ids=run_id, indirect=["backend"])
def test_an_upgraded_database_has_no_false_finding(
    backend: Backend, case: LegacyCase, store_url: str, tmp_path: Path
) -> None:
    case.load(store_url)
    init_db(store_url).close()
    found = diagnose(store_url, surroundings=calm_surroundings(tmp_path), skip=["E09"])
    assert not found.failed
    told = dict(_by_row(found))
    assert told.keys() == {row for rows in KNOWN.get(case.number, {}).values() for row in rows}
    for row, codes in told.items():
        reasons = [reason for reason, rows in KNOWN[case.number].items() if row in rows]
        assert set(codes) <= {code for reason in reasons for code in reason.split()}, row


def _by_row(found: Any) -> Iterator[tuple[int, list[str]]]:
    rows: defaultdict[int, list[str]] = defaultdict(list)
    for each in found.findings:
        if each.severity is not Severity.INFO:
            for row in each.ids or [0]:
                rows[row].append(each.code)
    yield from rows.items()
