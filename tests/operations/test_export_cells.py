"""Cells of a CSV file: every value comes back, and no text is a formula."""

import csv
import io
import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.operations.exports import NUMBERS, TEXTS
from tradestore._exported_columns import ColumnType
from tradestore.operations.export._cells import cells_of, values_of

DANGEROUS = {*"=+-@\t\r\n"}


def _there_and_back(column_type: ColumnType, value: object) -> object:
    """Write a value by our cells and Python's csv, and read it by both."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow([*cells_of(column_type, [value]), "next"])
    text.seek(0)
    ((cell, beside),) = csv.reader(text)
    assert beside == "next"
    (value,) = values_of(column_type, [cell])
    return value


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("'=+-@ \t\r\n\"a,"))
def test_every_text_comes_back_and_none_is_a_formula(text: str) -> None:
    (cell,) = cells_of(ColumnType.TEXT, [text])
    assert cell
    assert cell[0] not in DANGEROUS
    assert cell in {text, f"'{text}"}
    assert _there_and_back(ColumnType.TEXT, text) == text


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_all_kinds(text: str) -> None:
    assert _there_and_back(ColumnType.TEXT, text) == text


@pytest.mark.parametrize("column_type", ColumnType)
def test_a_missing_value_is_an_empty_cell(column_type: ColumnType) -> None:
    assert cells_of(column_type, [None]) == [""]
    assert values_of(column_type, [""]) == [None]


@given(st.floats(allow_nan=False))
def test_every_number_comes_back(number: float) -> None:
    found = _there_and_back(ColumnType.NUMBER, number)
    assert found == number
    assert math.copysign(1.0, number) == math.copysign(1.0, float(str(found)))


def test_numbers_of_all_kinds() -> None:
    assert cells_of(ColumnType.NUMBER, NUMBERS)[:4] == ["0.0", "-0.0", "-1.5", "0.30000000000000004"]
    found = _there_and_back(ColumnType.NUMBER, math.nan)
    assert isinstance(found, float)
    assert math.isnan(found)


@given(st.datetimes(), st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_every_moment_count_and_flag_comes_back(moment: datetime, count: int, flag: bool) -> None:
    assert _there_and_back(ColumnType.MOMENT, moment) == moment
    assert _there_and_back(ColumnType.COUNT, count) == count
    assert _there_and_back(ColumnType.FLAG, flag) is flag


@pytest.mark.parametrize(
    ("column_type", "cell"),
    [
        *(
            (ColumnType.NUMBER, cell)
            for cell in ("1,5", "1_0", " 1", "0x1", "infinity", "1e400", "\u0661", "--1", "1.5.1")
        ),
        *((ColumnType.COUNT, cell) for cell in ("1.0", "1e3", str(2**63), "9" * 5000, "one", "\u0663")),
        *((ColumnType.FLAG, cell) for cell in ("1", "yes", "t")),
        *(
            (ColumnType.MOMENT, cell)
            for cell in ("2026-03-01", "2026-03-01T12:00:00", "01.03.2026 12:00", "2026-02-30T00:00:00Z", "46082.5")
        ),
    ],
)
def test_what_a_spreadsheet_may_have_made_of_a_cell_is_not_guessed_at(column_type: ColumnType, cell: str) -> None:
    with pytest.raises(ValueError, match=r"expected|larger"):
        values_of(column_type, [cell])
