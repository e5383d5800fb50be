"""Make docs/images/report*.png: reports of runs with a planted fault, as browsers and printers show them.

    python tools/docs_report_picture.py      # needs Chromium or Chrome, and playwright; a minute

The fault is that of docs/red-cell.md: messages added one neighbour after another in bfloat16. Look at all of them before you commit them.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from mpcheck.cli.main import main as mpcheck  # noqa: E402
from tests.faults.planted import sequential_scatter  # noqa: E402

FOLDER = ROOT / "docs" / "images"
RUN = ["run", "builtin:hco", "--system", "builtin:dense", "--block", "interactions.*", "--block", "products.*", "--block", "readouts.*"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
TABLE = "#ratios"


@dataclass(frozen=True)
class View:
    """One picture.

    Attributes:
        name: of the file; empty of the first. width, height: pixels that are shown.
        scheme: light or dark. media: screen or print. sees: a deficiency of colour vision that is simulated; empty for none.
        at: element that stands at the top; empty for the beginning of the page.
    """

    name: str
    width: int = 1280
    height: int = 1150
    scheme: str = "light"
    media: str = "screen"
    sees: str = ""
    at: str = ""

    @property
    def path(self) -> Path:
        """Where it lies."""
        return FOLDER / f"{'-'.join(filter(None, ('report', self.name)))}.png"


VIEWS = (
    View(""),
    View("dark", scheme="dark", height=760),
    View("phone", width=390, height=1000),
    View("phone-blocks", width=390, height=760, at=TABLE),
    View("print", width=720, height=1000, media="print"),
    View("deuteranopia", height=900, sees="deuteranopia", at=TABLE),
)


def photograph(browser: Any, page: Path, view: View) -> bytes:
    """A page as somebody sees it."""
    context = browser.new_context(viewport={"width": view.width, "height": view.height}, color_scheme=view.scheme)
    try:
        shown = context.new_page()
        shown.goto(page.as_uri())
        shown.emulate_media(media=view.media)
        if view.sees:
            context.new_cdp_session(shown).send("Emulation.setEmulatedVisionDeficiency", {"type": view.sees})
        if view.at:
            shown.evaluate("at => document.querySelector(at).scrollIntoView()", view.at)
        picture: bytes = shown.screenshot()
        return picture
    finally:
        context.close()


def reported(folder: Path) -> Path | None:
    """The page of a run with the fault; None where it was not seen."""
    os.environ["MPCHECK_CACHE_DIR"] = str(folder / "cache")  # what is built while a fault is planted must reach nobody else
    with sequential_scatter(torch.bfloat16):
        status = mpcheck([*RUN, "--out", str(folder / "records")])
    if status != 1:
        print(f"the planted fault was not seen: status {status}", file=sys.stderr)
        return None
    page = folder / "report.html"
    mpcheck(["report", str(folder / "records"), "--html", str(page)])
    return page


def main() -> int:
    """Write the pictures.

    Returns:
        0; 1 where the fault was not seen; 2 without a browser or playwright.
    """
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None or importlib.util.find_spec("playwright") is None:
        print(f"one of {', '.join(BROWSERS)} is needed, and `pip install playwright`", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name:
        page = reported(Path(name))
        if page is None:
            return 1
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=executable, args=list(QUIET))
            pictures = {view.path: photograph(browser, page, view) for view in VIEWS}
            browser.close()
    for path, picture in pictures.items():
        path.write_bytes(picture)
        print(f"wrote {path.relative_to(ROOT)}, {len(picture) // 1000} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
