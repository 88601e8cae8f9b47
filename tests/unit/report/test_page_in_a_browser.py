"""The report page as a reader's browser lays it out: nothing cut, nothing overlapping the edge."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ops.model.drill import DrillReport
from ops.report.html import render_drill

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

#: Only the copy that is measured gets a script; the page itself has none.
MEASURE = """<script>
document.title = JSON.stringify({width: document.documentElement.scrollWidth,
  view: document.documentElement.clientWidth, plots: document.querySelectorAll('svg').length,
  broken: [...document.images].filter(i => !i.naturalWidth).length});
</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine; CI installs one")
@pytest.mark.parametrize("width", [360, 768, 1200])
def test_the_page_fits_its_window_and_shows_its_plots(report: DrillReport, tmp_path: Path, width: int) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_drill(report).replace("</body>", MEASURE), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(
        f'<iframe id=f src="report.html" style="width:{width}px;height:30000px;border:0"></iframe>'
        "<script>onload = () => setTimeout(() => document.title = document.getElementById('f').contentDocument.title)"
        "</script>"
    )
    arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        "--dump-dom",
    ]
    done = subprocess.run(
        [
            str(BROWSER),
            *arguments,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found is not None, done.stderr[-500:]
    measured = dict(re.findall(r'"(\w+)":(\d+)', found.group(1).replace("&quot;", '"')))
    assert int(measured["view"]) == width
    assert int(measured["width"]) <= width
    assert int(measured["plots"]) >= 2
    assert int(measured["broken"]) == 0
