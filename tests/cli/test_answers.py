"""What commands print with: JSON of any result, text that steers no terminal, and progress for those who wait."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from tests.cli.conftest import Command
from tests.cli.terminals import in_terminal
from tradestore.cli._answers import as_json_value, bar_of, printable
from tradestore.cli._formats import moment, number, percent, size, table_of


class _Colour(StrEnum):
    RED = "red"


class _Point(NamedTuple):
    x: int
    y: float


@dataclass
class _Box:
    colour: _Colour
    corners: tuple[_Point, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (0.1, 0.1),
        (True, True),
        (2**63, 2**63),
        (datetime(2026, 3, 1, 12), "2026-03-01T12:00:00Z"),  # noqa: DTZ001 - one without a zone is UTC
        (datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T10:00:00Z"),
        (date(2026, 3, 1), "2026-03-01"),
        (Decimal("9.80"), "9.80"),
        (Path("a") / "b", "a/b"),
        ({_Colour.RED: {1}}, {"red": [1]}),
        (_Box(_Colour.RED, (_Point(1, 2.5),)), {"colour": "red", "corners": [{"x": 1, "y": 2.5}]}),
    ],
    ids=str,
)
def test_any_result_has_a_form_in_json(value: Any, expected: Any) -> None:
    assert as_json_value(value) == expected
    json.dumps(as_json_value(value), allow_nan=False)


def test_control_characters_are_spelled_out() -> None:
    assert printable("a\x1b[2J\n\u202eé 中") == "a\\x1b[2J\\n\\u202eé 中"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(19.0), "19"),
        (number(0.000000019), "0.00000002"),
        (number(1e20), "100000000000000000000"),
        (number(-0.5), "-0.5"),
        (number(None), None),
        (percent(0.09780219), "9.78%"),
        (moment(datetime(2026, 3, 1, 12, 0, 59, tzinfo=UTC)), "2026-03-01 12:00"),
        (size(0), "0 bytes"),
        (size(1023), "1023 bytes"),
        (size(1024), "1.0 KiB"),
        (size(1024**3), "1.0 GiB"),
        (size(5000 * 1024**4), "5000.0 TiB"),
    ],
)
def test_values_are_short(shown: str | None, expected: str | None) -> None:
    assert shown == expected


def test_narrow_terminal_breaks_texts_and_no_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    table = table_of(["id", "text"], [(1234567, "a long text of several words")], numbers=["id"])
    Console(width=20, color_system=None).print(table)
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[2:]]
    assert lines[0][0] == "1234567"
    assert " ".join([lines[0][1], *(line[0] if len(line) == 1 else " ".join(line) for line in lines[1:])]).split() == [
        "a",
        "long",
        "text",
        "of",
        "several",
        "words",
    ]


def test_pipe_gets_no_progress(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tradestore.cli._answers._PATIENCE", -1.0)
    with bar_of("rows") as show:
        show(1, 2)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a module that starts the command line with another patience, to be found first."""
    (tmp_path / "sitecustomize.py").write_text(
        "import tradestore.cli._answers as answers\nanswers._PATIENCE = -1.0\n", encoding="utf-8"
    )
    return tmp_path


def test_whoever_waits_sees_how_far_it_is(program: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = f"sqlite:///{program / 'source.sqlite'}", f"sqlite:///{program / 'target.sqlite'}"
    assert command("upgrade", "--create", "--yes", "--db-url", source).code == 0
    assert command("kv", "set", "key", "value", "--yes", "--db-url", source).code == 0
    monkeypatch.setenv("PYTHONPATH", str(program), prepend=":")
    seen = in_terminal("copy", source, target, folder=program)
    assert seen.code == 0
    assert "1/1" in seen.raw
    assert seen.raw.rindex("\x1b[2K") > seen.raw.rindex("1/1"), "it stays on the screen"
