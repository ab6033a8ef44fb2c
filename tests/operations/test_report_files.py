"""The files of a report: whole, private, safe whatever the database holds, and drawn by a browser without a network."""

import json
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.operations.books import Deal, book_of, random_book, store_book
from tests.operations.browsing import open_in_widths
from tradestore import Store
from tradestore.exceptions import MissingPackage, OperationalException
from tradestore.operations._private_files import private_file
from tradestore.operations.report import ReportFigures, read_figures, write_report
from tradestore.operations.report._wording import duration, json_for_script, percent, rate, shortened
from tradestore.testing import opened_store
from tradestore.testing.builders import make_trade

HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "<a href='javascript:window.hacked=1'>click</a>",
    "\u2028window.hacked=1\u2029",
    "$\\frac{1}{$ & <!-- ]]>",
    "{{7*7}} ${window.hacked=1} %{x}",
    "\U0001f680 漢字 \u202edlog",
]


@pytest.fixture
def figures(database: Store) -> ReportFigures:
    """Return the figures of a book whose every text is hostile."""
    deals = random_book(60)
    marked = [
        Deal(deal.hours, deal.profit, deal.ratio, f"{HOSTILE[n % 8][:48]}", HOSTILE[(n + 1) % 8], HOSTILE[(n + 2) % 8])
        for n, deal in enumerate(deals)
    ]
    opened = make_trade(pair=HOSTILE[1], enter_tag=HOSTILE[0], stop_loss=19.0)
    store_book([*book_of(marked), opened])
    return read_figures(database)


on_one_engine = pytest.mark.needs("persistent", "in_process")


@on_one_engine
def test_a_browser_draws_it_without_a_network(figures: ReportFigures, tmp_path: Path) -> None:
    """Every chart has its traces, at 1280 and at 400 pixels; nothing overflows, fails, is fetched, or runs."""
    page = tmp_path / "report.html"
    write_report(figures, html=page, title=HOSTILE[0])
    opened = open_in_widths(page, [1280, 400], tmp_path)
    assert opened.complaints == []
    assert sorted(opened.frames) == [400, 1280]
    for width, seen in opened.frames.items():
        assert (seen["content"], seen["outside"]) == (seen["room"], 0)
        assert width - seen["room"] < 20
        assert (seen["faults"], seen["fetched"], seen["hacked"]) == ([], [], False)
        assert (seen["links"], seen["images"]) == (0, 0)
        # The two of this test, the data, plotly, and what draws.
        assert seen["scripts"] == 5
        assert len(seen["charts"]) == 9
        assert all(traces == 1 for _, traces in seen["charts"]), seen["charts"]
        assert HOSTILE[0] in seen["texts"]
        assert any(label.startswith("<img src=x") for label in seen["labels"])


@on_one_engine
def test_the_file_asks_for_nothing(figures: ReportFigures, tmp_path: Path) -> None:
    """Its policy forbids all but itself, and nothing outside of plotly's own code names another place."""
    page = tmp_path / "report.html"
    write_report(figures, html=page)
    text = page.read_text(encoding="utf-8")
    assert (
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:\">"
    ) in text
    first, _, rest = text.partition("<script>")
    own = first + rest.partition("</script>")[2]
    assert not re.search(r"https?:|\bsrc=[\"']?http|@import|url\(", own.replace("&lt;img src=x", ""))
    assert text.count("<script") == text.count("</script>") == 3
    assert "\u2028" not in re.findall(r'id="report-data">(.*?)</script>', text)[0]
    assert len(text) < 6_000_000


@on_one_engine
def test_tables_have_captions_and_headings(figures: ReportFigures, tmp_path: Path) -> None:
    """Who cannot see a chart gets its numbers, named."""
    page = tmp_path / "report.html"
    write_report(figures, html=page, title="Of this year")
    text = page.read_text(encoding="utf-8")
    assert "<title>Of this year</title>" in text
    assert text.count("<h1>") == 1
    assert text.count("<table>") == text.count("<caption>") == 8
    assert text.count('role="img"') == len(re.findall(r'role="img" aria-label="[^"]+"', text)) == 9
    assert '<html lang="en">' in text


@on_one_engine
def test_pictures_are_pictures(figures: ReportFigures, tmp_path: Path) -> None:
    """The same figures give the same file, whatever letters its font lacks and whatever formulas texts look like."""
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    write_report(figures, png=first, title=HOSTILE[5])
    write_report(figures, png=second, title=HOSTILE[5])
    content = first.read_bytes()
    assert content == second.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width > height > 600


@on_one_engine
def test_an_empty_store_has_a_report(database: Store, tmp_path: Path) -> None:
    """A bot that has not closed a trade yet gets a page without charts, and a picture of none."""
    found = read_figures(database)
    write_report(found, html=tmp_path / "r.html", png=tmp_path / "r.png")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count("There are none.") == 2
    assert 'class="chart' not in text


@pytest.fixture
def empty(tmp_path: Path) -> ReportFigures:
    """Return the figures of an empty store."""
    with opened_store(f"sqlite:///{tmp_path / 'empty.sqlite'}") as store:
        return read_figures(store)


def test_files_are_private_and_not_replaced_unasked(empty: ReportFigures, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    write_report(empty, html=page)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    page.write_text("mine")
    with pytest.raises(OperationalException, match="is there already"):
        write_report(empty, html=page, png=picture)
    assert (page.read_text(), picture.exists()) == ("mine", False)
    write_report(empty, html=page, png=picture, overwrite=True)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600


def test_a_file_that_appears_meanwhile_is_kept(empty: ReportFigures, tmp_path: Path, monkeypatch) -> None:
    """Between the first look and the writing another one may be put there."""
    page = tmp_path / "report.html"

    def slowly(_figures: ReportFigures, _title: str) -> str:
        page.write_text("of somebody else")
        return "mine"

    monkeypatch.setattr("tradestore.operations.report.writing.html_of", slowly)
    with pytest.raises(OperationalException, match="is there already"):
        write_report(empty, html=page)
    assert page.read_text() == "of somebody else"
    assert sorted(path.name for path in tmp_path.glob("*report*")) == ["report.html"]


def test_what_cannot_be_written_leaves_nothing(empty: ReportFigures, tmp_path: Path, monkeypatch) -> None:
    """A full disk in the middle of the second file takes the first one with it."""

    @contextmanager
    def full(path: Path) -> Iterator[BinaryIO]:
        with private_file(path) as stream:
            yield stream
            if path.name.startswith(".r.png"):
                raise OSError(28, "No space left on device")

    monkeypatch.setattr("tradestore.operations.report.writing.private_file", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OperationalException, match="No space left"):
        write_report(empty, html=tmp_path / "r.html", png=tmp_path / "r.png")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("name", "found"), [("", "is a folder"), ("missing/report.html", "no folder")])
def test_odd_paths_are_refused(empty: ReportFigures, tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(OperationalException, match=found):
        write_report(empty, html=tmp_path / name)


def test_a_missing_package_is_named_and_nothing_written(empty: ReportFigures, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingPackage, match=r"tradestore\[report\]"):
        write_report(empty, html=tmp_path / "r.html", png=tmp_path / "r.png")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("text", HOSTILE)
def test_json_within_a_script_ends_nothing(text: str) -> None:
    written = json_for_script({"text": text})
    assert json.loads(written) == {"text": text}
    assert not set(written) & set("<>&\u2028\u2029")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (62000.0, "62,000"),
        (5.41347325, "5.41347"),
        (0.00000123456789, "0.00000123457"),
        (0.45, "0.45"),
        (-3.5, "\u22123.5"),
        (1234567.891, "1,234,568"),
        (None, "\u2013"),
    ],
)
def test_rates_have_six_digits_that_tell(value: float | None, text: str) -> None:
    assert rate(value) == text


def test_words_for_people() -> None:
    assert percent(0.0123456) == "1.23\u00a0%"
    assert percent(-0.5, signed=True) == "\u221250.00\u00a0%"
    assert percent(-0.0000001, signed=True) == "0.00\u00a0%"
    assert [duration(seconds) for seconds in (59, 3_660, 90_000, 1_000_000)] == [
        "0 min",
        "1 h 1 min",
        "1 d 1 h",
        "11 d",
    ]
    assert shortened("abcdef", 4) == "abc…"
