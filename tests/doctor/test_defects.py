"""One defect per code: each is found by its code, with its rows, and nothing else is."""

from collections.abc import Callable, Sequence

import pytest

from tests.capabilities import Backend
from tests.doctor.defects import DEFECTS, Defect
from tests.doctor.planting import Bed
from tradestore.operations.doctor import CATALOGUE, Diagnosis

ALONE = {"S07"}
"""Codes that need a store of many rows, and have a test of their own."""


def _ids(found: Diagnosis, code: str) -> set[object]:
    return {key for each in found.findings if each.code == code for key in each.ids}


def test_each_code_has_a_defect() -> None:
    planted = [each.code for each in DEFECTS]
    assert len(planted) == len(set(planted))
    assert {*planted, *ALONE} == set(CATALOGUE)
    assert len(CATALOGUE) >= 40


def _on_sqlite(*, is_alone: bool) -> Sequence[Defect]:
    return [each for each in DEFECTS if "sqlite" in each.engines and each.is_alone is is_alone]


@pytest.mark.needs("persistent", "one_writer")
@pytest.mark.parametrize("planted", _on_sqlite(is_alone=False), ids=lambda each: each.code)
def test_one_defect_is_found_and_nothing_else(backend: Backend, cleared_bed: Bed, planted: Defect) -> None:
    _check_alone(cleared_bed, planted)


@pytest.mark.needs("persistent", "one_writer")
@pytest.mark.parametrize("planted", _on_sqlite(is_alone=True), ids=lambda each: each.code)
def test_one_defect_of_the_store_is_found_and_nothing_else(bed: Bed, planted: Defect) -> None:
    _check_alone(bed, planted)


def _check_alone(bed: Bed, planted: Defect) -> None:
    expected = planted.plant(bed)
    found = bed.look()
    assert not found.failed
    assert {each.code for each in found.findings} == {planted.code, *dict(planted.also)}
    assert _ids(found, planted.code) >= set(expected)
    if expected and planted.code != "N11":
        (finding,) = [each for each in found.findings if each.code == planted.code]
        assert finding.rows == len(expected)
        assert set(finding.facts) == set(expected)


@pytest.mark.needs("persistent", "first_driver")
def test_a_store_with_all_defects_is_diagnosed_completely(bed: Bed, note: Callable[[str, str], None]) -> None:
    """All at once where they can be together, and then one after the other those that change what others read."""
    assert not bed.look().findings
    mine = [each for each in DEFECTS if bed.engine in each.engines]
    together = [each for each in mine if not each.is_alone]
    expected = {each.code: set(each.plant(bed)) for each in together}
    found = bed.look()
    assert not found.failed
    assert {code: _ids(found, code) >= ids for code, ids in expected.items()} == dict.fromkeys(expected, True)
    assert {each.code for each in found.findings} == set(expected)
    for each in mine:
        if each.is_alone and each.code not in {"E02", "E04"}:
            each.plant(bed)
            assert each.code in {one.code for one in bed.look(only=[each.code]).findings}, each.code
            expected[each.code] = set()
    note("doctor", f"{len(expected)} of {len(expected)} defects found")
