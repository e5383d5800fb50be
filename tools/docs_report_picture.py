"""Make docs/images/report.png: the report of a run with a planted fault, as a browser shows it.

    python tools/docs_report_picture.py      # needs Chromium or Chrome; a minute

The fault is that of docs/red-cell.md: messages added one neighbour after another in bfloat16.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from mpcheck.cli.main import main as mpcheck  # noqa: E402
from tests.faults.planted import sequential_scatter  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "report.png"
RUN = ["run", "builtin:hco", "--system", "builtin:dense", "--block", "interactions.*", "--block", "products.*", "--block", "readouts.*"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars")
SIZE = "1280,1150"


def photograph(browser: str, page: Path, picture: Path, profile: Path) -> None:
    """The upper part of a page, in light colours."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", *QUIET, f"--user-data-dir={profile}", f"--window-size={SIZE}"]
    subprocess.run([browser, *flags, f"--screenshot={picture}", page.as_uri()], check=True, timeout=120, capture_output=True)


def main() -> int:
    """Write the picture.

    Returns:
        0; 1 where the fault was not seen; 2 without a browser.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"no browser here: one of {', '.join(BROWSERS)} is needed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MPCHECK_CACHE_DIR"] = str(folder / "cache")  # what is built while a fault is planted must reach nobody else
        with sequential_scatter(torch.bfloat16):
            status = mpcheck([*RUN, "--out", str(folder / "records")])
        if status != 1:
            print(f"the planted fault was not seen: status {status}", file=sys.stderr)
            return 1
        page = folder / "report.html"
        mpcheck(["report", str(folder / "records"), "--html", str(page)])
        photograph(browser, page, folder / "report.png", folder / "profile")
        PICTURE.write_bytes((folder / "report.png").read_bytes())
    print(f"wrote {PICTURE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
