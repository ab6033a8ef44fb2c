"""A headless browser that opens a page without a network, and tells what it has made of it."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Opened", "open_in_widths", "require_browser"]

SECONDS = 60

# Stands before all scripts of the page.
_LISTENING = """<script>
window.faults = [];
addEventListener("error", (event) => faults.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => faults.push(`${event.violatedDirective} ${event.blockedURI}`));
</script>"""

# Stands behind them, and asks no sooner than all that they put off has been done.
_TELLING = """<script>
addEventListener("load", () => setTimeout(() => {
  const root = document.documentElement;
  const all = (selector) => [...document.querySelectorAll(selector)];
  parent.postMessage(JSON.stringify({
    width: innerWidth, room: root.clientWidth, content: root.scrollWidth, faults,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name),
    charts: all(".chart").map((chart) => [chart.id, chart.querySelectorAll("svg.main-svg .trace").length]),
    outside: all(".card, .tile, .chart, svg").filter((one) => one.getBoundingClientRect().right > innerWidth).length,
    links: all("a").length, images: all("img").length, scripts: all("script").length,
    texts: all("td, dd, h1").map((each) => each.textContent), labels: all("svg text").map((each) => each.textContent),
    background: getComputedStyle(document.body).backgroundColor, hacked: "hacked" in window,
  }), "*");
}, 500));
</script>"""

_FRAMES = """<!doctype html><title>frames</title><pre id="told"></pre>
<script>
const told = [];
addEventListener("message", (event) => {
  told.push(JSON.parse(event.data));
  document.getElementById("told").textContent = JSON.stringify(told);
});
</script>
%s"""


@dataclass(frozen=True)
class Opened:
    """What the browser has made of a page.

    Attributes:
        frames: By their width: what the page tells of itself.
        complaints: What the browser said of pages and network.
    """

    frames: dict[int, dict[str, Any]]
    complaints: list[str]


def require_browser() -> str:
    """Return the browser; a test that needs it is skipped without, or fails where all must be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    missing = "chromium is not installed (Debian: apt install chromium)"
    if os.environ.get("TRADESTORE_REQUIRE_SERVERS") == "1":
        pytest.fail(f"TRADESTORE_REQUIRE_SERVERS=1, but {missing}", pytrace=False)
    pytest.skip(missing)


def open_in_widths(page: Path, widths: list[int], folder: Path) -> Opened:
    """Open a page in frames of these widths at once, in one browser that reaches no other machine.

    Args:
        page: An HTML file.
        widths: In pixels.
        folder: For what the browser needs.
    """
    browser = require_browser()
    text = page.read_text(encoding="utf-8")
    watched = folder / "watched.html"
    watched.write_text(text.replace("<head>", f"<head>{_LISTENING}", 1).replace("</body>", f"{_TELLING}</body>"))
    frames = folder / "frames.html"
    each = "".join(
        f'<iframe src="watched.html" style="width:{width}px;height:900px;border:0"></iframe>' for width in widths
    )
    frames.write_text(_FRAMES % each)
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    switches += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    switches += ["--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND"]
    switches += [f"--user-data-dir={folder / 'profile'}", "--window-size=2000,1000", "--virtual-time-budget=8000"]
    ended = subprocess.run(
        [browser, *switches, "--dump-dom", frames.as_uri()],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=os.environ | {"HOME": str(folder)},
    )
    told = re.search(r'<pre id="told">(.*?)</pre>', ended.stdout, re.DOTALL)
    assert told, ended.stderr
    found = json.loads(html.unescape(told[1]) or "[]")
    complaints = [line for line in ended.stderr.splitlines() if re.search(r"CONSOLE|ERR_", line)]
    return Opened({frame["width"]: frame for frame in found}, complaints)
