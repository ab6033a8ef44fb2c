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

_NO_ORDERS: Final = "T14"
"""Open trades of layers that kept no orders, and whose one open order nobody noted."""
_ENDED: Final = "T15"
"""A close date on an open trade, as the oldest layer left it when a sale was not filled."""
_NO_RATE: Final = "T16"
"""A trade whose entry was canceled: closed, and never sold at any rate."""
_WAITING: Final = "O03"
"""A closed trade with an order that was still waiting."""
_BASE_FEE: Final = "T01 T02 T05 T07 T09"
"""The exchange took its fee from what was bought, the order has it, and the trade was never corrected by it."""
_REQUESTED: Final = "T02 T03 T04 T05 T07 T09 T10"
"""Several entries, with totals from what was asked for in place of what was filled, or kept after a partial exit."""
_FUNDING: Final = "T04 T06 T09 T10"
"""Funding fees of which the orders have the last part only."""
_INTEREST: Final = "T04 T05 T09 T10"
"""Interest on margin by another count of hours than the exchange's rule."""
_LEVERAGE: Final = "T05"
"""The leverage was taken out of the largest stake twice."""
_FOUR_BYTES: Final = "T01 T02 T03 T04 T05 T06 T07 T09 T10"
"""The columns of that engine had 4 bytes: totals and orders were each cut to 7 digits."""
_EMPTY: Final = "T01 T03 T21"
"""Numbers that were missing, and are 0 since they must not be."""

KNOWN: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = {
    "001": {_NO_ORDERS: (12, 13, 14, 16, 18, 19), _ENDED: (14,)},
    "003": {_NO_ORDERS: (13, 18, 19), _ENDED: (14,)},
    "005": {_NO_ORDERS: (13, 18, 19)},
    "006": {_NO_ORDERS: (13, 18, 19)},
    "008": {_NO_ORDERS: (13, 18, 19)},
    "010": {_NO_ORDERS: (18, 19), _WAITING: (4,)},
    "011": {_NO_ORDERS: (18, 19), _NO_RATE: (21,)},
    "013": {_NO_ORDERS: (18, 19)},
    "015": {_NO_ORDERS: (18, 19), _NO_RATE: (21,)},
    "020": {_NO_RATE: (21,)},
    "021": {_BASE_FEE: (3,), _REQUESTED: (21,)},
    "023": {_BASE_FEE: (3,), _NO_RATE: (21,), _REQUESTED: (22,), _INTEREST: (27,)},
    "025": {_REQUESTED: (17,)},
    "026": {_BASE_FEE: (3,), _REQUESTED: (17,), _INTEREST: (21,)},
    "028": {_BASE_FEE: (3,), _REQUESTED: (17,), _FUNDING: (18, 19, 21)},
    "030": {_BASE_FEE: (3,), _REQUESTED: (17,), _FUNDING: (19,)},
    "031": {_REQUESTED: (17,), _FUNDING: (18, 19, 21)},
    "033": {_REQUESTED: (17,), _FUNDING: (19, 21)},
    "035": {_REQUESTED: (17,), _FUNDING: (18, 21, 22), _INTEREST: (19,)},
    "036": {_BASE_FEE: (3,), _NO_RATE: (21,), _REQUESTED: (22,), _FUNDING: (23, 24, 26, 28, 29, 31), _INTEREST: (27,)},
    "038": {
        _BASE_FEE: (3,),
        _NO_RATE: (21,),
        _REQUESTED: (22,),
        _FUNDING: (23, 24, 26, 28, 29, 31),
        _INTEREST: (27,),
        _LEVERAGE: (32,),
    },
    "040": {_BASE_FEE: (3,), _REQUESTED: (17,), _FUNDING: (18, 19, 22), _INTEREST: (21,)},
    "041": {
        _BASE_FEE: (3,),
        _NO_RATE: (21,),
        _REQUESTED: (22,),
        _FUNDING: (23, 24, 26, 28, 29, 31),
        _INTEREST: (27,),
        _LEVERAGE: (32,),
    },
    "101": {_NO_ORDERS: (8, 9, 18)},
    "103": {_BASE_FEE: (11, 21), _REQUESTED: (12, 29), _FUNDING: (13, 16, 30, 34), _INTEREST: (17,)},
    "105": {_BASE_FEE: (3, 13), _REQUESTED: (4,), _LEVERAGE: (6, 8), _INTEREST: (9,), _FUNDING: (18,)},
    "106": {_BASE_FEE: (3,), _REQUESTED: (11,), _FUNDING: (12, 14), _INTEREST: (16,), _EMPTY: (1, 17)},
    "107": {_BASE_FEE: (3,), _REQUESTED: (11,), _FUNDING: (12, 14), _INTEREST: (16,), _EMPTY: (1, 17)},
    "201": {_NO_ORDERS: (18, 19)},
    "203": {_REQUESTED: (17,)},
    "205": {_REQUESTED: (17,), _FUNDING: (18, 21, 22), _INTEREST: (19,)},
    "206": {
        _BASE_FEE: (3,),
        _NO_RATE: (21,),
        _REQUESTED: (22,),
        _FUNDING: (23, 24, 26, 28, 29, 31),
        _INTEREST: (27,),
        _LEVERAGE: (28,),
    },
    "208": {_REQUESTED: (17,), _FUNDING: (18, 21, 22), _INTEREST: (19,)},
    "301": {_BASE_FEE: (3,), _FOUR_BYTES: (1, 2, 4, 6), _REQUESTED: (21,)},
    "303": {_BASE_FEE: (3,), _FOUR_BYTES: (1, 6, 11, 12, 17, 18, 19, 21, 22)},
}
"""By case: what is wrong, and in which rows."""


@pytest.mark.parametrize(("backend", "case"), RUNS, ids=run_id, indirect=["backend"])
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
