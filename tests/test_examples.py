"""The example bot runs, prints the figures that were computed by hand, and leaves a file that tells the same again."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import tradestore
from tradestore import Trade

BOT = Path(__file__).parents[1] / "examples" / "bot.py"
SECONDS = 60

# Trade 1, spot: 0.1 at 68.1 and 0.1 at 55 are 0.2 at 61.55; fees 0.1 %.
#     out at 78.35: 7.835 · 0.999 - 6.155 · 1.001 = 7.827165 - 6.161155 = 1.66601
#     out at 67.01: 6.701 · 0.999 - 6.155 · 1.001 = 6.694299 - 6.161155 = 0.533144
#     together 2.199154, of 12.31 · 1.001 = 12.32231 is 17.85 %
# Trade 2, spot: 0.1 at 71.05741, stopped out at 59.9; fees 0.26 %.
#     5.99 · 0.9974 - 7.105741 · 1.0026 = 5.974426 - 7.1242159266 = -1.1497899266, which is -16.14 %
#     the stop is 75 · (1 - 0.2) = 60
# Trade 3, futures, short, three times: 0.1 at 74.7, back at 70.17; fees 0.05 %, funding 0.0045 received.
#     7.47 · 0.9995 - (7.017 · 1.0005 - 0.0045) = 7.466265 - 7.0160085 = 0.4502565
#     (1 - 7.0160085 / 7.466265) · 3 is 18.09 %
# Trade 4, margin, three times: 0.05 at 241, out at 250 after 30 hours; fees 0.1 %, interest 0.06 % a day.
#     the loan is 12.05 · 2 / 3, its interest 12.05 · 2 / 3 · 0.0006 · 30 / 24 = 0.006025
#     12.5 · 0.999 - 0.006025 - 12.05 · 1.001 = 12.481475 - 12.06205 = 0.419425
#     (12.481475 / 12.06205 - 1) · 3 is 10.43 %
CLOSED = [
    "1 LTC/USDT long 1x 61.55 67.01 exit_signal 17.85 2.19915400",
    "2 LTC/USDT long 1x 71.06 59.9 stoploss_on_exchange -16.14 -1.14978993",
    "3 LTC/USDT:USDT short 3x 74.7 70.17 roi 18.09 0.45025650",
    "4 SOL/USDT long 3x 241 250 roi 10.43 0.41942500",
]

# Trade 5: 1 bought at 0.61877, of which 0.00075 went as fee: 0.99925 · 0.61877 = 0.6183059225.
#     the stop is 0.61877 · 0.9 = 0.556893; even at 0.61877 · 1.00075 / 0.99925 = 0.619699
# Trade 6: 0.0011 at 4425.21 = 4.867731; the stop is 4425.21 · 0.9 = 3982.689
#     even at 4425.21 · 1.001 / 0.999 = 4434.07
OPEN = [
    "5 XRP/USDT long 1x 0.61877 0.99925 0.61830592 0.556893 0 0.619699",
    "6 ETH/USDT long 1x 4425.2 0.0011 4.86773100 3982.69 1 4434.07",
]

# A pair's percentage is its profit over what entries cost, without fees and leverage:
#     (2.199154 - 1.14978993) / (12.31 + 7.105741) = 1.04936407 / 19.415741 is 5.40 %
#     0.4502565 / (7.47 / 3) is 18.08 %, 0.419425 / (12.05 / 3) is 10.44 %
BY_PAIR = [
    "LTC/USDT 5.40 1.04936407 2",
    "LTC/USDT:USDT 18.08 0.45025650 1",
    "SOL/USDT 10.44 0.41942500 1",
]
BY_TAGS = [
    "dip exit_signal 17.85 2.19915400 1",
    "overbought roi 18.09 0.45025650 1",
    "breakout roi 10.43 0.41942500 1",
    "breakout stoploss_on_exchange -16.14 -1.14978993 1",
]

# 2.199154 - 1.14978993 + 0.4502565 + 0.419425
CLOSED_PROFIT = 1.91904557
# 6.81 + 5.5 + 7.835 + 6.701 + 7.105741 + 5.99 + 7.47 + 7.017 + 12.05 + 12.5 + 0.61877 + 4.867731
VOLUME = 84.465242

LAST_LINES = [
    # 21:07 and six hours are 03:07, and the candle of five minutes ends at 03:10.
    "LTC/USDT was locked (long) until 2025-09-06 03:10 UTC: stopped out",
    f"Closed profit {CLOSED_PROFIT:.8f} USDT, volume {VOLUME:.8f} USDT",
    "6 trades: every number is the same after reopening the file.",
]


def test_prints_what_was_computed_by_hand(tmp_path: Path) -> None:
    result = _run(tmp_path / "trades.sqlite")

    assert result.returncode == 0, result.stderr
    assert not result.stderr
    lines = [re.sub(r" +", " ", line).strip() for line in result.stdout.splitlines()]
    titles = [
        "Performance by pair",
        "Performance by entry tag and exit reason",
        "Closed trades",
        "Open trades",
    ]
    for title, rows in zip(titles, (BY_PAIR, BY_TAGS, CLOSED, OPEN), strict=True):
        begin = lines.index(title) + 2  # The title is followed by the headings.
        assert lines[begin : lines.index("", begin)] == rows
    assert lines[-len(LAST_LINES) :] == LAST_LINES


def test_file_tells_the_same_again(bot: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "trades.sqlite"
    assert _run(file).returncode == 0

    first = _read(bot, file)
    assert _read(bot, file) == first

    profits = [row["profit_abs"] for row in first["by pair"]]
    assert profits == pytest.approx([1.04936407, 0.4502565, 0.419425], abs=1e-12)
    assert first["closed profit"] == pytest.approx(CLOSED_PROFIT, abs=1e-12)
    assert first["trading volume"] == pytest.approx(VOLUME, abs=1e-12)
    # A trade's own numbers are exact, not only near.
    closed = [trade["close_profit_abs"] for trade in first["trades"] if not trade["is_open"]]
    assert closed == [2.199154, -1.14978993, 0.4502565, 0.419425]
    assert [trade["stop_loss_abs"] for trade in first["trades"]][1] == 60.0
    assert first["custom data"] == [["entries", {"count": 2, "why": ["dip", "deeper dip"]}], ["target", 8234.0]]
    assert first["data of XRP/USDT"] == {"last_signal": "dip", "strength": 0.75}


def test_says_what_differs(
    bot: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = bot.all_numbers
    profits = iter([1.0, 2.0])
    monkeypatch.setattr(bot, "all_numbers", lambda trades: honest(trades) | {"closed profit": next(profits)})

    assert bot.run(tmp_path / "trades.sqlite") == 1

    assert "closed profit: 1.0 became 2.0" in capsys.readouterr().err


def test_leaves_an_existing_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "trades.sqlite"
    file.write_bytes(b"something else")

    result = _run(file)

    assert result.returncode == 2
    assert "exists already" in result.stderr
    assert file.read_bytes() == b"something else"


@pytest.fixture
def bot() -> Iterator[ModuleType]:
    """Return the example as a module, and close whatever it opens."""
    spec = importlib.util.spec_from_file_location("example_bot", BOT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    Trade.session.remove()


def _run(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", str(BOT), str(file)],
        env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1"},  # As wide as the narrowest terminal.
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _read(bot: ModuleType, file: Path) -> dict[str, Any]:
    database = tradestore.init_db(f"sqlite:///{file}")
    try:
        told: dict[str, Any] = bot.all_numbers(Trade.get_trades().all())
    finally:
        database.close()
    return told
