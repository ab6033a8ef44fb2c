"""The documentation as a site: it is built without a warning, needs no other host, and has every public name."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import griffe
import pytest

import tradestore
from tests.pages import CHECKOUT, DOCS
from tradestore import operations

ELSEWHERE = {
    "tradestore.adoption": "what `init_db` does to old databases, step by step",
    "tradestore.cli": "docs/cli.md has the commands",
    "tradestore.exceptions": "docs/errors.md has a section for each",
}
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href", "object": "data"}
NOT_LOADED = {"canonical", "next", "prev"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = _build(CHECKOUT / "mkdocs.yml", folder)
    assert built.returncode == 0, built.stdout
    return folder


def _build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(folder)],
        cwd=config.parent,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


class _Loads(HTMLParser):
    """What a browser fetches by itself to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        url = values.get(LOADED.get(tag, ""))
        if url and values.get("rel") not in NOT_LOADED:
            self.urls.append(url)


def _loads(page: Path) -> list[str]:
    parser = _Loads()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser.urls


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    loads = {page.name: _loads(page) for page in site.rglob("*.html")}
    assert all(loads.values()), "each page has its style at least"
    assert {name: url for name, urls in loads.items() for url in urls if re.match(r"(\w+:)?//", url)} == {}
    styles = {style.name: style.read_text(encoding="utf-8") for style in site.rglob("*.css")}
    assert styles
    assert {name for name, text in styles.items() if re.search(r"(url\(|@import)[\s\"']*(\w+:)?//", text)} == set()


def test_every_page_is_built(site: Path) -> None:
    written = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")} | {Path("changelog.html")}
    assert written | {Path("404.html")} == {page.relative_to(site) for page in site.rglob("*.html")}


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("[to nowhere](nowhere.md)", "nowhere.md"),
        ("[to nothing](#nothing)", "#nothing"),
        ("![of nothing](nothing.png)", "nothing.png"),
        ("[absolute](/index.md)", "/index.md"),
    ],
)
def test_broken_link_is_no_site(page: str, complaint: str, tmp_path: Path) -> None:
    built = _build_page(tmp_path, page)
    assert built.returncode == 1
    assert complaint in built.stdout


def test_page_that_nothing_leads_to_is_no_site(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "lost.md").write_text("# Lost\n", encoding="utf-8")
    built = _build_page(tmp_path, "")
    assert built.returncode == 1
    assert "lost.md" in built.stdout


def test_page_without_a_fault_is_a_site(tmp_path: Path) -> None:
    assert _build_page(tmp_path, "[to itself](#page)").returncode == 0


def _build_page(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Build a site of one page, as strictly as ours and without what takes long."""
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "index.md").write_text(f"# Page\n\n{text}\n", encoding="utf-8")
    config = folder / "mkdocs.yml"
    config.write_text(
        f"INHERIT: {CHECKOUT / 'mkdocs.yml'}\ndocs_dir: docs\nnav: [index.md]\nplugins: []\nhooks: []\n",
        encoding="utf-8",
    )
    return _build(config, folder / "site")


def test_every_public_name_is_in_the_reference_once() -> None:
    source = griffe.load("tradestore", search_paths=[CHECKOUT / "src"])
    wanted = {
        _home(source, f"{module}.{name}")
        for module in _public_modules()
        for name in importlib.import_module(module).__all__
    } - {None}
    described = Counter(
        _home(source, name)
        for page in (DOCS / "reference").glob("*.md")
        for path in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        for name in _names(path)
    )
    assert {name for name, times in described.items() if times > 1} == set()
    assert wanted - set(described) == set()


def test_inherited_members_are_found_at_the_trade(site: Path) -> None:
    """Profit is computed by a base of `Trade`, and nobody looks for it there."""
    page = (site / "reference" / "trades.html").read_text(encoding="utf-8")
    assert 'id="tradestore.Trade.calc_profit"' in page
    assert "<code>open_rate</code>" in page
    assert "The average price of the entries" in page


def _public_modules() -> list[str]:
    found = [
        module.name
        for package in (tradestore, operations)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        if not module.name.rpartition(".")[2].startswith("_") and module.name not in ELSEWHERE
    ]
    return ["tradestore", *found]


def _names(path: str) -> list[str]:
    """Return what a directive shows: all public names of a module, or the one that it names."""
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError:
        return [path]
    return [f"{path}.{name}" for name in module.__all__]


def _home(source: griffe.Object | griffe.Alias, path: str) -> str | None:
    """Return where a name is defined; None for one of another package, and where a module hides it, which has it."""
    found = source[path.removeprefix("tradestore.")]
    target = found.target_path if isinstance(found, griffe.Alias) else found.canonical_path
    if not target.startswith("tradestore.") or found.is_module:
        return None
    return target if target == path else _home(source, target)
